"""What the colours of a field say: what is nucleus, what is red cell, what is clear glass.

The thiazine dyes of blood stains bind nucleic acids and absorb red and green light but hardly any blue;
haemoglobin absorbs blue most (its Soret band); dirt absorbs all alike. So the optical densities R + G - 2 B
are high in nuclei and low in the rest, whatever the laboratory. That is where a field's own colours are
learned from: Fisher's linear discriminant between what is surely nucleus and what is red cell or glass then
tells them apart better than any fixed formula, in pink stains as in blue ones.

All of it, and what follows in `edge.cells.nuclei` and `edge.cells.outline`, looks at the specimen at twice
its pitch: half a micrometre still shows the neck between two nuclei, and a quarter of the pixels are left.
"""

from __future__ import annotations

import math
from ctypes import CDLL
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.native import core
from edge.native import stain as native
from edge.optics.specimen import BACKGROUND, Specimen
from edge.types import F32, I32, U8, Bools

NOTHING = 0.05  # mean optical density below which there is nothing on the glass
FLOOR = 0.2  # least stain taken for a nucleus: the palest laboratory seen has 0.35
DISTINCT = 3.2  # standard deviations: nuclei lie 3.3 to 20 from the rest of their field, red cells 2 to 3
LOBE_UM = 1.8  # lobes are not thinner than this; fringes of false colour round red cells are
THIRDS = np.full((1, 3), 1 / 3, np.float32)
NUCLEAR = np.array([1.0, 1.0, -2.0], np.float32)
"""`optical densities @ NUCLEAR` is high in nuclei; a field's own axis (`Stain.axis`) tells them better."""
DENSITY = np.log(BACKGROUND / np.maximum(np.arange(256), 1.0)).astype(np.float32)
"""Optical density by grey level, (256,) float32."""

_AWAY_UM = 6.0  # from a nucleus to what is surely not its cytoplasm
_ENOUGH_UM2 = 60.0  # of red cells, to know their colour: two of them
_HALF_UM2 = 15.0  # half a nucleus
_TOUCH_UM = 2.0  # across: red cells are not parted where they touch over more
_SAMPLE = 1000
_BINS = 256


def density(pixels: U8) -> F32:
    """Optical density (natural logarithm) against clear glass, (h, w, 3) float32."""
    return np.asarray(cv2.LUT(pixels, DENSITY), np.float32)


def disc(diameter_um: float, pitch_um: float) -> U8:
    """A disc as structuring element, (k, k) uint8 with k odd."""
    width = round(diameter_um / pitch_um) | 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)), np.uint8)


@lru_cache(maxsize=64)
def reach(diameter_um: float, pitch_um: float) -> I32:
    """How far the rows of a `disc` reach to both sides, (k,) int32, for the compiled core."""
    across: I32 = disc(diameter_um, pitch_um).sum(axis=1, dtype=np.int32)
    return across // 2


def weighted(colours: F32, weights: F32) -> F32:
    """`colours @ weights` of (h, w, 3) colours, (h, w) float32, faster."""
    return np.asarray(cv2.transform(colours, weights.reshape(1, 3)), np.float32)


@dataclass(frozen=True, eq=False)
class Cloud:
    """A population of colours, as a normal distribution of optical densities.

    Attributes
    ----------
    mean : (3,) float32.
    whitening : (3, 4) float32, affine: takes colours to deviations from the mean of unit variance.
    """

    mean: F32
    whitening: F32

    @classmethod
    def of(cls, colours: F32, noise: float, thickness: float = 0.0) -> Cloud:
        """The cloud of (n, 3) optical densities, at least `noise` wide in every direction.

        `thickness` is by how much the layer of stain varies, relative to its mean.
        """
        mean, covariance = _moments(colours)
        spread = covariance + np.eye(3) * noise**2 + np.outer(mean, mean) * thickness**2
        whitening = np.linalg.cholesky(np.linalg.inv(spread)).T
        affine = np.concatenate([whitening, -whitening @ mean[:, None]], axis=1)
        return cls(mean.astype(np.float32), affine.astype(np.float32))

    def distance2(self, colours: F32) -> F32:
        """Squared Mahalanobis distance of (h, w, 3) optical densities, (h, w) float32."""
        away = cv2.transform(colours, self.whitening)
        return np.asarray(cv2.transform(np.multiply(away, away, out=away), np.ones((1, 3))), np.float32)


@dataclass(frozen=True, eq=False)
class Stain:
    """The colours of one field.

    Attributes
    ----------
    half : (h, w, 3) uint8 RGB, the specimen at twice its pitch.
    pitch_um : micrometres per pixel of it.
    axis : (3,) float32; `optical densities @ axis` is the nuclear stain.
    level : nuclear stain above which there is nucleus.
    candidate : (h / 2, w / 2) bool, what is surely stained, and thick enough for a nucleus.
    glass : colours of clear glass.
    red : colours of red cells, None where there are too few to tell.
    """

    half: U8
    pitch_um: float
    axis: F32
    level: float
    candidate: Bools
    glass: Cloud
    red: Cloud | None

    @classmethod
    def of(cls, view: Specimen) -> Stain:
        """Learn the colours of a field."""
        half, pitch_um = view.half, view.pitch_um * 2
        height, width = half.shape[:2]
        few = (max(width // 2, 1), max(height // 2, 1))  # enough to learn from
        body = cv2.blur(cv2.resize(half, few, interpolation=cv2.INTER_AREA), (3, 3))
        return cls(half, pitch_um, *_learned(density(np.asarray(body, np.uint8)), pitch_um * 2))

    def empty(self, colours: F32) -> Bools:
        """Which of (h, w, 3) optical densities are clear glass, (h, w) bool."""
        return self.glass.distance2(colours) < 9.0


def _learned(colours: F32, pitch_um: float) -> tuple[F32, float, Bools, Cloud, Cloud | None]:
    """Learn what a `Stain` knows, from `axis` on, from (h, w, 3) optical densities."""
    if (library := core()) is not None:
        return _learned_by(library, colours, pitch_um)
    mean = weighted(colours, THIRDS)
    solid = mean > NOTHING
    flat = colours.reshape(-1, 3)
    glass = _glass(flat.take(_some(~solid), axis=0))
    axis, (stain, level, thick) = NUCLEAR, _nuclear(colours, NUCLEAR, solid, pitch_um)
    red = _red(flat, mean, _bare(solid, thick, pitch_um), pitch_um)
    nuclei = _some(thick)
    if red is not None and len(nuclei):
        found, weights = flat.take(nuclei, axis=0), stain.take(nuclei) - np.float32(level)
        direction, _ = _fisher(found, weights, red, glass)
        mean_nucleus = weights @ found
        axis = direction * np.float32((mean_nucleus @ NUCLEAR) / (mean_nucleus @ direction))
        stain, level, thick = _nuclear(colours, axis, solid, pitch_um)
        nuclei = _some(thick)
    rest = _some(solid & ~thick)
    if len(nuclei) and len(rest):
        found, weights = flat.take(nuclei, axis=0), stain.take(nuclei) - np.float32(level)
        if _fisher(found, weights, flat.take(rest, axis=0), glass)[1] < DISTINCT:
            thick = np.zeros_like(thick)
    red_cells = None if red is None else Cloud.of(red, 0.02, 0.3)
    return axis, level, thick, Cloud.of(glass, 0.012), red_cells


def _learned_by(
    library: CDLL, colours: F32, pitch_um: float
) -> tuple[F32, float, Bools, Cloud, Cloud | None]:
    """The same by the compiled core."""
    pixel = pitch_um**2
    rules = native.Rules(NOTHING, FLOOR, DISTINCT, _HALF_UM2 / pixel, _ENOUGH_UM2, pixel, _SAMPLE)
    elements = native.Elements(*(reach(um, pitch_um) for um in (LOBE_UM, 2 * _AWAY_UM, _TOUCH_UM)))
    axis, level, thick, glass, red = native.learned(library, colours, NUCLEAR, elements, rules)
    return axis, level, thick, Cloud(*glass), None if red is None else Cloud(*red)


def threshold(stain: F32, solid: Bools, pitch_um: float) -> float:
    """The level that parts nuclei from the rest of a field.

    It lies between the means of what is below and above it, like the intermeans threshold (Ridler and
    Calvard 1978) but nearer to the lower, for there are pale nuclei beside dark ones. It is sought from
    above, so that few nuclei among many red cells count as much as many, and raised where red cells scatter
    beyond it.

    Parameters
    ----------
    stain : (h, w) float32. solid : (h, w) bool, what is not glass.
    """
    top = _HALF_UM2 / pitch_um**2
    if np.count_nonzero(solid) <= 2 * top:
        return FLOOR
    low, high, _, _ = cv2.minMaxLoc(stain)
    counts = cv2.calcHist([stain], [0], solid.view(np.uint8), [_BINS], [low, high + 1e-3]).ravel()
    width = (high + 1e-3 - low) / _BINS
    x = low + (np.arange(_BINS) + 0.5) * width
    below, sums = counts.cumsum(), (counts * x).cumsum()
    middle, strongest = (float(x[np.searchsorted(below, n)]) for n in (below[-1] / 2, below[-1] - top))
    number: list[float] = below.tolist()
    total: list[float] = sums.tolist()
    level = (middle + strongest) / 2
    k = 0
    for _ in range(20):
        before, k = k, min(max(math.ceil((level - low) / width - 0.5), 1), _BINS - 1)
        if k == before:
            break
        low_mean = total[k - 1] / max(number[k - 1], 1.0)
        high_mean = (total[-1] - total[k - 1]) / max(number[-1] - number[k - 1], 1.0)
        level = (low_mean + high_mean) / 2
    scatter = math.sqrt(float(counts[:k] @ (x[:k] - low_mean) ** 2) / max(number[k - 1], 1.0))
    level = max(low_mean + 0.4 * (high_mean - low_mean), low_mean + 3 * scatter, 0.3 * strongest)
    return max(min(level, 0.65 * strongest), FLOOR)


def _thick(stained: Bools, pitch_um: float) -> Bools:
    """What is as thick as a lobe."""
    opened = cv2.morphologyEx(stained.view(np.uint8), cv2.MORPH_OPEN, disc(LOBE_UM, pitch_um))
    return np.asarray(opened, np.uint8).view(np.bool_)


def _nuclear(colours: F32, axis: F32, solid: Bools, pitch_um: float) -> tuple[F32, float, Bools]:
    """The stain along an axis, its threshold, and what above it is as thick as a lobe."""
    stain = weighted(colours, axis)
    level = threshold(stain, solid, pitch_um)
    return stain, level, _thick(stain > level, pitch_um)


def _some(where: Bools) -> NDArray[np.intp]:
    """About `_SAMPLE` of the pixels in a mask, evenly taken: their places in the flat picture."""
    at = np.flatnonzero(where)
    return at[:: len(at) // _SAMPLE] if len(at) >= 2 * _SAMPLE else at


def _glass(clear: F32) -> F32:
    """Colours of clear glass among those that are nearly nothing; ideal glass where there is none."""
    red, green, blue = np.abs(clear.T)
    clear = clear[np.maximum(np.maximum(red, green), blue) < NOTHING]
    return clear if len(clear) >= 20 else np.zeros((20, 3), np.float32)


def _bare(solid: Bools, nuclei: Bools, pitch_um: float) -> Bools:
    """Where there are red cells: what is far from any nucleus, else what has none."""
    near = cv2.dilate(nuclei.view(np.uint8), disc(2 * _AWAY_UM, pitch_um))
    bare: Bools = solid & ~near.view(np.bool_)
    if np.count_nonzero(bare) * pitch_um**2 < 10 * _ENOUGH_UM2:
        count, bodies = cv2.connectedComponents(cv2.erode(solid.view(np.uint8), disc(_TOUCH_UM, pitch_um)))
        nucleated = np.zeros(count, np.bool_)
        nucleated[bodies[nuclei]] = True
        bare |= (bodies > 0) & ~nucleated[bodies]
    return bare


def _red(colours: F32, mean: F32, bare: Bools, pitch_um: float) -> F32 | None:
    """Colours of red cells without their pallor and rims, None where there are too few."""
    if np.count_nonzero(bare) * pitch_um**2 < _ENOUGH_UM2:
        return None
    at = _some(bare)
    dense = mean.take(at)
    rank = len(at) * 4 // 5
    red: F32 = colours.take(at[dense > 0.6 * np.partition(dense, rank)[rank]], axis=0)
    return red


def _fisher(nuclei: F32, weights: F32, rest: F32, glass: F32) -> tuple[F32, float]:
    """Fisher's linear discriminant between nuclei and the rest with the glass.

    Returns
    -------
    (3,) float32 direction, and how many standard deviations of the rest nuclei lie apart from it.
    """
    count = min(len(rest), len(glass), _SAMPLE)  # as many of each, however much glass the field has
    others = np.concatenate([rest[:: len(rest) // count][:count], glass[:: len(glass) // count][:count]])
    mean, covariance = _moments(others)
    away = weights @ nuclei / weights.sum() - mean
    axis = np.linalg.solve(covariance + np.eye(3) * 0.04**2, away)
    return axis.astype(np.float32), float(np.sqrt(away @ axis))


def _moments(colours: F32) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean, (3,), and covariance, (3, 3), of (n, 3) colours."""
    flags = cv2.COVAR_NORMAL | cv2.COVAR_ROWS | cv2.COVAR_SCALE
    covariance, mean = cv2.calcCovarMatrix(colours, np.zeros((1, 3)), flags)
    return np.asarray(mean[0], np.float64), np.asarray(covariance, np.float64)
