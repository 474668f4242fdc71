"""Cells drawn and measured, compiled: what `edge.cells.measure` does, which says how and why."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.native import at
from edge.types import F32, F64, I32, U8, Bools


class _Nuclei(ctypes.Structure):
    """`struct nuclei` of measure.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("labels", "rise", "boxes")),
        *((name, ctypes.c_int32) for name in ("height", "width", "n", "edge")),
    )


class _Picture(ctypes.Structure):
    """`struct picture` of measure.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("labels", "nuclear")),
        *((name, ctypes.c_int32) for name in ("height", "width")),
    )


class Grown(NamedTuple):
    """The nuclei of a field, of which `edge.cells.nuclei.Nuclei` tells.

    Attributes
    ----------
    labels : (h, w) uint16. rise : (h, w) uint8, above `edge` on nuclei.
    boxes : (n, 4) int32 xyxy, half-open; each holds a nucleus.
    """

    labels: NDArray[np.uint16]
    rise: U8
    boxes: I32
    edge: int


class Sizes(NamedTuple):
    """What was measured of n cells.

    Attributes
    ----------
    extents : (n, 4) int32 xyxy, half-open, round the pixels of each.
    pixels : (n, 2) float32, how many there are, and how many of them are nuclear.
    middles : (n, 2) float64, x and y; not a number for a cell without pixels.
    """

    extents: I32
    pixels: F32
    middles: F64


def drawn(
    library: ctypes.CDLL, nuclei: Grown, corners: F32, height: int, width: int
) -> tuple[I32, Bools, I32]:
    """Draw cells at twice the resolution of the grid that they were found on.

    Parameters
    ----------
    corners : (n, corners, 2) float32, x and y of each cell's outline on that grid.
    height, width : of the specimen.

    Returns
    -------
    Labels from 1, (h, w) int32; what is nucleus, (h, w) bool; boxes that hold the cells, (n, 4) int32 xyxy.

    Raises
    ------
    MemoryError
    """
    labels, rise = np.ascontiguousarray(nuclei.labels), np.ascontiguousarray(nuclei.rise)
    corners = np.ascontiguousarray(corners)
    n, count, _ = corners.shape
    found = _Nuclei(
        labels=at(labels, np.uint16, labels.shape),
        rise=at(rise, np.uint8, labels.shape),
        boxes=at(nuclei.boxes, np.int32, (n, 4)),
        height=labels.shape[0],
        width=labels.shape[1],
        n=n,
        edge=nuclei.edge,
    )
    out, nuclear = np.zeros((height, width), np.int32), np.zeros((height, width), np.bool_)
    boxes = np.empty((n, 4), np.int32)
    picture = _Picture(
        labels=at(out, np.int32, (height, width)),
        nuclear=at(nuclear, np.bool_, (height, width)),
        height=height,
        width=width,
    )
    outlines = at(corners, np.float32, (n, count, 2)), count
    if _drawn(library)(ctypes.byref(found), *outlines, ctypes.byref(picture), at(boxes, np.int32, (n, 4))):
        raise MemoryError("no memory to draw cells")
    return out, nuclear, boxes


def measured(library: ctypes.CDLL, labels: I32, nuclei: Bools, boxes: I32) -> Sizes:
    """Measure cells from their labels and the nuclear part of them.

    Parameters
    ----------
    labels : (h, w) int32, from 1. nuclei : (h, w) bool.
    boxes : (n, 4) int32 xyxy, half-open; each holds a cell.
    """
    labels, nuclei = np.ascontiguousarray(labels), np.ascontiguousarray(nuclei)
    (height, width), n = labels.shape, len(boxes)
    found = Sizes(np.empty((n, 4), np.int32), np.empty((n, 2), np.float32), np.empty((n, 2), np.float64))
    _measured(library)(
        at(labels, np.int32, (height, width)),
        at(nuclei, np.bool_, (height, width)),
        height,
        width,
        at(boxes, np.int32, (n, 4)),
        n,
        at(found.extents, np.int32, (n, 4)),
        at(found.pixels, np.float32, (n, 2)),
        at(found.middles, np.float64, (n, 2)),
    )
    return found


@cache
def _drawn(library: ctypes.CDLL) -> ctypes._NamedFuncPointer:
    """The core's own function, with the types of what it takes and gives."""
    function = library.leukoscope_drawn
    array, number = ctypes.c_void_p, ctypes.c_int32
    function.argtypes = (ctypes.POINTER(_Nuclei), array, number, ctypes.POINTER(_Picture), array)
    function.restype = number
    return function


@cache
def _measured(library: ctypes.CDLL) -> ctypes._NamedFuncPointer:
    """The core's own function, with the types of what it takes and gives."""
    function = library.leukoscope_measured
    array, number = ctypes.c_void_p, ctypes.c_int32
    function.argtypes = (array, array, number, number, array, number, array, array, array)
    function.restype = None
    return function
