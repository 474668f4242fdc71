"""What the records hold, read back with true times."""

from __future__ import annotations

from abc import ABC, abstractmethod

from edge.records.boots import TrueTimes
from edge.records.rows import Row, decoded, decoded_cell
from edge.records.states import boot_of
from edge.types.problems import commonest


class Queries(ABC):
    """What a record store is asked; the store itself says how rows are got."""

    @abstractmethod
    def _rows(self, sql: str, *values: object) -> list[Row]:
        """The rows that a statement with these values gives."""

    def slides(self) -> list[Row]:
        """Every slide, the oldest first: columns of table `slides`, those that hold JSON decoded.

        `started_at` and `finished_at` are true times as far as they are known, and `clock` says what they
        are: 'set', 'corrected', 'not set' or 'unknown' (see `edge.records.boots`).
        """
        return self._slides()

    def _slides(self, which: str = "", *values: object) -> list[Row]:
        """The slides that a WHERE clause leaves."""
        # boots and their seconds are in order whatever the wall clock showed; older slides have neither
        found = self._rows(f"SELECT * FROM slides {which} ORDER BY boot, started_s, started_at, id", *values)
        times = self._times()
        return [
            _in_time(decoded(row, "classes", "rules", "site", "caveats", "tally", "gone_on"), times)
            for row in in_order(found, times)
        ]

    def readings(self, slide: str) -> list[Row]:
        """The slide's readings in order: the columns of table `readings`, `problems` and `ms` decoded.

        `captured_at` is the true time as far as it is known, and `clock` says what it is, as of `slides`.
        """
        found = self._rows(
            "SELECT readings.*, slides.boot AS first FROM readings JOIN slides ON slides.id = readings.slide "
            "WHERE slide = ? ORDER BY readings.id",
            slide,
        )
        times = self._times()
        for row in found:
            first = row.pop("first")
            row["boot"] = row["boot"] or first
            row["captured_at"], row["clock"] = times.of(row["boot"], row["captured_at"], row["captured_s"])
        return [decoded(row, "problems", "ms") for row in found]

    def fields(self, slide: str) -> Row:
        """How many of its fields were read (`frames`), turned down (`rejected`), and showed nothing new.

        `trouble` is what was the matter with most of those turned down; see `edge.types.Tally`.
        """
        (row,) = self._rows(
            "SELECT count(*) AS frames, ifnull(sum(problems != '[]'), 0) AS rejected, "
            "ifnull(sum(repeated), 0) AS repeated FROM readings WHERE slide = ?",
            slide,
        )
        return row | {"trouble": commonest(self.problems(slide))}

    def problems(self, slide: str) -> dict[str, int]:
        """Why fields were turned down -> how many, in the order in which these came up first."""
        rows = self._rows(
            "SELECT problem.value AS problem, count(*) AS times FROM readings, json_each(problems) AS problem"
            " WHERE slide = ? GROUP BY problem.value ORDER BY min(readings.id)",
            slide,
        )
        return {row["problem"]: row["times"] for row in rows}

    def cells(self, slide: str) -> list[Row]:
        """The slide's cells, frame by frame: the columns of table `cells` and the reading's `frame`.

        `probabilities` is (C,) float32; `crop` is (S, S, 3) uint8 RGB, None where a cell is only seen again;
        `context`, the field round it, is kept for fewer still (see `edge.records.rows.cell_rows`).
        """
        found = self._rows(
            "SELECT cells.*, readings.frame FROM cells JOIN readings ON readings.id = cells.reading "
            "WHERE readings.slide = ? ORDER BY cells.id",
            slide,
        )
        return [decoded_cell(row) for row in found]

    def _times(self) -> TrueTimes:
        return TrueTimes(self._rows("SELECT * FROM clock ORDER BY id"))


def in_order(slides: list[Row], times: TrueTimes) -> list[Row]:
    """Slides of several stores, each store's in order, as one: the oldest first.

    Boots are numbered by the store that holds the slides now, in no order with those of others. A slide whose
    time nobody knows stays behind the one before it in its own store.
    """
    if len({slide["origin"] for slide in slides}) < 2:
        return slides
    latest: dict[str, str] = {}
    begun = []
    for slide in slides:
        at, clock = times.of(slide["boot"], slide["started_at"], slide["started_s"])
        before = latest.get(slide["origin"], "")
        latest[slide["origin"]] = before if clock == "not set" else max(before, at)
        begun.append(latest[slide["origin"]])
    return [slides[i] for i in sorted(range(len(slides)), key=begun.__getitem__)]


def _in_time(slide: Row, times: TrueTimes) -> Row:
    """The slide with true times instead of those written."""
    boot = slide["boot"]
    slide["started_at"], slide["clock"] = times.of(boot, slide["started_at"], slide["started_s"])
    if slide["finished_at"]:
        slide["finished_at"], _ = times.of(boot_of(slide), slide["finished_at"], slide["finished_s"])
    return slide
