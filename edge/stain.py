"""What the colours of a field say: what is nucleus, what is red cell, what is clear glass.

The thiazine dyes of blood stains bind nucleic acids and absorb red and green light but hardly any blue;
haemoglobin absorbs blue most (its Soret band); dirt absorbs all alike. So the optical densities R + G - 2 B
are high in nuclei and low in the rest, whatever the laboratory. That is where a field's own colours are
learned from: Fisher's linear discriminant between what is surely nucleus and what is red cell or glass then
tells them apart better than any fixed formula, in pink stains as in blue ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import BACKGROUND, Specimen
from edge.types import F32, U8, Bools

Box = tuple[slice, slice]

NOTHING = 0.05  # mean optical density below which there is nothing on the glass
FLOOR = 0.2  # least stain taken for a nucleus: the palest laboratory seen has 0.35
CANDIDATE_UM2 = 10.0  # stained area worth a closer look; a platelet has 3 to 7 µm²
DISTINCT = 3.2  # standard deviations: nuclei lie 3.3 to 20 from the rest of their field, red cells 2 to 3
LOBE_GAP_UM = 4.0  # lobes of one nucleus lie no further apart
LOBE_UM = 1.8  # nor are they thinner than this; fringes of false colour round red cells are

_COARSE = 2  # candidates are sought on a grid this much coarser
_BODY_UM = 0.8  # smoothing (standard deviation) that nuclei withstand
_NOISE_UM = 0.3  # and that outlines withstand
_AWAY_UM = 6.0  # from a nucleus to what is surely not its cytoplasm
_ENOUGH_UM2 = 60.0  # of red cells, to know their colour: two of them
_SAMPLE = 1000
_DENSITY = np.log(BACKGROUND / np.maximum(np.arange(256), 1.0)).astype(np.float32)
_NUCLEAR = np.array([1.0, 1.0, -2.0], np.float32)
_BINS = 256


def density(pixels: U8) -> F32:
    """Optical density (natural logarithm) against clear glass, (h, w, 3) float32."""
    return np.asarray(cv2.LUT(pixels, _DENSITY), np.float32)


def disc(diameter_um: float, pitch_um: float) -> U8:
    """A disc as structuring element, (k, k) uint8 with k odd."""
    width = round(diameter_um / pitch_um) | 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)), np.uint8)


def typical(colours: F32) -> F32:
    """The median of (n, 3) colours, channel by channel, (3,) float32."""
    middle = len(colours) // 2
    return np.asarray(np.partition(colours.T, middle)[:, middle], np.float32)


def smoothed(pixels: U8, sigma_um: float, pitch_um: float) -> U8:
    """A picture less its noise: two box filters, in the sum as wide as a Gaussian and much faster."""
    width = round(float(np.sqrt(6 * (sigma_um / pitch_um) ** 2 + 1))) | 1
    return np.asarray(cv2.blur(cv2.blur(pixels, (width, width)), (width, width)), np.uint8)


@dataclass(frozen=True, eq=False)
class Cloud:
    """A population of colours, as a normal distribution of optical densities.

    Attributes
    ----------
    mean : (3,) float32.
    whitening : (3, 3) float32, takes deviations from the mean to unit variance.
    """

    mean: F32
    whitening: F32

    @classmethod
    def of(cls, colours: F32, noise: float, thickness: float = 0.0) -> Cloud:
        """The cloud of (n, 3) optical densities, at least `noise` wide in every direction.

        `thickness` is by how much the layer of stain varies, relative to its mean.
        """
        some = _sample(colours)
        mean = some.mean(axis=0, dtype=np.float64)
        spread = np.eye(3) * noise**2 + np.outer(mean, mean) * thickness**2
        return cls.shaped(some.mean(axis=0), np.cov(some.T) + spread)

    @classmethod
    def shaped(cls, mean: F32 | NDArray[np.float64], covariance: NDArray[np.float64]) -> Cloud:
        """The cloud with this mean and (3, 3) covariance."""
        whitening = np.linalg.cholesky(np.linalg.inv(covariance)).T
        return cls(np.asarray(mean, np.float32), np.asarray(whitening, np.float32))

    def distance(self, colours: F32) -> F32:
        """Mahalanobis distance of (..., 3) optical densities, (...) float32."""
        away = (colours - self.mean) @ self.whitening.T
        return np.asarray(np.sqrt(np.einsum("...i,...i", away, away)), np.float32)


@dataclass(frozen=True, eq=False)
class Stain:
    """The colours of one field.

    Attributes
    ----------
    smooth : (h, w, 3) uint8 RGB, the specimen less its noise.
    pitch_um : micrometres per pixel of it.
    axis : (3,) float32; `optical densities @ axis` is the nuclear stain.
    level : nuclear stain above which there is nucleus.
    candidate : (h / 2, w / 2) uint8, 1 where a nucleus may be.
    glass : colours of clear glass.
    red : colours of red cells, None where there are too few to tell.
    """

    smooth: U8
    pitch_um: float
    axis: F32
    level: float
    candidate: U8
    glass: Cloud
    red: Cloud | None

    @classmethod
    def of(cls, view: Specimen) -> Stain:
        """Learn the colours of a field."""
        height, width = view.pixels.shape[:2]
        size = (max(width // _COARSE, 1), max(height // _COARSE, 1))
        pitch_um = view.pitch_um * _COARSE
        small = np.asarray(cv2.resize(view.pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        coarse = density(smoothed(small, _BODY_UM, pitch_um))
        mean = _weighted(coarse, np.full(3, 1 / 3, np.float32))
        solid = mean > NOTHING
        stain, level, thick = _nuclear(coarse, _NUCLEAR, solid, pitch_um)
        few = np.s_[::2, ::2]  # enough to learn from
        colours, present = coarse[few], solid[few]
        glass = _glass(colours[~present])
        axis, nuclei = _NUCLEAR, thick[few] > 0
        red = _red(colours, mean[few], _bare(solid, thick, pitch_um)[few], pitch_um * 2)
        if red is not None and nuclei.any():
            found, weights = colours[nuclei], stain[few][nuclei] - level
            direction, _ = _fisher(found, weights, red, glass)
            mean_nucleus = np.average(found, axis=0, weights=weights)
            axis = direction * np.float32((mean_nucleus @ _NUCLEAR) / (mean_nucleus @ direction))
            stain, level, thick = _nuclear(coarse, axis, solid, pitch_um)
            nuclei = thick[few] > 0
        rest = present & ~nuclei
        if nuclei.any() and rest.any():
            _, apart = _fisher(colours[nuclei], stain[few][nuclei] - level, colours[rest], glass)
            thick *= apart >= DISTINCT
        return cls(
            smoothed(view.pixels, _NOISE_UM, view.pitch_um),
            view.pitch_um,
            axis,
            level,
            thick,
            Cloud.of(glass, 0.012),
            None if red is None else Cloud.of(red, 0.02, 0.3),
        )

    def neighbourhoods(self) -> Iterator[tuple[Box, Bools]]:
        """Boxes that may hold nuclei, and in each what belongs to it: (h, w) bool.

        Lobes that may be of one nucleus lie in one box.
        """
        pitch_um = self.pitch_um * _COARSE
        near = cv2.dilate(self.candidate, disc(LOBE_GAP_UM, pitch_um))
        count, groups, stats, _ = cv2.connectedComponentsWithStats(near)
        height, width = self.smooth.shape[:2]
        for g in range(1, count):
            x, y, w, h, _ = (int(v) for v in stats[g])
            own = (groups[y : y + h, x : x + w] == g).astype(np.uint8)
            stained = cv2.countNonZero(own & self.candidate[y : y + h, x : x + w])
            if stained * pitch_um**2 < CANDIDATE_UM2:
                continue
            bottom = height if y + h == groups.shape[0] else (y + h) * _COARSE
            right = width if x + w == groups.shape[1] else (x + w) * _COARSE
            size = (right - x * _COARSE, bottom - y * _COARSE)
            box = (slice(y * _COARSE, bottom), slice(x * _COARSE, right))
            yield box, cv2.resize(own, size, interpolation=cv2.INTER_NEAREST) > 0

    def nuclear(self, colours: F32) -> F32:
        """The nuclear stain of (h, w, 3) optical densities, (h, w) float32."""
        return _weighted(colours, self.axis)

    def empty(self, colours: F32) -> Bools:
        """Which of (..., 3) optical densities are clear glass, (...) bool."""
        return self.glass.distance(colours) < 3.0


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
    top = 15.0 / pitch_um**2  # half a nucleus
    if np.count_nonzero(solid) <= 2 * top:
        return FLOOR
    low, high, _, _ = cv2.minMaxLoc(stain)
    counts = cv2.calcHist([stain], [0], solid.astype(np.uint8), [_BINS], [low, high + 1e-3]).ravel()
    x = low + (np.arange(_BINS) + 0.5) * (high + 1e-3 - low) / _BINS
    below, sums = counts.cumsum(), (counts * x).cumsum()
    middle, strongest = (float(x[np.searchsorted(below, n)]) for n in (below[-1] / 2, below[-1] - top))
    level = (middle + strongest) / 2
    k = 0
    for _ in range(20):
        before, k = k, min(max(int(np.searchsorted(x, level)), 1), _BINS - 1)
        if k == before:
            break
        n = float(below[k - 1])
        low_mean = float(sums[k - 1]) / max(n, 1.0)
        high_mean = float(sums[-1] - sums[k - 1]) / max(float(below[-1]) - n, 1.0)
        level = (low_mean + high_mean) / 2
    scatter = float(np.sqrt((counts[:k] * (x[:k] - low_mean) ** 2).sum() / max(n, 1.0)))
    level = max(low_mean + 0.4 * (high_mean - low_mean), low_mean + 3 * scatter, 0.3 * strongest)
    return max(min(level, 0.65 * strongest), FLOOR)


def _weighted(colours: F32, weights: F32) -> F32:
    """`colours @ weights`, faster."""
    return np.asarray(cv2.transform(colours, weights[None]), np.float32)


def _nuclear(coarse: F32, axis: F32, solid: Bools, pitch_um: float) -> tuple[F32, float, U8]:
    """The stain along an axis, its threshold, and what above it is as thick as a lobe (1, else 0)."""
    stain = _weighted(coarse, axis)
    level = threshold(stain, solid, pitch_um)
    thick = cv2.morphologyEx((stain > level).astype(np.uint8), cv2.MORPH_OPEN, disc(LOBE_UM, pitch_um))
    return stain, level, np.asarray(thick, np.uint8)


def _sample(colours: F32) -> F32:
    """About `_SAMPLE` colours, evenly taken."""
    return colours[:: max(len(colours) // _SAMPLE, 1)]


def _glass(colours: F32) -> F32:
    """Colours of clear glass among those that are nearly nothing; ideal glass where there is none."""
    clear = _sample(colours)
    clear = clear[np.abs(clear).max(axis=1) < NOTHING] if len(clear) else clear
    return clear if len(clear) >= 20 else np.zeros((20, 3), np.float32)


def _bare(solid: Bools, nuclei: U8, pitch_um: float) -> Bools:
    """Where there are red cells: what is far from any nucleus, else what has none."""
    far = cv2.distanceTransform(1 - nuclei, cv2.DIST_L2, 3) * pitch_um > _AWAY_UM
    bare: Bools = solid & far
    if np.count_nonzero(bare) * pitch_um**2 < 10 * _ENOUGH_UM2:
        count, bodies = cv2.connectedComponents(cv2.erode(solid.astype(np.uint8), np.ones((3, 3), np.uint8)))
        nucleated = np.zeros(count, np.bool_)
        nucleated[bodies[nuclei > 0]] = True
        bare |= (bodies > 0) & ~nucleated[bodies]
    return bare


def _red(colours: F32, mean: F32, bare: Bools, pitch_um: float) -> F32 | None:
    """Colours of red cells without their pallor and rims, None where there are too few."""
    dense = mean[bare]
    if len(dense) * pitch_um**2 < _ENOUGH_UM2:
        return None
    red: F32 = colours[bare][dense > 0.6 * np.percentile(dense, 80)]
    return red


def _fisher(nuclei: F32, weights: F32, rest: F32, glass: F32) -> tuple[F32, float]:
    """Fisher's linear discriminant between nuclei and the rest with the glass.

    Returns
    -------
    (3,) float32 direction, and how many standard deviations of the rest nuclei lie apart from it.
    """
    some = [x[np.linspace(0, len(x) - 1, _SAMPLE).astype(np.intp)] for x in (rest, glass)]
    others = np.concatenate(some)  # as many of each, however much glass the field has
    away = np.average(nuclei, axis=0, weights=weights) - others.mean(axis=0)
    axis = np.linalg.solve(np.cov(others.T) + np.eye(3) * 0.04**2, away)
    return axis.astype(np.float32), float(np.sqrt(away @ axis))
