"""Outlines of cells and nuclei as the records keep them, in a few hundred bytes, and drawn again."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from edge.types import I32, CellsInFrame

_BREAK = -32768  # between two rings: no outline of a cell is that far from its box


def outlines(cells: CellsInFrame, i: int) -> tuple[bytes, bytes]:
    """The outer rings of the i-th cell and of its nucleus, as the records keep them.

    Little-endian int16 pairs x, y in pixels of the frame, from the corner of the cell's box; rings of a
    nucleus in several lobes are parted by a pair of -32768.
    """
    found = cells.found
    height, width = found.labels.shape
    scale = cells.width / max(width, 1)
    x0, y0 = np.floor(found.boxes[i, :2]).astype(int).clip(0).tolist()
    x1, y1 = np.ceil(found.boxes[i, 2:]).astype(int).clip(0, (width, height)).tolist()
    whole = found.labels[y0:y1, x0:x1] == i + 1
    nucleus = whole & found.nuclei[y0:y1, x0:x1]
    corner = np.array([x0, y0]) + 0.5
    cell, core = (_encoded(_rings(part), corner, scale, cells.boxes_px[i, :2]) for part in (whole, nucleus))
    return cell, core


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


def _rings(mask: np.ndarray) -> Iterator[np.ndarray]:
    found, _ = cv2.findContours(mask.view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    for ring in found:
        yield ring[:, 0]


def _encoded(found: Iterator[np.ndarray], corner: np.ndarray, scale: float, origin_px: np.ndarray) -> bytes:
    gap = np.full((1, 2), _BREAK)
    parts: list[np.ndarray] = []
    for ring in found:
        parts += [gap] * bool(parts) + [np.rint((ring + corner) * scale - 0.5) - origin_px]
    if not parts:
        return b""
    points = parts[0] if len(parts) == 1 else np.concatenate(parts)
    return points.astype("<i2").tobytes()
