"""A report's blocks as what reportlab lays out on pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, Paragraph, Spacer
from reportlab.platypus import Table as Grid

from edge.report.pages.blocks import Block, Facts, Figure, Gallery, Key, Pages, Section, Shown, Table, Text
from edge.report.pages.drawing import ALARM, FAINT, INK, Drawing
from edge.report.pages.fonts import HEAVY, PLAIN, Writing
from edge.report.pages.paint import Painted

_COLUMNS, _PICTURE = 6, 74.0  # of galleries; points
_CODE = 110.0  # side of a figure that is not as wide as the page, points
_ICON = 9.0
_LEAST = 160.0  # points left on a page below which a section that may be cut begins on the next
_SOFT = HexColor("#4a525b")
_RULE = HexColor("#c9cfd6")


def _style(size: float, lead: float, font: str = PLAIN, **more: object) -> ParagraphStyle:
    base = {"fontName": font, "fontSize": size, "leading": lead, "textColor": HexColor(INK)}
    return ParagraphStyle("", **(base | more))


_BOXED = {"borderPadding": (3, 6, 5, 6), "leftIndent": 6, "rightIndent": 6, "spaceBefore": 7, "spaceAfter": 8}
_TONES = {
    "plain": _style(9.5, 13, spaceAfter=4),
    "strong": _style(9.5, 13, HEAVY, spaceAfter=4),
    "small": _style(7.5, 10, textColor=_SOFT, spaceAfter=4),
    "warning": _style(
        10, 13, HEAVY, borderColor=HexColor(ALARM), borderWidth=1.2, backColor=HexColor("#fdf0f1"), **_BOXED
    ),
    "headline": _style(20, 24, HEAVY, backColor=HexColor("#eef1f4"), **_BOXED),
    "digits": _style(8.5, 12, spaceAfter=4),
}
_TITLE = _style(15, 19, HEAVY, spaceAfter=3)
_HEADING = _style(12, 16, HEAVY, spaceBefore=12, spaceAfter=5, keepWithNext=1)
_CELL, _HEAVY_CELL = _style(8.5, 10.5), _style(8.5, 10.5, HEAVY)
_NAME = _style(8.5, 10.5, textColor=_SOFT)
_CAPTION, _LEGEND = _style(6.5, 8), _style(7.5, 9.5)
_PLAIN_GRID = [
    ("LEFTPADDING", (0, 0), (-1, -1), 0), ("RIGHTPADDING", (0, 0), (-1, -1), 5),
    ("TOPPADDING", (0, 0), (-1, -1), 1.5), ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
]  # fmt: skip
_RULED = [
    *_PLAIN_GRID, ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
    ("LINEBELOW", (0, 0), (-1, 0), 1, HexColor(FAINT)), ("LINEBELOW", (0, 1), (-1, -1), 0.4, _RULE),
]  # fmt: skip
_UNSAID = (
    "Letters of scripts that this file cannot draw are written by their numbers in Unicode, such as \\u0930; "
    "the HTML report shows them."
)


class Heading(Paragraph):  # type: ignore[misc]  # reportlab has no types
    """A section's title, for which there is a bookmark."""

    def __init__(self, section: Section) -> None:
        super().__init__(escape(section.title), _HEADING)
        self.name, self.title = section.name, section.title


class Flow:
    """Turns blocks into flowables.

    Parameters
    ----------
    width : of a page's text, points. writing : what the fonts can draw.
    """

    def __init__(self, width: float, writing: Writing) -> None:
        self._width, self._writing = width, writing

    def pages(self, pages: Pages) -> list[Flowable]:
        """All of it, in order."""
        first = [self._text(pages.title, _TITLE), *self._blocks(pages.essentials)]
        rest = [one for section in pages.sections for one in self._section(section)]
        if self._writing.lacking:
            first.insert(1, self._text(_UNSAID, _TONES["small"]))
        return [*first, *rest]

    def _section(self, section: Section) -> Iterator[Flowable]:
        flowables = [Heading(section), *self._blocks(section.blocks)]
        if section.together:
            yield KeepTogether(flowables)
        else:
            yield CondPageBreak(_LEAST)
            yield from flowables

    def _blocks(self, blocks: Sequence[Block]) -> Iterator[Flowable]:
        for block in blocks:
            match block:
                case Text():
                    yield self._text(block.text, _TONES[block.tone])
                case Facts():
                    yield self._facts(block)
                case Table():
                    yield self._table(block)
                case Figure():
                    yield Painted(block.drawing, self._writing, self._width if block.full else _CODE)
                case Key():
                    yield self._key(block)
                case Gallery():
                    yield self._gallery(block)
            yield Spacer(0, 3)

    def _text(self, text: str, style: ParagraphStyle) -> Paragraph:
        return Paragraph(escape(self._writing.drawn(text)).replace("\n", "<br/>"), style)

    def _facts(self, facts: Facts) -> Grid:
        rows = [[self._text(name, _NAME), self._text(value, _CELL)] for name, value in facts.rows]
        top = [*_PLAIN_GRID, ("VALIGN", (0, 0), (-1, -1), "TOP")]
        return Grid(rows, [0.25 * self._width, 0.75 * self._width], style=top)

    def _table(self, table: Table) -> Grid:
        widths = [share * self._width for share in table.wide]
        rows: list[list[Flowable]] = [[self._text(name, _NAME) for name in table.header]]
        for i, row in enumerate(table.rows):
            style = _HEAVY_CELL if i in table.heavy else _CELL
            cells = zip(row, widths, strict=True)
            rows.append([self._cell(value, style, width - 5) for value, width in cells])
        return Grid(rows, widths, style=_RULED, repeatRows=1)

    def _cell(self, value: str | Drawing, style: ParagraphStyle, width: float) -> Flowable:
        if isinstance(value, Drawing):
            return Painted(value, self._writing, width)
        return self._text(value, style)

    def _key(self, key: Key) -> Grid:
        columns = 4
        width = self._width / columns
        items = [
            [Painted(mark, self._writing, _ICON), self._text(text, _LEGEND)] for mark, text in key.items
        ] or [["", ""]]
        rows = [[part for item in padded for part in item] for padded in _in_rows(items, columns, ["", ""])]
        middle = [*_PLAIN_GRID, ("VALIGN", (0, 0), (-1, -1), "MIDDLE")]
        return Grid(rows, [14, width - 14] * columns, style=middle)

    def _gallery(self, gallery: Gallery) -> Grid:
        items = [self._shown(item) for item in gallery.items]
        rows = _in_rows(items, _COLUMNS, "")
        style = [*_PLAIN_GRID, ("VALIGN", (0, 0), (-1, -1), "TOP"), ("BOTTOMPADDING", (0, 0), (-1, -1), 6)]
        return Grid(rows, [self._width / _COLUMNS] * _COLUMNS, style=style)

    def _shown(self, item: Shown) -> list[Flowable]:
        name, *others = (escape(self._writing.drawn(line)) for line in item.lines)
        caption = "<br/>".join([f"<b>{name}</b>", *others])
        return [Painted(item.drawing, self._writing, _PICTURE), Spacer(0, 2), Paragraph(caption, _CAPTION)]


def _in_rows(items: Sequence[Any], columns: int, empty: Any) -> list[list[Any]]:
    """So many a row, the last filled up."""
    filled = [*items, *[empty] * (-len(items) % columns)]
    return [filled[i : i + columns] for i in range(0, len(filled), columns)]
