"""Aria's fields of acute lymphoblastic leukemia and of hematogones: nuclei, artefacts, and whole fields.

Only the fields are labelled, no cell. `aria` reads places in some of them, `aria-cells` the cells that the
device finds, as far as their field tells what they are, `aria-fields` every field under its class. Colour
follows class and scale bars are burned in: a network can tell the classes by those.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from edge.cells.segment import segment
from edge.optics.specimen import specimen
from edge.types import U8
from train.data.classes import LYMPHOID, NO_BLAST, NUCLEATED
from train.data.dataset import DataError, DataSet, Notice, Picture, Place, Scale, Spot
from train.data.pictures import class_folders, load_picture, one_spot, picture_files
from train.data.sets.artefacts import ARTEFACT, artefact_spots, nucleated_spots
from train.data.split import split_of

_STEP = 6  # neighbours are near-identical frames
_BLOCK = 30
_SCALE = Scale(0.40, "once stretched, as the device measures it on red cells (`python benchmarks/scale.py`)")
_CELL_STEP = 3
_CELLS_PER_FIELD = 8
_PITCH_UM = 0.25
_SMALLEST_UM2 = 28.0  # of a nucleus; below are platelets, pycnotic nuclei and dirt
_LARGE_UM2 = 50.0  # a ripe lymphocyte's nucleus seldom is larger, a lymphoblast's mostly is

_FIELDS = {"Benign": "benign", "Early": "early", "Pre": "pre", "Pro": "pro"}

_SAME_SLIDE = {
    "Benign": ((0, 6), (4, 5), (7, 8)),
    "Early": ((0, 2, 3), (1, 5, 6), (7, 8, 9, 13, 14, 15, 16, 17)),
    "Pre": ((0, 1, 2, 3, 4, 5), (9, 10, 11, 12), (13, 14), (15, 16)),
    "Pro": ((4, 5), (8, 9), (11, 12, 13, 14)),
}
"""Blocks of a class that show the same places, found by `edge-train datasets --check`: slides were scanned
back beside the way that they were scanned there, so that distant numbers overlap."""

_SALT = "277"
"""Of 400 salts the one that comes nearest to 65, 15 and 20% of the fields of every class in the development
subset: with so few slides most leave a class without test fields. Chosen from the counts alone."""


def _group(path: Path) -> str:
    folder, number = path.parent.name, re.search(r"(\d+)$", path.stem)
    block = int(number.group(1)) // _BLOCK if number else 0
    block = next((blocks[0] for blocks in _SAME_SLIDE.get(folder, ()) if block in blocks), block)
    return f"aria/{folder}/{block}"


def _stretched(path: Path) -> U8:
    """A field at its true shape: it was squeezed from 4:3 to a square."""
    picture = load_picture(path)
    height = picture.shape[0]
    size = (round(height * 4 / 3), height)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _base(root: Path) -> Path:
    base = root / "Original"
    if not base.is_dir():
        raise DataError(f"data set aria: no folder {base}; the layout is {ARIA.layout}")
    return base


def _read_fields(
    root: Path, notice: Notice, step: int = 1, classes: Mapping[str, str] = _FIELDS
) -> Iterator[Picture]:
    """Every `step`-th field of each folder of some class."""

    def files(folder: Path, notice: Notice) -> Sequence[Path]:
        return picture_files(folder, notice)[::step]

    for path, label in class_folders([_base(root)], classes, notice, files=files):
        group = _group(path)
        spot = Spot(label, group, split_of(group, _SALT))
        yield replace(one_spot(path, root, _SCALE.um_per_px, spot), load=partial(_stretched, path))


def _with_places(
    fields: Iterable[Picture], find: Callable[[str, str, U8], Iterable[Place]]
) -> Iterator[Picture]:
    """The fields, each with what is to be found in it: of its name, its label and its pixels."""
    for field in fields:
        yield replace(field, look=partial(find, field.name, field.spots[0].label))


def _read(root: Path, notice: Notice) -> Iterator[Picture]:
    whatever = {path.name: NUCLEATED for path in _base(root).iterdir()}
    return _with_places(_read_fields(root, notice, _STEP, whatever), _places)


def _places(name: str, label: str, pixels: U8) -> Iterator[Place]:
    """Compact nuclei, labelled so, and what is far from them and no cell."""
    rng = np.random.default_rng(zlib.crc32(Path(name).name.encode()))
    nuclei = nucleated_spots(pixels, _SCALE.um_per_px, 3)
    others = artefact_spots(pixels, _SCALE.um_per_px, nuclei, 3, rng)
    yield from ((label, at) for at in nuclei)
    yield from ((ARTEFACT, at) for at in others)


def _read_cells(root: Path, notice: Notice) -> Iterator[Picture]:
    return _with_places(_read_fields(root, notice, _CELL_STEP), _cells)


def _cells(name: str, of_field: str, pixels: U8) -> Iterator[Place]:
    """What its field says of each whole cell that the device finds in it, and where it is."""
    cells = segment(specimen(pixels, _SCALE.um_per_px, _PITCH_UM)).in_frame(*pixels.shape[:2])
    for i in np.flatnonzero(~cells.cut)[:_CELLS_PER_FIELD].tolist():
        area = float(cells.nucleus_area_um2[i])
        if area < _SMALLEST_UM2:
            continue
        malignant = "blast" if area >= _LARGE_UM2 else LYMPHOID
        x, y = cells.centres_px[i].tolist()
        yield NO_BLAST if of_field == "benign" else malignant, (x, y)


ARIA = DataSet(
    name="aria",
    title="fields of acute lymphoblastic leukemia and hematogones, read for artefacts and nuclei only",
    folder="aria_all",
    home="https://www.kaggle.com/datasets/mehradaria/leukemia",
    licence="free for research",
    citation="Aria et al., Acute Lymphoblastic Leukemia (ALL) image dataset, Kaggle 2021, "
    "doi 10.34740/KAGGLE/DSV/2175623",
    layout="aria_all/Original/<class>/*",
    groups="block of file numbers",
    split=f"every {_STEP}th field, by blocks of {_BLOCK} file numbers, blocks that overlap together, by a "
    "hash of the first",
    read=_read,
    scale=_SCALE,
    laboratory="Taleqani Hospital, Tehran",
    overlapping=True,
)

ARIA_CELLS = replace(
    ARIA,
    name="aria-cells",
    title="cells of those fields: large nuclei in malignant ones as blasts, in benign ones as anything else",
    split=f"every {_CELL_STEP}rd field, by blocks of {_BLOCK} file numbers, blocks that overlap together, by "
    "a hash of the first",
    read=_read_cells,
)

ARIA_FIELDS = replace(
    ARIA,
    name="aria-fields",
    title="fields of acute lymphoblastic leukemia (early, pre, pro) and of hematogones (benign)",
    split=f"by blocks of {_BLOCK} file numbers, blocks that overlap together, by a hash of the first",
    read=_read_fields,
    labels=tuple(_FIELDS.values()),
)
