"""A few drawn fields, full of what a smear may hold: what a program makes of them tells it from another.

They need not look like blood. They hold cells of every size, nuclei of one to five lobes near and far, nuclei
that touch, platelets, dirt and red cells, so that little can change in how pictures are read without changing
what is read from these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, partial
from itertools import cycle, islice

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.types import F32, U8
from train.data.classes import CLASSES, LEUKOCYTE, LYMPHOID, NO_BLAST, NUCLEATED
from train.data.dataset import CYTOPLASM, NUCLEUS, Picture, Spot

LABELS = (*CLASSES, LEUKOCYTE, NUCLEATED, NO_BLAST, LYMPHOID)
Place = Sequence[float] | NDArray[np.float64]
"""x and y in µm."""

SCALES = (0.1, 0.075, 0.2)
"""µm per pixel, one a field."""

_ODD = ((6.6, 3.0), (9.6, 3.0), (0.0, 2.0), (0.0, 2.2), (1.0, 5.0, 0.2), (1.0, 5.0, 0.25), (0.0, 12.0))
"""Single cells far beside the middle, small ones, pale ones and a large one; see `_single`."""

_SIZE_UM = 52.0, 76.0
_GLASS = np.array([232, 228, 218], np.float32)
_HAEMOGLOBIN, _CYTOPLASM, _CHROMATIN = (
    np.array(density, np.float32) for density in ((0.12, 0.42, 0.30), (0.35, 0.30, 0.08), (0.95, 1.25, 0.45))
)
"""Optical densities of red, green and blue."""


def pictures() -> tuple[Picture, ...]:
    """The fields, a spot of another label on each cell; then red cells alone, single cells, and nothing."""
    found = []
    for seed, um_per_px in enumerate(SCALES):
        group, (_, centres) = f"drawn/{seed}", _field(seed, um_per_px)
        labels = islice(cycle(LABELS), len(centres))
        cells = (Spot(label, group, "train", at) for label, at in zip(labels, centres, strict=True))
        found.append(Picture(f"{seed}.png", um_per_px, tuple(cells), partial(_pixels, seed, um_per_px)))
    spots = (Spot(CLASSES[0], "drawn", "validation"),)
    return (
        *found,
        Picture("red.png", 0.1, spots, _red),
        Picture("single.png", 0.1, spots, _single, _mask),
        Picture("cut-out.png", 0.1, spots, _cut_out),
        *(Picture(f"{i}.png", 0.1, spots, partial(_single, *odd)) for i, odd in enumerate(_ODD)),
        Picture("nothing.png", 0.1, spots, lambda: np.full((300, 300, 3), _GLASS, np.uint8)),
    )


def _pixels(seed: int, um_per_px: float) -> U8:
    return _field(seed, um_per_px)[0]


@cache
def _red() -> U8:
    rng, stain = np.random.default_rng(7), np.zeros((480, 600, 3), np.float32)
    for i in range(20):
        place = np.array([6 + 11 * (i % 5), 5 + 11.5 * (i // 5)]) + rng.uniform(-1, 1, 2)
        _red_cell(stain, place, rng, 0.1)
    return _seen(stain, rng, 0.1)


@cache
def _single(aside_um: float = 1.0, radius_um: float = 5.0, stained: float = 1.0) -> U8:
    """One cell, so far beside the middle."""
    stain, place = np.zeros((300, 300, 3), np.float32), (15 + aside_um, 15)
    _disc(stain, place, radius_um + 2, _CYTOPLASM * stained, 0.1)
    _disc(stain, place, radius_um, _CHROMATIN * stained, 0.1)
    return _seen(stain, np.random.default_rng(9), 0.1)


@cache
def _cut_out() -> U8:
    """A cell that somebody cut out and laid on black."""
    y, x = np.mgrid[:300, :300]
    inside = np.hypot(x - 160, y - 150) < 72
    return np.asarray(_single() * inside[..., None], np.uint8)


def _mask() -> U8:
    mask = np.zeros((300, 300), np.uint8)
    cv2.circle(mask, (160, 150), 70, CYTOPLASM, -1)
    return np.asarray(cv2.circle(mask, (160, 150), 50, NUCLEUS, -1), np.uint8)


@cache
def _field(seed: int, um_per_px: float) -> tuple[U8, tuple[tuple[float, float], ...]]:
    """A field, and where its cells are, x and y in its pixels."""
    rng = np.random.default_rng([seed, 13])
    height, width = (round(side / um_per_px) for side in _SIZE_UM)
    stain = np.zeros((height, width, 3), np.float32)
    for _ in range(24):
        place = rng.uniform((0, 0), _SIZE_UM[::-1])
        _red_cell(stain, place, rng, um_per_px)
    centres: list[tuple[float, float]] = []
    for x, y in _places(rng):
        _cell(stain, (x, y), len(centres), rng, um_per_px)
        centres.append((x / um_per_px, y / um_per_px))
    for radius in (0.4, 0.8, 1.1, 1.6):  # platelets and dirt
        _disc(stain, rng.uniform((2, 2), (74, 50)), radius, _CHROMATIN * 0.7, um_per_px)
    return _seen(stain, rng, um_per_px), tuple(centres)


def _places(rng: np.random.Generator) -> Iterator[tuple[float, float]]:
    """On a loose grid, some of them near each other or cut by the edge."""
    for row in range(4):
        for column in range(5):
            x, y = rng.normal(0, 2.5, 2).tolist()
            yield 4 + 17 * column + x, 5 + 14 * row + y


def _red_cell(stain: F32, place: Place, rng: np.random.Generator, um_per_px: float) -> None:
    _disc(stain, place, 3.75 + rng.normal(0, 0.15), _HAEMOGLOBIN, um_per_px)
    _disc(stain, place, 1.4, -0.3 * _HAEMOGLOBIN, um_per_px)


def _cell(stain: F32, place: Place, number: int, rng: np.random.Generator, um_per_px: float) -> None:
    """A leukocyte with as many lobes as its number says, or two nuclei that touch."""
    lobes, size = (number + number // 5) % 5 + 1, rng.uniform(0.6, 1.25)
    _disc(stain, place, (5.2 + 0.3 * lobes) * size, _CYTOPLASM * rng.uniform(0.2, 1.2), um_per_px)
    radius = size * (4.3 if lobes == 1 else 4.2 if number % 2 and lobes == 2 else 2.6 / np.sqrt(lobes / 2))
    apart = radius * rng.uniform(0.8, 1.35) if lobes > 1 else 0.0
    turn = rng.uniform(0, 2 * np.pi)
    for i in range(lobes):
        angle = turn + 2 * np.pi * i / lobes
        middle = np.asarray(place) + apart * max(1, lobes / 2.6) * np.array([np.cos(angle), np.sin(angle)])
        _disc(stain, middle, radius * rng.uniform(0.85, 1.1), _CHROMATIN * rng.uniform(0.6, 1.1), um_per_px)


def _disc(stain: F32, place: Place, radius: float, density: F32, um_per_px: float) -> None:
    """Lay a round thing on; what is darkest at a place is seen, and a negative density takes away."""
    reach = int(radius / um_per_px) + 2
    x, y = (float(v) / um_per_px for v in place)
    left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
    there = stain[top : max(int(y) + reach, 0), left : max(int(x) + reach, 0)]
    if not there.size:  # beyond the field
        return
    shape = np.zeros(there.shape[:2], np.uint8)
    middle = round((x - left) * 16), round((y - top) * 16)
    cv2.circle(shape, middle, round(radius / um_per_px * 16), 1, -1, shift=4)
    laid = np.maximum(there, density) if density.max() > 0 else np.maximum(there + density, 0)
    np.copyto(there, laid, where=shape.view(np.bool_)[..., None])


def _seen(stain: F32, rng: np.random.Generator, um_per_px: float) -> U8:
    """A field under a lamp that is darker on one side, with the noise of a camera."""
    blurred = np.asarray(cv2.GaussianBlur(stain, (0, 0), 0.2 / um_per_px))
    height, width = blurred.shape[:2]
    lit = np.linspace(1, 0.85, width, dtype=np.float32)[None, :, None]
    noise = rng.normal(0, 1.5, (height, width, 3))
    return np.asarray(np.clip(_GLASS * lit * np.exp(-blurred) + noise, 0, 255), np.uint8)
