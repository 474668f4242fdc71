"""The outer rings of cells and of their nuclei, compiled: `rings.c`."""

from __future__ import annotations

from ctypes import CDLL, c_double, c_int32, c_int64, c_void_p

import numpy as np

from edge.native import at
from edge.types import I32, Bools

_A_CELL = 256
"""Points of a cell and its nucleus for which there is room at first; with more it is done once again."""


def rings(
    library: CDLL, labels: I32, nuclei: Bools, numbers: I32, boxes: I32, origins: I32, scale: float
) -> list[tuple[bytes, bytes]]:
    """Of each cell its own outline and that of its nucleus, as the records keep them.

    See `edge.records.outlines.outlines`, which says what is kept.

    Parameters
    ----------
    labels : (h, w) int32, by number which cell a pixel belongs to. nuclei : (h, w) bool.
    numbers : (n,) int32, of the cells.
    boxes : (n, 4) int32, xyxy half-open, in which they lie; parts of the picture.
    origins : (n, 2) int32, x and y in pixels of the frame from which they are counted.
    scale : pixels of the frame along one of `labels`.

    Raises
    ------
    MemoryError
    """
    n, (height, width) = len(numbers), labels.shape
    low, high = boxes[:, :2], boxes[:, 2:]
    if (low < 0).any() or (high < low).any() or (high > (width, height)).any():
        raise ValueError("the core wants boxes within the picture")
    labels, mask = np.ascontiguousarray(labels), np.ascontiguousarray(nuclei).view(np.uint8)
    boxes, origins = np.ascontiguousarray(boxes), np.ascontiguousarray(origins)
    picture = at(labels, np.int32, (height, width)), at(mask, np.uint8, (height, width)), width
    cells = at(numbers, np.int32, (n,)), at(boxes, np.int32, (n, 4)), at(origins, np.int32, (n, 2)), n
    ends = np.empty((n, 2), np.int64)
    call = library.leukoscope_rings
    taken = (*(c_void_p,) * 2, c_int32, *(c_void_p,) * 3, c_int32)
    call.argtypes, call.restype = (*taken, c_double, c_void_p, c_int64, c_void_p), c_int64
    count, room = n * _A_CELL, -1
    while count > room:
        room = count
        points = np.empty((room, 2), np.int16)
        out = at(points, np.int16, (room, 2)), room, at(ends, np.int64, (n, 2))
        count = call(*picture, *cells, scale, *out)
    if count < 0:
        raise MemoryError("no memory for the rings of cells")
    kept = points[:count].astype("<i2").tobytes()
    stops = (ends.ravel() * points.strides[0]).tolist()
    parts = iter([kept[start:stop] for start, stop in zip([0, *stops], stops, strict=False)])
    return list(zip(parts, parts, strict=True))
