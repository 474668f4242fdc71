"""The outlines of cells, compiled: what `edge.cells.outline` does, which says how and why."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.native import at
from edge.types import F32, U8

ANGLES, STEPS = 40, 45
"""How many rays go out from a nucleus, and how many samples lie on each: compiled in."""


class Colours(NamedTuple):
    """What the colours of a field mean.

    Attributes
    ----------
    density : (256,) float32, optical density of each grey level, falling.
    glass, red : (3, 4) float32, affine whitening of the colours of clear glass and of red cells, where any.
    glass_mean : mean density of glass.
    """

    density: F32
    glass: F32
    red: F32 | None
    glass_mean: float


class Rays(NamedTuple):
    """How rays are cast and judged.

    Attributes
    ----------
    ways : (`ANGLES`, 2) float32, x and y of their directions.
    radii : (`STEPS`,) float32, pixels from the middle to each sample.
    costs : (2 `STEPS`,) float32, of a sample so many beyond the nucleus, from -`STEPS` on.
    slope_cost, edge_gain, palest : as in `edge.cells.outline`.
    """

    ways: F32
    radii: F32
    costs: F32
    slope_cost: float
    edge_gain: float
    palest: float


class _Field(ctypes.Structure):
    """`struct field` of outlines.c."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("half", "labels")),
        *((name, ctypes.c_int32) for name in ("height", "width")),
        *((name, ctypes.c_void_p) for name in ("density", "glass", "red", "ways", "radii", "costs")),
        *((name, ctypes.c_float) for name in ("glass_mean", "slope_cost", "edge_gain", "palest")),
    )


def outlines(
    library: ctypes.CDLL, half: U8, labels: NDArray[np.uint16], middles: F32, colours: Colours, rays: Rays
) -> F32:
    """Corners of the cell round each nucleus, (n, `ANGLES`, 2) float32 x and y.

    Parameters
    ----------
    half : (h, w, 3) uint8 RGB. labels : (h, w) uint16, i + 1 where the i-th nucleus lies.
    middles : (n, 2) float32, x and y of the nuclei's middles.

    Raises
    ------
    MemoryError
    """
    height, width = labels.shape
    half, labels = np.ascontiguousarray(half), np.ascontiguousarray(labels)
    middles = np.ascontiguousarray(middles)
    glass = np.ascontiguousarray(colours.glass)
    red = None if colours.red is None else np.ascontiguousarray(colours.red)
    field = _Field(
        half=at(half, np.uint8, (height, width, 3)),
        labels=at(labels, np.uint16, (height, width)),
        height=height,
        width=width,
        density=at(colours.density, np.float32, (256,)),
        glass=at(glass, np.float32, (3, 4)),
        red=None if red is None else at(red, np.float32, (3, 4)),
        ways=at(rays.ways, np.float32, (ANGLES, 2)),
        radii=at(rays.radii, np.float32, (STEPS,)),
        costs=at(rays.costs, np.float32, (2 * STEPS,)),
        glass_mean=colours.glass_mean,
        slope_cost=rays.slope_cost,
        edge_gain=rays.edge_gain,
        palest=rays.palest,
    )
    n = len(middles)
    corners = np.empty((n, ANGLES, 2), np.float32)
    found = at(middles, np.float32, (n, 2)), n, at(corners, np.float32, (n, ANGLES, 2))
    if _function(library)(ctypes.byref(field), *found):
        raise MemoryError("no memory for the outlines of cells")
    return corners


@cache
def _function(library: ctypes.CDLL) -> ctypes._NamedFuncPointer:
    """The core's own function, with the types of what it takes and gives."""
    function = library.leukoscope_outlines
    function.argtypes = (ctypes.POINTER(_Field), ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p)
    function.restype = ctypes.c_int32
    return function
