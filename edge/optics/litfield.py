"""Where a picture is picture: what the eyepiece, a letterbox or the sensor's edge leave of it.

Bars of one colour along the picture's sides are taken off first (`edge.optics.bars`), then what the rest
leaves black (`edge.optics.stops`). Both look at a sample of some 160 lines, for this happens to every frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.optics import bars, stops
from edge.types import F32, U8, Bools

_LEAST_PX = 16  # a smaller picture is too small to be anything but whole
_RECTANGLE = ((0, 0), (1, 0), (1, 1), (0, 1))


@dataclass(frozen=True, eq=False)
class LitField:
    """The convex part of a picture that shows the specimen.

    Attributes
    ----------
    corners : (k, 2) float32, x and y in shares of the picture's width and height, 0 to 1, in order round it;
        None where the whole picture is lit.
    """

    corners: F32 | None = None

    @property
    def whole(self) -> bool:
        """Whether all of the picture is lit."""
        return self.corners is None

    @property
    def low(self) -> F32:
        """(2,) float32, x and y of the upper left corner of the upright box that holds it, in shares."""
        return np.zeros(2, np.float32) if self.corners is None else self.corners.min(axis=0)

    @property
    def size(self) -> F32:
        """(2,) float32, width and height of that box, in shares."""
        return np.ones(2, np.float32) if self.corners is None else np.ptp(self.corners, axis=0)

    def mask(self, height: int, width: int) -> Bools | None:
        """(height, width) bool on any grid over the picture, True inside; None where all of it is."""
        if self.corners is None:
            return None
        mask = np.zeros((height, width), np.uint8)
        around = np.round(self.corners * np.array([width, height]) - 0.5).astype(np.int32)
        cv2.fillConvexPoly(mask, around, 1)
        return mask.view(np.bool_)


WHOLE = LitField()
"""Of a picture that is lit from edge to edge."""


def find(pixels: U8) -> LitField:
    """The lit field of an (H, W, 3) uint8 RGB picture of any scale."""
    height, width = pixels.shape[:2]
    if min(height, width) < _LEAST_PX:
        return WHOLE
    left, top, right, bottom = box = bars.within(pixels)
    rim = stops.rim(bars.sample(pixels[top:bottom, left:right]))
    if rim is None and box == (0, 0, width, height):
        return WHOLE
    corners = np.array(_RECTANGLE, np.float64) if rim is None else rim
    corners = (corners * (right - left, bottom - top) + (left, top)) / (width, height)
    return LitField(corners.astype(np.float32))
