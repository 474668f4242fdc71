"""The map of what was scanned: fields, and cells by class."""

from __future__ import annotations

from collections.abc import Iterator

from edge.report.pages.blocks import Block, Figure, Key, Section, Text
from edge.report.pages.colours import class_colours
from edge.report.pages.drawing import FAINT, INK, PAPER, Box, Dot, Drawing, Letters, Picture, Shape
from edge.report.pages.mosaic import mosaic
from edge.report.pages.words import called, many
from edge.report.report import Report, Reported
from edge.report.scanmap import ScanMap

_WIDE, _HIGH = 500.0, 420.0  # points at most
_BARS_UM = (10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
_ICON = 10.0


def places(report: Report) -> Section:
    """Where fields and cells lie, or why there is no map."""
    blocks = _blocks(report, report.map) if report.map else iter((Text(_why_none(report)),))
    return Section("map", "What was scanned", tuple(blocks), together=True)


def _why_none(report: Report) -> str:
    quality = report.quality
    if not quality.fields:
        return "There is no map: no field was read."
    if quality.rejected == quality.fields:
        return "There is no map: every field was turned down."
    return (
        "There is no map: an older version of the program read the slide, or its fields as single pictures."
    )


def _blocks(report: Report, scanned: ScanMap) -> Iterator[Block]:
    parts = f" in {scanned.parts} parts, of which it is not known how they lie to each other" * (
        scanned.parts > 1
    )
    yield Text(f"{many(len(scanned.fields), 'field')}, {scanned.area_mm2:.2f} mm²{parts}.")
    yield Figure(_map(report, scanned))
    yield Key(tuple(_key(report)))
    yield Text(
        "Of all cells seen, those at edges and uncertain ones included, which are not counted.", "small"
    )
    beyond = sum(cell.place_um is None for cell in report.cells)
    if beyond:
        yield Text(
            f"{many(beyond, 'cell')} of fields whose place is not known stand beside the map.", "small"
        )


def _map(report: Report, scanned: ScanMap) -> Drawing:
    scale = min(_WIDE / scanned.width_um, _HIGH / scanned.height_um)
    wide, high = scanned.width_um * scale, scanned.height_um * scale
    shapes: list[Shape] = [Picture(0, 0, wide, high, mosaic(scanned, report.pictures))]
    shapes += [
        Box(f.x_um * scale, f.y_um * scale, f.width_um * scale, f.height_um * scale, line=FAINT, thick=0.4)
        for f in scanned.fields
    ]
    colours = class_colours(report.rules)
    for cell in sorted(report.cells, key=lambda cell: _rank(report, cell.named)):
        if cell.place_um is not None:
            x, y = (end * scale for end in cell.place_um)
            shapes += _mark(x, y, _rank(report, cell.named), colours.get(cell.named, INK))
    shapes += _scale_bar(scanned.width_um, scale, high)
    return Drawing(wide, high + 18, tuple(shapes), _alt(report, scanned))


def _alt(report: Report, scanned: ScanMap) -> str:
    signs = sum(cell.named in report.rules.positive for cell in report.cells)
    return (
        f"map of {many(len(scanned.fields), 'field')} with {many(len(report.cells), 'cell')}, "
        f"{signs} of them {report.rules.sign or 'positive'}"
    )


def _rank(report: Report, name: str) -> int:
    """2 for what is positive, 1 for other leukocytes, 0 for what is not counted."""
    rules = report.rules
    return 2 if name in rules.positive else int(name in rules.leukocytes)


def _mark(x: float, y: float, rank: int, colour: str) -> tuple[Shape, ...]:
    """Large with a ring, a disc, or a circle: classes of another kind differ in shape too."""
    if rank == 2:
        return Dot(x, y, 4.2, PAPER, colour, 1.2), Dot(x, y, 2.2, colour)
    if rank == 1:
        return (Dot(x, y, 2.2, colour, PAPER, 0.4),)
    return (Dot(x, y, 1.8, None, colour, 0.9),)


def _key(report: Report) -> Iterator[tuple[Drawing, str]]:
    """A mark and its meaning for each class that the map shows, blasts first."""
    placed = [cell for cell in report.cells if cell.place_um is not None]
    names = {cell.named for cell in placed}
    for name, colour in sorted(class_colours(report.rules).items(), key=lambda one: -_rank(report, one[0])):
        if name in names:
            mark = _mark(_ICON / 2, _ICON / 2, _rank(report, name), colour)
            number = _number(placed, name)
            yield Drawing(_ICON, _ICON, mark, f"mark of {called(name)}"), f"{called(name)} ({number})"


def _number(cells: list[Reported], name: str) -> int:
    return sum(cell.named == name for cell in cells)


def _scale_bar(width_um: float, scale: float, y: float) -> tuple[Shape, ...]:
    long_um = max((bar for bar in _BARS_UM if bar <= width_um / 4), default=_BARS_UM[0])
    long = long_um * scale
    text = f"{long_um // 1000} mm" if long_um >= 1000 else f"{long_um} µm"
    return Box(0, y + 7, long, 3, fill=INK), Letters(long + 5, y + 12, text, 8)
