"""The pictures and outlines that the records keep, as they lie there."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from itertools import groupby
from operator import itemgetter

from edge.records.rows import Row
from edge.records.views import Views


class Kept(Views):
    """Asks a record store for pictures to be handed on."""

    def jpegs(self, column: str, slide: str, cells: Collection[int]) -> dict[int, bytes]:
        """Cell -> JPEG in column `crop` or `context` of its view; those that have one."""
        rows = self._pictured(column, slide, cells)
        return {row["cell"]: row["jpeg"] for row in rows}

    def thumbs(self, slide: str) -> Iterator[tuple[int, bytes]]:
        """Frame and grey JPEG of each field that the slide map kept, in order."""
        for number in self._numbers(slide, "thumb IS NOT NULL"):
            for row in self._rows("SELECT frame, thumb FROM readings WHERE id = ?", number):
                yield row["frame"], row["thumb"]

    def outlined(self, slide: str) -> Iterator[list[Row]]:
        """See `edge.report.pictures.Pictures.outlines`."""
        rows = self._rows(
            "SELECT readings.id, frame, source, width, height, cell, x0, y0, outline, nucleus "
            "FROM readings CROSS JOIN cells ON cells.reading = readings.id "
            "WHERE slide = ? AND outline IS NOT NULL ORDER BY readings.id, cells.id",
            slide,
        )
        for _, of_field in groupby(rows, itemgetter("id")):
            yield list(of_field)

    def whole_fields(self, slide: str) -> Iterator[Row]:
        """See `edge.report.pictures.Pictures.fields`."""
        for number in self._numbers(slide, "id IN (SELECT reading FROM fields)"):
            yield from self._rows(
                "SELECT frame, source, um_per_px, captured_at, width, height, jpeg "
                "FROM readings JOIN fields ON fields.reading = readings.id WHERE readings.id = ?",
                number,
            )

    def _numbers(self, slide: str, which: str) -> list[int]:
        rows = self._rows(f"SELECT id FROM readings WHERE slide = ? AND {which} ORDER BY id", slide)
        return [row["id"] for row in rows]

    def places(self, slide: str) -> list[Row]:
        """One row an accepted field, in order: `frame`, `width`, `height`, `um_per_px`,
        `um_per_px_from`, `focus`, `overlaps`, `kept`.

        `overlaps` as in `edge.types.Reading`, empty in slides of older versions; `kept`: it has a thumb.
        """
        rows = self._rows(
            "SELECT frame, width, height, um_per_px, um_per_px_from, focus, overlaps, "
            "thumb IS NOT NULL AS kept FROM readings "
            "WHERE slide = ? AND problems = '[]' AND fault IS NULL ORDER BY id",
            slide,
        )
        return [row | {"overlaps": json.loads(row["overlaps"] or "[]")} for row in rows]
