"""What the colours of a field say: what is nucleus, what is red cell, what is clear glass.

The thiazine dyes of blood stains bind nucleic acids and absorb red and green light but hardly any blue,
haemoglobin absorbs blue most (its Soret band), dirt absorbs all alike. So the optical densities R + G - 2 B,
here the nuclear stain, stand out in nuclei and stay low in everything else, whatever the laboratory. How high
and how low differs from slide to slide, and is learned from each frame.
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
FLOOR = 0.2  # least nuclear stain taken for a nucleus: the palest laboratory seen has 0.35
SEED_UM2 = 10.0  # a candidate holds at least this much nuclear stain, platelets mostly do not
LOBE_GAP_UM = 4.0  # lobes of one nucleus lie no further apart

THICK_UM = 1.8
_COARSE = 2  # candidates are sought on a grid this much coarser
_BODY_UM = 0.8  # smoothing that nuclei withstand, and rings of false colour round red cells do not
_NOISE_UM = 0.35
_DENSITY = np.log(BACKGROUND / np.maximum(np.arange(256), 1.0)).astype(np.float32)
_NUCLEAR = np.array([1.0, 1.0, -2.0], np.float32)


def density(pixels: U8) -> F32:
    """Optical density (natural logarithm) against clear glass, (h, w, 3) float32."""
    return np.asarray(cv2.LUT(pixels, _DENSITY))


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
        some = colours[:: max(len(colours) // 4000, 1)]
        covariance = np.cov(some.T) + np.eye(3) * noise**2
        whitening = np.linalg.cholesky(np.linalg.inv(covariance)).T
        return cls(some.mean(axis=0), whitening.astype(np.float32))

    def distance(self, colours: F32) -> F32:
        """Mahalanobis distance of (..., 3) optical densities, (...) float32."""
        away = (colours - self.mean) @ self.whitening.T
        return np.asarray(np.sqrt((away * away).sum(axis=-1)), np.float32)


@dataclass(frozen=True, eq=False)
class Stain:
    """The colours of one field.

    Attributes
    ----------
    pixels, pitch_um : the specimen.
    body : (h / 2, w / 2) float32, nuclear stain smoothed so that only nuclei are left of it.
    level : nuclear stain above which there is nucleus.
    axis : weights.
    glass : colours of clear glass. red : colours of red cells, None where there are too few.
    """

    pixels: U8
    pitch_um: float
    body: F32
    level: float
    axis: F32
    glass: Cloud
    red: Cloud | None

    @classmethod
    def of(cls, view: Specimen) -> Stain:
        """Learn the colours of a field."""
        height, width = view.pixels.shape[:2]
        size = (max(width // _COARSE, 1), max(height // _COARSE, 1))
        pitch_um = view.pitch_um * _COARSE
        small = cv2.resize(view.pixels, size, interpolation=cv2.INTER_AREA)
        coarse = density(cv2.GaussianBlur(small, (0, 0), _BODY_UM / pitch_um))
        solid = coarse.mean(axis=2) > NOTHING
        axis = _NUCLEAR
        for _ in range(2):
            body = coarse @ axis
            level = threshold(body[solid], pitch_um)
            found = _solid(body > level, pitch_um)
            clear, red = _clear(coarse[~solid]), _red(coarse, solid, found, pitch_um)
            if axis is _NUCLEAR:
                axis = _discriminant(coarse[found > 0], body[found > 0] - level, red, clear)
        return cls(
            view.pixels,
            view.pitch_um,
            np.asarray(body),
            level,
            axis,
            Cloud.of(clear, 0.012),
            Cloud.of(red, 0.02) if len(red) else None,
        )

    def candidates(self) -> Iterator[tuple[Box, Bools]]:
        """Boxes that may hold a nucleus, and in each the neighbourhood that belongs to it."""
        pitch_um = self.pitch_um * _COARSE
        mask = _solid(self.body > self.level, pitch_um)
        gap = round(LOBE_GAP_UM / pitch_um) | 1
        near = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (gap, gap)))
        count, groups, stats, _ = cv2.connectedComponentsWithStats(near)
        height, width = self.pixels.shape[:2]
        for g in range(1, count):
            x, y, w, h, _ = stats[g]
            own = (groups[y : y + h, x : x + w] == g).astype(np.uint8)
            if cv2.countNonZero(own & mask[y : y + h, x : x + w]) * pitch_um**2 < SEED_UM2:
                continue
            bottom = height if y + h == groups.shape[0] else (y + h) * _COARSE
            right = width if x + w == groups.shape[1] else (x + w) * _COARSE
            box = np.s_[y * _COARSE : bottom, x * _COARSE : right]
            size = (right - x * _COARSE, bottom - y * _COARSE)
            yield box, cv2.resize(own, size, interpolation=cv2.INTER_NEAREST) > 0

    def colours(self, box: Box) -> F32:
        """Optical densities in a box, smoothed against noise, (h, w, 3) float32."""
        return density(cv2.GaussianBlur(self.pixels[box], (0, 0), _NOISE_UM / self.pitch_um))


def _solid(mask: Bools, pitch_um: float) -> U8:
    """What of a mask is as thick as the lobe of a nucleus; fringes of false colour are not."""
    width = round(THICK_UM / pitch_um) | 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    return np.asarray(cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc), np.uint8)


def _red(coarse: F32, solid: Bools, found: U8, pitch_um: float) -> F32:
    """Colours of red cells: bodies without a nucleus, or far from any, less their pallor and rims."""
    reach = round(6.0 / pitch_um) * 2 + 1
    far = cv2.dilate(found, np.ones((reach, reach), np.uint8)) == 0
    count, bodies = cv2.connectedComponents(cv2.erode(solid.astype(np.uint8), np.ones((3, 3), np.uint8)))
    nucleated = np.zeros(count, np.bool_)
    nucleated[bodies[found > 0]] = True
    nucleated[0] = False
    red = coarse[solid & (far | ((bodies > 0) & ~nucleated[bodies]))]
    if len(red) * pitch_um**2 < 60:
        return np.zeros((0, 3), np.float32)
    dense = red.mean(axis=1)
    return red[dense > 0.6 * np.percentile(dense, 80)]


def _clear(colours: F32) -> F32:
    clear = colours[np.abs(colours).max(axis=1) < NOTHING]
    return clear if len(clear) >= 50 else np.zeros((50, 3), np.float32)


def _discriminant(nuclei: F32, weights: F32, red: F32, clear: F32) -> F32:
    """Fisher's linear discriminant between nuclei and the rest."""
    if len(nuclei) < 50 or len(red) < 50:
        return _NUCLEAR
    n = 2000
    rest = np.concatenate([x[np.linspace(0, len(x) - 1, n).astype(int)] for x in (red, clear)])
    mean = np.average(nuclei, axis=0, weights=weights)
    scatter = np.cov(rest.T) + np.eye(3) * 0.04**2
    axis = np.linalg.solve(scatter, mean - rest.mean(axis=0))
    return (axis * (mean @ _NUCLEAR) / (mean @ axis)).astype(np.float32)


def threshold(stain: F32, pitch_um: float) -> float:
    """The level that parts nuclei from the rest of a field, given the stain of all that is not glass.

    The intermeans threshold (Ridler and Calvard 1978), sought from above so that few nuclei among many red
    cells count as much as many, and raised where red cells scatter beyond it (three standard deviations).
    """
    x = np.sort(stain)
    top = int(15.0 / pitch_um**2)
    if len(x) <= 2 * top:
        return FLOOR
    strongest = float(x[-top])
    level = (strongest + float(x[len(x) // 2])) / 2
    sums = np.concatenate([[0.0], np.cumsum(x, dtype=np.float64)])
    for _ in range(20):
        k = int(np.clip(np.searchsorted(x, level), 1, len(x) - 1))
        level = float(sums[k] / k + (sums[-1] - sums[k]) / (len(x) - k)) / 2
    below = x[:k]
    spread = float(np.median(below)) + 3 * float(below.std())
    return max(min(max(level, spread, 0.4 * strongest), 0.65 * strongest), FLOOR)
