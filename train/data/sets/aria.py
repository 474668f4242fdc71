"""Aria's fields of acute lymphoblastic leukemia and of hematogones: nuclei, artefacts, and whole fields.

Only the fields are labelled, no cell. `aria` reads places in some of them, `aria-cells` the cells that the
device finds, as far as their field tells what they are, `aria-fields` every field under its class. Colour
follows class and scale bars are burned in: a network can tell the classes by those.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from edge.cells.segment import segment
from edge.optics.specimen import specimen
from edge.types import U8
from train.data.classes import LYMPHOID, NO_BLAST, NUCLEATED
from train.data.dataset import (
    DataError,
    DataSet,
    Notice,
    Picture,
    Scale,
    Split,
    Spot,
    load_picture,
    picture_files,
)
from train.data.sets.artefacts import artefact_spots, nucleated_spots
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


def _group(folder: str, path: Path) -> str:
    number = re.search(r"(\d+)$", path.stem)
    block = int(number.group(1)) // _BLOCK if number else 0
    block = next((blocks[0] for blocks in _SAME_SLIDE.get(folder, ()) if block in blocks), block)
    return f"aria/{folder}/{block}"


def _stretched(path: Path) -> U8:
    """A field at its true shape: it was squeezed from 4:3 to a square."""
    picture = load_picture(path)
    height = picture.shape[0]
    size = (round(height * 4 / 3), height)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _folders(root: Path) -> list[Path]:
    base = root / "Original"
    if not base.is_dir():
        raise DataError(f"data set aria: no folder {base}; the layout is {ARIA.layout}")
    return sorted(p for p in base.iterdir() if p.is_dir())


@dataclass(frozen=True, eq=False)
class _Field:
    """A field that could be read: its folder, its place under the root, and what it belongs to."""

    folder: str
    name: str
    path: Path
    group: str
    split: Split
    pixels: U8

    def picture(self, spots: tuple[Spot, ...]) -> Picture:
        """It with its spots; read again when it is needed."""
        return Picture(self.name, _SCALE.um_per_px, spots, partial(_stretched, self.path))


def _fields(root: Path, notice: Notice, step: int, known: bool) -> Iterator[_Field]:
    """Every `step`-th field of each folder, of those of `_FIELDS` alone where `known`."""
    for folder in _folders(root):
        if known and folder.name not in _FIELDS:
            notice(f"{folder}: unknown class {folder.name!r}, left out")
            continue
        for path in picture_files(folder, notice)[::step]:
            try:
                pixels = _stretched(path)
            except DataError as error:
                notice(str(error))
                continue
            group = _group(folder.name, path)
            yield _Field(
                folder.name, str(path.relative_to(root)), path, group, split_of(group, _SALT), pixels
            )


def _read(root: Path, notice: Notice) -> Iterator[Picture]:
    for field in _fields(root, notice, _STEP, known=False):
        rng = np.random.default_rng(zlib.crc32(field.path.name.encode()))
        nuclei = nucleated_spots(field.pixels, _SCALE.um_per_px, 3)
        others = artefact_spots(field.pixels, _SCALE.um_per_px, nuclei, 3, rng)
        spots = [Spot(NUCLEATED, field.group, field.split, s) for s in nuclei]
        spots += [Spot("artefact", field.group, field.split, s) for s in others]
        if spots:
            yield field.picture(tuple(spots))


def _read_cells(root: Path, notice: Notice) -> Iterator[Picture]:
    for field in _fields(root, notice, _CELL_STEP, known=True):
        found = _labelled(field.pixels, benign=field.folder == "Benign")
        spots = tuple(Spot(label, field.group, field.split, centre) for label, centre in found)
        if spots:
            yield field.picture(spots)


def _labelled(pixels: U8, *, benign: bool) -> Iterator[tuple[str, tuple[float, float]]]:
    """What its field says of each whole cell that the device finds in it, and where it is."""
    cells = segment(specimen(pixels, _SCALE.um_per_px, _PITCH_UM)).in_frame(*pixels.shape[:2])
    for i in np.flatnonzero(~cells.cut)[:_CELLS_PER_FIELD].tolist():
        area = float(cells.nucleus_area_um2[i])
        if area < _SMALLEST_UM2:
            continue
        malignant = "blast" if area >= _LARGE_UM2 else LYMPHOID
        x, y = cells.centres_px[i].tolist()
        yield NO_BLAST if benign else malignant, (x, y)


def _read_fields(root: Path, notice: Notice) -> Iterator[Picture]:
    for folder in _folders(root):
        if folder.name not in _FIELDS:
            notice(f"{folder}: unknown class {folder.name!r}, left out")
            continue
        for path in picture_files(folder, notice):
            group = _group(folder.name, path)
            spot = Spot(_FIELDS[folder.name], group, split_of(group, _SALT))
            yield Picture(str(path.relative_to(root)), _SCALE.um_per_px, (spot,), partial(_stretched, path))


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
