"""Fields with boxes on the specimen grid: what a detector is trained on and judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.optics.specimen import Specimen, specimen
from edge.types import F32, I32
from train.data.bar import followed
from train.data.dataset import DataError, Notice, Split, spread
from train.data.pictures import load_picture
from train.data.registry import dataset
from train.data.sets.fields import FIELDS, Field
from train.published.detection.settings import LEUKOCYTE, PLATELET, RED_CELL, SOURCES, DetectionError


@dataclass(frozen=True, eq=False)
class Scene:
    """A field and its cells.

    Attributes
    ----------
    name : of its file. source : its data set.
    view : the specimen.
    boxes : (n, 4) float32, xyxy in pixels of the specimen, within it.
    labels : (n,) int32, index of the class.
    """

    name: str
    source: str
    view: Specimen
    boxes: F32
    labels: I32


def scenes(
    source: str,
    data: Path,
    split: Split,
    classes: Sequence[str],
    pitch_um: float,
    notice: Notice,
    limit: int = 0,
) -> list[Scene]:
    """The fields of one part of a data set, boxes of other classes left out.

    Parameters
    ----------
    limit : at most so many, evenly over the part; 0 for all.

    Raises
    ------
    DetectionError : the data set has no field with a box for every cell. DataError : it is not there.
    """
    if "@" in source:
        raise DetectionError(
            f"data set {source}: fields with boxes are read in their own split; leave out what follows the @"
        )
    if source not in SOURCES:
        raise DetectionError(
            f"data set {source}: its fields have no box for every cell; choose of {', '.join(SOURCES)}"
        )
    known = dataset(source)
    listed = [field for field in FIELDS[source](known.root(data), notice) if field.split == split]
    found = []
    for field in followed(spread(listed, limit), source, "field", leave=False):
        try:
            found.append(_scene(field, source, classes, pitch_um))
        except DataError as error:
            notice(str(error))
    return found


def _scene(field: Field, source: str, classes: Sequence[str], pitch_um: float) -> Scene:
    pixels = load_picture(field.path)
    view = specimen(pixels, field.um_per_px, pitch_um)
    kept = [(classes.index(name), box[1:]) for box in field.boxes if (name := _class_of(box[0])) in classes]
    sides = np.array(view.pixels.shape[1::-1], np.float32)
    scale = sides / np.array(pixels.shape[1::-1], np.float32)
    boxes = np.array([corners for _, corners in kept], np.float32).reshape(-1, 4) * np.tile(scale, 2)
    boxes = np.clip(boxes, 0, np.tile(sides, 2))
    full = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # somebody's slip of the mouse is no cell
    labels = np.array([label for label, _ in kept], np.int32)
    return Scene(field.path.name, source, view, boxes[full], labels[full])


def _class_of(label: str) -> str:
    """The detector's class of a field's label: all kinds of leukocyte are one."""
    return label if label in (RED_CELL, PLATELET) else LEUKOCYTE
