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

from edge.preprocess import BACKGROUND, Specimen
from edge.types import F32, U8, Bools

Box = tuple[slice, slice]

NOTHING = 0.05  # mean optical density below which there is nothing on the glass
FLOOR = 0.2  # least stain taken for a nucleus: the palest laboratory seen has 0.35
CANDIDATE_UM2 = 10.0  # stained area worth a closer look; a platelet has 3 to 7 µm²
LOBE_GAP_UM = 4.0  # lobes of one nucleus lie no further apart
LOBE_UM = 1.8  # nor are they thinner than this; fringes of false colour round red cells are

_COARSE = 2  # candidates are sought on a grid this much coarser
_BODY_UM = 0.8  # smoothing that nuclei withstand
_NOISE_UM = 0.3  # smoothing that outlines withstand
_AWAY_UM = 6.0  # from a nucleus to what is surely not its cytoplasm
_ENOUGH_UM2 = 60.0  # of red cells, to know their colour: two of them
_SAMPLE = 2000
_DENSITY = np.log(BACKGROUND / np.maximum(np.arange(256), 1.0)).astype(np.float32)
_NUCLEAR = np.array([1.0, 1.0, -2.0], np.float32)


def density(pixels: U8) -> F32:
    """Optical density (natural logarithm) against clear glass, (h, w, 3) float32."""
    return np.asarray(cv2.LUT(pixels, _DENSITY), np.float32)


def disc(diameter_um: float, pitch_um: float) -> U8:
    """A disc as structuring element, (k, k) uint8 with k odd."""
    width = round(diameter_um / pitch_um) | 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)), np.uint8)


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
    def of(cls, colours: F32, noise: float) -> Cloud:
        """The cloud of (n, 3) optical densities, at least `noise` wide in every direction."""
        some = _sample(colours)
        return cls.shaped(some.mean(axis=0), np.cov(some.T) + np.eye(3) * noise**2)

    @classmethod
    def shaped(cls, mean: F32, covariance: F32) -> Cloud:
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
        small = cv2.resize(view.pixels, size, interpolation=cv2.INTER_AREA)
        coarse = density(np.asarray(cv2.GaussianBlur(small, (0, 0), _BODY_UM / pitch_um), np.uint8))
        mean = cv2.transform(coarse, np.full((1, 3), 1 / 3, np.float32))
        solid = mean > NOTHING
        glass = _glass(coarse[~solid])
        axis, red = _NUCLEAR, None
        for learned in (False, True):
            stain = cv2.transform(coarse, axis[None])
            level = threshold(stain[solid], pitch_um)
            thick = cv2.morphologyEx(
                (stain > level).astype(np.uint8), cv2.MORPH_OPEN, disc(LOBE_UM, pitch_um)
            )
            if learned:
                break
            red = _red(coarse, mean, solid, np.asarray(thick), pitch_um)
            nuclei = thick > 0
            if red is not None and nuclei.any():
                axis = _discriminant(coarse[nuclei], stain[nuclei] - level, red, glass)
        return cls(
            np.asarray(cv2.GaussianBlur(view.pixels, (0, 0), _NOISE_UM / view.pitch_um), np.uint8),
            view.pitch_um,
            axis,
            level,
            np.asarray(thick, np.uint8),
            Cloud.of(glass, 0.012),
            None if red is None else Cloud.of(red, 0.02),
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

    def empty(self, colours: F32) -> Bools:
        """Which of (..., 3) optical densities are clear glass, (...) bool."""
        return self.glass.distance(colours) < 3.0


def threshold(stain: F32, pitch_um: float) -> float:
    """The level that parts nuclei from the rest of a field, given the stain of all that is not glass.

    The intermeans threshold (Ridler and Calvard 1978), sought from above so that few nuclei among many red
    cells count as much as many, and raised where red cells scatter beyond it (three standard deviations).
    """
    step = max(len(stain) // 8000, 1)
    x = np.sort(stain[::step])
    top = int(15.0 / (pitch_um**2 * step))  # half a nucleus
    if top == 0 or len(x) <= 2 * top:
        return FLOOR
    strongest = float(x[-top])
    level = (strongest + float(x[len(x) // 2])) / 2
    sums = np.concatenate([[0.0], np.cumsum(x, dtype=np.float64)])
    for _ in range(20):
        k = int(np.clip(np.searchsorted(x, level), 1, len(x) - 1))
        level = float(sums[k] / k + (sums[-1] - sums[k]) / (len(x) - k)) / 2
    below = x[:k]
    level = float(below.mean()) + 0.4 * float(x[k:].mean() - below.mean())
    scatter = float(np.median(below)) + 3 * float(below.std())
    return max(min(max(level, scatter, 0.3 * strongest), 0.65 * strongest), FLOOR)


def _sample(colours: F32) -> F32:
    """At most `_SAMPLE` colours, evenly taken."""
    return colours[:: max(len(colours) // _SAMPLE, 1)]


def _glass(colours: F32) -> F32:
    """Colours of clear glass among those that are nearly nothing; ideal glass where there is none."""
    clear = _sample(colours)
    clear = clear[np.abs(clear).max(axis=1) < NOTHING]
    return clear if len(clear) >= 20 else np.zeros((20, 3), np.float32)


def _red(coarse: F32, mean: F32, solid: Bools, nuclei: U8, pitch_um: float) -> F32 | None:
    """Colours of red cells: bodies without a nucleus or far from any, less their pallor and rims."""
    near = cv2.dilate(nuclei, disc(2 * _AWAY_UM, pitch_um)) > 0
    count, bodies = cv2.connectedComponents(cv2.erode(solid.astype(np.uint8), np.ones((3, 3), np.uint8)))
    bare = np.ones(count, np.bool_)
    bare[bodies[nuclei > 0]] = False
    bare[0] = False
    where = (solid & ~near) | bare[bodies]
    dense = mean[where]
    if len(dense) * pitch_um**2 < _ENOUGH_UM2:
        return None
    return coarse[where][dense > 0.6 * np.percentile(dense, 80)]


def _discriminant(nuclei: F32, weights: F32, red: F32, glass: F32) -> F32:
    """Fisher's linear discriminant between nuclei and the rest, as strong in nuclei as R + G - 2 B."""
    some = [x[np.linspace(0, len(x) - 1, _SAMPLE).astype(np.intp)] for x in (red, glass)]
    rest = np.concatenate(some)  # as many of each, however much glass the field has
    mean = np.average(nuclei, axis=0, weights=weights)
    scatter = np.cov(rest.T) + np.eye(3) * 0.04**2
    axis = np.linalg.solve(scatter, mean - rest.mean(axis=0))
    return np.asarray(axis * (mean @ _NUCLEAR) / (mean @ axis), np.float32)
