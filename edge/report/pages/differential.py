"""The differential as a table with bars, each beside what is usual."""

from __future__ import annotations

import math
from collections.abc import Iterator

from edge.report.pages.blocks import Block, Section, Table, Text
from edge.report.pages.drawing import ALARM, FAINT, INK, Box, Drawing, Letters, Shape, Stroke
from edge.report.pages.words import between, called, many, percent
from edge.report.references import ADULT, SOURCE
from edge.report.report import Report, Share

_WIDE, _HIGH = 110.0, 11.0  # of a bar, points
_BESIDE = 12.0  # for half of the axis' last number
_BAND, _BAR = "#c9e4cf", "#5b7c99"
_STEPS = (0.02, 0.05, 0.1, 0.25)  # between marks of the axis


def differential(report: Report) -> Section:
    """The classes that are counted, then those beside them."""
    unit = "field" if report.rules.unit == "field" else "cell"
    return Section("differential", "Differential", tuple(_blocks(report, unit)), together=True)


def _blocks(report: Report, unit: str) -> Iterator[Block]:
    total = report.tally.leukocytes if report.tally else 0
    if not total:
        yield Text(f"No {report.rules.unit} was counted.")
    else:
        yield Text(
            f"{many(total, report.rules.unit)} counted. "
            f"What people call a {unit} goes before what the machine does."
        )
        yield _table(report, f"{unit.capitalize()}s")
        if report.rules.unit != "field":
            yield Text(_usual(report), "small")
    if report.beside:
        named = "; ".join(_beside(one, total) for one in report.beside)
        yield Text(f"Not leukocytes, so not in it: {named}.")


def _beside(one: Share, leukocytes: int) -> str:
    per_100 = f", {one.count * 100 / leukocytes:.1f} per 100 leukocytes" if leukocytes else ""
    confirmed = f", {one.confirmed} by people" if one.confirmed else ""
    return f"{called(one.name)} {one.count}{per_100}{confirmed}"


def _table(report: Report, units: str) -> Table:
    top = _top(report.differential)
    rows = tuple(
        (
            called(one.name),
            str(one.count),
            percent(one.share or 0),
            between(one.interval or (0, 1)),
            _reference(one),
            _mark(one),
            _bar(one, top),
            str(one.confirmed or "none"),
        )
        for one in report.differential
    )
    axis: tuple[str | Drawing, ...] = ("", "", "", "", "", "", _axis(top), "")
    return Table(
        ("Class", units, "Share", "95% interval", "Usual", "Outside", "Share; band: usual", "People"),
        (*rows, axis),
        (0.22, 0.065, 0.085, 0.15, 0.11, 0.09, 0.205, 0.075),
        frozenset(i for i, one in enumerate(report.differential) if one.outside),
    )


def _reference(one: Share) -> str:
    if one.reference is None:
        return "not known"
    low, high = (f"{end * 100:.4g}" for end in one.reference)
    return "none" if high == "0" else f"{low} to {high}%"


def _mark(one: Share) -> str:
    """Said where the whole interval lies outside of what is usual."""
    if not one.outside or one.interval is None or one.reference is None:
        return ""
    return "▲ above" if one.interval[0] > one.reference[1] else "▼ below"


def _usual(report: Report) -> str:
    if report.rules.specimen != "blood":
        return "Of marrow no reference ranges are shown: those of blood do not hold."
    if report.age is not None and report.age < ADULT:
        return f"No reference ranges are shown: they hold from {ADULT} years on."
    if all(one.reference is None for one in report.differential):
        return "No reference ranges are shown: the model does not name all kinds of leukocytes."
    unknown = "" if report.age is not None else f" The age was not given; they hold from {ADULT} years on."
    return f"▲ above, ▼ below: the whole interval lies outside of what is usual. {SOURCE}{unknown}"


def _top(shares: tuple[Share, ...]) -> float:
    """Where the axis ends: beyond all bars, intervals and bands."""
    ends = [end for one in shares for end in ((one.interval or (0, 0))[1], (one.reference or (0, 0))[1])]
    return min(math.ceil(max([*ends, 0.04]) * 10 - 1e-9) / 10, 1.0)


def _bar(one: Share, top: float) -> Drawing:
    """A bar with its interval as whiskers, on the band of what is usual."""
    middle, shapes, scale = _HIGH / 2, list[Shape](), _WIDE / top
    if one.reference is not None:
        low, high = one.reference
        shapes.append(Box(low * scale, 0.5, max((high - low) * scale, 1.2), _HIGH - 1, fill=_BAND))
    if one.share:
        colour = ALARM if one.outside else _BAR
        shapes.append(Box(0, middle - 3, one.share * scale, 6, fill=colour))
    if one.interval is not None:
        low, high = (end * scale for end in one.interval)
        shapes.append(Stroke(low, middle, high, middle, INK, 0.9))
        shapes += [Stroke(end, middle - 2.5, end, middle + 2.5, INK, 0.9) for end in (low, high)]
    shapes.append(Stroke(0, 0, 0, _HIGH, FAINT, 0.5))
    words = f"{called(one.name)}: {percent(one.share or 0)}"
    return Drawing(
        _WIDE + _BESIDE, _HIGH, tuple(shapes), f"{words}, usual {_reference(one)} {_mark(one)}".rstrip()
    )


def _axis(top: float) -> Drawing:
    step = next(step for step in _STEPS if top / step <= 6)
    marks = [i * step for i in range(int(top / step + 1e-9) + 1)]
    scale, shapes = _WIDE / top, [Stroke(0, 0.5, _WIDE, 0.5, FAINT, 0.5)]
    ticks = [Stroke(mark * scale, 0.5, mark * scale, 3, FAINT, 0.5) for mark in marks]
    texts = [
        Letters(mark * scale, 9.5, f"{mark * 100:.0f}%", 6.5, "middle" if mark else "start", INK)
        for mark in marks
    ]
    return Drawing(_WIDE + _BESIDE, _HIGH, (*shapes, *ticks, *texts), f"axis from 0 to {percent(top)}")
