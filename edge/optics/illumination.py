"""What the lamp and the camera do to a picture: scale undone by averaging, light measured on clear glass."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.native import boxes, core
from edge.optics.litfield import WHOLE, LitField
from edge.optics.stops import BLACK
from edge.types import F32, U8, Bools

_COARSE_UM = 1.0  # illumination varies over tens of µm; 1 µm per pixel still resolves gaps between red cells
_SMALL_FIELD_UM = 60.0  # below this a field holds too little glass to tell a gradient from a cell
_GLASS_TOLERANCE = 0.06  # in log intensity: red cells absorb three times as much
_FITTED_PIXELS = 2000  # enough for six coefficients
_BEND_UM = 4  # grid on which the background follows the glass more closely than the surface does
_LOG = np.log(np.maximum(np.arange(256), 1)).astype(np.float32)
_MASKED_SHARE = 0.4  # of a picture black: its makers cut the cell out, there is no glass to measure
_BLUE_DENSITY = (
    0.35  # of nuclei, which fill most of such a cell: 0.32 to 0.42 in laboratories with glass to tell
)


def resample(pixels: U8, scale: float, size: tuple[int, int] | None = None) -> U8:
    """Scale a picture, averaging when it shrinks so that texture does not alias.

    Shrinking averages whole boxes of pixels first and interpolates the rest: a fifth of the time of an
    area average over fractions of pixels, and within half a grey level of it. `size` is the width and height
    that it comes to, where rounding alone does not tell.
    """
    height, width = pixels.shape[:2]
    size = size or (max(round(width * scale), 1), max(round(height * scale), 1))
    if size == (width, height):
        return pixels
    box = min(int(1 / scale), width, height) if scale < 1 else 1
    if box % 4 == 0:
        # twice two is by far faster; halves are rounded up, so the second time the negative is averaged
        pixels, box = ~_box_average(~_box_average(pixels, 2), 2), box // 4
    pixels = _box_average(pixels, box)
    how = cv2.INTER_LINEAR if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def _box_average(pixels: U8, box: int) -> U8:
    """Means of boxes of `box` × `box` pixels; what does not fill one at the far edges is left out."""
    if box == 1:
        return pixels
    if box % 2 and box <= boxes.LARGEST and (library := core()) is not None:
        return boxes.averaged(library, pixels, box)
    across, down = pixels.shape[1] // box, pixels.shape[0] // box
    whole = pixels[: down * box, : across * box]
    return np.asarray(cv2.resize(whole, (across, down), interpolation=cv2.INTER_AREA), np.uint8)


def background(
    grid: U8, pitch_um: float, flat: F32 | None = None, field: LitField = WHOLE
) -> tuple[F32, float]:
    """What the lamp and the camera do to clear glass, and how much of it there is.

    Glass is the upper envelope of the picture: a surface is fitted to the logarithm of the green channel,
    where every stain absorbs, with weights that favour what lies above it (an expectile regression), and
    what stays close to that surface is glass. Each channel's background is then the glass itself, smoothed
    over the gaps that the cells leave. A picture that is mostly black was cut out by its makers and has no
    glass: how bright it would be follows from the blue channel, where nuclear stain hardly absorbs. With a
    flat field all this happens to the picture divided by it. Only what lies in the lit field counts; beyond
    it the background stays in the range that it has inside.

    Returns
    -------
    (h', w', 3) float32 grey levels on a coarse grid over the whole picture, at least 1; the fraction of glass
    in the field.
    """
    coarse = resample(grid, min(pitch_um / _COARSE_UM, 1.0))
    red, green, blue = cv2.split(coarse)
    lit = np.maximum(np.maximum(red, green), blue) > BLACK
    inside, area = field.mask(*lit.shape), lit.size
    if inside is not None:
        lit, area = lit & inside, int(np.count_nonzero(inside))
    if np.count_nonzero(lit) < (1 - _MASKED_SHARE) * area:
        white = _white(np.asarray(blue[lit], np.uint8))
        return np.asarray([[[white] * 3]], np.float32), 0.0
    logs = np.asarray(np.stack(cv2.split(cv2.LUT(coarse, _LOG))), np.float32)
    height, width = lit.shape
    if flat is not None:
        logs -= np.stack(cv2.split(cv2.log(_at_size(flat, width, height))))
    large = min(field.size * lit.shape[::-1]) * max(pitch_um, _COARSE_UM) >= _SMALL_FIELD_UM
    shape = _Polynomial.over(height, width, degree=2 if large else 0)
    glass = _glass_pixels(logs[1], shape, lit)
    surface = shape.at(shape.fitted(logs, glass.astype(np.float32)))
    if large:
        surface = _bent_to_glass(surface, logs, glass)
    if inside is not None:
        surface = _held(surface, inside)
    grey = np.ascontiguousarray(np.maximum(np.exp(surface), 1.0).transpose(1, 2, 0))
    if flat is not None:
        grey = np.maximum(_at_size(grey, flat.shape[1], flat.shape[0]) * flat, 1.0)
    return grey, float(np.count_nonzero(glass)) / area


def _held(surface: F32, inside: Bools) -> F32:
    """The (3, h, w) surface, everywhere in the range that each channel has inside, on any grid over it."""
    height, width = surface.shape[1:]
    within = cv2.resize(inside.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    held = surface[:, within] if within.any() else surface.reshape(3, -1)
    return np.clip(surface, held.min(axis=1)[:, None, None], held.max(axis=1)[:, None, None])


def _white(blue: U8) -> float:
    """Grey level of the glass round a cell that was cut out, from (n,) grey levels of the cell."""
    return min(float(np.median(blue)) * float(np.exp(_BLUE_DENSITY)), 255.0) if blue.size else 255.0


def _at_size(values: F32, width: int, height: int) -> F32:
    """Smooth values over the field, on another grid over it."""
    how = cv2.INTER_AREA if width < values.shape[1] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, (width, height), interpolation=how), np.float32)


@dataclass(frozen=True, eq=False)
class _Polynomial:
    """Polynomials in x and y over a grid, coordinates in -1..1.

    Attributes
    ----------
    down, across : (h, 2 d + 1) and (w, 2 d + 1) float32, powers of each row's y and each column's x.
    y_power, x_power : (terms,) of each term.
    """

    down: F32
    across: F32
    y_power: NDArray[np.intp]
    x_power: NDArray[np.intp]

    @classmethod
    @lru_cache(maxsize=4)
    def over(cls, height: int, width: int, degree: int) -> _Polynomial:
        """Those of this degree over a grid of this size."""
        exponents = np.arange(2 * degree + 1)
        down, across = (
            np.asarray(np.linspace(-1, 1, n)[:, None] ** exponents, np.float32) for n in (height, width)
        )
        powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
        y_power, x_power = np.array(powers, np.intp).T
        return cls(down, across, y_power, x_power)

    def every(self, step: int) -> _Polynomial:
        """The same over every `step`-th row and column."""
        return replace(self, down=self.down[::step], across=self.across[::step])

    def fitted(self, values: F32, weights: F32) -> F32:
        """Weighted least squares of (..., h, w) values: the (..., d + 1, d + 1) coefficients of y^i x^j.

        The sums are separable, so they need no matrix of all terms at all pixels.
        """
        i, j = self.y_power, self.x_power
        moments = self.down.T @ weights @ self.across
        normal = moments[i[:, None] + i, j[:, None] + j] + 1e-3 * np.eye(len(i), dtype=np.float32)
        order = int(i.max()) + 1
        right = self.down[:, :order].T @ (values * weights) @ self.across[:, :order]
        out = np.zeros_like(right)
        out[..., i, j] = np.linalg.solve(normal, right[..., i, j].T).T
        return out

    def at(self, coefficients: F32) -> F32:
        """Values of (..., d + 1, d + 1) coefficients, (..., h, w) float32."""
        order = coefficients.shape[-1]
        return np.asarray(self.down[:, :order] @ coefficients @ self.across[:, :order].T, np.float32)


def _glass_pixels(log_green: F32, shape: _Polynomial, lit: Bools) -> Bools:
    """Which pixels are clear glass: those near the upper envelope of the picture."""
    step = max(int(np.sqrt(lit.size / _FITTED_PIXELS)), 1)
    few, values, within = shape.every(step), log_green[::step, ::step], lit[::step, ::step]
    above = within
    weights = within.astype(np.float32)
    for _ in range(10):
        coefficients = few.fitted(values, weights)
        residual = values - few.at(coefficients)
        before, above = above, residual > 0
        if np.array_equal(before, above):
            break
        weights = np.where(above, np.float32(1), np.float32(0.03)) * within
    over = residual[above & within]
    level = np.median(over) if over.size else np.float32(0)
    glass: Bools = (np.abs(log_green - shape.at(coefficients) - level) < _GLASS_TOLERANCE) & lit
    return glass if glass.any() else lit


def _bent_to_glass(surface: F32, logs: F32, glass: Bools) -> F32:
    """The (3, h, w) surface on a coarser grid, plus what it left over, averaged over nearby glass.

    Far from any glass the left-over fades to nothing and the surface stands alone.
    """
    height, width = glass.shape
    size = (max(width // _BEND_UM, 1), max(height // _BEND_UM, 1))
    weight = glass.astype(np.float32)
    near = cv2.GaussianBlur(cv2.resize(weight, size, interpolation=cv2.INTER_AREA), (0, 0), 3.0) + 0.05
    bent = []
    for smooth, log in zip(surface, logs, strict=True):
        residual = cv2.resize((log - smooth) * weight, size, interpolation=cv2.INTER_AREA)
        coarse = cv2.resize(smooth, size, interpolation=cv2.INTER_AREA)
        bent.append(coarse + cv2.GaussianBlur(residual, (0, 0), 3.0) / near)
    return np.asarray(np.stack(bent), np.float32)
