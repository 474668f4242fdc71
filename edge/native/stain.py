"""The colours of a field by the compiled core: `stain.c`."""

from __future__ import annotations

import ctypes
from ctypes import c_double, c_float, c_int32, c_void_p
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from edge.native import at
from edge.types import F32, I32, Bools

Moments = tuple[F32, F32]
"""Of colours: their mean, (3,), and the affine map to deviations of unit variance from it, (3, 4)."""


class Rules(ctypes.Structure):
    """What is taken for what, as `stain.c` has it.

    Attributes
    ----------
    nothing : mean optical density below which there is nothing on the glass.
    floor : least stain of a nucleus.
    distinct : standard deviations that nuclei lie from the rest.
    nucleus : half the pixels of one.
    enough : area of red cells to know their colour, µm².
    pixel : area of one, µm².
    sample : so many pixels are about enough to learn from.
    """

    _fields_ = [
        *((name, c_double) for name in ("nothing", "floor", "distinct", "nucleus", "enough", "pixel")),
        ("sample", c_int32),
    ]


class Elements(NamedTuple):
    """How far the rows of three structuring elements reach to both sides, (k,) int32 each, k odd.

    Attributes
    ----------
    lobe : lobes are as thick.
    away : cytoplasm lies as near to a nucleus.
    rim : red cells are parted where they touch over no more.
    """

    lobe: I32
    away: I32
    rim: I32


class _Cloud(ctypes.Structure):
    _fields_ = [("mean", c_float * 3), ("whitening", c_float * 4 * 3)]

    def moments(self) -> Moments:
        return np.array(self.mean, np.float32), np.array(self.whitening, np.float32)


class _Learned(ctypes.Structure):
    _fields_ = [
        ("level", c_double),
        ("axis", c_float * 3),
        ("glass", _Cloud),
        ("red", _Cloud),
        ("red_cells", c_int32),
    ]


class Learned(NamedTuple):
    """What is learned of a field.

    Attributes
    ----------
    axis : (3,) float32, optical densities times this are the nuclear stain.
    level : nuclear stain above which there is nucleus.
    thick : (h, w) bool, what is surely stained, and thick enough for a nucleus.
    glass : of clear glass.
    red : of red cells, None where there are too few to tell.
    """

    axis: F32
    level: float
    thick: Bools
    glass: Moments
    red: Moments | None


@cache
def _function(library: ctypes.CDLL) -> Any:
    learn = library.leukoscope_learned
    picture: list[Any] = [c_void_p, c_int32, c_int32]
    element: list[Any] = [c_void_p, c_int32]
    learn.argtypes = [*picture, *element * 3, c_void_p, c_void_p, c_void_p]
    learn.restype = c_int32
    return learn


def learned(library: ctypes.CDLL, colours: F32, axis: F32, elements: Elements, rules: Rules) -> Learned:
    """The colours of a field.

    Parameters
    ----------
    colours : (h, w, 3) float32 optical densities.
    axis : (3,) float32 to begin with.
    elements : how far the rows of structuring elements reach to both sides.

    Raises
    ------
    MemoryError
    """
    height, width = colours.shape[:2]
    thick, found = np.empty((height, width), np.bool_), _Learned()
    found.axis[:] = axis.tolist()
    failed = _function(library)(
        at(colours, np.float32, (height, width, 3)), height, width,
        *(value for reach in elements for value in (at(reach, np.int32, (None,)), len(reach) // 2)),
        ctypes.addressof(rules), thick.ctypes.data, ctypes.addressof(found),
    )  # fmt: skip
    if failed:
        raise MemoryError("no memory for the colours of a field")
    red = found.red.moments() if found.red_cells else None
    return Learned(np.array(found.axis, np.float32), found.level, thick, found.glass.moments(), red)
