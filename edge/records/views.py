"""A slide's cells as people look at them: one view of each, its picture only when it is asked for.

A cell is seen in many frames. Its view is the one in which it was counted; else the one in which it was seen
first, which is the other one with a picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from edge.records.queries import Queries
from edge.records.rows import Row, decoded_cell, picture
from edge.types import U8

_FROM = "FROM readings CROSS JOIN cells ON cells.reading = readings.id WHERE readings.slide = ?"
"""CROSS: readings first, for only they have an index by slide."""


class Views(Queries):
    """Asks a record store for cells and their pictures."""

    def views(self, slide: str) -> list[Row]:
        """One row a cell, in the order in which they entered the tally, then the others as they were seen.

        The columns of table `cells` without pictures, `probabilities` (C,) float32, and the reading's
        `frame`, `source` and `um_per_px`. `settled` is true of what entered the tally; of slides of older
        versions only leukocytes are known to have.
        """
        rows = self._rows(
            "SELECT cells.id, cell, x0, y0, x1, y1, area_um2, nucleus_area_um2, class, probabilities, "
            "uncertain, certain, cut, new, counted, ifnull(settled, counted) AS settled, "
            f"frame, source, um_per_px {_FROM} AND (new OR counted OR settled) ORDER BY cells.id",
            slide,
        )
        chosen: dict[int, Row] = {}
        for row in rows:
            if row["cell"] not in chosen or row["settled"]:
                chosen[row["cell"]] = row
        ordered = sorted(chosen.values(), key=lambda row: (not row["settled"], row["id"]))
        return [decoded_cell(row) | {"settled": bool(row["settled"])} for row in ordered]

    def crop(self, slide: str, cell: int) -> U8 | None:
        """(S, S, 3) uint8 RGB, what the classifier saw of a cell; None where none was kept."""
        return self.crops(slide, [cell]).get(cell)

    def crops(self, slide: str, cells: Iterable[int]) -> dict[int, U8]:
        """The crops of several cells, those that were kept."""
        return self._pictures("crop", slide, cells)

    def surroundings(self, slide: str, cell: int) -> U8 | None:
        """(S, S, 3) uint8 RGB, the field round a cell worth a second look; None where it was not kept."""
        return self._pictures("context", slide, [cell]).get(cell)

    def _pictures(self, column: str, slide: str, cells: Iterable[int]) -> dict[int, U8]:
        rows = self._rows(
            f"SELECT cell, {column} AS jpeg {_FROM} AND cell IN (SELECT value FROM json_each(?)) "
            f"AND (new OR counted) AND {column} IS NOT NULL ORDER BY counted, cells.id DESC",
            slide,
            json.dumps([int(cell) for cell in cells]),
        )
        return {cell: picture(jpeg) for cell, jpeg in {row["cell"]: row["jpeg"] for row in rows}.items()}

    def known_cells(self, slide: str) -> set[int]:
        """The identities of the slide's cells."""
        return {row["cell"] for row in self._rows(f"SELECT cell {_FROM} AND new", slide)}
