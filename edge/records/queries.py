"""What the records hold, read back with true times."""

from __future__ import annotations

from collections.abc import Callable

from edge.records.boots import TrueTimes
from edge.records.rows import Row, decoded, decoded_cell

Rows = Callable[..., list[Row]]
"""Takes SQL and its values, gives the rows."""


def slides(rows: Rows) -> list[Row]:
    """As `Store.slides`."""
    # boots and their seconds are in order whatever the wall clock showed; older slides have neither
    found = rows("SELECT * FROM slides ORDER BY boot, started_s, started_at, id")
    times = _times(rows)
    return [_in_time(decoded(row, "classes", "tally"), times) for row in found]


def readings(rows: Rows, slide: str) -> list[Row]:
    """As `Store.readings`."""
    found = rows(
        "SELECT readings.*, slides.boot FROM readings JOIN slides ON slides.id = readings.slide "
        "WHERE slide = ? ORDER BY readings.id",
        slide,
    )
    times = _times(rows)
    for row in found:
        row["captured_at"], row["clock"] = times.of(row["boot"], row["captured_at"], row["captured_s"])
    return [decoded(row, "problems", "ms") for row in found]


def cells(rows: Rows, slide: str) -> list[Row]:
    """As `Store.cells`."""
    found = rows(
        "SELECT cells.*, readings.frame FROM cells JOIN readings ON readings.id = cells.reading "
        "WHERE readings.slide = ? ORDER BY cells.id",
        slide,
    )
    return [decoded_cell(row) for row in found]


def _times(rows: Rows) -> TrueTimes:
    return TrueTimes(rows("SELECT * FROM clock ORDER BY id"))


def _in_time(slide: Row, times: TrueTimes) -> Row:
    """The slide with true times instead of those written."""
    boot = slide["boot"]
    slide["started_at"], slide["clock"] = times.of(boot, slide["started_at"], slide["started_s"])
    if slide["finished_at"]:
        slide["finished_at"], _ = times.of(boot, slide["finished_at"], slide["finished_s"])
    return slide
