"""Drawn pictures of what is no cell at all: dirt, deposits, scale bars, empty glass, and scenes of anything.

A classifier that only ever saw cells is sure of whatever it is shown. What it will be shown nobody can list,
so these pictures only share the statistics of what it may be: scenes of occluding shapes of all sizes ("dead
leaves", which have edges and spectra like photographs: Lee, Mumford and Huang, Int. J. Computer Vision 2001)
and textures with a spectrum that falls with the frequency; beside them what lies on real slides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.optics.specimen import BACKGROUND
from edge.types import U8
from train.data.dataset import DataSet, Notice, Picture, Scale, Spot
from train.data.split import split_of

COUNT = 2400
_BLOCK = 100  # pictures a group; every group holds every kind
_SIZE_PX = 150
_SCALE = Scale(0.25, "drawn at it")
_GREY_SHARE, _BLACK_SHARE = 0.3, 0.15

Random = np.random.Generator


def _colour(rng: Random) -> tuple[int, int, int]:
    red, green, blue = rng.integers(0, 256, 3).tolist()
    return red, green, blue


def _glass(rng: Random) -> U8:
    """Nothing but glass, as bright as it gets, with a camera's noise and a faint gradient."""
    level = rng.uniform(0.75, 1.02) * BACKGROUND + rng.normal(0, 4, 3)
    slope = np.linspace(-1, 1, _SIZE_PX)[:, None] * rng.normal(0, 6) + np.linspace(
        -1, 1, _SIZE_PX
    ) * rng.normal(0, 6)
    noise = rng.normal(0, rng.uniform(0.3, 4), (_SIZE_PX, _SIZE_PX, 3))
    return _grey(level + slope[..., None] + noise)


def _grey(values: NDArray[np.floating]) -> U8:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def _texture(rng: Random) -> U8:
    """Noise whose amplitude falls with the frequency, in correlated colours."""
    frequency = np.hypot(np.fft.fftfreq(_SIZE_PX)[:, None], np.fft.rfftfreq(_SIZE_PX)) + 1 / _SIZE_PX
    fall = frequency ** -rng.uniform(0.6, 2.0)
    planes = []
    for _ in range(3):
        plane = np.fft.irfft2(
            np.fft.rfft2(rng.normal(size=(_SIZE_PX, _SIZE_PX))) * fall, (_SIZE_PX, _SIZE_PX)
        )
        planes.append(plane / plane.std())
    mixed = np.stack(planes, axis=-1) @ (rng.uniform(0.2, 1) * np.ones((3, 3)) + rng.normal(0, 0.3, (3, 3)))
    return _grey(rng.uniform(40, 220, 3) + mixed * rng.uniform(10, 60))


def _leaves(rng: Random) -> U8:
    """Shapes of all sizes before one another, each with a texture of its own."""
    scene = np.empty((_SIZE_PX, _SIZE_PX, 3), np.uint8)
    scene[:] = _colour(rng)
    palette = [_colour(rng) for _ in range(int(rng.integers(3, 12)))]
    for _ in range(int(rng.integers(20, 160))):
        middle = rng.integers(0, _SIZE_PX, 2).tolist()
        radius = 3 / rng.uniform(0.03, 1)
        colour = palette[int(rng.integers(len(palette)))]
        if rng.random() < 0.5:
            axes = (int(radius) + 1, int(radius * rng.uniform(0.2, 1)) + 1)
            cv2.ellipse(scene, middle, axes, rng.uniform(0, 180), 0, 360, colour, -1, cv2.LINE_AA)
        else:
            corners = np.asarray(middle) + rng.normal(0, radius, (int(rng.integers(3, 7)), 2))
            cv2.fillPoly(scene, [corners.astype(np.int32)], colour, cv2.LINE_AA)
    soft = cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.4, 2.5)).astype(np.float32)
    return _grey(soft + (_texture(rng).astype(np.float32) - 128) * rng.uniform(0, 0.3))


def _deposit(rng: Random) -> U8:
    """Grains and clots of stain: dark, without a nucleus' smooth outline."""
    scene = _glass(rng).astype(np.float32)
    stain = np.exp(-rng.uniform(0.3, 2.2) * rng.uniform((0.6, 0.8, 0.2), (1.0, 1.2, 0.7)))
    grains = np.zeros((_SIZE_PX, _SIZE_PX), np.float32)
    spread, middle = rng.uniform(4, 30), rng.uniform(60, 90, 2)
    for _ in range(int(rng.integers(5, 150))):
        at = np.round(middle + rng.normal(0, spread, 2)).astype(int).tolist()
        cv2.circle(grains, at, int(rng.integers(1, 6)), 1.0, -1, cv2.LINE_AA)
    share = cv2.GaussianBlur(grains, (0, 0), rng.uniform(0.5, 2))[..., None]
    return _grey(scene * (1 - share + share * stain))


def _bar(rng: Random) -> U8:
    """A scale bar or writing across glass, a deposit or a texture."""
    ground = (_glass, _deposit, _texture)[int(rng.integers(3))](rng)
    colour = (0, 0, 0) if rng.random() < 0.5 else _colour(rng)
    y = int(rng.integers(50, 100))
    if rng.random() < 0.6:
        cv2.rectangle(ground, (int(rng.integers(0, 60)), y), (int(rng.integers(80, 150)), y + 6), colour, -1)
    text = "".join(chr(int(c)) for c in rng.integers(48, 123, int(rng.integers(2, 8))))
    size = float(rng.uniform(0.5, 3))
    cv2.putText(
        ground, text, (int(rng.integers(-20, 70)), y - 8), 0, size, colour, int(1 + size), cv2.LINE_AA
    )
    return ground


def _fibre(rng: Random) -> U8:
    """Hairs, scratches and the rims of air bubbles."""
    scene = _glass(rng)
    for _ in range(int(rng.integers(1, 5))):
        points = np.cumsum(rng.normal(0, 25, (6, 2)), axis=0) + rng.uniform(20, 130, 2)
        colour, width = _colour(rng), int(rng.integers(1, 9))
        if rng.random() < 0.6:
            cv2.polylines(scene, [points.astype(np.int32)], False, colour, width, cv2.LINE_AA)
        else:
            cv2.circle(
                scene, points[0].astype(int).tolist(), int(rng.integers(15, 90)), colour, width, cv2.LINE_AA
            )
    return np.asarray(cv2.GaussianBlur(scene, (0, 0), rng.uniform(0.4, 3)), np.uint8)


_KINDS: tuple[Callable[[Random], U8], ...] = (_leaves, _texture, _deposit, _glass, _bar, _fibre, _leaves)


def _draw(number: int) -> U8:
    rng = np.random.default_rng([number, 5])
    scene = _KINDS[number % len(_KINDS)](rng)
    turn = rng.random()
    if turn < _GREY_SHARE:
        scene[:] = scene.mean(axis=2, keepdims=True).astype(np.uint8)
    elif turn < _GREY_SHARE + _BLACK_SHARE:  # something bright before nothing, as a cell that was cut out
        y, x = np.mgrid[:_SIZE_PX, :_SIZE_PX] - _SIZE_PX / 2
        scene[np.hypot(x, y * rng.uniform(0.6, 1.6)) > rng.uniform(12, 50)] = rng.integers(0, 10)
    return scene


def _read(root: Path, notice: Notice) -> Iterator[Picture]:
    for number in range(COUNT):
        group = f"oddities/{number // _BLOCK}"
        spot = Spot("artefact", group, split_of(group))
        yield Picture(f"{number}", _SCALE.um_per_px, (spot,), partial(_draw, number))


ODDITIES = DataSet(
    scale=_SCALE,
    name="oddities",
    title="drawn pictures of what is no cell: dirt, deposits, writing, empty glass, scenes of anything",
    folder=None,
    home="this program",
    licence="Apache-2.0",
    citation="train/data/sets/oddities.py",
    layout=f"no files: {COUNT} pictures are drawn",
    groups=f"block of {_BLOCK} pictures",
    split="by block, by a hash of its number: about 65% train, 15% validation, 20% test",
    read=_read,
)
