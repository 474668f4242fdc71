"""THE definition of the input: what light and scale do to a picture, undone the same way everywhere.

A frame becomes a `Specimen`: resampled to a fixed pitch in micrometres and divided by its own background,
so that clear glass between the cells is the same light grey (`BACKGROUND`) in every laboratory. Everything
downstream (segmentation, crops, training) sees specimens only, so another camera, objective or lamp changes
nothing. Training calls these same functions and augments afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.types import F32, U8, Bools

BACKGROUND = 240
"""Grey level that clear glass is brought to: bright, with head-room for what outshines it."""

_COARSE_UM = 1.0  # illumination varies over tens of µm; 1 µm per pixel still resolves gaps between red cells
_SMALL_FIELD_UM = 60.0  # below this a field holds too little glass to tell a gradient from a cell
_GLASS_TOLERANCE = 0.06  # in log intensity: red cells absorb three times as much
_FITTED_PIXELS = 2000  # enough for six coefficients
_BEND_UM = 4  # grid on which the background follows the glass more closely than the surface does
_BLACK = 12  # grey level that no lit specimen stays under in all three channels
_MASKED_SHARE = 0.4  # of a picture black: its makers cut the cell out, there is no glass to measure


@dataclass(frozen=True, eq=False)
class Specimen:
    """A frame on the specimen grid.

    Attributes
    ----------
    pixels : (h, w, 3) uint8 RGB, background at `BACKGROUND`.
    pitch_um : micrometres per specimen pixel.
    scale : specimen pixels per frame pixel, so that `x_specimen = x_frame * scale`.
    glass : (3,) float32, the frame's mean background before correction, RGB grey levels.
    glass_fraction : share of the field that is clear glass, 0 to 1.
    """

    pixels: U8
    pitch_um: float
    scale: float
    glass: F32
    glass_fraction: float


def specimen(pixels: U8, um_per_px: float, pitch_um: float) -> Specimen:
    """Resample a frame to `pitch_um` and correct its illumination and white balance.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 RGB.
    um_per_px : physical size of a frame pixel on the slide, µm.
    pitch_um : physical size of a specimen pixel, µm.
    """
    scale = um_per_px / pitch_um
    if not pixels.size:
        return Specimen(pixels, pitch_um, scale, np.zeros(3, np.float32), 0.0)
    grid = resample(pixels, scale)
    glass_map, glass_fraction = background(grid, pitch_um)
    height, width = grid.shape[:2]
    if glass_fraction == 0.0:
        grid = np.where(grid.max(axis=2, keepdims=True) <= _BLACK, np.uint8(255), grid)
    gain = cv2.resize(BACKGROUND / glass_map, (width, height), interpolation=cv2.INTER_LINEAR)
    corrected = cv2.multiply(grid, gain, dtype=cv2.CV_8U)
    glass = glass_map.reshape(-1, 3).mean(axis=0)
    return Specimen(np.asarray(corrected, np.uint8), pitch_um, scale, glass, glass_fraction)


def resample(pixels: U8, scale: float) -> U8:
    """Scale a picture, averaging when it shrinks so that texture does not alias.

    Shrinking averages whole boxes of pixels first and interpolates the rest: a fifth of the time of an
    area average over fractions of pixels, and within half a grey level of it.
    """
    height, width = pixels.shape[:2]
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    if size == (width, height):
        return pixels
    box = min(int(1 / scale), width, height) if scale < 1 else 1
    if box > 1:
        across, down = width // box, height // box
        whole = pixels[: down * box, : across * box]
        pixels = np.asarray(cv2.resize(whole, (across, down), interpolation=cv2.INTER_AREA), np.uint8)
    how = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def background(grid: U8, pitch_um: float) -> tuple[F32, float]:
    """What the lamp and the camera do to clear glass, and how much of it there is.

    Glass is the upper envelope of the picture: a surface is fitted to the logarithm of the green channel,
    where every stain absorbs, with weights that favour what lies above it (an expectile regression), and
    what stays close to that surface is glass. Each channel's background is then the glass itself, smoothed
    over the gaps that the cells leave. A picture that is mostly black was cut out by its makers: it has no
    glass, and full white stands for it.

    Returns
    -------
    (h', w', 3) float32 grey levels on a coarse grid over the whole field, at least 1; the fraction of glass.
    """
    coarse = resample(grid, min(pitch_um / _COARSE_UM, 1.0)).astype(np.float32)
    logs = np.log(np.maximum(coarse, 1.0))
    lit = np.maximum(np.maximum(coarse[..., 0], coarse[..., 1]), coarse[..., 2]) > _BLACK
    if np.count_nonzero(lit) < (1 - _MASKED_SHARE) * lit.size:
        return np.full((1, 1, 3), 255, np.float32), 0.0
    height, width = lit.shape
    large = min(height, width) * max(pitch_um, _COARSE_UM) >= _SMALL_FIELD_UM
    terms = _surface_terms(height, width, degree=2 if large else 0)
    glass = _glass_pixels(logs[..., 1], terms, lit)
    surface = (terms @ _fit(terms, logs.reshape(-1, 3), glass.ravel()[:, None])).reshape(logs.shape)
    if large:
        surface = _bent_to_glass(surface, logs, glass)
    return np.maximum(np.exp(surface), 1.0), float(np.count_nonzero(glass)) / glass.size


def _surface_terms(height: int, width: int, degree: int) -> F32:
    """(h * w, terms) polynomial terms over coordinates in -1..1."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    return np.stack([(x**i * y**j).ravel() for i, j in powers], axis=1)


def _fit(terms: F32, values: F32, weights: F32 | Bools) -> F32:
    """Weighted least squares of (n, k) or (n,) values on (n, terms), weights (n, 1): the coefficients."""
    weighted = terms * weights
    normal = terms.T @ weighted + 1e-3 * np.eye(terms.shape[1], dtype=np.float32)
    return np.asarray(np.linalg.solve(normal, weighted.T @ values), np.float32)


def _glass_pixels(log_green: F32, terms: F32, lit: Bools) -> Bools:
    """Which pixels are clear glass: those near the upper envelope of the picture."""
    stride = max(lit.size // _FITTED_PIXELS, 1) | 1  # odd, or it would fall into step with the columns
    sparse, values, within = terms[::stride], log_green.ravel()[::stride], lit.ravel()[::stride]
    weights = within.astype(np.float32)[:, None]
    for _ in range(10):
        coefficients = _fit(sparse, values, weights)
        above = values > sparse @ coefficients
        weights = (np.where(above, 1.0, 0.03).astype(np.float32) * within)[:, None]
    residual = log_green - (terms @ coefficients).reshape(log_green.shape)
    level = np.median(residual[(residual > 0) & lit]) if (residual[lit] > 0).any() else np.float32(0)
    glass: Bools = (np.abs(residual - level) < _GLASS_TOLERANCE) & lit
    return glass if glass.any() else lit


def _bent_to_glass(surface: F32, logs: F32, glass: Bools) -> F32:
    """The surface on a coarser grid, plus what it left over, averaged over nearby glass.

    Far from any glass the left-over fades to nothing and the surface stands alone.
    """
    height, width = glass.shape
    size = (max(width // _BEND_UM, 1), max(height // _BEND_UM, 1))
    weight = glass.astype(np.float32)
    near, residual, coarse = (
        cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        for part in (weight, (logs - surface) * weight[..., None], surface)
    )
    near, residual = (cv2.GaussianBlur(part, (0, 0), 3.0) for part in (near, residual))
    return np.asarray(coarse + residual / (near + 0.05)[..., None], np.float32)


def crops(view: Specimen, centres_px: F32, size: int) -> U8:
    """Windows of `size` specimen pixels round each cell, clear glass beyond the frame's edge.

    Parameters
    ----------
    centres_px : (n, 2) float32, x and y in pixels of the frame.

    Returns
    -------
    (n, size, size, 3) uint8 RGB.
    """
    out = np.full((len(centres_px), size, size, 3), BACKGROUND, np.uint8)
    height, width = view.pixels.shape[:2]
    for window, (cx, cy) in zip(out, np.asarray(centres_px) * view.scale, strict=True):
        x0, y0 = round(float(cx)) - size // 2, round(float(cy)) - size // 2
        left, top = max(x0, 0), max(y0, 0)
        right, bottom = min(x0 + size, width), min(y0 + size, height)
        if left < right and top < bottom:
            window[top - y0 : bottom - y0, left - x0 : right - x0] = view.pixels[top:bottom, left:right]
    return out


STEPS = ("white-balance",)
"""Names of the steps that `specimen` does, which a bundle's manifest must ask for."""
