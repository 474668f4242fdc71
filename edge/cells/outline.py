"""The whole cell round each nucleus: the best closed outline, by dynamic programming in polar coordinates.

Rays go out from the middle of each nucleus. Along a ray every sample is rated as the cell's own or not
(glass, red cell, another cell's nucleus); the outline cuts each ray where the sum of ratings inside is
greatest and the picture changes most, and neighbouring rays near to each other.
"""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cells.lobes import U16
from edge.cells.nuclei import Nuclei
from edge.cells.stain import THIRDS, Stain, density, weighted
from edge.native import core
from edge.native import outlines as compiled
from edge.types import F32, Bools

ANGLES = 40
STEP_UM = 0.33
REACH_UM = 15.0  # from the middle of the nucleus: half of the largest promyelocytes and monocytes
CYTOPLASM_UM = 8.0  # and from its edge
SLOPE_COST = 0.3  # of each step by which neighbouring rays differ, in samples; they differ by two at most
EDGE_GAIN = 4.0  # samples that a change of one unit of optical density outweighs
OUTWARD_COST = 0.05  # of each sample and µm from the nucleus: of two good outlines the tighter
PALEST = 0.25  # a cell's palest cytoplasm, as a share of its median

_STEPS = round(REACH_UM / STEP_UM)
_ORDER = np.arange(_STEPS)
_RING = np.arange(2, 6)  # samples beyond the nucleus, where nearly every cell has cytoplasm
_ENOUGH = 0.2  # of the ring must show cytoplasm, or its colour is not known
_NEVER = np.float32(-1e3)
_TOGETHER = 12  # cells whose rays are cast at once: their colours stay below the size of a picture


def _costs() -> F32:
    """What a sample costs because it lies far out, by the samples from the nucleus to it and `_STEPS`."""
    beyond_um = np.arange(-_STEPS, _STEPS) * STEP_UM
    costs = 4.0 * (beyond_um > CYTOPLASM_UM) + OUTWARD_COST * np.maximum(beyond_um, 0)
    return np.asarray(costs, np.float32)


def _ways() -> F32:
    """Directions of the rays, (`ANGLES`, 2) x and y."""
    turn = np.arange(ANGLES, dtype=np.float32) * np.float32(2 * np.pi / ANGLES)
    return np.stack([np.cos(turn), np.sin(turn)], axis=-1)


_COST = _costs()
_WAYS = _ways()
_DENSITY = density(np.arange(256, dtype=np.uint8)[None])[0]


def outlines(stain: Stain, nuclei: Nuclei) -> F32:
    """Corners of the cell round each nucleus, (n, `ANGLES`, 2) float32 x and y on the stain's grid."""
    radii = (_ORDER + 1).astype(np.float32) * np.float32(STEP_UM / stain.pitch_um)
    if (library := core()) is not None:
        red = None if stain.red is None else stain.red.whitening
        colours = compiled.Colours(_DENSITY, stain.glass.whitening, red, float(stain.glass.mean.mean()))
        rays = compiled.Rays(_WAYS, radii, _COST, SLOPE_COST, EDGE_GAIN, PALEST)
        return compiled.outlines(library, stain.half, nuclei.labels, nuclei.middles, colours, rays)
    middles = nuclei.middles[:, None]
    values = np.empty((len(middles), ANGLES, _STEPS), np.float32)
    for first in range(0, len(middles), _TOGETHER):
        some = slice(first, first + _TOGETHER)
        x, y = (middles[some, :, k, None] + _WAYS[:, k, None] * radii for k in (0, 1))
        owners = np.arange(first + 1, first + 1 + len(x), dtype=np.uint16)
        values[some] = _value(stain, nuclei.labels, x, y, owners)
    radius = radii[_best_cut(values)]
    radius = (np.roll(radius, 1, axis=1) + 2 * radius + np.roll(radius, -1, axis=1)) / 4
    return np.asarray(middles + _WAYS * radius[..., None], np.float32)


def _value(stain: Stain, labels: U16, x: F32, y: F32, owners: U16) -> F32:
    """(n, angles, radii) float32: how good it is to cut each ray at each sample.

    Parameters
    ----------
    x, y : (n, angles, radii), where the samples lie. owners : (n,) label of each ray's own nucleus.
    """
    shape = x.shape
    x, y = x.reshape(-1, _STEPS), y.reshape(-1, _STEPS)
    seen = cv2.remap(stain.half, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    whose = cv2.remap(labels, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT).reshape(shape)
    own = whose == owners[:, None, None]
    other = (whose > 0) ^ own
    last = np.where(own.any(axis=2), _STEPS - own[..., ::-1].argmax(axis=2), 0)  # the ray leaves the nucleus
    colours = density(np.asarray(seen, np.uint8))
    mean = weighted(colours, THIRDS).reshape(shape)
    value = _belonging(stain, colours, mean, other, last)
    beyond = _ORDER - last[..., None]
    value[beyond < 0] = 1
    value -= np.float32(5) * other
    value -= _COST.take(beyond + _STEPS)
    np.cumsum(value, axis=2, out=value)
    value[..., 1:-1] += np.float32(EDGE_GAIN) * np.abs(mean[..., :-2] - mean[..., 2:])
    value[beyond < -1] = _NEVER
    return value


def _belonging(stain: Stain, colours: F32, mean: F32, other: Bools, last: NDArray[np.intp]) -> F32:
    """-1 to 1, whether a colour on the (n, angles, radii) rays is the cell's own, not glass or red cell.

    The ring round the nucleus shows what the cell's cytoplasm looks like. Where a ray has come out on glass
    the cell has ended. `colours` are spent afterwards.
    """
    shape = mean.shape
    glass = stain.glass.distance2(colours).reshape(shape)
    np.sqrt(glass, out=glass)
    glass *= mean >= np.float32(stain.glass.mean.mean())
    red = np.full(shape, 99, np.float32) if stain.red is None else stain.red.distance2(colours).reshape(shape)
    usual, known = _cytoplasm(colours, glass, red, other, last)
    share, own = _likeness(colours.reshape(len(usual), -1, 3), usual)
    share[~known], own[~known] = np.inf, 6
    glass -= 3
    glass /= 1.5
    share -= PALEST
    share /= 0.1
    rating = np.minimum(glass, share.reshape(shape), out=glass)
    gone = rating < -0.5
    end = np.where(gone.any(axis=2), gone.argmax(axis=2), _STEPS)
    red -= np.minimum(own, 9, out=own).reshape(shape)
    red /= 3
    np.minimum(rating, red, out=rating)
    np.minimum(rating, 1, out=rating)
    np.maximum(rating, -1, out=rating)
    return np.minimum(rating, -0.1, out=rating, where=end[..., None] <= _ORDER)


def _cytoplasm(colours: F32, glass: F32, red: F32, other: Bools, last: NDArray[np.intp]) -> tuple[F32, Bools]:
    """Each cell's median colour in the ring round its nucleus, (n, 3), and whether enough shows there."""
    n = len(glass)
    rank = last[..., None] + _RING
    at = np.minimum(rank, _STEPS - 1) + np.arange(0, glass.size, _STEPS).reshape(n, ANGLES, 1)
    ring = (rank < _STEPS) & ~other.take(at) & (glass.take(at) > 3.5)
    unlike = ring & (red.take(at) > 4)
    few = np.count_nonzero(unlike, axis=(1, 2)) <= 0.2 * np.count_nonzero(ring, axis=(1, 2))
    ring = np.where(few[:, None, None], ring, unlike).reshape(n, -1)
    seen = colours.reshape(-1, 3).take(at.ravel(), axis=0)
    seen[~ring.ravel()] = np.inf
    ordered = np.sort(seen.reshape(n, -1, 3).swapaxes(1, 2), axis=2)
    count = np.count_nonzero(ring, axis=1)
    known = count >= _ENOUGH * ring.shape[1]
    usual = ordered[np.arange(n), :, count // 2 * known]
    return np.where(known[:, None], usual, np.float32(1)), known


def _likeness(colours: F32, usual: F32) -> tuple[F32, F32]:
    """How (n, k, 3) colours compare with each cell's usual one, (n, k) both; the colours are spent.

    Returns
    -------
    Density as a share of the usual, and the squared Mahalanobis distance from a cloud of colours whose
    thickness varies by 0.3 and which scatters by 0.03 besides. Its covariance is a multiple of the identity
    plus one of rank one, whose inverse is known (Sherman and Morrison 1950).
    """
    noise2, thickness2 = np.float32(0.03**2), np.float32(0.3**2)
    size = (usual * usual).sum(axis=1, keepdims=True)
    share = np.matmul(colours, (usual / size)[..., None])[..., 0]
    np.multiply(colours, colours, out=colours)
    own = np.asarray(cv2.transform(colours, np.ones((1, 3))), np.float32)
    along = share - 1
    own -= (share + along) * size
    along *= along
    along *= size * size * (thickness2 / (noise2 + thickness2 * size))
    own -= along
    own /= noise2
    return share, own


def _best_cut(value: F32) -> NDArray[np.intp]:
    """(n, angles) index along each ray of the best closed outline.

    The best way to each sample from before and the best one from behind are followed at once; together they
    tell how good an outline through it can be. A quarter turn of lead lets the ends meet.
    """
    n, angles, steps = value.shape
    lead = angles // 4
    forth = np.arange(-lead, angles) % angles
    best = np.full((len(forth), 2, n, steps + 4), 1e3 * _NEVER, np.float32)
    rays = value.swapaxes(0, 1)
    best[:, 0, :, 2:-2] = rays[forth]
    best[:, 1, :, 2:-2] = rays[angles - 1 - forth]
    rows = best.reshape(len(forth), -1)
    for before, here in pairwise(rows):
        step = np.maximum(before[:-2], before[2:])
        step -= SLOPE_COST
        np.maximum(step, before[1:-1], out=step)
        two = np.maximum(step[:-2], step[2:])
        two -= SLOPE_COST
        np.maximum(two, step[1:-1], out=two)
        here[2:-2] += two
    best = best[lead:, :, :, 2:-2]
    return np.ascontiguousarray((best[:, 0] + best[::-1, 1] - rays).argmax(axis=2).T)
