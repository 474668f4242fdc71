"""Cells drawn on the specimen grid, and measured there."""

from __future__ import annotations

import cv2
import numpy as np

from edge.cells.lobes import Box, spanning
from edge.cells.nuclei import EDGE, Nuclei
from edge.native import core
from edge.native import measure as compiled
from edge.optics.litfield import WHOLE, LitField
from edge.types import F32, F64, I32, Bools, Cells

_RIM_PX = 3  # one pixel inside the rim is filled with glass, and outlines end another one or two before


def drawn(nuclei: Nuclei, corners: F32, height: int, width: int) -> tuple[I32, Bools, list[Box]]:
    """Draw cells at twice the resolution of the grid that they were found on.

    Parameters
    ----------
    nuclei, corners : of each cell its nucleus and its outline, (n, corners, 2) x and y, on that grid.
    height, width : of the specimen.

    Returns
    -------
    Labels from 1, (h, w) int32; what is nucleus, (h, w) bool; a box that holds each cell.
    """
    if (library := core()) is not None:
        found = compiled.Grown(nuclei.labels, nuclei.rise, _corners(nuclei.boxes), EDGE)
        labels, nuclear, around = compiled.drawn(library, found, corners, height, width)
        return labels, nuclear, _boxes(around)
    labels, nuclear = np.zeros((height, width), np.int32), np.zeros((height, width), np.bool_)
    fine = corners * 2 + np.float32(0.5)
    ends = _corners(nuclei.boxes) * 2
    limits = (width, height)
    low = np.clip(np.minimum(np.floor(fine.min(axis=1)), ends[:, :2] - 2), 0, np.array(limits) - 1)
    high = np.clip(np.maximum(np.ceil(fine.max(axis=1)) + 1, ends[:, 2:] + 2), 1, limits)
    meet = ((low[:, None] < high) & (low < high[:, None])).all(axis=2).sum(axis=1) > 1
    boxes = _boxes(np.concatenate([low, high], axis=1).astype(np.int32))
    polygons = np.rint(fine * 16).astype(np.int32)
    for polygon, i in zip(polygons[~meet], np.flatnonzero(~meet).tolist(), strict=True):
        cv2.fillPoly(labels, [polygon], i + 1, shift=4)
    if meet.any():
        _fill_beside_each_other(labels, nuclei, polygons, boxes, np.flatnonzero(meet).tolist())
    for i, box in enumerate(nuclei.boxes):
        where, mask = _fine(nuclei, i, box, height, width)
        labels[where][mask] = i + 1
        nuclear[where] |= mask
    return labels, nuclear, boxes


def _fill_beside_each_other(
    labels: I32, nuclei: Nuclei, polygons: I32, boxes: list[Box], some: list[int]
) -> None:
    """Fill outlines that may overlap; where they do the nearer nucleus has it."""
    height, width = nuclei.labels.shape
    around = boxes[some[0]]
    for i in some:
        around = spanning(around, boxes[i])
    top, left = around[0].start // 2, around[1].start // 2
    there = nuclei.labels[top : -(-around[0].stop // 2), left : -(-around[1].stop // 2)]
    outside = (there == 0).view(np.uint8)
    _, source = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    owner = np.zeros(there.size + 1, np.uint16)
    owner[source[there > 0]] = there[there > 0]
    for i in some:
        rows, columns = boxes[i]
        filled = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint8)
        corner = np.array([columns.start, rows.start], np.int32)
        cv2.fillPoly(filled, [polygons[i] - 16 * corner], 1, shift=4)
        inside, taken = filled.view(np.bool_), labels[rows, columns]
        if (inside & (taken > 0)).any():
            y = np.minimum(np.arange(rows.start, rows.stop) // 2, height - 1) - top
            x = np.minimum(np.arange(columns.start, columns.stop) // 2, width - 1) - left
            nearest = owner[source[y[:, None], x]]
            inside &= (taken == 0) | (nearest == i + 1)
        taken[inside] = i + 1


def _fine(nuclei: Nuclei, i: int, box: Box, height: int, width: int) -> tuple[Box, Bools]:
    """A nucleus at the resolution of the specimen: its box and mask."""
    rows, columns = (slice(max(s.start - 1, 0), s.stop + 1) for s in box)
    rise, labels = nuclei.rise[rows, columns], nuclei.labels[rows, columns]
    own = (labels == i + 1).view(np.uint8)
    zone = np.where(labels, own, cv2.dilate(own, np.ones((3, 3), np.uint8)))
    size = (rise.shape[1] * 2, rise.shape[0] * 2)
    mask = np.asarray(cv2.resize(rise * zone, size, interpolation=cv2.INTER_LINEAR)) > EDGE
    top, left = rows.start * 2, columns.start * 2
    mask = mask[: height - top, : width - left]
    return (slice(top, top + mask.shape[0]), slice(left, left + mask.shape[1])), mask


def measured(labels: I32, nuclei: Bools, boxes: list[Box], pitch_um: float, lit: LitField = WHOLE) -> Cells:
    """Cells from their labels, (h, w) int32 from 1, the nuclear part of them, and a box that holds each.

    What touches the picture's edge or the rim of its lit field is cut.
    """
    height, width = labels.shape
    extent, middle, size, nuclear = _sizes(labels, nuclei, boxes)
    cut = (extent[:, :2] == 0).any(axis=1) | (extent[:, 2:] == (width, height)).any(axis=1)
    inside = lit.mask(height, width)
    if inside is not None:
        beside = cv2.erode(inside.view(np.uint8), np.ones((2 * _RIM_PX + 1, 2 * _RIM_PX + 1), np.uint8)) == 0
        cut |= np.isin(np.arange(1, len(boxes) + 1), labels[beside])
    return Cells(
        labels=labels,
        nuclei=nuclei,
        boxes=extent.astype(np.float32),
        centres=middle,
        area_um2=size * np.float32(pitch_um**2),
        nucleus_area_um2=nuclear * np.float32(pitch_um**2),
        cut=cut,
    )


def _sizes(labels: I32, nuclei: Bools, boxes: list[Box]) -> tuple[I32, F64, F32, F32]:
    """Of n cells the extents, (n, 4) xyxy, middles, (n, 2), and pixels, all and nuclear ones, (n,) both."""
    n = len(boxes)
    if (library := core()) is not None:
        found = compiled.measured(library, labels, nuclei, _corners(boxes))
        return found.extents, found.middles, found.pixels[:, 0], found.pixels[:, 1]
    extent, middle = np.zeros((n, 4), np.int32), np.zeros((n, 2), np.float64)
    size, nuclear = np.zeros(n, np.float32), np.zeros(n, np.float32)
    for i, box in enumerate(boxes):
        part = (labels[box] == i + 1).view(np.uint8)
        x, y, w, h = cv2.boundingRect(part)
        left, top = box[1].start, box[0].start
        extent[i] = left + x, top + y, left + x + w, top + y + h
        moments = cv2.moments(part, True)
        size[i] = moments["m00"]
        middle[i] = left + moments["m10"] / size[i] + 0.5, top + moments["m01"] / size[i] + 0.5
        nuclear[i] = cv2.countNonZero(nuclei[box].view(np.uint8) & part)
    return extent, middle, size, nuclear


def _corners(boxes: list[Box]) -> I32:
    """Boxes as an array, (n, 4) int32 xyxy."""
    ends = [(x.start, y.start, x.stop, y.stop) for y, x in boxes]
    return np.array(ends, np.int32).reshape(-1, 4)


def _boxes(corners: I32) -> list[Box]:
    """Boxes from an array, (n, 4) xyxy."""
    return [(slice(y0, y1), slice(x0, x1)) for x0, y0, x1, y1 in corners.tolist()]
