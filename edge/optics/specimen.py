"""A frame on the specimen grid: what light and scale do to a picture undone.

A frame becomes a `Specimen`: resampled to a fixed pitch in micrometres and divided by its own background, so
that clear glass between the cells is the same light grey (`BACKGROUND`) in every laboratory. Segmentation,
the slide map and the model's input (`edge.bundle.model_input`) see specimens only, so another camera,
objective or lamp changes nothing. Training calls this same function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from edge.optics.illumination import background, resample
from edge.optics.litfield import WHOLE, LitField
from edge.optics.stops import BLACK
from edge.types import F32, F64, U8

BACKGROUND = 240
"""Grey level that clear glass is brought to: bright, with head-room for what outshines it."""


@dataclass(frozen=True, eq=False)
class Specimen:
    """A frame on the specimen grid.

    Attributes
    ----------
    pixels : (h, w, 3) uint8 RGB, background at `BACKGROUND`, and so is what lies outside the lit field.
    pitch_um : micrometres per specimen pixel.
    scale : specimen pixels per frame pixel, so that `x_specimen = x_frame * scale`.
    glass : (3,) float32, the frame's mean background before correction, RGB grey levels.
    glass_fraction : share of the field that is clear glass, 0 to 1.
    taken : (h, w, 3) uint8 RGB, the same before the correction; None where nobody knows.
    stretch : (2,) float64, x and y: what a pixel measures, in pitches. The grid has whole pixels, so that
        pixels and pitches part by up to a half over the whole field.
    lit : the part of the frame that shows the specimen.
    """

    pixels: U8
    pitch_um: float
    scale: float
    glass: F32
    glass_fraction: float
    taken: U8 | None = None
    stretch: F64 = field(default_factory=lambda: np.ones(2))
    lit: LitField = WHOLE

    @cached_property
    def half(self) -> U8:
        """The specimen at twice the pitch, boxes of 2 × 2 pixels averaged, (h // 2, w // 2, 3) uint8 RGB.

        An odd last row or column is left out; a single one stays.
        """
        height, width = self.pixels.shape[:2]
        down, across = max(height // 2, 1), max(width // 2, 1)
        whole = self.pixels[: down * 2, : across * 2]
        return np.asarray(cv2.resize(whole, (across, down), interpolation=cv2.INTER_AREA), np.uint8)

    def in_pitches(self, places: F64) -> F32:
        """(n, 2) places, x and y in its pixels, in pitches from the frame's corner."""
        return (places * self.stretch).astype(np.float32)


def specimen(
    pixels: U8,
    um_per_px: float,
    pitch_um: float,
    flat: F32 | None = None,
    lit: LitField = WHOLE,
    size: tuple[int, int] | None = None,
) -> Specimen:
    """Resample a frame to `pitch_um` and correct its illumination and white balance.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 RGB.
    um_per_px : physical size of a frame pixel on the slide, µm.
    pitch_um : physical size of a specimen pixel, µm.
    flat : (h, w, 3) float32, how much of the light reaches each part of this camera's field, as measured on
        an empty one; None where nobody did. What it leaves over is corrected as without it.
    lit : the part of the frame that shows the specimen; see `edge.optics.litfield.find`.
    size : width and height of the frame of which `pixels` are the half; None where they are all of it.
    """
    scale = um_per_px / pitch_um
    if not pixels.size:
        return Specimen(pixels, pitch_um, scale, np.zeros(3, np.float32), 0.0)
    width, height = size or pixels.shape[1::-1]
    shape = max(round(width * scale), 1), max(round(height * scale), 1)
    grid = resample(pixels, scale * round(width / pixels.shape[1]), shape)
    glass_map, glass_fraction = background(grid, pitch_um, flat, lit)
    shown = grid
    if glass_fraction == 0.0:
        white = np.uint8(round(float(glass_map[0, 0, 0])))
        shown = np.where(grid.max(axis=2, keepdims=True) <= BLACK, white, grid)
    corrected = _multiplied(shown, np.float32(BACKGROUND) / glass_map)
    inside = lit.mask(*glass_map.shape[:2])
    glass = glass_map.reshape(-1, 3)[... if inside is None else inside.ravel()].mean(axis=0)
    if not lit.whole:
        corrected, grid = _filled(corrected, lit, [BACKGROUND] * 3), _filled(grid, lit, glass.tolist())
    stretch = np.array((width, height)) * scale / grid.shape[1::-1]
    return Specimen(corrected, pitch_um, scale, glass, glass_fraction, grid, stretch, lit)


def _filled(grid: U8, lit: LitField, colour: Sequence[float]) -> U8:
    """A picture with one colour outside its lit field, and where pixels were averaged over its rim."""
    inside = lit.mask(*grid.shape[:2])
    assert inside is not None
    inner = cv2.erode(inside.view(np.uint8), np.ones((3, 3), np.uint8))
    out = np.empty_like(grid)
    out[:] = np.round(colour)
    return np.asarray(cv2.copyTo(grid, inner, out), np.uint8)


def _multiplied(grid: U8, gain: F32) -> U8:
    """A picture times a smooth gain given on a coarser grid.

    With gains of eight bits instead of floating point: a quarter of the memory to pass, and within half a
    grey level.
    """
    step = float(gain.max()) / 255
    coarse = np.minimum(gain * (256 / step), 65535).astype(np.uint16)
    fine = cv2.resize(coarse, grid.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.multiply(grid, cv2.convertScaleAbs(fine, alpha=1 / 256), scale=step), np.uint8)
