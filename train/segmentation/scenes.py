"""Scenes: pieces of specimen with what is known of the cells in them, and patches cut from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.runtimes.dynamic import BEYOND
from edge.types import F32, U8
from train.data.dataset import Split

MASK, CENTRE = 1, 2
"""Bits of `Scene.known`: whether outlines can be trusted there, and whether it is known where cells are."""

_FEWEST_UM2 = 6.0  # of a cell that a patch shows; less is neither asked for nor forbidden


Truth = tuple[U8, U8, U8]
"""Labels, nuclei and known bits as in `Scene`, on any grid over a picture."""

Known = tuple[Split, str, float, U8, Truth]
"""A picture of which something is known: its part and group, µm per pixel, (H, W, 3) uint8 RGB, and what."""


@dataclass(frozen=True, eq=False)
class Scene:
    """A piece of specimen at twice its pitch.

    Attributes
    ----------
    pixels : (h, w, 3) uint8 RGB.
    labels : (h, w) uint8, 0 for no cell, else the cell's number from 1.
    nuclei, cells : (h, w) uint8, how much of a pixel is nucleus or cell, of 255.
    known : (h, w) uint8, bits `MASK` and `CENTRE`.
    group : what must not be divided between training and validation.
    """

    pixels: U8
    labels: U8
    nuclei: U8
    cells: U8
    known: U8
    group: str


@dataclass(frozen=True, eq=False)
class Patches:
    """A batch for training, sides S in pixels of a scene.

    Attributes
    ----------
    pixels : (n, S, S, 3) uint8 RGB.
    masks, masks_known : (n, 2, S, S) float32 nucleus and cell, and (n, 1, S, S) where that is known.
    heat, heat_known : (n, 1, S / 2, S / 2) float32, 1 at the middles of cells and falling off round them.
    offsets : (n, 2, S / 2, S / 2) float32, x and y to the middle of the cell that a pixel lies in, in pixels
        of S / 2. offsets_known : (n, 1, S / 2, S / 2) float32.
    """

    pixels: U8
    masks: F32
    masks_known: F32
    heat: F32
    heat_known: F32
    offsets: F32
    offsets_known: F32


def save(scenes: Sequence[Scene], path: Path) -> None:
    """Keep scenes in one file."""
    arrays: dict[str, NDArray[np.generic]] = {"groups": np.array([s.group for s in scenes])}
    for i, s in enumerate(scenes):
        arrays[str(i)] = np.dstack([s.pixels, s.labels, s.nuclei, s.cells, s.known])
    partial = path.with_suffix(".part")
    with partial.open("wb") as stream:
        np.savez_compressed(stream, **arrays)  # type: ignore[arg-type]
    partial.replace(path)


def load(path: Path) -> list[Scene]:
    """The scenes kept in a file."""
    with np.load(path) as kept:
        groups = kept["groups"].tolist()
        stacks = [kept[str(i)] for i in range(len(groups))]
    return [
        Scene(np.ascontiguousarray(a[..., :3]), a[..., 3], a[..., 4], a[..., 5], a[..., 6], group)
        for a, group in zip(stacks, groups, strict=True)
    ]


def patches(chosen: Sequence[Scene], side: int, pitch_um: float, rng: np.random.Generator) -> Patches:
    """One random patch of each scene, turned and mirrored.

    Parameters
    ----------
    pitch_um : of a scene's pixel.
    """
    cut = [_cut(scene, side, rng) for scene in chosen]
    pixels, labels, nuclei, cells, known = (np.stack(part) for part in zip(*cut, strict=True))
    targets = [_targets(*each, pitch_um) for each in zip(labels, known, strict=True)]
    heat, heat_known, offsets, offsets_known = (np.stack(part) for part in zip(*targets, strict=True))
    return Patches(
        pixels=pixels,
        masks=np.divide(np.stack([nuclei, cells], axis=1), 255, dtype=np.float32),
        masks_known=((known & MASK) > 0)[:, None].astype(np.float32),
        heat=heat[:, None],
        heat_known=heat_known[:, None],
        offsets=offsets,
        offsets_known=offsets_known[:, None],
    )


def _cut(scene: Scene, side: int, rng: np.random.Generator) -> list[U8]:
    """A random square of a scene, preferably with a cell in it, `BEYOND` round a smaller scene."""
    height, width = scene.labels.shape
    out = [np.full((side, side, 3), BEYOND, np.uint8), *np.zeros((4, side, side), np.uint8)]
    y, x = _corner(scene.labels, side, rng)
    rows, columns = slice(max(y, 0), min(y + side, height)), slice(max(x, 0), min(x + side, width))
    there = (
        slice(rows.start - y, rows.stop - y),
        slice(columns.start - x, columns.stop - x),
    )
    parts = (scene.pixels, scene.labels, scene.nuclei, scene.cells, scene.known)
    for whole, part in zip(parts, out, strict=True):
        part[there] = whole[rows, columns]
    turn, mirror = int(rng.integers(4)), bool(rng.integers(2))
    return [np.ascontiguousarray(np.rot90(part[::-1] if mirror else part, turn)) for part in out]


def _corner(labels: U8, side: int, rng: np.random.Generator) -> tuple[int, int]:
    """Upper left corner of a patch: three of four round a pixel of some cell, the rest anywhere."""
    places = np.flatnonzero(labels)
    corner = []
    at: tuple[int, ...] = tuple(int(rng.integers(n)) for n in labels.shape)
    if len(places) and rng.random() < 0.75:
        at = tuple(divmod(int(places[rng.integers(len(places))]), labels.shape[1]))
    for middle, length in zip(at, labels.shape, strict=True):
        if length <= side:
            corner.append(-int(rng.integers(side - length + 1)))
        else:
            start = middle - int(rng.integers(side))
            corner.append(min(max(start, 0), length - side))
    return corner[0], corner[1]


def _targets(labels: U8, known: U8, pitch_um: float) -> tuple[F32, F32, F32, F32]:
    """Heat of the middles and the way to them, at half the resolution of a patch."""
    few = labels[::2, ::2]
    height, width = few.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    heat, sure = np.zeros((height, width), np.float32), ((known[::2, ::2] & CENTRE) > 0)
    offsets = np.zeros((2, height, width), np.float32)
    pixel_um = 2 * pitch_um
    for number in np.unique(few[few > 0]).tolist():
        inside = few == number
        area = np.count_nonzero(inside)
        if area * pixel_um**2 < _FEWEST_UM2:
            sure &= ~inside
            continue
        cx, cy = float(x[inside].mean()), float(y[inside].mean())
        reach = np.sqrt(area / np.pi) / 3  # a small cell has a small middle
        heat = np.maximum(heat, np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * max(reach, 0.8) ** 2)))
        offsets[0][inside], offsets[1][inside] = cx - x[inside], cy - y[inside]
    within = (few > 0) & ((known[::2, ::2] & MASK) > 0)
    return heat, sure.astype(np.float32), offsets, within.astype(np.float32)
