"""Drawing in optical density: dyes, textures, outlines and granules of a stained smear.

A cell is drawn as amounts of six dyes on a small grid. Dyes add up in optical density (Beer-Lambert), so
overlapping cells darken each other as they do on glass. Lengths are micrometres throughout.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from math import ceil, log

import cv2
import numpy as np

from edge.types import F32, Bools

TEXTURE_PX = 512
TEXTURE_RATIO = 1.12  # between the blob sizes of the textures kept; finer steps would not show


class Dye(IntEnum):
    """What light is lost to in a Romanowsky-stained smear."""

    CHROMATIN = 0
    AZURE = 1
    BLUE = 2
    EOSIN = 3
    HAEMOGLOBIN = 4
    SOOT = 5


# Decadic optical density in R, G, B at amount 1. Chromatin is near the median over 25 cells a class
# of PBC_dataset_normal_DIB and haemoglobin near (0.10, 0.15, 0.09) there, background taken as the 92nd
# percentile; the others are set by eye beside them.
ROMANOWSKY = np.array(
    [
        [0.59, 1.00, 0.22],
        [0.34, 0.78, 0.22],
        [0.42, 0.37, 0.11],
        [0.07, 0.27, 0.20],
        [0.092, 0.152, 0.104],
        [0.62, 0.68, 0.72],
    ],
    np.float32,
)


@dataclass(frozen=True, eq=False)
class Stain:
    """The dyes' colours in one laboratory: `density` (6, 3) float32, optical density of R, G, B."""

    density: F32

    @classmethod
    def varied(cls, rng: np.random.Generator, spread: float) -> Stain:
        """A stain near the standard one; `spread` 0 is the standard, 0.3 covers very unlike laboratories."""
        shape = ROMANOWSKY.shape
        strength = np.exp(rng.normal(0, spread, (shape[0], 1)))
        hue = np.exp(rng.normal(0, 0.6 * spread, shape))
        tint = np.exp(rng.normal(0, 0.5 * spread, (1, shape[1])))
        return cls((ROMANOWSKY * strength * hue * tint).astype(np.float32))


@lru_cache(maxsize=24)
def _texture(step: int) -> F32:
    """Band-passed noise of unit variance with blobs about TEXTURE_RATIO ** step pixels across."""
    noise = np.random.default_rng(step + 1000).standard_normal((TEXTURE_PX, TEXTURE_PX), np.float32)
    sigma = max(0.5 * TEXTURE_RATIO**step, 0.3)
    texture = cv2.GaussianBlur(noise, (0, 0), sigma) - cv2.GaussianBlur(noise, (0, 0), 2.45 * sigma)
    return np.asarray(texture / texture.std(), np.float32)


def smoothstep(low: float, high: float, value: F32) -> F32:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((value - np.float32(low)) / np.float32(high - low), 0, 1)
    out: F32 = t * t * (3 - 2 * t)
    return out


def stamp(target: F32, patch: F32, x: int, y: int) -> None:
    """Add a square `patch` to `target` in place, its middle at column `x` and row `y`, clipped."""
    half = patch.shape[0] // 2
    x0, x1 = max(x - half, 0), min(x + half + 1, target.shape[1])
    y0, y1 = max(y - half, 0), min(y + half + 1, target.shape[0])
    if x0 < x1 and y0 < y1:
        target[y0:y1, x0:x1] += patch[y0 - y + half : y1 - y + half, x0 - x + half : x1 - x + half]


class Canvas:
    """A square of smear, dyes (6, n, n) float32, with its middle at the origin of `x` and `y` (n, n).

    Outlines are signed distances in micrometres, (n, n) float32, negative inside. The axes are turned by a
    random angle, so a drawing in one pose comes out in any. `cell` and `nucleus` (n, n) bool grow as parts
    are laid down.

    Parameters
    ----------
    rng : everything random about the drawing comes from it.
    um_per_px : grid spacing.
    half_um : half of the square's side at least.
    offset_px : where the origin lies from the centre of the middle pixel, to place cells between pixels.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        um_per_px: float,
        half_um: float,
        offset_px: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.rng = rng
        self.um_per_px = um_per_px
        half = ceil(half_um / um_per_px)
        self.size = 2 * half + 1
        axis = np.arange(-half, half + 1, dtype=np.float32)
        across = ((axis - offset_px[0]) * um_per_px).astype(np.float32)[None, :]
        down = ((axis - offset_px[1]) * um_per_px).astype(np.float32)[:, None]
        turn = rng.uniform(0, 2 * np.pi)
        cos, sin = np.float32(np.cos(turn)), np.float32(np.sin(turn))
        self.x: F32 = cos * across + sin * down
        self.y: F32 = cos * down - sin * across
        self.dyes: F32 = np.zeros((len(Dye), self.size, self.size), np.float32)
        self.cell: Bools = np.zeros((self.size, self.size), np.bool_)
        self.nucleus: Bools = np.zeros((self.size, self.size), np.bool_)

    def density(self, stain: Stain) -> F32:
        """Optical density of the drawing, (n, n, 3) float32."""
        # not a matrix product: the linear algebra library would wake all its threads for each small cell
        return np.asarray(cv2.transform(cv2.merge(list(self.dyes)), stain.density.T), np.float32)

    def noise(self, scale_um: float) -> F32:
        """Noise of unit variance with blobs about `scale_um` across, (n, n) float32."""
        # broad blobs need no fine grid: cut out coarsely, then stretched
        coarse = max(1, int(scale_um / self.um_per_px / 6))
        side = -(-self.size // coarse)
        texture = _texture(round(log(scale_um / self.um_per_px / coarse, TEXTURE_RATIO)))
        if side > TEXTURE_PX:
            texture = np.pad(texture, (0, side - TEXTURE_PX), mode="symmetric")
        row, column = self.rng.integers(0, len(texture) - side + 1, 2)
        grid = texture[row : row + side, column : column + side]
        grid = grid[:: self.rng.choice((1, -1)), :: self.rng.choice((1, -1))]
        if coarse > 1:
            full = (side * coarse, side * coarse)
            grid = np.asarray(cv2.resize(grid, full, interpolation=cv2.INTER_LINEAR), np.float32)
        return grid[: self.size, : self.size]

    def inside(self, outline: F32, edge_um: float = 0.2) -> F32:
        """How much of each pixel lies inside, 0 to 1, over a soft edge."""
        edge = max(edge_um, self.um_per_px)
        return smoothstep(-0.5 * edge, 0.5 * edge, -outline)

    def ellipse(
        self, radius: float, aspect: float = 1.0, at: tuple[float, float] = (0.0, 0.0), rough: float = 0.0
    ) -> F32:
        """Outline of an ellipse of this mean radius, its contour shifted by `rough` µm of smooth noise."""
        a, b = radius * aspect**0.5, radius / aspect**0.5
        x = (self.x - np.float32(at[0])) * np.float32(1 / a)
        y = (self.y - np.float32(at[1])) * np.float32(1 / b)
        outline = (np.asarray(cv2.magnitude(x, y), np.float32) - 1) * np.float32(radius)
        if rough:
            outline += np.float32(rough) * (self.noise(6.0) + np.float32(0.3) * self.noise(2.5))
        return outline

    def chain(self, points: F32, radii: F32) -> F32:
        """Outline of a tube along `points` (k, 2) whose radius goes through `radii` (k,)."""
        outline = np.full(self.x.shape, np.inf, np.float32)
        for (ax, ay), (bx, by), ra, rb in zip(points[:-1], points[1:], radii[:-1], radii[1:], strict=True):
            dx, dy = bx - ax, by - ay
            px, py = self.x - ax, self.y - ay
            t = np.clip((px * dx + py * dy) / np.float32(max(dx * dx + dy * dy, 1e-6)), 0, 1)
            distance = np.asarray(cv2.magnitude(px - t * dx, py - t * dy), np.float32)
            np.minimum(outline, distance - (ra + t * (rb - ra)), out=outline)
        return outline

    def dent(self, outline: F32, hollow: F32, blend_um: float = 1.0) -> F32:
        """`outline` with `hollow` pressed out of it, the corners rounded over `blend_um`."""
        gap = outline + hollow
        h = np.clip(0.5 + 0.5 * gap / np.float32(blend_um), 0, 1)
        out: F32 = -hollow + gap * h + np.float32(blend_um) * h * (1 - h)
        return out

    def granules(self, outline: F32, spacing: float, radius: float, fill: float = 1.0) -> F32:
        """Round grains scattered inside `outline` on a jittered lattice, (n, n), about 1 at their middles.

        The lattice keeps grains from piling up, as packed granules do; `fill` is the share of taken sites.
        """
        step = spacing / self.um_per_px
        sites = np.arange(0, self.size, step)
        gx, gy = np.meshgrid(sites, sites)
        spots = np.stack([gx.ravel(), gy.ravel()]) + self.rng.uniform(0, step, (2, gx.size))
        spots = spots[:, self.rng.random(gx.size) < fill].astype(np.intp)
        spots = spots[:, (spots < self.size).all(0)]
        column, row = spots[:, outline[spots[1], spots[0]] < -0.5 * radius]
        grains = np.zeros((self.size, self.size), np.float32)
        grains[row, column] = self.rng.uniform(0.45, 1.1, len(row))
        sigma = max(0.7 * radius / self.um_per_px, 0.45)
        grains = np.asarray(cv2.GaussianBlur(grains, (0, 0), sigma), np.float32)
        return np.asarray(np.minimum(grains * np.float32(2 * np.pi * sigma * sigma), 1.3), np.float32)

    def lay(self, where: F32, **amounts: float | F32) -> None:
        """Add dyes, named in lower case, weighted by `where` (n, n)."""
        for name, amount in amounts.items():
            self.dyes[Dye[name.upper()]] += where * np.asarray(amount, np.float32)

    def thin(self, where: F32, share: float) -> None:
        """Take away this share of every dye, weighted by `where` (n, n)."""
        self.dyes *= 1 - np.float32(share) * where
