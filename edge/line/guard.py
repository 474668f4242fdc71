"""The guard area of a field: cells so far inside that no edge can have cut them, whatever their size."""

from __future__ import annotations

import numpy as np

from edge.line.thumbnail import Point
from edge.optics.specimen import Specimen
from edge.types import Bools

_GUARD_UM = 10.0  # half the largest leukocyte
_SMALL_FIELD_UM = 60.0  # a field too small to give a margin away


def well_inside(centres_um: Point, view: Specimen) -> Bools:
    """(n,) bool: cells that would lie inside the field whatever their size.

    The larger a cell, the likelier the field's edge cuts it; counting whole cells wherever they lie would
    count too few blasts, which are large. With a guard area every size has the same chance (Gundersen,
    J Microsc 1977;111:219-223). What lies in the margin is counted when the stage has moved on.
    """
    height, width = view.pixels.shape[:2]
    field_um = np.array([width, height]) * view.pitch_um
    if min(view.lit.size * field_um) < _SMALL_FIELD_UM:
        return np.ones(len(centres_um), np.bool_)
    inside = ((centres_um >= _GUARD_UM) & (centres_um <= field_um - _GUARD_UM)).all(axis=1)
    if view.lit.corners is not None:
        inside = inside & (_from_rim(centres_um, view.lit.corners * field_um) >= _GUARD_UM)
    return np.asarray(inside, np.bool_)


def _from_rim(places: Point, rim: Point) -> Point:
    """(n,) distances of (n, 2) places from the sides of a convex (k, 2) polygon, less than 0 outside."""
    along = np.roll(rim, -1, axis=0) - rim
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.hypot(*along.T)[:, None]
    away = ((places[:, None] - rim) * normal).sum(axis=2)
    middle = ((rim.mean(axis=0) - rim) * normal).sum(axis=1)
    return np.asarray((away * np.sign(middle)).min(axis=1), np.float64)
