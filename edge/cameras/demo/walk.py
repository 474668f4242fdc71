"""How the stage of the simulated microscope wanders over the slide, and what goes wrong on the way."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.cameras.demo.scope import Scope
from edge.types import F64

I64 = NDArray[np.int64]

SHORTEST_MOVE, LONGEST_MOVE = 0.3, 1.1  # in widths of the field
FRAMES_BETWEEN_BLURS = 25.0
WORST_DEFOCUS_UM = 1.2
BADLY_EXPOSED_SHARE = 0.012


@dataclass(frozen=True, eq=False)
class Walk:
    """One pass over the slide, frame by frame.

    Attributes
    ----------
    corners_px : (n, 2) int64, slide pixel at each frame's upper left corner.
    defocus_um : (n,) float64, standard deviation of the blur beyond the optics' own.
    exposure : (n,) float64, 1 where right.
    """

    corners_px: I64
    defocus_um: F64
    exposure: F64

    def __len__(self) -> int:
        return len(self.corners_px)


def wander(scope: Scope) -> Walk:
    """A pass to and fro over the slide, row by row; steps overlap, stand still, or go back to look again."""
    rng = np.random.default_rng([scope.seed, 6])
    corners = _stage(rng, scope)
    return Walk(corners, _defocus(rng, len(corners)), _exposure(rng, len(corners)))


def _stage(rng: np.random.Generator, scope: Scope) -> I64:
    width, height = scope.field_px
    last_x, last_y = (scope.fields_across - 1) * width, (scope.fields_down - 1) * height
    places: list[tuple[float, float]] = []
    x, row_y, heading = 0.0, 0.3 * height, 1
    while row_y <= last_y:
        places.append((x, row_y + rng.normal(0, 0.04) * height))
        whim = rng.random()
        if whim < 0.05:
            places += [places[-1]] * int(rng.integers(1, 4))
        elif whim < 0.08 and len(places) > 15:
            back = int(rng.integers(6, 15))
            places += places[-back : -back + 2]
        x += heading * width * (SHORTEST_MOVE + (LONGEST_MOVE - SHORTEST_MOVE) * rng.beta(1.6, 1.6))
        if not 0 <= x <= last_x:
            x = min(max(x, 0.0), float(last_x))
            heading = -heading
            row_y += rng.uniform(0.6, 1.0) * height
    corners = np.rint(places).astype(np.int64)
    return np.clip(corners, 0, [last_x, last_y])


def _defocus(rng: np.random.Generator, n: int) -> F64:
    """A slight drift, and every so often a few frames out of focus."""
    drift = 0.05 * (1 + np.sin(np.arange(n) / rng.uniform(9, 14) + rng.uniform(0, 6)))
    blur = np.zeros(n)
    start = int(rng.integers(10, 20))
    while start < n:
        length = int(rng.integers(3, 7))
        swell = rng.uniform(0.6, WORST_DEFOCUS_UM) * np.sin(np.linspace(0, np.pi, length + 2)[1:-1])
        blur[start : start + length] = swell[: n - start]
        start += length + max(8, round(rng.normal(FRAMES_BETWEEN_BLURS - length, 5)))
    return np.maximum(drift, blur)


def _exposure(rng: np.random.Generator, n: int) -> F64:
    exposure = 1 + 0.012 * np.sin(np.arange(n) / 7)
    bad = np.flatnonzero(rng.random(n) < BADLY_EXPOSED_SHARE)
    exposure[bad[bad > 4]] = rng.choice([0.3, 0.4, 1.7, 2.0], (bad > 4).sum())
    return exposure
