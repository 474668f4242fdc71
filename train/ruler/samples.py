"""Training tiles: red cells of a known diameter in pixels, and pictures that hold none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.optics.redcells import RED_CELL_UM
from edge.optics.ruler import BINS_PER_OCTAVE, OCTAVES, SMALLEST_PX, TILE_PX, normalised
from edge.types import F32, U8, Bools
from train.ruler import drawn

NOTHING = -1.0
"""The diameter of what holds no red cells."""

_LARGEST_PX = SMALLEST_PX * 2**OCTAVES
_EDGE = 2 ** (0.5 / BINS_PER_OCTAVE)  # half a bin
_OUT_OF_RANGE = 0.2  # see `edge.optics.ruler`, which reckons with it
_LOG = np.log(np.maximum(np.arange(256), 1) / 255).astype(np.float32)
_SMALLEST_WINDOW_PX = 20
_ENLARGED = 1.3  # more, and the picture is too soft
_DRAWN, _NEGATIVE = 0.22, 0.22


@dataclass(frozen=True)
class Laboratory:
    """Pictures of one scale, (H, W, 3) uint8 each."""

    pictures: Sequence[U8]
    um_per_px: float


def batch(
    rng: np.random.Generator,
    laboratories: Mapping[str, Laboratory],
    negatives: Sequence[Sequence[U8]],
    smears: Sequence[tuple[U8, float]],
    count: int,
) -> tuple[F32, F32]:
    """(n, 4, 96, 96) normalised tiles, (n,) diameters or `NOTHING`."""
    tiles: list[F32] = []
    diameters: list[float] = []
    names = list(laboratories)
    while len(tiles) < count:
        chance = rng.random()
        if chance < _NEGATIVE:
            picture, diameter = _negative(rng, negatives, laboratories), NOTHING
        elif chance < _NEGATIVE + _DRAWN:
            picture, diameter = smears[int(rng.integers(len(smears)))]
        else:
            laboratory = laboratories[names[int(rng.integers(len(names)))]]
            found = _positive(rng, laboratory)
            if found is None:
                continue
            picture, diameter = found
        tiles.append(normalised(*_seen(rng, picture)))
        diameters.append(diameter)
    return np.stack(tiles), np.array(diameters, np.float32)


def smears(rng: np.random.Generator, count: int) -> list[tuple[U8, float]]:
    """Drawn tiles and the diameter of their red cells."""
    diameters = [_wanted(rng, 70.0) for _ in range(count)]
    return [(drawn.smear(rng, TILE_PX, diameter), diameter) for diameter in diameters]


def _wanted(rng: np.random.Generator, largest: float) -> float:
    """A diameter to show, mostly in the network's range."""
    low, high = SMALLEST_PX / _EDGE, _LARGEST_PX * _EDGE
    if rng.random() < _OUT_OF_RANGE:
        low, high = (0.5 * low, low) if rng.random() < 0.5 or largest < 1.5 * high else (high, largest)
    return float(np.exp(rng.uniform(np.log(low), np.log(min(high, largest)))))


def _positive(rng: np.random.Generator, laboratory: Laboratory) -> tuple[U8, float] | None:
    picture = laboratory.pictures[int(rng.integers(len(laboratory.pictures)))]
    across = RED_CELL_UM / laboratory.um_per_px
    diameter = _wanted(rng, _ENLARGED * across)
    squeeze = float(np.exp(rng.normal(0, 0.05)))
    tile = _cut(rng, picture, diameter / across, squeeze)
    return None if tile is None else (tile, diameter)


def _cut(rng: np.random.Generator, picture: U8, scale: float, squeeze: float = 1.0) -> U8 | None:
    """A random part of a picture at another scale, 96 × 96 px or what there is; None for next to nothing."""
    height, width = picture.shape[:2]
    down, across = scale * squeeze, scale / squeeze
    h, w = min(int(TILE_PX / down), height), min(int(TILE_PX / across), width)
    size = (min(round(w * across), TILE_PX), min(round(h * down), TILE_PX))
    if min(size) < _SMALLEST_WINDOW_PX:
        return None
    top, left = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
    part = picture[top : top + h, left : left + w]
    skip = max(int(rng.uniform(0.2, 0.55) / scale), 1)  # as the device skips what it can
    part = part[::skip, ::skip]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, size, interpolation=how), np.uint8)


def _negative(
    rng: np.random.Generator, negatives: Sequence[Sequence[U8]], laboratories: Mapping[str, Laboratory]
) -> U8:
    kind = rng.random()
    if kind < 0.15:
        return drawn.round_things(rng, TILE_PX)
    if kind < 0.3:
        return drawn.texture(rng, TILE_PX)
    if kind < 0.4:  # bright on dark, like bubbles, coins and fluorescence
        laboratory = list(laboratories.values())[int(rng.integers(len(laboratories)))]
        found = _positive(rng, laboratory)
        tile = drawn.smear(rng, TILE_PX, _wanted(rng, 60.0)) if found is None else found[0]
        return np.asarray(255 - tile, np.uint8)
    while True:
        pictures = negatives[int(rng.integers(len(negatives)))]
        picture = pictures[int(rng.integers(len(pictures)))]
        smallest = 40 / min(picture.shape[:2])
        scale = float(np.exp(rng.uniform(np.log(min(max(smallest, 0.06), 1.0)), np.log(1.2))))
        part = _cut(rng, picture, scale)
        if part is not None:
            break
    if rng.random() < 0.15:
        part = np.asarray(np.roll(part, int(rng.integers(1, 3)), axis=2))
    return part


def _seen(rng: np.random.Generator, tile: U8) -> tuple[U8, Bools]:
    """As another microscope and camera would show it, on a tile of full size, and where it lies on that."""
    picture = _photographed(rng, _stained(rng, _window(rng, tile)))
    if rng.random() < 0.5:
        picture = picture[::-1]
    if rng.random() < 0.5:
        picture = picture[:, ::-1]
    if rng.random() < 0.5:
        picture = picture.transpose(1, 0, 2)
    height, width = picture.shape[:2]
    whole, lit = np.zeros((TILE_PX, TILE_PX, 3), np.uint8), np.zeros((TILE_PX, TILE_PX), np.bool_)
    top, left = (int(rng.integers(TILE_PX - n + 1)) for n in (height, width))
    whole[top : top + height, left : left + width] = picture
    lit[top : top + height, left : left + width] = True
    return whole, lit


def _window(rng: np.random.Generator, tile: U8) -> U8:
    """A part of a tile of any size: how much there is to see must not tell the scale.

    A laboratory's pictures have one size, so where they end before the tile does, the smaller the scale the
    less there is.
    """
    sides = []
    share = rng.uniform(0.2, 1.8)
    for length in tile.shape[:2]:
        most = min(share * rng.uniform(0.8, 1.25), 1.0) if length == TILE_PX else rng.uniform(0.35, 1)
        sides.append(round(_SMALLEST_WINDOW_PX + most * (length - _SMALLEST_WINDOW_PX)))
    top, left = (int(rng.integers(n - side + 1)) for n, side in zip(tile.shape, sides, strict=False))
    return tile[top : top + sides[0], left : left + sides[1]]


def _stained(rng: np.random.Generator, tile: U8) -> F32:
    """Intensities, 1 for white, under another stain and lamp."""
    logs = _LOG[tile]
    logs *= np.exp(rng.normal(0, 0.2, 3) + rng.normal(-0.1, 0.3)).astype(np.float32)
    if rng.random() < 0.5:
        mix = np.eye(3) + rng.normal(0, 0.1, (3, 3))
        logs = logs @ mix.T.astype(np.float32)
    if rng.random() < 0.5:
        logs += _light(rng, *tile.shape[:2])
    return np.asarray(np.exp(np.minimum(logs, 0.5)) * np.float32(rng.uniform(0.7, 1.0)), np.float32)


def _photographed(rng: np.random.Generator, picture: F32) -> U8:
    """Blurred or sharpened, noisy, now and then compressed or without colour."""
    if rng.random() < 0.5:
        picture = np.asarray(
            cv2.GaussianBlur(picture, (0, 0), float(np.exp(rng.uniform(-1.2, 0.2)))), np.float32
        )
    elif rng.random() < 0.3:
        picture = picture + np.float32(0.6) * (picture - cv2.GaussianBlur(picture, (0, 0), 1.0))
    out = 255 * picture
    if rng.random() < 0.6:
        grain = np.float32(np.exp(rng.uniform(-1, 2)))
        out += grain * rng.standard_normal(out.shape, np.float32)
    pixels = np.clip(out, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        _, coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(30, 95))])
        pixels = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    if rng.random() < 0.1:
        pixels = np.repeat(pixels[..., 1:2], 3, axis=2)
    return pixels


def _light(rng: np.random.Generator, height: int, width: int) -> F32:
    """A lamp off the middle, and a lens or sensor that darkens towards the corners or the middle; logs."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    x, y = x + rng.normal(0, 0.4), y + rng.normal(0, 0.4)
    fall = rng.normal(-0.05, 0.15) * (x**2 + y**2) + rng.normal(0, 0.15) * x + rng.normal(0, 0.15) * y
    return np.asarray(fall[..., None] * rng.uniform(0.6, 1.4, 3), np.float32)
