"""Whether a field can be read: in focus, exposed, a picture at all.

Focus is measured as the blur of the edges in micrometres, whatever the stain, the contrast and what the
field shows. A further smoothing lowers the gradient of a step by an amount that tells how blurred it was
already: with blur b and gradients G after smoothings s and S, (G_s / G_S)² = (b² + S²) / (b² + s²), so that
b² + s² = (S² - s²) / ((G_s / G_S)² - 1). The principle of two scales is Elder and Zucker's (IEEE
Transactions on Pattern Analysis and Machine Intelligence 20:699, 1998); sums over the strongest edges and
the subtraction of the noise make it hold on weak, ringed and noisy fields.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.optics.litfield import LitField
from edge.optics.specimen import Specimen
from edge.types import F32, U8, Bools, Frame
from edge.types.problems import NO_CONTRAST, OUT_OF_FOCUS, TOO_BRIGHT, TOO_DARK, TOO_SMALL, UNREADABLE

BLUR_LIMIT_UM = 0.85
"""Standard deviation of the blur; beyond it details closer than 2 µm (its full width at half height) merge,
and chromatin, nucleoli and granules are lost."""

COARSE_UM = 1.2
"""Standard deviation of the stronger of the two smoothings whose gradients are compared, µm."""

_FINE_UM = 0.4
_PITCH_UM = 0.5  # fine enough for blur near the limit, and averages the camera's noise away
OWN_UM2 = _FINE_UM**2 + _PITCH_UM**2 * 5 / 12
"""What the measurement itself adds to the blur's variance, µm²: smoothing, resampling, the difference."""

LEAST_FRAME_PX = 96
"""Pixels across a field at the least: as many as the crop of one cell has."""

_LEAST_PX = 16  # a smaller picture, at `_PITCH_UM`, is all border
_MIDDLE_UM = 100.0  # of a field tells its focus: lenses are flattest there
_CREST = 0.9
_EDGE_SHARE = 0.1  # of the field at most: its strongest edges, those of red cells among them
_STRONG_SHARE = 0.005  # more than a speck of dust, less than the outline of one lymphocyte in an empty field
_FAINTER = 0.03  # in energy: edges this much fainter than the strongest still tell
_FAINTEST_EDGE = 1.0  # grey levels per µm after the coarse smoothing; less is an empty field
_SAMPLE_LINES = 48  # exposure needs no detail
_DARK_GLASS = 45  # grey levels: a red cell then differs from glass by fewer than ten
_DARK_PICTURE = 30  # brightest part of a picture without any glass
_DARK_SHARE = 0.98  # the rest may be hot pixels
_BURNT = 253
_BURNT_SHARE = 0.95  # cameras often burn out clear glass, but not cells
_FLAT = 0.5  # grey levels: any lit field varies more than this by its noise alone

LIGHT_RANGE = (_DARK_GLASS / 255, _BURNT / 255)
"""Between which `Quality.brightness` of a field that can be read lies."""


@dataclass(frozen=True)
class Quality:
    """How well a field can be read.

    Attributes
    ----------
    sharpness : 0 to 1; 0.5 at the blur limit; 0 where there is no edge to judge by.
    brightness : 0 to 1, of the clear glass before correction, or of the whole picture without glass.
    problems : why the field cannot be read, in words; empty for a good one.
    blur_um : standard deviation of the edges' blur in µm, None where there is no edge to judge by.
    steepness : of the strongest edges after a smoothing of `COARSE_UM`, grey levels per µm; None where
        focus was not looked at. It goes on falling where the field is too blurred to tell how blurred.
    """

    sharpness: float
    brightness: float
    problems: tuple[str, ...]
    blur_um: float | None = None
    steepness: float | None = None


def assess(view: Specimen, frame: Frame) -> Quality:
    """Judge focus and exposure of a frame by its specimen."""
    if frame.fault is not None:
        return Quality(0.0, 0.0, (f"{UNREADABLE}: {frame.fault}",))
    if min(frame.height, frame.width) < LEAST_FRAME_PX:
        told = f"{TOO_SMALL}: {frame.width} × {frame.height} pixels, {LEAST_FRAME_PX} each way are needed"
        return Quality(0.0, 0.0, (told,))
    step = max(min(frame.pixels.shape[:2]) // _SAMPLE_LINES, 1)
    sample = np.ascontiguousarray(frame.pixels[::step, ::step])
    inside = view.lit.mask(*sample.shape[:2])
    if inside is not None:
        sample = sample[inside][None]
    lit = view.glass if view.glass_fraction > 0 else sample
    brightness = min(float(lit.mean()) / 255, 1.0)
    problem = _exposure_problem(view, sample)
    if problem:
        return Quality(0.0, brightness, (problem,))
    variance, steepness = _edges(view)
    if variance is None:
        return Quality(0.0, brightness, (), None, steepness)
    limit = BLUR_LIMIT_UM**2 + OWN_UM2
    sharpness = limit**2 / (limit**2 + variance**2)
    blur = float(np.sqrt(max(variance - OWN_UM2, 0.0)))
    return Quality(sharpness, brightness, (OUT_OF_FOCUS,) if variance > limit else (), blur, steepness)


def _edges(view: Specimen) -> tuple[float | None, float | None]:
    """The strongest edges: variance of their blur in µm², the measurement's own included, and steepness.

    No variance where the edges are too faint, and neither where the picture is too small.
    """
    halved = 2 * view.pitch_um <= _PITCH_UM
    pixels = view.half if halved else view.pixels
    shrink = view.pitch_um * (2 if halved else 1) / _PITCH_UM
    if min(pixels.shape[:2]) * shrink < _LEAST_PX:
        return None, None
    middle = _middle(view.lit, pixels, round(_MIDDLE_UM / _PITCH_UM / shrink))
    green = cv2.resize(
        cv2.extractChannel(pixels[middle], 1), None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA
    )
    grid = green.astype(np.float32)
    fine, coarse = _gradient_energy(grid, _FINE_UM), _gradient_energy(grid, COARSE_UM)
    border = round(2 * COARSE_UM / _PITCH_UM)
    fine, coarse = fine[border:-border, border:-border], coarse[border:-border, border:-border]
    inside = view.lit.mask(*pixels.shape[:2])
    if inside is not None:
        inside = _away_from_rim(inside[middle], grid, border)
        fine, coarse = fine * inside, coarse * inside
    few = ... if inside is None else inside[::3, ::3]
    sample = coarse[::3, ::3][few].ravel()  # one pixel in nine tells what is exceeded where
    if not sample.size:
        return None, None
    strong = _upper(sample, _STRONG_SHARE)
    steepness = strong**0.5
    if steepness < _FAINTEST_EDGE:
        return None, steepness
    least = max(_upper(sample, _EDGE_SHARE), _FAINTER * strong)
    # along an edge's crest only: beside it the two gradients fall off differently
    crest = np.maximum(cv2.dilate(coarse, np.ones((3, 3), np.uint8)) * np.float32(_CREST), np.float32(least))
    edges = cv2.compare(coarse, crest, cv2.CMP_GE)
    noise = _upper(fine[::3, ::3][few].ravel(), 0.75)  # where nothing is, the gradient is noise
    ratio = max((cv2.mean(fine, edges)[0] - noise) / cv2.mean(coarse, edges)[0], 1.01)
    return (COARSE_UM**2 - _FINE_UM**2) / (ratio - 1), steepness


def _middle(lit: LitField, pixels: U8, most: int) -> tuple[slice, slice]:
    """The middle of a picture's lit field, at most so many pixels wide and high."""
    sides, middle = pixels.shape[:2], (lit.low + lit.size / 2)[::-1].tolist()
    top, left = (
        min(max(int(at * side - most / 2), 0), max(side - most, 0))
        for at, side in zip(middle, sides, strict=True)
    )
    return slice(top, top + most), slice(left, left + most)


def _away_from_rim(inside: Bools, grid: F32, border: int) -> Bools:
    """What of a grid lies `border` pixels inside the lit field, without its own border of as many."""
    size = grid.shape[::-1]
    there = cv2.resize(inside.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    there = cv2.erode(there, np.ones((2 * border + 1, 2 * border + 1), np.uint8))
    return np.asarray(there[border:-border, border:-border], np.uint8).view(np.bool_)


def _upper(values: F32, share: float) -> float:
    """What this share of the values exceeds."""
    rank = int(values.size * (1 - share))
    return float(np.partition(values, rank)[rank])


def _gradient_energy(grid: F32, smoothing_um: float) -> F32:
    """Squared gradient in (grey levels per µm)² of a picture at `_PITCH_UM` smoothed this much."""
    smooth = cv2.GaussianBlur(grid, (0, 0), smoothing_um / _PITCH_UM)
    dx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=1, scale=0.5 / _PITCH_UM)
    dy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=1, scale=0.5 / _PITCH_UM)
    return np.asarray(cv2.accumulateSquare(dy, cv2.multiply(dx, dx, dst=dx)), np.float32)


def _exposure_problem(view: Specimen, sample: U8) -> str | None:
    red, green, blue = cv2.split(sample)
    dark = cv2.max(cv2.max(red, green), blue) < _DARK_PICTURE
    if np.count_nonzero(dark) > _DARK_SHARE * dark.size:
        return TOO_DARK
    if view.glass_fraction > 0 and float(view.glass.max()) < _DARK_GLASS:
        return TOO_DARK
    burnt = cv2.min(cv2.min(red, green), blue) >= _BURNT
    if np.count_nonzero(burnt) > _BURNT_SHARE * burnt.size:
        return TOO_BRIGHT
    if float(green.std()) < _FLAT:
        return NO_CONTRAST
    return None
