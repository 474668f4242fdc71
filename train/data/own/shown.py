"""Own pictures as the rest of the program takes them: places in them, found when they are opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from edge.types import U8
from train.data.dataset import DataError, Picture, Place, Split, Spot
from train.data.own.drawn import bounds, load_labels, mask, middlemost
from train.data.own.listed import WHOLE, Listed
from train.data.pictures import one_spot
from train.data.sets.fields import ARTEFACTS_PER_FIELD, MARKED, RED_CELL, Box, Field, field_picture, places

_ROUNDED_PX = 1.5  # that boxes may stand over, or a size be wrong by


def picture_of(
    listed: Listed,
    labels: Sequence[str],
    root: Path,
    group: str,
    part: Split,
    um_per_px: float,
    *,
    artefacts: bool,
) -> Picture | None:
    """The picture, None where nothing in it is of a class that is known.

    Parameters
    ----------
    labels : of its cells, MARKED for one of no class. artefacts : whether fields give some.
    """
    known = [label for label in labels if label not in (MARKED, RED_CELL)]
    count = ARTEFACTS_PER_FIELD if artefacts else 0
    if listed.size is not None:
        boxes = tuple(
            (label, *cell.box) for label, cell in zip(labels, listed.cells, strict=True) if cell.box
        )
        field = Field(listed.path, um_per_px, group, part, part, boxes, count)
        if not known and not artefacts:
            return None
        return replace(field_picture(field, root), look=partial(in_boxes, field, listed.size))
    if not known:
        return None
    spot = Spot(known[0], group, part)
    picture = one_spot(listed.path, root, um_per_px, spot)
    if listed.labels is not None and listed.middle:
        drawn = partial(mask, listed.path, listed.labels, listed.nuclei)
        return replace(picture, load_mask=drawn, look=partial(in_middle, listed.labels, known[0]))
    if listed.labels is not None:
        numbers = tuple((cell.number, label) for label, cell in zip(labels, listed.cells, strict=True))
        field = Field(listed.path, um_per_px, group, part, part, (), count)
        spots = tuple(Spot(label, group, part) for label in known)
        return replace(picture, spots=spots, look=partial(in_labels, field, listed.labels, numbers))
    if listed.middle:
        return picture
    at = tuple(
        (label, cell.centre) for label, cell in zip(labels, listed.cells, strict=True) if label in known
    )
    spots = tuple(Spot(label, group, part, centre) for label, centre in at)
    return replace(picture, spots=spots, look=partial(in_places, listed.path, at))


def in_boxes(field: Field, size: tuple[float, float], pixels: U8) -> Iterator[Place]:
    """What is in the boxes of a field; DataError where they were drawn on a picture of another size."""
    height, width = pixels.shape[:2]
    if size == WHOLE:
        scaled = tuple((b[0], b[1] * width, b[2] * height, b[3] * width, b[4] * height) for b in field.boxes)
        return places(replace(field, boxes=scaled), pixels)
    if all(size) and max(abs(size[0] - width), abs(size[1] - height)) > _ROUNDED_PX:
        raise DataError(
            f"{field.path}: {width}×{height} px, but its boxes are of {size[0]:g}×{size[1]:g}, left out"
        )
    if beyond := [box for box in field.boxes if _outside(box, width, height)]:
        raise DataError(
            f"{field.path}: box {_told(beyond[0])} lies outside of its {width}×{height} px, left out"
        )
    return places(field, pixels)


def outside(box: tuple[float, float, float, float], size: tuple[float, float]) -> bool:
    """Whether a box has no place on a picture of this size, or is none."""
    slack = (
        (_ROUNDED_PX * size[0] / 640, _ROUNDED_PX * size[1] / 640) if size == WHOLE else (_ROUNDED_PX,) * 2
    )
    x0, y0, x1, y1 = box
    over = all(size) and (x1 > size[0] + slack[0] or y1 > size[1] + slack[1])
    return bool(over or x0 < -slack[0] or y0 < -slack[1] or x1 <= x0 or y1 <= y0)


def _outside(box: Box, width: int, height: int) -> bool:
    return outside(box[1:], (width, height))


def _told(box: Box) -> str:
    return ", ".join(f"{value:g}" for value in box[1:])


def in_labels(field: Field, labels: Path, numbers: Sequence[tuple[int, str]], pixels: U8) -> Iterator[Place]:
    """The cells of a label image: number 0 names them all, others are named one by one."""
    named = dict(numbers)
    found = bounds(load_labels(labels, pixels.shape[:2]))
    boxes = tuple((named.get(number, named.get(0, MARKED)), *box) for number, box in found.items())
    return places(replace(field, boxes=boxes), pixels)


def in_middle(labels: Path, label: str, pixels: U8) -> Iterator[Place]:
    """The cell in the middle of a label image."""
    cells = load_labels(labels, pixels.shape[:2])
    number = middlemost(cells)
    if not number:
        raise DataError(f"{labels}: shows no cell, left out")
    x0, y0, x1, y1 = bounds(cells * (cells == number))[number]
    yield label, ((x0 + x1) / 2, (y0 + y1) / 2)


def in_places(path: Path, at: Sequence[Place], pixels: U8) -> Iterator[Place]:
    """The places that a table tells; DataError where one is outside of the picture."""
    height, width = pixels.shape[:2]
    for label, centre in at:
        if centre is not None and not (0 <= centre[0] <= width and 0 <= centre[1] <= height):
            told = f"{centre[0]:g}, {centre[1]:g}"
            raise DataError(f"{path}: a {label} at {told} lies outside of its {width}×{height} px, left out")
        yield label, centre
