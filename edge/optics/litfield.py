"""Where a picture is picture: what the eyepiece, a letterbox or the sensor's edge leave of it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.types import F32, U8, Bools


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
    return WHOLE
