"""Outlines of cells and nuclei as the records keep them, in a few hundred bytes, and drawn again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.native import core
from edge.native import rings as compiled
from edge.types import F64, I32, Bools, CellsInFrame

_BREAK = -32768  # between two rings: no outline of a cell is that far from its box


def outlines(cells: CellsInFrame, which: Sequence[int] | NDArray[np.intp]) -> list[tuple[bytes, bytes]]:
    """The outer rings of some cells and of their nuclei, as the records keep them.

    Little-endian int16 pairs x, y in pixels of the frame, from the corner of the cell's box; rings of what
    lies in several parts, as the lobes of a nucleus do, are parted by a pair of -32768. Where a ring runs
    straight on, only its ends are kept.
    """
    found = cells.found
    height, width = found.labels.shape
    scale = cells.width / max(width, 1)
    low, high = np.floor(found.boxes[which, :2]), np.ceil(found.boxes[which, 2:])
    boxes = np.concatenate([low, high], axis=1).clip(0, (width, height) * 2).astype(np.int32)
    origins = cells.boxes_px[which, :2]
    numbers = np.asarray(which, np.int32) + 1
    if (library := core()) is not None:
        return compiled.rings(library, found.labels, found.nuclei, numbers, boxes, origins, scale)
    kept = []
    for number, (x0, y0, x1, y1), origin_px in zip(numbers, boxes.tolist(), origins, strict=True):
        whole = found.labels[y0:y1, x0:x1] == number
        nucleus = whole & found.nuclei[y0:y1, x0:x1]
        corner = np.array([x0, y0]) + 0.5
        kept.append((_kept(whole, corner, scale, origin_px), _kept(nucleus, corner, scale, origin_px)))
    return kept


def rings(kept: bytes) -> list[I32]:
    """(k, 2) int32 each, x and y in pixels of the frame from the corner of the cell's box."""
    points = np.frombuffer(kept, "<i2").reshape(-1, 2).astype(np.int32)
    breaks = np.flatnonzero(points[:, 0] == _BREAK)
    parts = np.split(points, breaks)
    return [part[part[:, 0] != _BREAK] for part in parts if len(part)]


def draw(labels: I32, kept: bytes, corner_px: tuple[int, int], number: int) -> None:
    """Fill an outline into a label image, (H, W) int32."""
    polygons = [ring + np.array(corner_px, np.int32) for ring in rings(kept) if len(ring)]
    if polygons:
        cv2.fillPoly(labels, polygons, number)


def _kept(mask: Bools, corner: F64, scale: float, origin_px: I32) -> bytes:
    """The outer rings of a mask whose first pixel has its middle at `corner`."""
    found, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    gap = np.full((1, 2), _BREAK)
    parts: list[NDArray[Any]] = []
    for ring in found:
        parts += [gap] * bool(parts) + [np.rint((ring[:, 0] + corner) * scale - 0.5) - origin_px]
    return np.concatenate(parts).astype("<i2").tobytes() if parts else b""
