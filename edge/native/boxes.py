"""Means of boxes of pixels, compiled: `boxes.c`."""

from __future__ import annotations

from ctypes import CDLL, c_int32, c_void_p

import numpy as np

from edge.native import at
from edge.types import U8

LARGEST = 7
"""Side of a box at most."""


def averaged(library: CDLL, pixels: U8, box: int) -> U8:
    """Means of boxes of `box` × `box` pixels, an odd number up to `LARGEST`, rounded.

    (h, w, 3) uint8 → (h // box, w // box, 3) uint8; what does not fill a box at the far edges is left out.
    """
    height, width = pixels.shape[:2]
    out = np.empty((height // box, width // box, 3), np.uint8)
    call = library.leukoscope_boxes
    call.argtypes, call.restype = (c_void_p, c_int32, c_int32, c_int32, c_void_p), c_int32
    whole = np.ascontiguousarray(pixels)
    if call(at(whole, np.uint8, (height, width, 3)), height, width, box, at(out, np.uint8, out.shape)) < 0:
        raise MemoryError
    return out
