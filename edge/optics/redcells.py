"""Red blood cells as a ruler: they are about 7.5 µm across in every field, whatever the camera.

The outlines of everything stained are cut where they turn inwards, which is where one cell meets the next;
an ellipse is fitted to every piece that goes at least half round, so that a cell in a clump or at the
frame's edge is measured by the part of it that shows. What is purple or much darker than the rest holds a
nucleus and is left out. Nothing here needs to know the scale beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.optics import illumination
from edge.optics.litfield import WHOLE, LitField
from edge.types import F32, U8, Bools

RED_CELL_UM = 7.5
"""Diameter of a red cell on a dried, stained smear of an adult, µm: the middle of 7.2 to 7.8."""

_RED_CELL_SPREAD = 0.04  # relative: people's mean red cells lie between 7.2 and 7.8 µm
_CELL_SPREAD = 0.08  # relative: one person's red cells differ by this much at least
_MIN_CELLS = 3
_WORK_PX = 720  # longest side looked at: an oil-immersion field then shows red cells 30 to 120 px across
_MIN_WORK_DIAMETER_PX = 24  # smaller, and the picture is looked at again at twice the size
_MIN_FRAME_PX = 64
_ASSUMED_WIDTH_UM = 150.0  # for the illumination only, which varies smoothly whatever the scale
_LEVELS = (0.7, 1.0, 1.5)  # of the glass threshold: faint, usual and hazy red cells
_FAINTEST = 0.004  # density of one grey level
_SMOOTHING_PX = (1.5, 3.0, 5.0)  # along the outline: one suits small cells, another large or ragged ones
_MIN_ARC_PX = 40
_MIN_TURN = np.radians(170)
_MIN_COVER = 0.5
_MAX_ELONGATION = 1.4
_MAX_ROUGHNESS = 0.04
_PURPLE = 1.0  # green over red and blue density: red cells 0.35 to 0.95, nuclei and platelets 1.0 to 1.9
_DARK = 1.7  # times the typical red cell's density


@dataclass(frozen=True, eq=False)
class RedCells:
    """Well-outlined red cells of one picture.

    Attributes
    ----------
    ellipses : (n, 5) float32: centre x and y, the two axes (full lengths) in pixels, angle in degrees.
    weights : (n,) float32, how well each is outlined, 0 to 1.
    """

    ellipses: F32
    weights: F32

    def __len__(self) -> int:
        return len(self.ellipses)

    @property
    def diameters_px(self) -> F32:
        """(n,) float32, diameter of the circle of the same area."""
        return np.asarray(np.sqrt(self.ellipses[:, 2] * self.ellipses[:, 3]), np.float32)


@dataclass(frozen=True)
class Measured:
    """A scale read off red cells.

    Attributes
    ----------
    um_per_px : micrometres per pixel.
    uncertainty : relative standard error, people's differing red cells included.
    cells, fields : how many red cells it rests on, from how many pictures.
    """

    um_per_px: float
    uncertainty: float
    cells: int
    fields: int


class _Outline(NamedTuple):
    """A fitted ellipse: axes and angle as OpenCV has them, share of the way round, relative residual."""

    x: float
    y: float
    axis_a: float
    axis_b: float
    angle: float
    cover: float
    roughness: float

    @property
    def quality(self) -> float:
        return self.cover * max(1 - self.roughness / _MAX_ROUGHNESS, 0.05)


class _Candidate(NamedTuple):
    """An outline, the stain inside, and how good an outline of a red cell it is."""

    outline: _Outline
    purple: float
    rim: float
    score: float


def estimate(fields: Sequence[RedCells]) -> Measured | None:
    """Scale from the red cells of one or more pictures of the same scale; None rather than a guess.

    The diameter is the peak of the diameters' distribution in logarithmic bins (a kernel density weighted
    by quality and size), then the weighted median round that peak: platelets, fragments and clumps lie
    away from it. Without three cells there, or with most of the weight elsewhere, there is no estimate.
    """
    diameters = np.concatenate([f.diameters_px for f in fields] or [np.zeros(0, np.float32)])
    if len(diameters) < _MIN_CELLS:
        return None
    logs = np.log(diameters)
    weights = np.concatenate([f.weights for f in fields]) * diameters
    grid = np.arange(logs.min(), logs.max() + 0.01, 0.01)
    density = np.exp(-(((grid[:, None] - logs) / _CELL_SPREAD) ** 2) / 2) @ weights
    near = np.abs(logs - grid[density.argmax()]) < 2.5 * _CELL_SPREAD
    cells = int(np.count_nonzero(near))
    if cells < _MIN_CELLS or weights[near].sum() < 0.5 * weights.sum():
        return None
    middle = _weighted_median(logs[near], weights[near])
    spread = max(float(logs[near].std()), _CELL_SPREAD)
    of_median = 1.25 * spread / np.sqrt(cells)  # a median scatters 1.25 times as much as a mean
    error = float(np.hypot(of_median, _RED_CELL_SPREAD))
    used = sum(1 for f in fields if len(f))
    return Measured(RED_CELL_UM / float(np.exp(middle)), error, cells, used)


def find(pixels: U8, lit: LitField = WHOLE) -> RedCells:
    """Single red cells whose outline shows at least half way round.

    In a picture, (H, W, 3) uint8 RGB, of unknown scale: red cells from about 15 px across.
    """
    if min(pixels.shape[:2]) < _MIN_FRAME_PX:
        return _as_red_cells([], 1.0)
    scale = min(_WORK_PX / max(pixels.shape[:2]), 1.0)
    cells = _as_red_cells(_candidates(illumination.resample(pixels, scale)), scale)
    if not len(cells) or float(np.median(cells.diameters_px)) * scale < _MIN_WORK_DIAMETER_PX:
        scale *= 2
        cells = _as_red_cells(_candidates(illumination.resample(pixels, scale)), scale)
    return cells


def _as_red_cells(candidates: Iterable[_Candidate], scale: float) -> RedCells:
    """Leave out nucleated cells and platelets, and go back from the working size to the frame's pixels."""
    found = [c for c in candidates if c.purple < _PURPLE]
    if found:
        rims = np.array([c.rim for c in found])
        sizes = np.array([c.outline.quality * c.outline.axis_a for c in found])
        typical = _weighted_median(rims, sizes)
        found = [c for c in found if c.rim < _DARK * typical]
    ellipses = np.array([c.outline[:5] for c in found], np.float32).reshape(-1, 5)
    ellipses[:, :4] /= scale
    return RedCells(ellipses, np.array([c.outline.quality for c in found], np.float32))


def _candidates(grid: U8) -> list[_Candidate]:
    """Everything round in a picture, each thing once, outlined where its density is half its rim's."""
    height, width = grid.shape[:2]
    glass, fraction = illumination.background(grid, _ASSUMED_WIDTH_UM / width)
    if fraction == 0:
        return []
    smooth = np.maximum(cv2.GaussianBlur(grid, (0, 0), 1.0), 1)
    density = np.asarray(cv2.log(cv2.resize(glass, (width, height)) / smooth), np.float32)
    green = np.ascontiguousarray(density[..., 1])
    threshold = max(_glass_threshold(green[::2, ::2]), _FAINTEST)
    found: list[_Candidate] = []
    for level in (threshold * factor for factor in _LEVELS):
        mask = (green > level).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        closed = [np.asarray(c[:, 0], np.float32) for c in contours if len(c) > _MIN_ARC_PX]
        for smoothing in _SMOOTHING_PX:
            outlines = _fit_arcs(closed, smoothing, width, height)
            found += [_candidate(outline, density, level) for outline in outlines]
    return _each_once(found)


def _each_once(found: list[_Candidate]) -> list[_Candidate]:
    """The best of those that share a centre."""
    found = sorted(found, key=lambda c: -c.score)
    centres = np.array([c.outline[:2] for c in found], np.float32).reshape(-1, 2)
    kept: list[int] = []
    for i, candidate in enumerate(found):
        reach = 0.12 * candidate.outline.axis_a * candidate.outline.axis_b
        if not kept or float(((centres[kept] - centres[i]) ** 2).sum(axis=1).min()) >= reach:
            kept.append(i)
    return [found[i] for i in kept]


def _candidate(outline: _Outline, density: F32, level: float) -> _Candidate:
    """Look inside: the rim is the density that a fifth of the cell exceeds, for pallor hides the middle."""
    x, y, a, b, angle, cover, roughness = outline
    reach = int(max(a, b) / 2) + 1
    left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
    part = density[top : int(y) + reach, left : int(x) + reach]
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.ellipse(mask, ((x - left, y - top), (0.9 * a, 0.9 * b), angle), 1, -1)
    greens = part[..., 1][mask > 0]
    if not len(greens):
        return _Candidate(outline, np.inf, np.inf, -np.inf)
    red, green, blue, _ = cv2.mean(part, mask)
    rank = int(0.8 * len(greens))
    rim = max(float(np.partition(greens, rank)[rank]), 1e-3)
    mislevel = abs(float(np.log(2 * level / rim)))
    purple = green / max(red + blue + 0.05, 0.05)
    return _Candidate(outline, purple, rim, cover - 4 * roughness - 0.3 * mislevel)


def _fit_arcs(contours: Sequence[F32], smoothing: float, width: int, height: int) -> list[_Outline]:
    """Ellipses of the outward-turning pieces of closed contours, (n, 2) pixel positions each."""
    contours = [c for c in contours if len(c) > 14 * smoothing]
    if not contours:
        return []
    # every contour twice in a row, so that a piece across its seam is whole in there
    points = np.concatenate([c for contour in contours for c in (contour, contour)])
    lengths = np.array([len(c) for c in contours])
    starts = np.concatenate([[0], np.cumsum(2 * lengths)[:-1]])
    kernel = cv2.getGaussianKernel(int(6 * smoothing) | 1, smoothing)
    rows = cv2.sepFilter2D(np.ascontiguousarray(points.T), cv2.CV_32F, kernel, np.ones(1))
    smooth = np.ascontiguousarray(rows.T, np.float32)
    step = int(smoothing)
    turn = _turning(smooth, step)
    broken = (turn < -0.05 / smoothing) | (points <= 1).any(axis=1)
    broken |= (points >= (width - 2, height - 2)).any(axis=1)
    seam = int(3 * smoothing)
    for start, length in zip(starts, lengths, strict=True):
        broken[start : start + seam] = broken[start + 2 * length - seam : start + 2 * length] = True
    outlines = []
    for begin, end, whole in _pieces(broken, turn, starts, lengths):
        trim = 0 if whole else step
        outline = _fit_ellipse(smooth[begin + trim : end - trim], smoothing)
        if outline is not None:
            outlines.append(outline)
    return outlines


def _turning(points: F32, step: int) -> NDArray[np.float64]:
    """(n,) radians per point that a path turns, positive where OpenCV's contours bulge outwards."""
    ahead = np.roll(points, -step, axis=0) - np.roll(points, step, axis=0)
    heading = ahead[:, 0].astype(np.float64) - 1j * ahead[:, 1]
    return np.asarray(np.angle(np.roll(heading, -step) * np.conj(np.roll(heading, step))) / (2 * step))


def _pieces(
    broken: Bools, turn: NDArray[np.float64], starts: NDArray[np.int_], lengths: NDArray[np.int_]
) -> list[tuple[int, int, bool]]:
    """Unbroken runs that turn far enough, once each: first point, end, and whether it is a closed contour."""
    change = np.diff(np.concatenate([[1], broken.astype(np.int8), [1]]))
    begin, end = np.flatnonzero(change == -1), np.flatnonzero(change == 1)
    owner = np.searchsorted(starts, begin, "right") - 1
    end = np.minimum(end, begin + lengths[owner])
    turned = np.concatenate([[0.0], np.cumsum(turn)])
    good = (turned[end] - turned[begin] > _MIN_TURN) & (end - begin >= _MIN_ARC_PX)
    good &= begin < starts[owner] + lengths[owner]
    whole = end - begin == lengths[owner]
    return [(int(b), int(e), bool(w)) for b, e, w in zip(begin[good], end[good], whole[good], strict=True)]


def _fit_ellipse(points: F32, smoothing: float) -> _Outline | None:
    """Least-squares ellipse of a piece of outline, None when it is none or not a red cell's shape."""
    (x, y), (a, b), angle = cv2.fitEllipseDirect(points)
    if not np.isfinite((x, y, a, b)).all() or max(a, b) > _MAX_ELONGATION * min(a, b):
        return None
    if smoothing > 0.09 * np.sqrt(a * b):
        return None
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    dx, dy = points[:, 0] - x, points[:, 1] - y
    radius = np.hypot((dx * cos + dy * sin) / (a / 2), (dy * cos - dx * sin) / (b / 2))
    roughness = float(np.sqrt(np.mean((radius - 1) ** 2)))
    sectors = 36
    cover = len(np.unique((np.arctan2(dy, dx) * sectors / (2 * np.pi)).astype(int))) / sectors
    if roughness > _MAX_ROUGHNESS or cover < _MIN_COVER:
        return None
    # contours run through the centres of a cell's outermost pixels, half a pixel inside its edge
    return _Outline(x, y, a + 1, b + 1, angle, cover, roughness)


def _glass_threshold(density: F32) -> float:
    """Density between glass and red cells: the lower of the two thresholds that part three classes best.

    Otsu's criterion (IEEE Transactions on Systems, Man, and Cybernetics 9:62, 1979) for three classes:
    glass, red cells and what is darker.
    """
    low, high = (float(v) for v in np.percentile(density, [0.5, 99.5]))
    bins = 64
    counts = np.histogram(density, bins, (low, high))[0].astype(np.float64)
    mass = np.concatenate([[0.0], np.cumsum(counts)])
    moment = np.concatenate([[0.0], np.cumsum(counts * (np.arange(bins) + 0.5))])
    first, second = np.triu_indices(bins, 1)
    between = sum(
        (moment[b] - moment[a]) ** 2 / np.maximum(mass[b] - mass[a], 1e-9)
        for a, b in ((np.zeros_like(first), first), (first, second), (second, np.full_like(second, bins)))
    )
    return low + float(first[np.argmax(between)]) / bins * (high - low)


def _weighted_median(values: NDArray[np.floating], weights: NDArray[np.floating]) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
