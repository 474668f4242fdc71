"""Whether something drifts over an archive's months: a month that departs from the others, and a trend.

A month departs from a measure's median over the months by more than three robust standard deviations
(1.4826 times the median absolute deviation: Rousseeuw and Croux, J Am Stat Assoc 88:1273, 1993), to which
comes, of a share, what chance does in so many. A trend is found by the test of Mann and Kendall (Mann,
Econometrica 13:245, 1945) at p < 0.001, for seven measures are tested at once. Neither speaks below what
would matter to a reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import hypot, sqrt
from statistics import median

from edge.archive.overview.months import UNKNOWN, Month

FEWEST_MONTHS, FEWEST_FOR_TREND = 6, 8
FEWEST_FIELDS = 30
"""Of a month that is judged."""

DEVIATIONS = 3.0
_ROBUST = 1.4826
_Z = 3.29  # two-sided p < 0.001


@dataclass(frozen=True)
class Measure:
    """Something that is followed over months.

    Attributes
    ----------
    name : of `Month`'s attribute. title : for people, with its unit.
    least : a difference that would matter; of its median where `relative`.
    of : attribute with the number of what a share is of; None for what is no share.
    plural : the title is.
    """

    name: str
    title: str
    least: float
    relative: bool = False
    of: str | None = None
    plural: bool = False

    def at(self, month: Month) -> float | None:
        """Its value in a month."""
        value: float | None = getattr(month, self.name)
        return value

    def told(self, value: float | None) -> str:
        """A value for people."""
        if value is None:
            return "–"
        if self.name == "um_per_px":
            return f"{value:.4f}"
        return f"{value:.2f}" if self.name in ("sharpness", "brightness") else f"{value * 100:.1f}%"


MEASURES = (
    Measure("sharpness", "Sharpness", 0.02),
    Measure("brightness", "Brightness", 0.02),
    Measure("um_per_px", "µm per pixel", 0.02, relative=True),
    Measure("rejected", "Fields turned down", 0.02, of="fields", plural=True),
    Measure("uncertain", "Uncertain cells", 0.02, of="cells", plural=True),
    Measure("blasts", "Blasts on the middle slide", 0.01, plural=True),
    Measure("asking", "Slides that need somebody", 0.05, of="slides", plural=True),
)


@dataclass(frozen=True)
class Usual:
    """What a measure is over the months that are judged: its median, and the robust deviation round it."""

    middle: float
    deviation: float


@dataclass(frozen=True)
class Departure:
    """Months, one after the other, in which a measure lay off its usual on the same side."""

    measure: Measure
    months: tuple[Month, ...]
    usual: Usual


@dataclass(frozen=True)
class Trend:
    """A measure that rose or fell over the months: its medians in their first third and their last."""

    measure: Measure
    first: float
    last: float


def judged(months: Sequence[Month]) -> list[Month]:
    """Those with a date and enough fields."""
    return [month for month in months if month.name != UNKNOWN and month.fields >= FEWEST_FIELDS]


def usual(measure: Measure, months: Sequence[Month]) -> Usual | None:
    """None where too few months are judged to say."""
    values = [value for month in judged(months) if (value := measure.at(month)) is not None]
    if len(values) < FEWEST_MONTHS:
        return None
    middle = median(values)
    return Usual(middle, _ROBUST * median(abs(value - middle) for value in values))


def departs(measure: Measure, month: Month, usual: Usual) -> bool:
    """Whether a month that is judged lies off what is usual."""
    value = measure.at(month)
    return value is not None and abs(value - usual.middle) > _bound(measure, month, usual)


def bounds(measure: Measure, usual: Usual) -> tuple[float, float]:
    """Between which values lie that are as usual, in a month with so much that chance does nothing."""
    far = max(DEVIATIONS * usual.deviation, _least(measure, usual.middle))
    return max(usual.middle - far, 0.0), usual.middle + far


def departures(months: Sequence[Month]) -> list[Departure]:
    """Of all measures, the longest first; months that follow each other are told together."""
    found: list[Departure] = []
    for measure in MEASURES:
        if common := usual(measure, months):
            found += _departures(measure, months, common)
    return sorted(found, key=lambda one: -len(one.months))


def _departures(measure: Measure, months: Sequence[Month], usual: Usual) -> Iterator[Departure]:
    sides = ((month, _side(measure, month, usual)) for month in judged(months))
    run: list[Month] = []
    before = 0
    for month, side in sides:
        if run and (side != before or not follows(run[-1].name, month.name)):
            yield Departure(measure, tuple(run), usual)
            run = []
        before = side
        if side:
            run.append(month)
    if run:
        yield Departure(measure, tuple(run), usual)


def trends(months: Sequence[Month]) -> list[Trend]:
    """Measures that rise or fall."""
    return [trend for measure in MEASURES if (trend := _trend(measure, months))]


def _side(measure: Measure, month: Month, usual: Usual) -> int:
    """1 above what is usual, -1 below, 0 within."""
    if not departs(measure, month, usual):
        return 0
    return 1 if (measure.at(month) or 0) > usual.middle else -1


def _bound(measure: Measure, month: Month, usual: Usual) -> float:
    chance = 0.0
    if measure.of is not None:
        share = min(max(usual.middle, 0.001), 0.999)
        chance = sqrt(share * (1 - share) / max(getattr(month, measure.of), 1))
    return max(DEVIATIONS * hypot(usual.deviation, chance), _least(measure, usual.middle))


def _least(measure: Measure, middle: float) -> float:
    return measure.least * (middle if measure.relative else 1)


def _trend(measure: Measure, months: Sequence[Month]) -> Trend | None:
    values = [value for month in judged(months) if (value := measure.at(month)) is not None]
    n = len(values)
    if n < FEWEST_FOR_TREND:
        return None
    score = sum((later > earlier) - (later < earlier) for earlier, later in combinations(values, 2))
    z = (abs(score) - 1) / sqrt(n * (n - 1) * (2 * n + 5) / 18)
    first, last = median(values[: n // 3]), median(values[-(n // 3) :])
    if z < _Z or abs(last - first) < _least(measure, median(values)):
        return None
    return Trend(measure, first, last)


def follows(earlier: str, later: str) -> bool:
    """Whether a month comes right after another: `2025-12`, `2026-01`."""
    return _number(later) - _number(earlier) == 1


def _number(name: str) -> int:
    year, month = name.split("-")
    return int(year) * 12 + int(month)


def unbroken(months: Sequence[Month]) -> list[tuple[int, int]]:
    """Ranges (first, end) of months that follow each other without a gap."""
    breaks = [i + 1 for i, (a, b) in enumerate(pairwise(months)) if not follows(a.name, b.name)]
    return list(pairwise([0, *breaks, len(months)]))
