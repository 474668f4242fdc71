"""Cutting bodies at necks and joining lobes, compiled: `necks.c` and `lobes.c`."""

from __future__ import annotations

from ctypes import CDLL, c_int32, c_void_p
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.native import at
from edge.types import F32, I32, U8

U16 = NDArray[np.uint16]

_MOST = (1 << 16) - 1  # of the labels that a pixel can have


class Necks(NamedTuple):
    """Where bodies are cut, in the order of `Terms` of `necks.c`.

    Attributes
    ----------
    nucleus, middle : pixels that a part and its middle have at least.
    convex : share of its hull above which a body is one.
    tie : pixels by which equal distances may differ.
    shares : of a body's greatest depth, beyond which the middles of its parts lie.
    """

    nucleus: float
    middle: float
    convex: float
    tie: float
    shares: tuple[float, float, float, float, float]


class Lobes(NamedTuple):
    """What lobes of one nucleus are, in the order of `Terms` of `lobes.c`: as `edge.cells.lobes` tells it."""

    pitch_um: float
    gap_um: float
    whole_um2: float
    lobed_um2: float
    two_lobes_um2: float
    round: float
    filled: float
    filled_around: float
    glass_distance2: float


@cache
def _declared(library: CDLL) -> CDLL:
    """The library with its functions' arguments told."""
    library.leukoscope_cut.argtypes = [
        *(c_void_p, c_int32, c_int32, c_void_p, c_void_p, c_int32, c_int32, c_void_p),
    ]
    library.leukoscope_joined.argtypes = [
        *(c_void_p, c_void_p, c_int32, c_int32, c_void_p, c_int32, c_void_p),
        *(c_void_p, c_void_p, c_void_p, c_int32, c_void_p),
    ]
    library.leukoscope_cut.restype = library.leukoscope_joined.restype = c_int32
    return library


def cut(library: CDLL, labels: U16, boxes: I32, areas: I32, necks: Necks) -> I32:
    """Cut bodies where two nuclei touch, and the parts again.

    Parameters
    ----------
    labels : (h, w) uint16, i + 1 where the i-th body lies, else 0; changed in place.
    boxes : (n, 4) int32, x and y of the first pixel and of the one past the last, within the picture.
    areas : (n,) int32, pixels of each body.

    Returns
    -------
    (m, 4) int32, the boxes with those of the parts; a body that was cut keeps its number, and has no pixels.

    Raises
    ------
    ValueError : an array is something else, or a box is not in the picture. MemoryError : there is none.
    """
    n = len(boxes)
    # every cut makes two parts or more of a nucleus at least, and parts are no larger together than the body
    room = min(n + 2 * int(areas.sum() / max(necks.nucleus, 1.0)) + 2, max(_MOST, n))
    all_boxes, all_areas = np.zeros((room, 4), np.int32), np.zeros(room, np.int32)
    all_boxes[:n], all_areas[:n] = boxes, areas
    terms = np.array([*necks[:-1], *necks.shares])
    height, width = labels.shape
    answer = _declared(library).leukoscope_cut(
        at(labels, np.uint16, (None, None)),
        height,
        width,
        at(all_boxes, np.int32, (None, 4)),
        at(all_areas, np.int32, (None,)),
        n,
        room,
        at(terms, np.float64, (9,)),
    )
    return all_boxes[: _done(answer, boxes)]


def joined(
    library: CDLL, labels: U16, half: U8, boxes: I32, lobes: Lobes, whitening: F32, density: F32, disc: U8
) -> U16:
    """Which bodies are lobes of one nucleus, nearest pairs asked first.

    Parameters
    ----------
    labels : (h, w) uint16, i + 1 where the i-th body lies, else 0.
    half : (h, w, 3) uint8 RGB.
    boxes : (n, 4) int32, as in `cut`.
    whitening : (3, 4) float32, of clear glass. density : (256,) float32, optical density by grey level.
    disc : (k, k) uint8, k odd.

    Returns
    -------
    (n + 1,) uint16: by the label of a body one of those of its nucleus, 0 for 0.

    Raises
    ------
    ValueError : an array is something else, or a box is not in the picture. MemoryError : there is none.
    """
    owner = np.zeros(len(boxes) + 1, np.uint16)
    terms = np.array(lobes)
    height, width = labels.shape
    answer = _declared(library).leukoscope_joined(
        at(labels, np.uint16, (None, None)),
        at(half, np.uint8, (height, width, 3)),
        height,
        width,
        at(boxes, np.int32, (None, 4)),
        len(boxes),
        at(terms, np.float64, (9,)),
        at(whitening, np.float32, (3, 4)),
        at(density, np.float32, (256,)),
        at(disc, np.uint8, (disc.shape[1], disc.shape[0])),
        len(disc),
        at(owner, np.uint16, (None,)),
    )
    _done(answer, boxes)
    return owner


def _done(answer: int, boxes: I32) -> int:
    """What a function of the core gave, unless it could not."""
    if answer == -1:
        raise MemoryError
    if answer < 0:
        raise ValueError(f"{len(boxes)} boxes beyond the picture, or fewer than labels")
    return answer
