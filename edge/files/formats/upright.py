"""Orientation tags: how a picture must be turned to stand as every viewer shows it.

The values are those of TIFF 6.0, "Orientation", which Exif (CIPA DC-008) took over.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.files.formats import ifd
from edge.types import U8

TURNS: dict[int, tuple[int | None, int | None]] = {
    2: (1, None),
    3: (None, cv2.ROTATE_180),
    4: (0, None),
    5: (1, cv2.ROTATE_90_COUNTERCLOCKWISE),
    6: (None, cv2.ROTATE_90_CLOCKWISE),
    7: (1, cv2.ROTATE_90_CLOCKWISE),
    8: (None, cv2.ROTATE_90_COUNTERCLOCKWISE),
}
"""Orientation -> the axis to mirror about (OpenCV's code), then how to turn."""


def upright(pixels: U8, orientation: int) -> U8:
    """A picture as viewers show it; values that mean nothing leave it as it is stored."""
    mirror, turn = TURNS.get(orientation, (None, None))
    if mirror is not None:
        pixels = np.asarray(cv2.flip(pixels, mirror), np.uint8)
    if turn is not None:
        pixels = np.asarray(cv2.rotate(pixels, turn), np.uint8)
    return pixels


def of_exif(block: bytes) -> int:
    """The orientation that a block of Exif data gives, 1 (upright) where it gives none or is damaged."""
    tiff = block.removeprefix(b"Exif\0\0")
    try:
        return ifd.first(tiff).number(ifd.ORIENTATION, 1)
    except ValueError:
        return 1
