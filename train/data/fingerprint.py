"""What kept training data hangs on: the files, how they are read, and what becomes of a picture.

Between a picture and a window lies code of many modules. A list of those would be incomplete one
day, so nobody lists them: what that code makes of a few drawn fields (`train.data.drawn`) is hashed, which
changes with whatever changes its behaviour and not with a comment. Only a data set's own reader, and what
walks its folders, are taken by their code, docstrings and comments left out, since nobody can draw every data
set.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path
from types import ModuleType

import numpy as np

from edge.cells.segment import segment
from edge.optics import redcells
from edge.optics.specimen import specimen
from train.data import drawn
from train.data.classes import CLASSES, admitted
from train.data.dataset import DataSet
from train.data.pictures import class_folders
from train.data.registry import dataset
from train.data.scale import measured
from train.data.sets.artefacts import artefact_spots, nucleated_spots
from train.data.split import split_of


def digest(parts: Iterable[object]) -> str:
    """16 hexadecimal digits of texts, numbers and arrays, in their order."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.dtype} {part.shape} ".encode() + np.ascontiguousarray(part).tobytes())
        else:
            found.update(f"{part!r}\n".encode())
    return found.hexdigest()[:16]


def of_source(source: DataSet, data: Path) -> str:
    """Of the pictures of a data set, their labels and parts: changes with its files and how they are read.

    Raises
    ------
    DataError
        When the data set is absent.
    """
    base = source.read if source.reading else dataset(source.name.partition("@")[0]).read
    readers = [sys.modules[_maker(each).__module__] for each in (source.read, base, class_folders)]
    parts: list[object] = [source.name, source.scale, *map(_code, readers), readings()]
    if source.reading is not None:
        hangs_on = source.reading(source.root(data))
        parts += (_code(each) if isinstance(each, ModuleType) else each for each in hangs_on)
    elif source.folder is None:  # drawn: whatever changes the drawing changes its first picture
        parts.append(next(iter(source.read(data, print))).load())
    else:
        root = source.root(data)
        files = ((path.relative_to(root), path.stat()) for path in root.rglob("*") if path.is_file())
        parts += sorted((name.as_posix(), about.st_size, about.st_mtime_ns) for name, about in files)
    return digest(parts)


def _maker(read: Callable[..., object]) -> Callable[..., object]:
    """A function, without what it is given beforehand."""
    return read.func if isinstance(read, partial) else read


@cache
def readings() -> str:
    """Of what readers share: cells, nuclei and artefacts found, scales measured, groups divided, labels."""
    parts: list[object] = [split_of(f"group {i}") for i in range(64)]
    parts += [admitted(label) for label in drawn.LABELS] + [CLASSES]
    pictures = drawn.pictures()
    for picture in pictures:
        pixels, um_per_px = picture.load(), picture.um_per_px
        cells = segment(specimen(pixels, um_per_px, 0.25))
        labelled = [spot.centre_px for spot in picture.spots[::2] if spot.centre_px]
        parts += [cells.labels, cells.nuclei, cells.boxes, cells.centres, cells.cut]
        parts.append(artefact_spots(pixels, um_per_px, labelled, 4, np.random.default_rng(0)))
        parts.append(nucleated_spots(pixels, um_per_px, 8))
    red = pictures[drawn.RED_CELLS].load()
    found = redcells.find(red)
    return digest([*parts, found.across_px, redcells.estimate([found]), measured([red] * 3)])


def _code(module: ModuleType) -> str:
    """A module's code without comments and docstrings."""
    return ast.dump(_Bare().visit(ast.parse(inspect.getsource(module))))


class _Bare(ast.NodeTransformer):
    """Drops texts that are no more than said."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        said = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if said else node
