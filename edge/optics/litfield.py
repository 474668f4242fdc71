"""Where a picture is picture: what the eyepiece, a letterbox or the sensor's edge leave of it.

Bars of one colour along the picture's sides are taken off first (`edge.optics.bars`), then what the rest
leaves black (`edge.optics.stops`). Both look at a sample of some 160 lines, for this happens to every frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.optics import bars, stops
from edge.optics.stops import BLACK
from edge.types import F32, U8, Bools

_CHANGED = 0.006  # of a picture: what cells at the rim make of it; a field that moves by a hundredth is more
_NOT_BLACK = 0.1  # of what lies outside a field at most, its blurred rim and what is written there
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
    return WHOLE if min(pixels.shape[:2]) < _LEAST_PX else _found(pixels, bars.sample(pixels))


class Finder:
    """Finds the lit field of one slide's pictures, which stays where it is while nobody moves the camera.

    What a stop leaves black tells: as long as the same is black, and nothing else hides the picture, the
    field found last is the answer.
    """

    def __init__(self) -> None:
        self._last, self._black = WHOLE, np.zeros((0, 0), np.uint8)

    def __call__(self, pixels: U8) -> LitField:
        """See `find`."""
        if min(pixels.shape[:2]) < _LEAST_PX:
            return WHOLE
        few = bars.sample(pixels)
        if self._black.shape != few.shape[:2] or _unlike(_black(few), self._black) > _CHANGED:
            self._last, self._black = _found(pixels, few), np.zeros((0, 0), np.uint8)
            inside = self._last.mask(*few.shape[:2])
            if inside is not None and _unlike(_black(few)[~inside], 255) < _NOT_BLACK:
                self._black = _black(few)
        return self._last


def _black(few: U8) -> U8:
    """255 where a picture is black, else 0, (h, w) uint8."""
    return np.asarray(cv2.inRange(few, (0, 0, 0), (BLACK,) * 3), np.uint8)


def _unlike(a: U8, b: U8 | int) -> float:
    """In which share of their pixels two masks differ."""
    return float(np.count_nonzero(a != b)) / max(a.size, 1)


def _found(pixels: U8, few: U8) -> LitField:
    """The lit field of a picture, of which `few` is the sample."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = box = bars.within(pixels, few)
    unbarred = box == (0, 0, width, height)
    rim = stops.rim(few if unbarred else bars.sample(pixels[top:bottom, left:right]))
    if rim is None and unbarred:
        return WHOLE
    corners = np.array(_RECTANGLE, np.float64) if rim is None else rim
    corners = (corners * (right - left, bottom - top) + (left, top)) / (width, height)
    return LitField(corners.astype(np.float32))
