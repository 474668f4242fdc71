"""Views of the specimen that finding nuclei is tried on: drawn slides, tiny ones, ones with nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np

from edge.bench import fields
from edge.optics.specimen import BACKGROUND, Specimen, specimen
from edge.types import U8

PITCH_UM = 0.25
NUCLEUS, CYTOPLASM, RED, GLASS = (110, 60, 150), (200, 190, 225), (215, 165, 175), (BACKGROUND,) * 3


def view(pixels: U8) -> Specimen:
    """Pixels that are on the specimen's grid already."""
    return Specimen(pixels, PITCH_UM, 1.0, np.full(3, BACKGROUND, np.float32), 0.5)


def plain(shape: tuple[int, int], colour: tuple[int, ...] = GLASS) -> U8:
    return np.full((*shape, 3), colour, np.uint8)


def blobs(shape: tuple[int, int], count: int, seed: int, radius_um: tuple[float, float] = (1.0, 5.0)) -> U8:
    """Round nuclei with cytoplasm, and as many red cells, wherever they fall: across edges and each other."""
    rng, pixels = np.random.default_rng(seed), plain(shape)
    for kind in ("red", "leukocyte") * count:
        radius, right, down = (
            rng.uniform(*radius_um) / PITCH_UM,
            *(rng.uniform(0, shape[k]) for k in (1, 0)),
        )
        if kind == "red":
            _disc(pixels, right, down, 3.7 / PITCH_UM, RED)
        else:
            _disc(pixels, right, down, 1.5 * radius, CYTOPLASM)
            _disc(pixels, right, down, radius, NUCLEUS)
    grain = rng.normal(0, 4, pixels.shape)
    return np.clip(pixels + grain, 0, 255).astype(np.uint8)


def _disc(pixels: U8, right: float, down: float, radius: float, colour: tuple[int, ...]) -> None:
    top, left = (max(int(at - radius), 0) for at in (down, right))
    part = pixels[top : int(down + radius) + 1, left : int(right + radius) + 1]
    y, x = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
    part[(y - down) ** 2 + (x - right) ** 2 < radius**2] = colour


def drawn() -> Iterator[Specimen]:
    """Fields of the simulated microscope, with few cells and with many."""
    for scope in (fields.microscope(), fields.crowded(60)):
        for pixels in fields.draw(scope, 2):
            yield specimen(pixels, scope.um_per_px, PITCH_UM)


@cache
def odd() -> dict[str, Specimen]:
    """What no slide shows, or hardly any."""
    noise = np.random.default_rng(0).integers(0, 256, (301, 403, 3), np.uint8)
    pictures = {
        "one pixel": plain((1, 1), NUCLEUS),
        "two rows": plain((2, 3), NUCLEUS),
        "a strip": blobs((15, 400), 12, 1),
        "a standing strip": blobs((401, 9), 12, 2),
        "odd sizes": blobs((333, 467), 20, 3),
        "glass": plain((240, 320)),
        "black": plain((240, 320), (0, 0, 0)),
        "all nucleus": plain((241, 319), NUCLEUS),
        "all red cells": plain((240, 320), RED),
        "noise": noise,
        "coarse noise": noise[::6, ::6].repeat(8, axis=0).repeat(8, axis=1),
        "platelets": blobs((480, 640), 150, 4, (0.8, 2.0)),
        "300 cells": blobs((1500, 2000), 300, 5),
    }
    return {name: view(pixels) for name, pixels in pictures.items()}
