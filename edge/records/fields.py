"""A slide's fields in the records: where each lies among the others, and its picture where one is kept."""

from __future__ import annotations

import json
from collections import defaultdict

import cv2
import numpy as np

from edge.records.queries import Queries
from edge.records.rows import Row
from edge.types import U8

_OUTSIDE = 75  # grey level of a thumbnail that is nearer to what is outside of the lit field than to a cell


class Fields(Queries):
    """Asks a record store for a slide's fields."""

    def placed(self, slide: str) -> list[Row]:
        """The slide's readings in order, each with its cells as the slide map takes them.

        The columns that say what was seen where: `frame`, `source`, `problems`, `repeated`, `um_per_px`,
        `um_per_px_from`, `width`, `height`; `overlaps` (None: written by an older version) and `thumb`
        ((h, w) uint8 or None), see `edge.types.Reading`; and `cells`, rows of `cell`, `x`, `y`, `settled`,
        `abstained`.
        """
        readings = self._rows(
            "SELECT id, frame, source, problems, repeated, um_per_px, um_per_px_from, width, height, "
            "overlaps, thumb FROM readings WHERE slide = ? ORDER BY id",
            slide,
        )
        cells: dict[int, list[Row]] = defaultdict(list)
        for cell in self._rows(
            "SELECT reading, cell, cells.x, cells.y, settled, abstained FROM readings "
            "CROSS JOIN cells ON cells.reading = readings.id WHERE slide = ? ORDER BY cells.id",
            slide,
        ):
            cells[cell["reading"]].append(cell)
        for row in readings:
            row["problems"] = json.loads(row["problems"])
            row["overlaps"] = _overlaps(row)
            row["thumb"] = None if row["thumb"] is None else thumb_of(row["thumb"])
            row["cells"] = cells[row["id"]]
        return readings

    def kept_fields(self, slide: str) -> list[Row]:
        """The readings whose whole pictures are kept, in order; see `field`.

        `reading`, which names the picture, `frame`, `source`, `um_per_px`, `width`, `height`, and `overlaps`
        as in `edge.types.Reading`.
        """
        rows = self._rows(
            "SELECT reading, frame, source, um_per_px, width, height, overlaps "
            "FROM readings JOIN fields ON fields.reading = readings.id WHERE slide = ? ORDER BY readings.id",
            slide,
        )
        return [row | {"overlaps": _overlaps(row) or []} for row in rows]

    def field(self, reading: int) -> bytes | None:
        """The whole picture of a reading as JPEG, in the camera's pixels; None where it was not kept."""
        for row in self._rows("SELECT jpeg FROM fields WHERE reading = ?", reading):
            return bytes(row["jpeg"])
        return None


def thumb_of(jpeg: bytes) -> U8:
    """(h, w) uint8, a field's thumbnail as it was kept: 0 outside of the lit field, as it was before."""
    thumb = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    if thumb is None:
        raise ValueError("a stored thumbnail cannot be decoded")
    return np.asarray(np.where(thumb < _OUTSIDE, 0, thumb), np.uint8)


def _overlaps(row: Row) -> list[tuple[int, float, float]] | None:
    kept = row["overlaps"]
    return None if kept is None else [(frame, x, y) for frame, x, y in json.loads(kept)]
