"""Nuclei by the compiled core: `nuclei.c`, `spots.c` and `numbered.c`."""

from __future__ import annotations

import ctypes
from ctypes import c_double, c_int32, c_void_p
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.native import at
from edge.types import F32, I32, U8, Bools

U16 = NDArray[np.uint16]


class Rules(ctypes.Structure):
    """What is taken for a nucleus, as `nuclei.c` has it.

    Attributes
    ----------
    level : nuclear stain above which there is nucleus.
    least : pixels of a body.
    two_levels : least share of the variance of the stain that nucleus and cytoplasm explain.
    sharp : least rise of the stain at the edge of a nucleus, in levels.
    edge : grey level of that edge in `Sharpened.rise`.
    background : grey level of clear glass.
    """

    _fields_ = [(name, c_double) for name in ("level", "least", "two_levels", "sharp", "edge", "background")]


class Elements(NamedTuple):
    """How far the rows of three structuring elements reach to both sides, (k,) int32 each, k odd.

    Attributes
    ----------
    near : how far parts of a nucleus lie from what is surely one, on the coarser grid of that mask.
    ring : how far its surroundings lie from a nucleus.
    inner : what is that far from the edge of a body is well inside.
    """

    near: I32
    ring: I32
    inner: I32


class Sharpened(NamedTuple):
    """Bodies as far as their edges.

    Attributes
    ----------
    labels : (h, w) uint16, i + 1 where the i-th body lies, else 0.
    rise : (h, w) uint8, falls through `Rules.edge` at an edge.
    parts : (n, 5) int32, left, top, right, bottom and area of each, the area 0 where it is too small.
    """

    labels: U16
    rise: U8
    parts: I32


@cache
def _functions(library: ctypes.CDLL) -> tuple[Any, Any]:
    sharp, number = library.leukoscope_sharpened, library.leukoscope_numbered
    picture: list[Any] = [c_void_p, c_int32, c_int32]
    table: list[Any] = [c_void_p, c_int32]
    values: list[Any] = [c_void_p] * 6
    sharp.argtypes = [*picture, *picture, *table * 3, *values]
    number.argtypes = [*picture, *table, *picture, c_double, c_double, c_double, c_void_p]
    sharp.restype = number.restype = c_int32
    return sharp, number


def sharpened(
    library: ctypes.CDLL, pixels: U8, sure: Bools, elements: Elements, density: F32, axis: F32, rules: Rules
) -> Sharpened:
    """The bodies of a field, not yet cut nor joined.

    Parameters
    ----------
    pixels : (h, w, 3) uint8 RGB.
    sure : (h / 2, w / 2) bool, what is surely stained.
    density : (256,) float32, optical density of grey levels.
    axis : (3,) float32, weights of the channels' densities in the nuclear stain.

    Raises
    ------
    MemoryError
    """
    height, width = pixels.shape[:2]
    labels, rise = np.empty((height, width), np.uint16), np.empty((height, width), np.uint8)
    parts = np.empty(((height + 1) // 2 * ((width + 1) // 2), 5), np.int32)
    found = _functions(library)[0](
        at(pixels, np.uint8, (height, width, 3)), height, width,
        at(sure, np.bool_, sure.shape), *sure.shape,
        *(value for reach in elements for value in (at(reach, np.int32, (None,)), len(reach) // 2)),
        at(density, np.float32, (256,)), at(axis, np.float32, (3,)), ctypes.addressof(rules),
        labels.ctypes.data, rise.ctypes.data, parts.ctypes.data,
    )  # fmt: skip
    if found < 0:
        raise MemoryError("no memory for the nuclei of a field")
    return Sharpened(labels, rise, parts[:found])


def numbered(
    library: ctypes.CDLL, labels: U16, owner: U16, sure: Bools, pixel: float, least: tuple[float, float]
) -> F32:
    """Number the pieces of one owner together as nuclei, in place, where they are large enough.

    Parameters
    ----------
    labels : (h, w) uint16 of pieces, below n; becomes that of nuclei.
    owner : (n,) uint16 by label, below n; becomes the number of its nucleus, 0 for none.
    sure : (h / 2, w / 2) bool, what is surely stained.
    pixel : area of a pixel, µm².
    least : area of a nucleus, and of what is surely stained of it, µm².

    Returns
    -------
    (m, 2) float32, x and y of the nuclei's centroids.

    Raises
    ------
    MemoryError
    """
    middles = np.empty((len(owner), 2), np.float32)
    found = _functions(library)[1](
        at(labels, np.uint16, labels.shape), *labels.shape, at(owner, np.uint16, (None,)), len(owner),
        at(sure, np.bool_, sure.shape), *sure.shape, pixel, *least, middles.ctypes.data,
    )  # fmt: skip
    if found < 0:
        raise MemoryError("no memory for the nuclei of a field")
    return middles[:found]
