"""The light that reaches each part of the field, measured on an empty one.

Lamp, condenser and lenses light the middle more than the corners, and dust on them casts soft shadows that
stay where they are while the stage moves. An empty field shows just that (flat-field correction).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.optics import litfield
from edge.optics.litfield import WHOLE, LitField
from edge.types import F32, U8, Bools, LeukoscopeError

ACROSS = 64
"""Cells of the grid along the longer side: 3 µm under oil, finer than the shadow of any dust."""

_FINER = 4  # the picture that is looked at for cells, by the grid
_SMOOTHING = 0.7  # grid cells; what the camera's noise leaves in them
_DARK, _BURNT = 60, 250  # grey levels of glass: less is noisy, more has lost its differences
_STRUCTURE = 0.06  # in log intensity, sharper than the grid: a third of what red cells absorb
_STRUCTURE_SHARE = 0.0015  # of the field: the outline of a red cell under oil is more
_UNEVEN = 0.05  # in log intensity, off a smooth surface
_UNEVEN_SHARE = 0.15  # of the field: the shadows of several specks; cells out of focus leave more


class FlatFieldError(LeukoscopeError):
    """The field shows no evenly lit glass. Says what is in the way and what to do."""


@dataclass(frozen=True, eq=False)
class FlatField:
    """An empty field.

    Attributes
    ----------
    flat : (h, w, 3) float32, light by the brightest part's of each channel, 1 at most.
    glass : R, G, B of the glass, mean over the field, grey levels.
    lit : the part of the picture that shows it. Beyond it `flat` goes on as it is at the rim.
    """

    flat: F32
    glass: tuple[float, float, float]
    lit: LitField = WHOLE

    @property
    def fall(self) -> float:
        """How much less light the darkest part gets than the brightest, 0 to 1, in green."""
        return 1 - float(self.flat[..., 1].min())


def measure(pictures: Sequence[U8]) -> FlatField:
    """The flat field, from pictures of an empty place on the slide, better of several places.

    The median over the pictures, (H, W, 3) uint8 RGB of one size, takes out what moves with the stage:
    debris, a single cell.

    Raises
    ------
    FlatFieldError : too dark, burnt out, or not empty.
    """
    height, width = pictures[0].shape[:2]
    shrink = ACROSS / max(width, height)
    size = (max(round(width * shrink), 2), max(round(height * shrink), 2))
    fine = (size[0] * _FINER, size[1] * _FINER)
    small = [cv2.resize(p, fine, interpolation=cv2.INTER_AREA).astype(np.float32) for p in pictures]
    level = np.asarray(np.median(small, axis=0), np.float32)
    lit = litfield.find(pictures[0])
    inside = lit.mask(*level.shape[:2])
    if inside is None:
        inside = np.ones(level.shape[:2], np.bool_)
    level = _beyond_rim(level, inside)
    grid = cv2.GaussianBlur(cv2.resize(level, size, interpolation=cv2.INTER_AREA), (0, 0), _SMOOTHING)
    peaks = grid.reshape(-1, 3).max(axis=0)
    if peaks.min() < _DARK:
        raise FlatFieldError(
            f"flat field: the glass is too dark ({peaks.min():.0f} of 255 grey levels); turn the lamp up, or"
            " expose longer"
        )
    if peaks.max() > _BURNT:
        raise FlatFieldError(
            f"flat field: the glass is burnt out ({peaks.max():.0f} of 255 grey levels); turn the lamp down,"
            " or expose less"
        )
    _check_empty(level, grid, inside)
    red, green, blue = (float(level[inside, channel].mean()) for channel in range(3))
    return FlatField(np.asarray(grid / peaks, np.float32), (red, green, blue), lit)


def _beyond_rim(level: F32, inside: Bools) -> F32:
    """A picture with what lies outside its lit field, and next to its rim, as the nearest place inside."""
    if inside.all():
        return level
    outside = 1 - cv2.erode(inside.view(np.uint8), np.ones((3, 3), np.uint8))
    _, nearest = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    shown = np.zeros((int(nearest.max()) + 1, 3), np.float32)
    shown[nearest[outside == 0]] = level[outside == 0]
    return np.asarray(shown[nearest], np.float32)


def _check_empty(level: F32, grid: NDArray[np.generic], inside: Bools) -> None:
    """Raise FlatFieldError where there are cells in the lit field: sharp ones, or so many out of focus."""
    logs = np.log(np.maximum(level[..., 1], 1))
    smooth = cv2.resize(
        np.asarray(grid[..., 1], np.float32), level.shape[1::-1], interpolation=cv2.INTER_CUBIC
    )
    sharp = np.abs(logs - np.log(np.maximum(smooth, 1))) > _STRUCTURE
    coarse = np.log(np.maximum(np.asarray(grid[..., 1], np.float32), 1))
    size = (coarse.shape[1], coarse.shape[0])
    few = cv2.resize(inside.view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    broad = np.abs(coarse - _surface(coarse, few)) > _UNEVEN
    if sharp[inside].mean() > _STRUCTURE_SHARE or broad[few].mean() > _UNEVEN_SHARE:
        raise FlatFieldError(
            "flat field: the field is not empty; move to clear glass beside the smear, without cells,"
            " scratches or its edge"
        )


def _surface(values: F32, inside: NDArray[np.bool_]) -> F32:
    """Least-squares polynomial of the fourth degree in x and y: any lamp, but no shadow of dust."""
    height, width = values.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].reshape(2, -1)
    terms = np.stack([x**i * y**j for i in range(5) for j in range(5 - i)], axis=1)
    there = inside.ravel()
    weights, *_ = np.linalg.lstsq(terms[there], values.ravel()[there].astype(np.float64), rcond=None)
    return np.asarray((terms @ weights).reshape(height, width), np.float32)
