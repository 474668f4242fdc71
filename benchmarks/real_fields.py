"""Real fields for `line.py`: as cameras of this kind give them, slide by slide, each with its scale."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from edge.optics import litfield, redcells
from edge.types import U8
from train.data.dataset import Picture
from train.data.registry import dataset
from train.data.sets.fields import FIELDS, field_picture

SETS = ("aria-fields", "chula", "bccd")
_LEUKEMIC = ("early", "pre", "pro")
_SIZE_PX = (1440, 1080)


@dataclass(frozen=True)
class Field:
    """A real field: its data set, the slide it is of, and its scale, µm per pixel."""

    of: str
    slide: str
    um_per_px: float
    load: Callable[[], U8]


def listed(data: Path, name: str, limit: int) -> list[Field]:
    """Fields of a set, evenly chosen, slide by slide; none where the set is not there."""
    source = dataset(name)
    if not source.there(data):
        print(f"left out: {name}: not in the folder of the data sets")
        return []
    root = source.root(data)
    found = list(_aria(root) if name == "aria-fields" else _with_boxes(root, name))
    chosen = found[:: -(-len(found) // limit) or 1]
    return sorted(chosen, key=lambda field: field.slide)


def _aria(root: Path) -> Iterator[Field]:
    """Leukemic test fields of aria as a camera of 1080 lines would give them."""
    source = dataset("aria-fields")
    for picture in source.read(root, print):
        (spot,) = picture.spots
        if spot.split == "test" and spot.label in _LEUKEMIC:
            height = picture.load().shape[0]
            um_per_px = picture.um_per_px * height / _SIZE_PX[1]
            yield Field(source.name, spot.group, um_per_px, partial(_enlarged, picture))


def _enlarged(picture: Picture) -> U8:
    return np.asarray(cv2.resize(picture.load(), _SIZE_PX, interpolation=cv2.INTER_CUBIC), np.uint8)


def _with_boxes(root: Path, name: str) -> Iterator[Field]:
    """Fields of chula, each slide at the scale of its red cells, or of bccd, all as one slide."""
    known = sorted(FIELDS[name](root, print), key=lambda field: field.group)
    for slide, group in groupby(known, key=lambda field: field.group if name == "chula" else name):
        pictures = [field_picture(field, root) for field in group]
        um_per_px = pictures[0].um_per_px
        if name == "chula":
            um_per_px = _measured(pictures, um_per_px)
            print(f"{slide}: {um_per_px:.4f} µm per pixel")
        yield from (Field(name, slide, um_per_px, picture.load) for picture in pictures)


def _measured(pictures: Sequence[Picture], known: float) -> float:
    """µm per pixel by the red cells of a slide; what is known of its set where they tell nothing."""
    seen = [redcells.find(pixels, litfield.find(pixels)) for pixels in (p.load() for p in pictures)]
    measured = redcells.estimate(seen)
    return known if measured is None else measured.um_per_px
