"""Red cells by their outlines: what is geometry holds in every laboratory.

The outlines of everything stained are cut where they turn inwards, which is where one cell meets the next;
an ellipse is fitted to every piece that goes at least half round, so that a cell in a clump or at the
picture's edge is measured by the part of it that shows. What is purple or much darker than the rest holds a
nucleus and is left out. Few cells of a crowded field show so much of themselves; what they say is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.optics import illumination
from edge.optics.litfield import LitField
from edge.types import F32, U8, Bools

RED_CELL_UM = 7.5
"""Diameter of a red cell on a dried, stained smear of an adult, µm: the middle of 7.2 to 7.8."""

WORK_PX = 36
"""How wide red cells are made before they are outlined: the fastest size at which outlines are smooth."""

RIM = 0.03
"""Share of a picture's shorter side that eyepieces take to fade."""

SIDE_PX = 256
"""Of what is looked at, at that size, in every field of a slide: seven cells each way."""

FIRST_PX = 420
"""And where nothing is known yet."""

THOROUGH_PX = 960
"""And where time does not count."""

_USUAL_SIDE_PX = 720  # longest side of a picture of which nothing is known
_WORKABLE_PX = (24.0, 64.0)  # between which outlines are as good
_LARGEST_ENLARGEMENT = 1.6
_LEVELS = (0.7, 1.4)  # of the glass threshold: faint and hazy red cells
_FAINTEST = 0.004  # density of one grey level
_SMOOTHING_PX = 2.0  # along the outline
_MIN_ARC_PX = 40
_MIN_TURN = np.radians(170)
_MIN_COVER = 0.5
_MAX_ELONGATION = 1.4
_MAX_ROUGHNESS = 0.04
_PURPLE = 1.0  # green over red and blue density: red cells 0.35 to 0.95, nuclei and platelets 1.0 to 1.9
_DARK = 1.7  # times the typical red cell's density
_GREEN = 0.9  # green density by the mean's: 0.97 to 1.6 in blood; fur and petals have less
_COLOUR = 0.12  # by which densities differ, by their mean: 0.4 to 1.6 in blood, 0 in print


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
    green: float
    colour: float
    rim: float
    score: float


def diameters(pixels: U8, lit: LitField, about_px: float | None, side_px: int = SIDE_PX) -> tuple[F32, F32]:
    """Diameters of the red cells in the middle of a picture, (H, W, 3) uint8 RGB, whose outlines show.

    Parameters
    ----------
    about_px : how wide they are, as far as it is known; None where nothing is.
    side_px : how much of the picture's middle is looked at, with red cells made `WORK_PX` wide.

    Returns
    -------
    (n,) float32, pixels of the picture, of circles of the same area; (n,) float32, how well each is outlined,
    0 to 1.
    """
    scale = WORK_PX / about_px if about_px else _USUAL_SIDE_PX / max(pixels.shape[:2])
    found = _at(pixels, lit, min(scale, _LARGEST_ENLARGEMENT), side_px)
    for _ in range(1 if about_px else 2):  # nothing, or not what was thought: again at the size they have
        across = float(np.median(found[0])) * scale if len(found[0]) else 0.0
        if _WORKABLE_PX[0] <= across <= _WORKABLE_PX[1] or (about_px and not across):
            break
        scale *= WORK_PX / across if across else 2.0
        found = _at(pixels, lit, min(scale, _LARGEST_ENLARGEMENT), side_px)
    return found


def _at(pixels: U8, lit: LitField, scale: float, side_px: int) -> tuple[F32, F32]:
    """The same in the middle of the picture at some scale."""
    part, inside = _middle(pixels, lit, int(side_px / scale))
    rim = max(round(RIM * min(pixels.shape[:2]) * scale), 3)
    grid = illumination.resample(np.ascontiguousarray(part), scale)
    if inside is not None:
        height, width = grid.shape[:2]
        small = cv2.resize(inside.view(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
        inside = np.asarray(small, np.uint8).view(np.bool_)
    return _as_red_cells(_candidates(grid, RED_CELL_UM / WORK_PX, inside, rim), scale)


def _middle(pixels: U8, lit: LitField, side: int) -> tuple[U8, Bools | None]:
    """The middle of a picture's lit field, and where in it there is field; None for everywhere."""
    height, width = pixels.shape[:2]
    across, down = (lit.low + lit.size / 2).tolist()
    top = int(np.clip(down * height - side / 2, 0, max(height - side, 0)))
    left = int(np.clip(across * width - side / 2, 0, max(width - side, 0)))
    where = slice(top, top + side), slice(left, left + side)
    inside = lit.mask(height, width)
    return pixels[where], None if inside is None else np.ascontiguousarray(inside[where])


def _as_red_cells(candidates: Sequence[_Candidate], scale: float) -> tuple[F32, F32]:
    """Leave out nucleated cells, platelets and what no blood stain colours; back to the picture's pixels."""
    found = [c for c in candidates if c.purple < _PURPLE and c.green > _GREEN and c.colour > _COLOUR]
    if found:
        rims = np.array([c.rim for c in found])
        sizes = np.array([c.outline.quality * c.outline.axis_a for c in found])
        typical = weighted_median(rims, sizes)
        found = [c for c in found if c.rim < _DARK * typical]
    across = [np.sqrt(c.outline.axis_a * c.outline.axis_b) / scale for c in found]
    return np.array(across, np.float32), np.array([c.outline.quality for c in found], np.float32)


def _candidates(grid: U8, um_per_px: float, inside: Bools | None, rim: int) -> list[_Candidate]:
    """Everything round in a picture, each thing once, outlined where its density is half its rim's.

    `inside`, (h, w) bool, is where the picture shows the specimen, whose `rim` is so many pixels wide.
    """
    height, width = grid.shape[:2]
    if inside is not None:
        clear = np.percentile(grid[inside], 95, axis=0) if inside.any() else np.full(3, 255.0)
        grid = np.where(inside[..., None], grid, clear.astype(np.uint8))
    glass, fraction = illumination.background(grid, um_per_px)
    if fraction == 0:
        return []
    smooth = np.maximum(cv2.GaussianBlur(grid, (0, 0), 1.0), 1)
    density = np.asarray(cv2.log(cv2.resize(glass, (width, height)) / smooth), np.float32)
    green = np.ascontiguousarray(density[..., 1])
    shown = green[::2, ::2] if inside is None else green[::2, ::2][inside[::2, ::2]]
    threshold = max(_glass_threshold(shown), _FAINTEST)
    edge = _edge(height, width, inside, rim)
    found: list[_Candidate] = []
    for level in (threshold * factor for factor in _LEVELS):
        mask = (green > level).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        closed = [np.asarray(c[:, 0], np.float32) for c in contours if len(c) > _MIN_ARC_PX]
        outlines = _fit_arcs(closed, edge)
        found += [_candidate(outline, density, level) for outline in outlines]
    return _each_once(found)


def _edge(height: int, width: int, inside: Bools | None, rim: int) -> Bools:
    """(h, w) bool: where an outline is that of the picture, or of its lit field."""
    shown = np.ones((height, width), np.uint8) if inside is None else inside.astype(np.uint8)
    shown[:2] = shown[-2:] = shown[:, :2] = shown[:, -2:] = 0
    if inside is not None:
        shown = np.asarray(cv2.erode(shown, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8)), np.uint8)
    return np.asarray(shown == 0)


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
        return _Candidate(outline, np.inf, 0.0, 0.0, np.inf, -np.inf)
    red, green, blue, _ = cv2.mean(part, mask)
    rank = int(0.8 * len(greens))
    rim = max(float(np.partition(greens, rank)[rank]), 1e-3)
    mislevel = abs(float(np.log(2 * level / rim)))
    purple = green / max(red + blue + 0.05, 0.05)
    mean = max((red + green + blue) / 3, 1e-3)
    colour = (max(red, green, blue) - min(red, green, blue)) / mean
    return _Candidate(outline, purple, green / mean, colour, rim, cover - 4 * roughness - 0.3 * mislevel)


def _fit_arcs(contours: Sequence[F32], edge: Bools) -> list[_Outline]:
    """Ellipses of the outward-turning pieces of closed contours, (n, 2) pixel positions each."""
    smoothing = _SMOOTHING_PX
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
    at = points.astype(np.intp)
    broken = (turn < -0.05 / smoothing) | edge[at[:, 1], at[:, 0]]
    seam = int(3 * smoothing)
    for start, length in zip(starts, lengths, strict=True):
        broken[start : start + seam] = broken[start + 2 * length - seam : start + 2 * length] = True
    outlines = []
    for begin, end, whole in _pieces(broken, turn, starts, lengths):
        trim = 0 if whole else step
        outline = _fit_ellipse(smooth[begin + trim : end - trim])
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


def _fit_ellipse(points: F32) -> _Outline | None:
    """Least-squares ellipse of a piece of outline, None when it is none or not a red cell's shape."""
    (x, y), (a, b), angle = cv2.fitEllipseDirect(points)
    if not np.isfinite((x, y, a, b)).all() or max(a, b) > _MAX_ELONGATION * min(a, b):
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


def weighted_median(values: NDArray[np.floating], weights: NDArray[np.floating]) -> float:
    """The value at which half of the weight is reached."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
