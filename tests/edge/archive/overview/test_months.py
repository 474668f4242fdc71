"""Months: counts and medians of rows that come by the batch, and what is said of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from edge.archive.overview.drift import MEASURES, departures, trends, unbroken, usual
from edge.archive.overview.months import FIELDS, SLIDES, UNKNOWN, Month, Months
from edge.archive.screening.rows import schemas
from tests.edge.archive import made

_SCHEMAS = schemas(("blast", "neutrophil"))
_FIELD = {
    "taken_at": "2025-03-01", "um_per_px": 0.1, "um_per_px_from": "given", "problems": [], "sharpness": 0.5,
    "brightness": 0.7, "fault": None,
}  # fmt: skip
_SLIDE = {
    "taken_at": "2025-03-01", "cells_counted": 90, "uncertain": 10, "blast_fraction": 0.01,
    "finding": "no-blasts-seen",
}  # fmt: skip


def _months(fields: list[dict[str, Any]], slides: list[dict[str, Any]] | None = None) -> dict[str, Month]:
    found = Months()
    for one in fields:  # a batch each: what is told does not depend on how they come
        found.fields(pa.RecordBatch.from_pylist([_FIELD | one], _SCHEMAS["fields"]).select(list(FIELDS)))
    rows = [_SLIDE | one for one in slides or []]
    found.slides(pa.RecordBatch.from_pylist(rows, _SCHEMAS["slides"]).select(list(SLIDES)))
    return {month.name: month for month in found.all()}


def test_fields_are_counted_by_month_and_medians_are_exact() -> None:
    found = _months(
        [{"sharpness": value} for value in (0.9, 0.1, 0.3)] + [{"taken_at": "2025-04-30T23:59:59Z"}]
    )
    assert list(found) == ["2025-03", "2025-04"]
    assert (found["2025-03"].fields, found["2025-03"].sharpness) == (3, 0.3)


@pytest.mark.parametrize("date", [None, "", "yesterday", "2025-13-01", "2025", "03/01/2025"])
def test_what_has_no_date_comes_last_and_is_counted(date: str | None) -> None:
    found = _months([{"taken_at": date}, {}])
    assert list(found) == ["2025-03", UNKNOWN]
    assert found[UNKNOWN].fields == 1


def test_what_cannot_be_read_is_turned_down_and_tells_nothing_of_light_and_focus() -> None:
    fault = {"fault": "cut short", "problems": ["unreadable: cut short"], "sharpness": 0.0, "um_per_px": 1.0}
    month = _months([{}, fault])["2025-03"]
    assert (month.rejected, month.sharpness, month.um_per_px) == (0.5, 0.5, 0.1)
    alone = _months([fault])["2025-03"]
    assert alone.rejected == 1
    assert alone.sharpness is None


def test_an_assumed_scale_is_not_told_as_measured() -> None:
    assert _months([{"um_per_px_from": "nominal"}])["2025-03"].um_per_px is None


def test_slides_tell_uncertain_cells_blasts_and_who_needs_somebody() -> None:
    slides = [{}, {}, {"finding": "refer", "blast_fraction": 0.9, "cells_counted": 20, "uncertain": 0}]
    month = _months([{}], slides)["2025-03"]
    assert (month.slides, month.cells, month.uncertain) == (3, 220, pytest.approx(20 / 220))
    assert month.blasts == 0.01
    assert month.asking == pytest.approx(1 / 3)


def test_slides_of_which_nothing_was_counted_have_no_blasts() -> None:
    month = _months([{}], [{"cells_counted": 0, "uncertain": 0, "blast_fraction": None}])["2025-03"]
    assert month.blasts is None
    assert month.uncertain is None


_USUAL = Month("", 1000, 100, 0.04, 0.62, 0.71, 0.102, 20_000, 0.05, 0.006, 0.03)


def _over(count: int = 12, **changed: Any) -> list[Month]:
    """So many months; `changed` has one value for each of the last, by measure."""
    found = [
        replace(_USUAL, name=name, sharpness=0.62 + 0.002 * (i % 3))
        for i, name in enumerate(made.months("2025-01", count))
    ]
    for measure, values in changed.items():
        for i, value in enumerate(values):
            at = count - len(values) + i
            found[at] = replace(found[at], **{measure: value})
    return found


def test_months_alike_depart_in_nothing() -> None:
    assert departures(_over()) == []
    assert trends(_over()) == []


def test_a_month_that_departs_is_found_with_its_measure() -> None:
    (found,) = departures(_over(um_per_px=[0.12]))
    assert (found.measure.name, [month.name for month in found.months]) == ("um_per_px", ["2025-12"])
    assert found.usual.middle == pytest.approx(0.102)


def test_months_in_a_row_are_told_together_and_those_of_the_other_side_apart() -> None:
    (longer, shorter) = departures(_over(brightness=[0.4, 0.4, 0.95]))
    assert [month.name for month in longer.months] == ["2025-10", "2025-11"]
    assert [month.name for month in shorter.months] == ["2025-12"]


def test_a_gap_parts_them() -> None:
    months = _over(brightness=[0.4, 0.4])
    months[-1] = replace(months[-1], name="2026-06")
    assert [len(found.months) for found in departures(months)] == [1, 1]
    assert unbroken(months) == [(0, 11), (11, 12)]


def test_what_chance_does_in_few_slides_is_no_departure() -> None:
    assert departures([replace(month, slides=4) for month in _over(asking=[0.25])]) == []
    assert departures(_over(asking=[0.25]))


def test_a_small_month_is_not_judged() -> None:
    months = _over(sharpness=[0.1])
    months[-1] = replace(months[-1], fields=5)
    assert departures(months) == []


def test_of_few_months_nobody_knows_what_is_usual() -> None:
    assert departures(_over(5, sharpness=[0.1])) == []
    assert usual(MEASURES[0], _over(5)) is None


def test_a_slow_fall_is_told_though_no_month_departs() -> None:
    months = _over(sharpness=[0.62 - 0.01 * i for i in range(12)])
    assert departures(months) == []
    (found,) = trends(months)
    assert found.measure.name == "sharpness"
    assert found.first > found.last


def test_a_fall_that_would_matter_to_nobody_is_not_told() -> None:
    assert trends(_over(sharpness=[0.62 - 0.0005 * i for i in range(12)])) == []
