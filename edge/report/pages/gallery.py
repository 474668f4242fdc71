"""The cells that a person should see or named, as the classifier saw them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from edge.report.pages.blocks import Block, Gallery, Section, Shown, Text
from edge.report.pages.drawing import ALARM, FAINT, INK, PAPER, Box, Drawing, Letters, Picture, Shape
from edge.report.pages.words import called, many, percent, said
from edge.report.report import Report, Reported

_SIDE = 78.0  # of a picture, points
_BAR_UM = 10.0
FIRST = 6
"""Cells shown on the first page."""


def first_cells(report: Report) -> Iterator[Block]:
    """The cells that a doctor would ask for, in one row."""
    if report.gallery:
        yield Text(_first(report), "strong")
        yield Gallery(tuple(_shown(report, _blasts_first(report)[:FIRST])))


def cells(report: Report) -> Section:
    """Confirmed and suspicious cells, those called positive before the others."""
    return Section("cells", "Cells to look at", tuple(_blocks(report)))


def _blocks(report: Report) -> Iterator[Block]:
    noun = _noun(report)
    if not report.gallery:
        yield Text(f"No {noun} is suspicious, and people named none.")
        return
    bar = f" The bar is {_BAR_UM:.0f} µm." if report.crop_um else " Their size is not known."
    signs = f"{report.rules.sign or 'positive'}s"
    yield Text(
        f"Of {many(len(report.cells), noun)} those that people named or that may be {signs}, {signs} first. "
        f"Under each stand its class, who says so, and how much the machine suspects it.{bar}"
    )
    yield Gallery(tuple(_shown(report, _blasts_first(report))))
    if report.left_out:
        yield Text(f"And {report.left_out} more, which are not shown.", "strong")


def _first(report: Report) -> str:
    shown = min(FIRST, len(report.gallery))
    total = len(report.gallery) + report.left_out
    all_of_them = many(total, _noun(report))
    bars = f"; the bars are {_BAR_UM:.0f} µm" if report.crop_um else ""
    return (f"The first {shown} of {all_of_them}" if total > shown else all_of_them) + f" to look at{bars}"


def _noun(report: Report) -> str:
    return "field" if report.rules.unit == "field" else "cell"


def _blasts_first(report: Report) -> list[Reported]:
    """In the report's order, those of a positive class first, what people confirmed before the others."""
    positive = report.rules.positive
    return sorted(
        report.gallery, key=lambda cell: (cell.named not in positive, cell.people is None, _differing(cell))
    )


def _differing(cell: Reported) -> bool:
    return cell.people is None and bool(cell.words)


def _shown(report: Report, of: Iterable[Reported]) -> Iterator[Shown]:
    of = list(of)
    crops = report.pictures.crops([cell.seen.id for cell in of])
    for cell in of:
        yield Shown(_picture(report, cell, crops.get(cell.seen.id)), tuple(_lines(report, cell)))


def _lines(report: Report, cell: Reported) -> Iterator[str]:
    """Number and class, who said so, what the machine said, and how suspicious it was."""
    number = f"{_noun(report)} {cell.seen.id}"
    if cell.people is not None:
        yield f"{number}: {called(cell.people)}"
        yield f"by {', '.join(said(word.by) for word in cell.words)}"
    elif cell.words:
        yield f"{number}: people differ"
        yield ", ".join(f"{said(word.by)}: {called(str(word.named))}" for word in cell.words)
    else:
        yield f"{number}: {called(cell.seen.named)}"
        yield "by the machine" + (", uncertain" if cell.seen.uncertain else "")
    if cell.words and cell.seen.named != cell.people:
        yield f"machine: {called(cell.seen.named)}"
    yield f"suspicion {percent(cell.seen.suspicion)}" + ("" if cell.seen.counted else "; not counted")


def _picture(report: Report, cell: Reported, jpeg: bytes | None) -> Drawing:
    positive = cell.named in report.rules.positive
    frame = Box(
        0.5, 0.5, _SIDE - 1, _SIDE - 1, line=ALARM if positive else FAINT, thick=1.5 if positive else 0.5
    )
    alt = f"{_noun(report)} {cell.seen.id}, {called(cell.named)}"
    if jpeg is None:
        none = Letters(_SIDE / 2, _SIDE / 2, "no picture kept", 7, "middle", INK)
        return Drawing(_SIDE, _SIDE, (frame, none), f"{alt}; no picture kept")
    picture = Picture(0, 0, _SIDE, _SIDE, jpeg)
    return Drawing(_SIDE, _SIDE, (picture, *_bar(report.crop_um), frame), alt)


def _bar(crop_um: float | None) -> tuple[Shape, ...]:
    """10 µm, where it is known how wide a picture is and they fit in."""
    if crop_um is None or crop_um <= _BAR_UM:
        return ()
    long = _BAR_UM / crop_um * _SIDE
    x, y = _SIDE - long - 4, _SIDE - 7
    return (
        Box(x - 0.8, y - 0.8, long + 1.6, 3.6, fill=PAPER),
        Box(x, y, long, 2, fill=INK),
    )
