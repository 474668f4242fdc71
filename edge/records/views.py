"""A slide's cells as people look at them: one view of each, its picture only when it is asked for.

A cell is seen in many frames. Its view is the one in which it was counted; else the one in which it was seen
first, which is the other one with a picture.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from edge.records.queries import Queries
from edge.records.rows import Row, decoded_cell, picture
from edge.types import U8

_FROM = "FROM readings CROSS JOIN cells ON cells.reading = readings.id WHERE readings.slide = ?"
"""CROSS: readings first, for only they have an index by slide."""


class Views(Queries):
    """Asks a record store for cells and their pictures."""

    _last: tuple[str, dict[int, int]] = "", {}  # slide asked for last: cell -> number of its row

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
        self._last = slide, {cell: row["id"] for cell, row in chosen.items()}
        ordered = sorted(chosen.values(), key=lambda row: (not row["settled"], row["id"]))
        return [decoded_cell(row) | {"settled": bool(row["settled"])} for row in ordered]

    def settled(self, slide: str) -> list[tuple[int, str]]:
        """Cell and class of what entered the tally, in order."""
        rows = self._rows(f"SELECT cell, class {_FROM} AND ifnull(settled, counted) ORDER BY cells.id", slide)
        return [(row["cell"], row["class"]) for row in rows]

    def undecided(self, slide: str) -> int:
        """How many cells no view was sure of, which would have entered the tally; of older slides about."""
        (row,) = self._rows(
            "SELECT count(*) AS n FROM (SELECT max(ifnull(settled, counted)) AS settled, "
            f"max(ifnull(abstained, uncertain AND NOT cut)) AS abstained {_FROM} GROUP BY cell) "
            "WHERE abstained AND NOT settled",
            slide,
        )
        return int(row["n"])

    def crop(self, slide: str, cell: int) -> U8 | None:
        """(S, S, 3) uint8 RGB, what the classifier saw of a cell; None where none was kept."""
        return self.crops(slide, [cell]).get(cell)

    def crops(self, slide: str, cells: Collection[int]) -> dict[int, U8]:
        """The crops of several cells, those that were kept."""
        return self._pictures("crop", slide, cells)

    def surroundings(self, slide: str, cell: int) -> U8 | None:
        """(S, S, 3) uint8 RGB, the field round a cell worth a second look; None where it was not kept."""
        return self._pictures("context", slide, [cell]).get(cell)

    def _pictures(self, column: str, slide: str, cells: Collection[int]) -> dict[int, U8]:
        return {row["cell"]: picture(row["jpeg"]) for row in self._pictured(column, slide, cells)}

    def _pictured(self, column: str, slide: str, cells: Collection[int]) -> list[Row]:
        """`cell` and `jpeg`, the picture in this column of its view; of those that have one."""
        known = self._seen(slide, cells)
        return self._rows(
            f"SELECT cell, {column} AS jpeg FROM cells WHERE id IN (SELECT value FROM json_each(?)) "
            f"AND {column} IS NOT NULL",
            json.dumps([known[cell] for cell in cells if cell in known]),
        )

    def _seen(self, slide: str, cells: Collection[int]) -> Mapping[int, int]:
        """The slide's cells, these among them if it has them, and the rows of their views."""
        if self._last[0] != slide or not self._last[1].keys() >= set(cells):
            self.views(slide)
        return self._last[1]
