"""The summary's section on months: what departs, charts side by side, and the numbers under them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge.archive.overview.charts import Series, chart, short
from edge.archive.overview.drift import (
    DEVIATIONS,
    FEWEST_FIELDS,
    FEWEST_MONTHS,
    MEASURES,
    Departure,
    Measure,
    Trend,
    bounds,
    departs,
    departures,
    judged,
    trends,
    usual,
)
from edge.archive.overview.months import UNKNOWN, Month
from edge.report.pages.blocks import Block, Gallery, Section, Shown, Table, Text

_MOST = 12
"""Departures that are told; the charts and the table show all."""

_DATES = "Dates are those of the input's list or, where it gives none, those of the files."


def monthly(months: Sequence[Month]) -> Section:
    """What fields and slides were like, month by month."""
    return Section("months", "Month by month", tuple(_blocks(months)))


def _blocks(months: Sequence[Month]) -> Iterator[Block]:
    dated = tuple(month for month in months if month.name != UNKNOWN)
    yield Text(_DATES, "small")
    if not dated:
        yield Text("No date is known of any field, so nothing can be said of months.")
    else:
        yield from _said(dated)
        if len(dated) > 1:
            yield Gallery(tuple(_charts(dated)), wide=True)
    if months:
        yield _table(months)


def _said(months: Sequence[Month]) -> Iterator[Block]:
    """Plain sentences, and how they were come by."""
    n = len(judged(months))
    if n < FEWEST_MONTHS:
        yield Text(
            f"{n or 'No'} {'months have' if n > 1 else 'month has'} {FEWEST_FIELDS} fields or more; "
            f"{FEWEST_MONTHS} are needed to say what is usual."
        )
        return
    found = departures(months)
    rising = trends(months)
    for trend in rising:
        yield Text(_trend(trend), "strong")
    for departure in found[:_MOST]:
        yield Text(_departure(departure), "strong")
    if len(found) > _MOST:
        yield Text(f"{len(found) - _MOST} more departures are marked in the charts and the table.")
    if not found and not rising:
        yield Text("No month departs from the others, and nothing rises or falls over the months.")
    else:
        yield Text(
            "Find out what changed then: stain, microscope, camera, light, patients. Findings of those "
            "months rest on pictures unlike the others."
        )
    yield Text(
        f"A month departs if it lies more than {DEVIATIONS:g} robust standard deviations (1.4826 × median "
        "absolute deviation) off the median of all months, chance in a share's count added, and by as much "
        "as would matter; a trend is one by the test of Mann and Kendall at p < 0.001. Months with fewer "
        f"than {FEWEST_FIELDS} fields are not judged. Green: what is usual.",
        "small",
    )


def _departure(departure: Departure) -> str:
    measure, months = departure.measure, departure.months
    values = [value for month in months if (value := measure.at(month)) is not None]
    when = f"In {months[0].name}" if len(months) == 1 else f"From {months[0].name} to {months[-1].name}"
    low, high = measure.told(min(values)), measure.told(max(values))
    was = low if low == high else f"{low} to {high}"
    side = "high" if values[0] > departure.usual.middle else "low"
    verb = "were" if measure.plural else "was"
    return f"{when} {_within(measure)} {verb} {side}: {was}, usually {measure.told(departure.usual.middle)}."


def _trend(trend: Trend) -> str:
    went = "rose" if trend.last > trend.first else "fell"
    first, last = trend.measure.told(trend.first), trend.measure.told(trend.last)
    return (
        f"{trend.measure.title} {went} over the months: {first} in their first third, {last} in their last."
    )


def _within(measure: Measure) -> str:
    return measure.title if measure.title.startswith("µ") else measure.title[0].lower() + measure.title[1:]


def _charts(months: tuple[Month, ...]) -> Iterator[Shown]:
    for title, counts in (
        ("Slides", tuple(float(month.slides) for month in months)),
        ("Fields", tuple(float(month.fields) for month in months)),
    ):
        series = Series(title, short, months, counts, zero=True)
        yield Shown(chart(series), (title, f"{sum(counts):,.0f} in all"))
    for measure in MEASURES:
        yield _shown(measure, months)


def _shown(measure: Measure, months: tuple[Month, ...]) -> Shown:
    values = tuple(measure.at(month) for month in months)
    common = usual(measure, months)
    off = {month.name for month in judged(months) if common and departs(measure, month, common)}
    band = bounds(measure, common) if common else None
    series = Series(measure.title, measure.told, months, values, band, frozenset(off))
    if common is None:
        return Shown(chart(series), (measure.title, "too few months to say what is usual"))
    departing = f"; {len(off)} {'month departs' if len(off) == 1 else 'months depart'}" if off else ""
    return Shown(chart(series), (measure.title, f"usually {measure.told(common.middle)}{departing}"))


def _table(months: Sequence[Month]) -> Table:
    header = ("Month", "Slides", "Fields", *(measure.title for measure in MEASURES))
    marks = {measure.name: usual(measure, months) for measure in MEASURES}
    rows, heavy = [], set()
    able = {month.name for month in judged(months)}
    for i, month in enumerate(months):
        cells = []
        for measure in MEASURES:
            common = marks[measure.name]
            off = common is not None and month.name in able and departs(measure, month, common)
            up = off and common is not None and (measure.at(month) or 0) > common.middle
            cells.append(measure.told(measure.at(month)) + (" ▲" if up else " ▼" if off else ""))
            heavy |= {i} if off else set()
        rows.append((month.name or "not known", f"{month.slides:,}", f"{month.fields:,}", *cells))
    wide = (0.11, 0.08, 0.09, *[0.72 / len(MEASURES)] * len(MEASURES))
    return Table(header, tuple(rows), wide, frozenset(heavy))
