"""Aria's fields of acute lymphoblastic leukemia and of hematogones: nuclei, artefacts, and whole fields.

Only the fields are labelled, no cell. `aria` reads places in some of them, `aria-fields` every field under
its class. Colour follows class and scale bars are burned in: a network can tell the classes by those.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from edge.types import U8
from train.classes import NUCLEATED
from train.datasets import DataError, DataSet, Notice, Picture, Spot, load_picture, picture_files
from train.datasets.artefacts import artefact_spots, nucleated_spots
from train.split import split_of

_STEP = 6  # neighbours are near-identical frames
_BLOCK = 30
_UM_PER_PX = 0.40

_FIELDS = {"Benign": "benign", "Early": "early", "Pre": "pre", "Pro": "pro"}

_SAME_SLIDE = {
    "Benign": ((4, 5), (7, 8)),
    "Early": ((7, 8, 9, 13, 15, 16),),
    "Pre": ((3, 4, 5),),
    "Pro": ((8, 9), (13, 14)),
}
"""Blocks of a class that show the same places, found by `edge-train datasets --check`: slides were scanned
back beside the way that they were scanned there, so that distant numbers overlap."""


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


def _read(root: Path, notice: Notice) -> Iterator[Picture]:
    for folder in _folders(root):
        for path in picture_files(folder, notice)[::_STEP]:
            try:
                pixels = _stretched(path)
            except DataError as error:
                notice(str(error))
                continue
            group = _group(folder.name, path)
            split = split_of(group)
            rng = np.random.default_rng(zlib.crc32(path.name.encode()))
            nuclei = nucleated_spots(pixels, _UM_PER_PX, 3)
            others = artefact_spots(pixels, _UM_PER_PX, nuclei, 3, rng)
            spots = [Spot(NUCLEATED, group, split, s) for s in nuclei]
            spots += [Spot("artefact", group, split, s) for s in others]
            if spots:
                name = str(path.relative_to(root))
                yield Picture(name, _UM_PER_PX, tuple(spots), partial(_stretched, path))


def _read_fields(root: Path, notice: Notice) -> Iterator[Picture]:
    for folder in _folders(root):
        if folder.name not in _FIELDS:
            notice(f"{folder}: unknown class {folder.name!r}, left out")
            continue
        for path in picture_files(folder, notice):
            group = _group(folder.name, path)
            spot = Spot(_FIELDS[folder.name], group, split_of(group))
            yield Picture(str(path.relative_to(root)), _UM_PER_PX, (spot,), partial(_stretched, path))


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
    laboratory="Taleqani Hospital, Tehran",
    overlapping=True,
)

ARIA_FIELDS = replace(
    ARIA,
    name="aria-fields",
    title="fields of acute lymphoblastic leukemia (early, pre, pro) and of hematogones (benign)",
    split=f"by blocks of {_BLOCK} file numbers, blocks that overlap together, by a hash of the first",
    read=_read_fields,
    labels=tuple(_FIELDS.values()),
)
