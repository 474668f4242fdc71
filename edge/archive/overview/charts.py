"""Drawings of an archive's summary: a measure over months, a share as a bar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor, log10

from edge.archive.overview.drift import unbroken
from edge.archive.overview.months import Month
from edge.report.pages.drawing import ALARM, FAINT, INK, Box, Dot, Drawing, Letters, Shape, Stroke

_WIDE, _HIGH = 220.0, 96.0  # of a chart, points
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 8.0, 8.0, 16.0
_LETTERS = 8.0
_BAND, _LINE = "#dcecdf", "#2f5f8a"
_DOTS = 40  # months up to which each is a dot: beyond they would touch
_BAR_WIDE, _BAR_HIGH = 120.0, 11.0


@dataclass(frozen=True)
class Series:
    """A measure over months, each with a date, in order.

    Attributes
    ----------
    title : what is measured. told : a value in words. values : one a month, None where there is none.
    band : between which values lie that are as usual. off : months that do not.
    zero : the axis begins at 0.
    """

    title: str
    told: Callable[[float | None], str]
    months: tuple[Month, ...]
    values: tuple[float | None, ...]
    band: tuple[float, float] | None = None
    off: frozenset[str] = frozenset()
    zero: bool = False


def chart(series: Series) -> Drawing:
    """The series as a line on the band of what is usual; months off it are red and larger."""
    axes = _Axes(len(series.months), tuple(_ticks(series)))
    shapes: list[Shape] = list(_frame(series, axes))
    for first, end in unbroken(series.months):
        shapes += _line(series, axes, first, end)
    return Drawing(_WIDE, _HIGH, tuple(shapes), _alt(series))


def bar(share: float, words: str, *, alarm: bool = False) -> Drawing | str:
    """A share of a whole, 0 to 1, as a bar; nothing for nothing, and what is more is seen."""
    if not share:
        return ""
    long = max(share * _BAR_WIDE, 1.0)
    filled = Box(0, 2, long, _BAR_HIGH - 4, fill=ALARM if alarm else _LINE)
    return Drawing(_BAR_WIDE, _BAR_HIGH, (filled, Stroke(0, 0, 0, _BAR_HIGH, FAINT, 0.5)), words)


@dataclass(frozen=True)
class _Axes:
    """Where months and values lie; `ticks` are the values marked, from one end of the axis to the other."""

    n: int
    ticks: tuple[float, ...]

    def x(self, i: int) -> float:
        return _LEFT + 4 + (_WIDE - _LEFT - _RIGHT - 8) * (i / (self.n - 1) if self.n > 1 else 0.5)

    def y(self, value: float) -> float:
        share = (value - self.ticks[0]) / (self.ticks[-1] - self.ticks[0])
        return _HIGH - _BOTTOM - (_HIGH - _TOP - _BOTTOM) * share


def _ticks(series: Series) -> Iterator[float]:
    """Round numbers that hold all there is, three to five of them."""
    seen = [value for value in (*series.values, *(series.band or ())) if value is not None]
    low, high = min(seen, default=0.0), max(seen, default=1.0)
    low = 0.0 if series.zero else low
    room = (high - low) or abs(high) or 1.0
    power = 10.0 ** floor(log10(room / 2))
    step = max(part * power for part in (1, 2, 2.5, 5, 10) if part * power <= room / 2 * (1 + 1e-9))
    first = floor(low / step + 1e-9)
    yield from (i * step for i in range(first, max(ceil(high / step - 1e-9), first + 1) + 1))


def _frame(series: Series, axes: _Axes) -> Iterator[Shape]:
    right, bottom = _WIDE - _RIGHT, _HIGH - _BOTTOM
    if series.band is not None:
        low, high = series.band
        yield Box(_LEFT, axes.y(high), right - _LEFT, max(axes.y(low) - axes.y(high), 1), fill=_BAND)
    yield Stroke(_LEFT, bottom, right, bottom, FAINT, 0.6)
    for value in axes.ticks:
        y = axes.y(value)
        yield Stroke(_LEFT - 2.5, y, _LEFT, y, FAINT, 0.6)
        yield Letters(_LEFT - 4, y + 2.8, series.told(value), _LETTERS, "end", INK)
    names = [month.name for month in series.months]
    for i in dict.fromkeys((0, len(names) - 1)):
        yield Stroke(axes.x(i), bottom, axes.x(i), bottom + 2.5, FAINT, 0.6)
        at = "middle" if len(names) == 1 else "end" if i else "start"
        x = {"middle": axes.x(i), "end": right, "start": _LEFT}[at]
        yield Letters(x, _HIGH - 3, names[i], _LETTERS, at, INK)  # type: ignore[arg-type]
    years = [i for i, name in enumerate(names) if name.endswith("-01")]
    for i in years[:: max(len(years) // 8, 1)]:
        yield Stroke(axes.x(i), bottom, axes.x(i), bottom + 2.5, FAINT, 0.6)


def _line(series: Series, axes: _Axes, first: int, end: int) -> Iterator[Shape]:
    """Months that follow each other, and have a value, joined."""
    points = [
        (i, axes.x(i), axes.y(value)) for i in range(first, end) if (value := series.values[i]) is not None
    ]
    for (i, x0, y0), (j, x1, y1) in pairwise(points):
        if j == i + 1:
            yield Stroke(x0, y0, x1, y1, _LINE, 1.2)
    for i, x, y in points:
        if series.months[i].name in series.off:
            yield Dot(x, y, 3.2, ALARM, "#ffffff", 0.8)
        elif len(series.months) <= _DOTS or len(points) == 1:
            yield Dot(x, y, 1.7, _LINE)


def _alt(series: Series) -> str:
    values = [value for value in series.values if value is not None]
    if not values:
        return f"{series.title}: nothing known"
    between = f"{series.told(min(values))} to {series.told(max(values))}"
    off = f"; off the usual in {', '.join(sorted(series.off))}" if series.off else ""
    return f"{series.title} over {len(series.months)} months: {between}{off}"


def short(number: float | None) -> str:
    """A count for an axis: `950`, `12k`, `3.1M`."""
    if number is None:
        return "–"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"
