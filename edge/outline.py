"""The whole cell round each nucleus: the best closed outline, by dynamic programming in polar coordinates.

Rays go out from the middle of each nucleus. Along a ray every sample is rated as the cell's own or not
(glass, red cell, another cell's nucleus); the outline cuts each ray where the sum of ratings inside is
greatest and the picture changes most, and neighbouring rays near to each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.stain import Box, Cloud, Stain, density
from edge.types import F32, I32, Bools, Cells

ANGLES = 48
STEP_UM = 0.33
REACH_UM = 15.0  # from the middle of the nucleus: half of the largest promyelocytes and monocytes
CYTOPLASM_UM = 8.0  # and from its edge
SLOPE = 2  # steps by which neighbouring rays may differ
SLOPE_COST = 0.3  # for each of them, in samples
EDGE_GAIN = 4.0  # samples that a change of one unit of optical density outweighs
OUTWARD_COST = 0.05  # of each sample and µm from the nucleus: of two good outlines the tighter
PALEST = 0.25  # a cell's palest cytoplasm, as a share of its median
_RING_UM = (0.4, 1.6)  # beyond the nucleus, where nearly every cell has cytoplasm


@dataclass(frozen=True, eq=False)
class Nucleus:
    """A nucleus on the specimen grid: its box and its (h, w) bool mask in it."""

    box: Box
    mask: Bools

    @classmethod
    def of(cls, mask: Bools, box: Box) -> Nucleus:
        """Trim a mask that lies in `box` to the nucleus."""
        x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
        top, left = box[0].start + y, box[1].start + x
        return cls((slice(top, top + h), slice(left, left + w)), mask[y : y + h, x : x + w])

    @property
    def middle(self) -> tuple[float, float]:
        """x and y of its centroid."""
        y, x = np.nonzero(self.mask)
        return self.box[1].start + float(x.mean()), self.box[0].start + float(y.mean())


def outlines(stain: Stain, nuclei: list[Nucleus], frame_size: tuple[int, int]) -> Cells:
    """Draw the cell round each nucleus and measure both.

    Parameters
    ----------
    stain : the colours of the field.
    nuclei : on its grid, not overlapping.
    frame_size : height and width of the frame in its own pixels.
    """
    height, width = stain.smooth.shape[:2]
    if not nuclei:
        return Cells.none(height, width)
    number = np.zeros((height, width), np.uint16)
    for i, nucleus in enumerate(nuclei):
        number[nucleus.box][nucleus.mask] = i + 1
    middles = np.array([n.middle for n in nuclei], np.float32)
    turn = np.arange(ANGLES, dtype=np.float32) * np.float32(2 * np.pi / ANGLES)
    ways = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    steps = np.arange(1, round(REACH_UM / STEP_UM) + 1, dtype=np.float32)
    radii = steps * np.float32(STEP_UM / stain.pitch_um)
    samples = middles[:, None, None] + ways[None, :, None] * radii[:, None]
    cut = _best_cut(_value(stain, number, samples))
    radius = radii[cut]
    radius = (np.roll(radius, 1, axis=1) + 2 * radius + np.roll(radius, -1, axis=1)) / 4
    labels = _draw(nuclei, number, middles[:, None] + ways * radius[..., None])
    return measured(labels, number > 0, stain.pitch_um, frame_size)


def _value(stain: Stain, number: NDArray[np.uint16], samples: F32) -> F32:
    """(n, angles, radii) float32: how good it is to cut each ray at each sample."""
    n, angles, steps, _ = samples.shape
    x, y = (np.ascontiguousarray(samples[..., k]).reshape(n * angles, steps) for k in (0, 1))
    seen = cv2.remap(stain.smooth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    colours = density(np.asarray(seen, np.uint8)).reshape(n, angles, steps, 3)
    whose = cv2.remap(number, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT)
    whose = whose.reshape(n, angles, steps)
    own = whose == np.arange(1, n + 1)[:, None, None]
    order = np.arange(steps)
    last = (own * (order + 1)).max(axis=2, keepdims=True)  # samples up to where the ray leaves the nucleus
    beyond_um = (order - last) * np.float32(STEP_UM)
    other = (whose > 0) & ~own
    ring = (beyond_um > _RING_UM[0]) & (beyond_um < _RING_UM[1]) & ~other
    rating = np.stack([_belonging(stain, c, r) for c, r in zip(colours, ring, strict=True)])
    rating[order < last] = 1.0
    rating -= 5.0 * other + 4.0 * (beyond_um > CYTOPLASM_UM) + OUTWARD_COST * np.maximum(beyond_um, 0)
    mean = colours.mean(axis=-1)
    edge = np.zeros_like(mean)
    edge[..., 1:-1] = np.abs(mean[..., :-2] - mean[..., 2:])
    value = rating.cumsum(axis=2) + EDGE_GAIN * edge
    value[order < last - 1] = -1e3
    return np.asarray(value, np.float32)


def _belonging(stain: Stain, colours: F32, ring: Bools) -> F32:
    """-1 to 1, whether a colour on a cell's (angles, radii) rays is its own rather than glass or red cell.

    The ring round the nucleus shows what the cell's cytoplasm looks like. Where a ray has come out on glass
    the cell has ended.
    """
    glass = stain.glass.distance(colours)
    glass[colours.mean(axis=-1) < stain.glass.mean.mean()] = 0
    red = stain.red.distance(colours) ** 2 if stain.red else np.full(glass.shape, 99, np.float32)
    rating = np.clip((glass - 3.0) / 1.5, -1, 1)
    ring = ring & (glass > 3.5)
    unlike = ring & (red > 4)
    cytoplasm = unlike if np.count_nonzero(unlike) > 0.2 * np.count_nonzero(ring) else ring
    likelihood = red - 6
    if np.count_nonzero(cytoplasm) >= 30:
        typical = np.median(colours[cytoplasm], axis=0)
        share = colours @ (typical / (typical @ typical))
        rating = np.minimum(rating, np.clip((share - PALEST) / 0.1, -1, 1))
        covariance = np.outer(typical, typical).astype(np.float64) * 0.3**2 + np.eye(3) * 0.03**2
        likelihood = red - np.minimum(Cloud.shaped(typical, covariance).distance(colours) ** 2, 9)
    out = np.maximum.accumulate(rating < -0.5, axis=1)
    rating = np.minimum(rating, np.clip(likelihood / 3, -1, 1))
    return np.asarray(np.where(out, np.minimum(rating, -0.1), rating), np.float32)


def _best_cut(value: F32) -> I32:
    """(n, angles) index along each ray of the best closed outline.

    The rays are gone round one and a half times and the middle turn is kept, so that the ends meet.
    """
    n, angles, steps = value.shape
    lead = angles // 4
    turns = np.concatenate([value[:, -lead:], value, value[:, :lead]], axis=1).swapaxes(0, 1)
    came = np.zeros((len(turns), n, steps), np.int8)
    total = np.full((n, steps + 2 * SLOPE), -1e6, np.float32)
    inner = total[:, SLOPE:-SLOPE]
    inner[:] = turns[0]
    cost = SLOPE_COST * np.abs(np.arange(-SLOPE, SLOPE + 1, dtype=np.float32))
    windows = np.lib.stride_tricks.sliding_window_view(total, 2 * SLOPE + 1, axis=1)
    for a in range(1, len(turns)):
        options = windows - cost
        came[a] = options.argmax(axis=2)
        inner[:] = options.max(axis=2) + turns[a]
    path = np.zeros((len(turns), n), np.int32)
    path[-1] = inner.argmax(axis=1)
    each = np.arange(n)
    for a in range(len(turns) - 1, 0, -1):
        path[a - 1] = path[a] + came[a, each, path[a]] - SLOPE
    return np.asarray(path[lead : lead + angles].T)


def _draw(nuclei: list[Nucleus], number: NDArray[np.uint16], corners: F32) -> I32:
    """Labels from polygons (n, angles, 2) in x and y; where two overlap the nearer nucleus has it."""
    height, width = number.shape
    labels = np.zeros((height, width), np.int32)
    nearest: NDArray[np.uint16] | None = None
    for i, polygon in enumerate(corners):
        x0, y0 = np.clip(np.floor(polygon.min(axis=0)).astype(int), 0, (width - 1, height - 1))
        x1, y1 = np.clip(np.ceil(polygon.max(axis=0)).astype(int) + 1, 1, (width, height))
        box = np.s_[y0:y1, x0:x1]
        filled = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(filled, [np.rint((polygon - (x0, y0)) * 16).astype(np.int32)], 1, shift=4)
        inside = filled > 0
        if (inside & (labels[box] > 0)).any():
            nearest = _nearest(number) if nearest is None else nearest
            inside &= (labels[box] == 0) | (nearest[box] == i + 1)
        labels[box][inside] = i + 1
    for i, nucleus in enumerate(nuclei):
        labels[nucleus.box][nucleus.mask] = i + 1
    return labels


def _nearest(number: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Number of the nucleus nearest to each pixel, (h, w)."""
    outside = (number == 0).astype(np.uint8)
    _, source = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(source.max()) + 1, np.uint16)
    table[source[number > 0]] = number[number > 0]
    return np.asarray(table[source], np.uint16)


def measured(labels: I32, nuclei: Bools, pitch_um: float, frame_size: tuple[int, int]) -> Cells:
    """Cells from their labels, (h, w) int32 with none of 1 to n missing, and the nuclear part of them."""
    height, width = labels.shape
    where = np.flatnonzero(labels)
    y, x = np.divmod(where, width)
    which = labels.ravel()[where] - 1
    n = int(which.max()) + 1 if len(which) else 0
    size = np.bincount(which, minlength=n)
    low = np.full((n, 2), max(height, width), np.int64)
    high = np.zeros((n, 2), np.int64)
    for k, along in enumerate((x, y)):
        np.minimum.at(low[:, k], which, along)
        np.maximum.at(high[:, k], which, along + 1)
    middle = np.stack([np.bincount(which, along + 0.5, n) for along in (x, y)], axis=-1) / size[:, None]
    scale = np.array([frame_size[1] / width, frame_size[0] / height])
    boxes = np.concatenate([np.floor(low * scale), np.ceil(high * scale)], axis=1).astype(np.int32)
    nuclear = np.bincount(which[nuclei.ravel()[where]], minlength=n)
    return Cells(
        labels=labels,
        nuclei=nuclei,
        boxes_px=np.clip(boxes, 0, np.array(frame_size[::-1] * 2, np.int32)),
        centres_px=(middle * scale).astype(np.float32),
        area_um2=(size * pitch_um**2).astype(np.float32),
        nucleus_area_um2=(nuclear * pitch_um**2).astype(np.float32),
        cut=(low == 0).any(axis=1) | (high == (width, height)).any(axis=1),
    )
