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

from edge.stain import Box, Cloud, Stain, density, typical
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
_THIRDS = np.full(3, 1 / 3, np.float32)
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
    labels, boxes = _draw(nuclei, number, middles[:, None] + ways * radius[..., None])
    return measured(labels, number > 0, boxes, stain.pitch_um, frame_size)


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
    rating = _belonging(stain, colours, ring)
    rating[order < last] = 1.0
    rating -= 5.0 * other + 4.0 * (beyond_um > CYTOPLASM_UM) + OUTWARD_COST * np.maximum(beyond_um, 0)
    mean = colours @ _THIRDS
    edge = np.zeros_like(mean)
    edge[..., 1:-1] = np.abs(mean[..., :-2] - mean[..., 2:])
    value = rating.cumsum(axis=2) + EDGE_GAIN * edge
    value[order < last - 1] = -1e3
    return np.asarray(value, np.float32)


def _belonging(stain: Stain, colours: F32, ring: Bools) -> F32:
    """-1 to 1, whether a colour on the (n, angles, radii) rays is the cell's own, not glass or red cell.

    The ring round the nucleus shows what the cell's cytoplasm looks like. Where a ray has come out on glass
    the cell has ended.
    """
    glass = stain.glass.distance(colours)
    glass[colours @ _THIRDS < stain.glass.mean.mean()] = 0
    red = stain.red.distance(colours) ** 2 if stain.red else np.full(glass.shape, 99, np.float32)
    rating = (glass - 3.0) / 1.5
    likelihood = red - 6
    ring = ring & (glass > 3.5)
    unlike = ring & (red > 4)
    for i in range(len(colours)):
        cytoplasm = unlike[i] if np.count_nonzero(unlike[i]) > 0.2 * np.count_nonzero(ring[i]) else ring[i]
        if np.count_nonzero(cytoplasm) < 30:
            continue
        usual = typical(colours[i][cytoplasm])
        share = colours[i] @ (usual / (usual @ usual))
        np.minimum(rating[i], (share - PALEST) / 0.1, out=rating[i])
        own = Cloud.shaped(usual, np.outer(usual, usual) * 0.3**2 + np.eye(3) * 0.03**2)
        likelihood[i] = red[i] - np.minimum(own.distance(colours[i]) ** 2, 9)
    out = np.maximum.accumulate(rating < -0.5, axis=2)
    rating = np.clip(np.minimum(rating, likelihood / 3), -1, 1)
    return np.asarray(np.where(out, np.minimum(rating, -0.1), rating), np.float32)


def _best_cut(value: F32) -> I32:
    """(n, angles) index along each ray of the best closed outline.

    The rays are gone round more than once and the middle turn is kept, so that the ends meet.
    """
    n, angles, steps = value.shape
    lead = angles // 4
    turns = np.concatenate([value[:, -lead:], value, value[:, :lead]], axis=1).swapaxes(0, 1)
    best = np.full((len(turns), n, steps + 2 * SLOPE), -1e6, np.float32)
    best[:, :, SLOPE:-SLOPE] = turns
    for a in range(1, len(turns)):
        before = best[a - 1]
        reached = before[:, SLOPE:-SLOPE].copy()
        for d in range(1, SLOPE + 1):
            aside = np.maximum(before[:, SLOPE - d : -SLOPE - d], before[:, SLOPE + d : steps + SLOPE + d])
            np.maximum(reached, aside - d * SLOPE_COST, out=reached)
        best[a, :, SLOPE:-SLOPE] += reached
    path = np.zeros((len(turns), n), np.int32)
    path[-1] = best[-1].argmax(axis=1)
    each = np.arange(n)[:, None]
    moves = np.arange(-SLOPE, SLOPE + 1)
    for a in range(len(turns) - 1, 0, -1):
        from_where = best[a - 1][each, path[a][:, None] + moves] - SLOPE_COST * np.abs(moves)
        path[a - 1] = path[a] + from_where.argmax(axis=1) - SLOPE
    return np.asarray(path[lead : lead + angles].T - SLOPE)


def _draw(nuclei: list[Nucleus], number: NDArray[np.uint16], corners: F32) -> tuple[I32, list[Box]]:
    """Labels from polygons (n, angles, 2) in x and y, and a box that holds each.

    Where two overlap the nearer nucleus has it.
    """
    height, width = number.shape
    labels = np.zeros((height, width), np.int32)
    nearest: NDArray[np.uint16] | None = None
    boxes = []
    lows = np.clip(np.floor(corners.min(axis=1)).astype(int), 0, (width - 1, height - 1)).tolist()
    highs = np.clip(np.ceil(corners.max(axis=1)).astype(int) + 1, 1, (width, height)).tolist()
    for i, (polygon, (x0, y0), (x1, y1)) in enumerate(zip(corners, lows, highs, strict=True)):
        rows, columns = nuclei[i].box  # the nucleus may stick out of a smoothed outline
        x0, y0 = min(x0, columns.start), min(y0, rows.start)
        x1, y1 = max(x1, columns.stop), max(y1, rows.stop)
        box = (slice(y0, y1), slice(x0, x1))
        boxes.append(box)
        filled = np.zeros((y1 - y0, x1 - x0), np.uint8)
        cv2.fillPoly(filled, [np.rint((polygon - (x0, y0)) * 16).astype(np.int32)], 1, shift=4)
        inside = filled > 0
        if (inside & (labels[box] > 0)).any():
            nearest = _nearest(number) if nearest is None else nearest
            inside &= (labels[box] == 0) | (nearest[box] == i + 1)
        labels[box][inside] = i + 1
    for i, nucleus in enumerate(nuclei):
        labels[nucleus.box][nucleus.mask] = i + 1
    return labels, boxes


def _nearest(number: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Number of the nucleus nearest to each pixel, (h, w)."""
    outside = (number == 0).astype(np.uint8)
    _, source = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    table = np.zeros(int(source.max()) + 1, np.uint16)
    table[source[number > 0]] = number[number > 0]
    return np.asarray(table[source], np.uint16)


def measured(
    labels: I32, nuclei: Bools, boxes: list[Box], pitch_um: float, frame_size: tuple[int, int]
) -> Cells:
    """Cells from their labels, (h, w) int32 from 1, the nuclear part of them, and a box that holds each."""
    height, width = labels.shape
    n = len(boxes)
    extent = np.zeros((n, 4), np.int64)
    middle = np.zeros((n, 2), np.float64)
    size, nuclear = np.zeros(n, np.float32), np.zeros(n, np.float32)
    for i, box in enumerate(boxes):
        part = (labels[box] == i + 1).astype(np.uint8)
        x, y, w, h = cv2.boundingRect(part)
        left, top = box[1].start, box[0].start
        extent[i] = left + x, top + y, left + x + w, top + y + h
        moments = cv2.moments(part, True)
        size[i] = moments["m00"]
        middle[i] = left + moments["m10"] / size[i] + 0.5, top + moments["m01"] / size[i] + 0.5
        nuclear[i] = np.count_nonzero(nuclei[box] & (part > 0))
    scale = np.array([frame_size[1] / width, frame_size[0] / height])
    low, high = np.floor(extent[:, :2] * scale), np.ceil(extent[:, 2:] * scale)
    edges = np.concatenate([low, high], axis=1).astype(np.int32)
    return Cells(
        labels=labels,
        nuclei=nuclei,
        boxes_px=np.minimum(edges, np.array(frame_size[::-1] * 2, np.int32)),
        centres_px=(middle * scale).astype(np.float32),
        area_um2=size * np.float32(pitch_um**2),
        nucleus_area_um2=nuclear * np.float32(pitch_um**2),
        cut=(extent[:, :2] == 0).any(axis=1) | (extent[:, 2:] == (width, height)).any(axis=1),
    )
