"""Nuclei: bodies of stain, each as far as the light is half-way between inside and surroundings.

What is asked of every body is asked of all at once, and only of the pixels on and round them, which stand in
one list: time grows with what is stained, and a field with few cells costs little.
"""

from __future__ import annotations

from ctypes import CDLL
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cells.lobes import MIN_LOBE_UM2, U16, Bodies, Box, joined
from edge.cells.stain import DENSITY, Stain, density, disc, reach, weighted
from edge.native import core
from edge.native import nuclei as native
from edge.optics.specimen import BACKGROUND
from edge.types import F32, U8, Bools

CANDIDATE_UM2 = 10.0  # surely stained area of a nucleus; a platelet has 3 to 7 µm²
MIN_NUCLEUS_UM2 = 14.0  # a small lymphocyte's nucleus is 6 µm across (28 µm²), a platelet 2 to 3 µm (7 µm²)
TWO_LEVELS = 0.8  # least share of the variance of the stain that nucleus and cytoplasm explain
SHARP = 0.15  # least rise of the stain at the edge of a nucleus, in levels; uneven light rises slowly
EDGE = 128  # of `Nuclei.rise`

_NEAR_UM = 8.0  # across: the parts of a nucleus lie within half of it from what is surely one
_RING_UM = 2.0  # across: surroundings lie within half of it from a nucleus
_RIM_UM = 1.5  # across: what lies half of it from the edge of a body is well inside
_BINS = 64
_SQUARE = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, eq=False)
class Nuclei:
    """The nuclei of a field, on the stain's grid.

    Attributes
    ----------
    labels : (h, w) uint16, i + 1 where the i-th nucleus lies, else 0.
    boxes : a box that holds each.
    middles : (n, 2) float32, x and y of the centroids.
    rise : (h, w) uint8, falls through `EDGE` at the edge of a nucleus, which is finer than the grid.
    """

    labels: U16
    boxes: list[Box]
    middles: F32
    rise: U8

    @classmethod
    def of(cls, stain: Stain) -> Nuclei:
        """The nuclei of a field."""
        if (library := core()) is not None:
            return _by_core(library, stain)
        spots = _Spots.near(stain)
        stained = spots.image(spots.strength > stain.level).view(np.uint8)
        opened = np.asarray(cv2.morphologyEx(stained, cv2.MORPH_OPEN, _SQUARE), np.uint8)
        blobs = Bodies.of(opened, stain.pitch_um)
        if not blobs.boxes:
            return cls(blobs.labels, [], np.zeros((0, 2), np.float32), opened)
        spots = spots.within(cv2.dilate(opened, disc(_RING_UM, stain.pitch_um)).view(np.bool_))
        blob = blobs.labels.take(spots.at)
        inner = np.flatnonzero(cv2.erode(opened, disc(_RIM_UM, stain.pitch_um)).take(spots.at))
        least = _cores(blob[inner], spots.strength[inner], len(blobs.boxes))
        sharp, rise = _sharpened(spots, blob * (spots.strength >= least[blob]), blob, len(least), stain)
        pieces = Bodies.of(spots.image(sharp).view(np.uint8), stain.pitch_um)
        areas = np.bincount(pieces.labels.take(spots.at), minlength=len(pieces.boxes) + 1)
        pieces.cut(areas[1:].tolist(), stain.pitch_um)
        return _numbered(spots, pieces, rise, joined(pieces, stain), stain.pitch_um)


def _by_core(library: CDLL, stain: Stain) -> Nuclei:
    """The nuclei of a field by the compiled core: what `Nuclei.of` does otherwise."""
    pitch_um, pixel = stain.pitch_um, stain.pitch_um**2
    near, ring, inner = reach(_NEAR_UM, pitch_um * 2), reach(_RING_UM, pitch_um), reach(_RIM_UM, pitch_um)
    rules = native.Rules(stain.level, MIN_LOBE_UM2 / pixel, TWO_LEVELS, SHARP, EDGE, BACKGROUND)
    elements = native.Elements(near, ring, inner)
    labels, rise, parts = native.sharpened(
        library, stain.half, stain.candidate, elements, DENSITY, stain.axis, rules
    )
    left, top, right, bottom, areas = parts.T.tolist()
    rows, columns = map(slice, top, bottom), map(slice, left, right)
    pieces = Bodies(labels, list(zip(rows, columns, strict=True)))
    pieces.cut(areas, pitch_um)
    owner = joined(pieces, stain)
    least = MIN_NUCLEUS_UM2, CANDIDATE_UM2
    middles = native.numbered(library, pieces.labels, owner, stain.candidate, pixel, least)
    return Nuclei(pieces.labels, pieces.grouped(owner), middles, rise)


@dataclass(frozen=True, eq=False)
class _Spots:
    """Some pixels of a field.

    Attributes
    ----------
    shape : (h, w) of the field.
    at : (m,) their places in the flat picture.
    pixels : (m, 3) uint8 RGB, less noise.
    strength : (m,) float32, the nuclear stain.
    sure : (m,) bool, whether they are surely stained.
    """

    shape: tuple[int, ...]
    at: NDArray[np.intp]
    pixels: U8
    strength: F32
    sure: Bools

    @classmethod
    def near(cls, stain: Stain) -> _Spots:
        """The pixels on and near what is surely stained."""
        height, width = stain.half.shape[:2]
        sure = stain.candidate.view(np.uint8)
        coarse = sure + cv2.dilate(sure, disc(_NEAR_UM, stain.pitch_um * 2))
        near = np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
        at = np.flatnonzero(near)
        pixels = np.asarray(cv2.GaussianBlur(stain.half, (3, 3), 0), np.uint8).reshape(-1, 3).take(at, axis=0)
        strength = weighted(density(pixels[None]), stain.axis)[0] if len(at) else np.zeros(0, np.float32)
        return cls((height, width), at, pixels, strength, near.take(at) > 1)

    def within(self, mask: Bools) -> _Spots:
        """Those of them in a mask, (h, w)."""
        kept = np.flatnonzero(mask.take(self.at))
        return _Spots(
            self.shape,
            self.at.take(kept),
            self.pixels.take(kept, axis=0),
            self.strength.take(kept),
            self.sure.take(kept),
        )

    def image(self, values: NDArray[Any]) -> NDArray[Any]:
        """Their values as a picture, (h, w), 0 elsewhere."""
        out = np.zeros(self.shape, values.dtype)
        out.put(self.at, values)
        return out


def _cores(inner: U16, strength: F32, n: int) -> F32:
    """The stain above which a body is nucleus, (n + 1,) by label: -inf unless it holds dense cytoplasm too.

    The threshold between two levels of stain is Otsu's (1979), and so is the measure of how well it divides:
    0.75 for evenly spread values, more for two levels.

    Parameters
    ----------
    inner, strength : (m,) labels and stain of pixels well inside the bodies.
    """
    top = np.full(n + 1, 1e-6, np.float32)
    np.maximum.at(top, inner, strength)
    bins = (np.maximum(strength, 0) * ((_BINS - 1e-3) / top)[inner]).astype(np.intp)
    counts = np.bincount(inner * np.intp(_BINS) + bins, minlength=(n + 1) * _BINS).reshape(n + 1, _BINS)
    x = np.arange(_BINS) + 0.5
    below, sums = counts.cumsum(axis=1, dtype=np.float64), (counts * x).cumsum(axis=1)
    number, total = np.maximum(below[:, -1], 1), sums[:, -1]
    above = number[:, None] - below
    between = (total[:, None] * below - number[:, None] * sums) ** 2 / np.maximum(below * above, 1)
    at = np.arange(n + 1), between.argmax(axis=1)
    share = below[at] / number
    low, high = sums[at] / np.maximum(below[at], 1), (total - sums[at]) / np.maximum(above[at], 1)
    variance = counts @ x**2 / number - (total / number) ** 2
    two = (between[at] > TWO_LEVELS * number**2 * variance) & (low < 0.6 * high) & (abs(share - 0.5) < 0.45)
    return np.where(two, (at[1] + 1) * top / _BINS, -np.inf).astype(np.float32)


def _sharpened(spots: _Spots, core: U16, blob: U16, n: int, stain: Stain) -> tuple[Bools, U8]:
    """Bodies up to where the light is half-way between inside and surroundings: a blurred picture's edge.

    What the first round cuts off may be dense cytoplasm, which is then the surroundings of the second.
    Nothing remains where there is no such edge.

    Parameters
    ----------
    core, blob : (m,) labels below n of the spots: what is nucleus so far, and what belongs to which body.

    Returns
    -------
    (m,) what is nucleus, and its `Nuclei.rise`.
    """
    level = np.full(n, stain.level, np.float32)
    pixels = spots.pixels.T.astype(np.uint32)
    for _ in range(2):
        grown = np.asarray(cv2.dilate(spots.image(core), disc(_RING_UM, stain.pitch_um)), np.uint16)
        near = grown.take(spots.at)
        ring = (core == 0) & ((blob == 0) | (blob == near))
        medians, counts = _medians(np.where(ring, near + np.uint32(n), core), pixels, 2 * n)
        inside, outside = medians[:n], medians[n:]
        light = np.stack([inside, outside, (inside + outside) / 2])
        within, without, edge = np.log(BACKGROUND / np.maximum(light, 1)) @ stain.axis
        edge[within - without < SHARP * stain.level] = np.inf
        level = np.where((counts[:n] > 0) & (counts[n:] > 0), edge, level)
        above = np.asarray(spots.strength - level.take(near), np.float32)
        core = core * (above > 0)
    rise = np.where(core, above, -np.abs(above)) * np.float32(EDGE / stain.level) + np.float32(EDGE)
    return core > 0, np.clip(rise, 0, 255).astype(np.uint8)


def _medians(group: NDArray[np.uint32], pixels: NDArray[np.uint32], n: int) -> tuple[F32, NDArray[np.intp]]:
    """The medians of (3, m) grey levels in n groups, (n, 3), and how many there are in each, (n,)."""
    counts = np.bincount(group, minlength=n)
    ordered = np.sort((group << 8) | pixels, axis=1)
    middle = np.minimum(counts.cumsum() - counts + counts // 2, len(group) - 1)
    return (ordered[:, middle] & 255).T.astype(np.float32), counts


def _numbered(spots: _Spots, pieces: Bodies, rise: U8, owner: U16, pitch_um: float) -> Nuclei:
    """Pieces of one owner, given by label, together as nuclei where they are large enough."""
    owned = owner[pieces.labels.take(spots.at)]
    y, x = np.divmod(spots.at, spots.shape[1])
    area, sure, right, down = (np.bincount(owned, w, minlength=len(owner)) for w in (None, spots.sure, x, y))
    large = (area * pitch_um**2 >= MIN_NUCLEUS_UM2) & (sure * pitch_um**2 >= CANDIDATE_UM2)
    large[0] = False
    number = np.zeros(len(owner), np.uint16)
    number[large] = np.arange(1, np.count_nonzero(large) + 1)
    middles = np.stack([right[large], down[large]], axis=1) / area[large, None]
    return Nuclei(
        labels=spots.image(number[owned]),
        boxes=pieces.grouped(number[owner]),
        middles=middles.astype(np.float32),
        rise=spots.image(rise),
    )
