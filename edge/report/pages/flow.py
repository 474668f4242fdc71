"""A report's blocks as what reportlab lays out on pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase.pdfmetrics import stringWidth
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
_CAPTION, _CAPTION_NAME, _LEGEND = _style(6.5, 8), _style(6.5, 8, HEAVY), _style(7.5, 9.5)
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

    def _line(self, text: str, style: ParagraphStyle, width: float) -> str | Paragraph:
        """Text of a grid's cell, set as a paragraph only where it is more than a line: that takes longest."""
        drawn = self._writing.drawn(text)
        if "\n" in drawn or stringWidth(drawn, style.fontName, style.fontSize) > width:
            return self._text(text, style)
        return drawn

    def _facts(self, facts: Facts) -> Grid:
        widths = [0.25 * self._width, 0.75 * self._width]
        rows = [
            [self._line(name, _NAME, widths[0] - 5), self._line(value, _CELL, widths[1] - 5)]
            for name, value in facts.rows
        ]
        top = ("VALIGN", (0, 0), (-1, -1), "TOP")
        looks = [*_look(_NAME, (0, 0), (0, -1)), *_look(_CELL, (1, 0), (1, -1))]
        return Grid(rows, widths, style=[*_PLAIN_GRID, top, *looks])

    def _table(self, table: Table) -> Grid:
        widths = [share * self._width for share in table.wide]
        head = zip(table.header, widths, strict=True)
        rows = [[self._line(name, _NAME, width - 5) for name, width in head]]
        looks = [*_look(_NAME, (0, 0), (-1, 0)), *_look(_CELL, (0, 1), (-1, -1))]
        for i, row in enumerate(table.rows):
            style = _HEAVY_CELL if i in table.heavy else _CELL
            if i in table.heavy:
                looks += _look(style, (0, i + 1), (-1, i + 1))
            cells = zip(row, widths, strict=True)
            rows.append([self._cell(value, style, width - 5) for value, width in cells])
        return Grid(rows, widths, style=[*_RULED, *looks], repeatRows=1)

    def _cell(self, value: str | Drawing, style: ParagraphStyle, width: float) -> str | Flowable:
        if isinstance(value, Drawing):
            return Painted(value, self._writing, width)
        return self._line(value, style, width)

    def _key(self, key: Key) -> Grid:
        columns = 4
        width = self._width / columns
        items = [
            [Painted(mark, self._writing, _ICON), self._line(text, _LEGEND, width - 19)]
            for mark, text in key.items
        ] or [["", ""]]
        rows = [[part for item in padded for part in item] for padded in _in_rows(items, columns, ["", ""])]
        middle = [*_PLAIN_GRID, ("VALIGN", (0, 0), (-1, -1), "MIDDLE")]
        return Grid(rows, [14, width - 14] * columns, style=[*middle, *_look(_LEGEND, (0, 0), (-1, -1))])

    def _gallery(self, gallery: Gallery) -> Grid:
        """Three rows of the grid for one of the gallery: pictures, names, what else is said of each."""
        width = self._width / _COLUMNS
        rows: list[Any] = []
        style: list[tuple[Any, ...]] = [*_PLAIN_GRID, ("VALIGN", (0, 0), (-1, -1), "TOP")]
        style.append(("BOTTOMPADDING", (0, 0), (-1, -1), 0))
        for shown in _in_rows(gallery.items, _COLUMNS, None):
            at = len(rows)
            cells = (self._shown(item, width - 5) if item else ("", "", "") for item in shown)
            rows += zip(*cells, strict=True)
            style += _look(_CAPTION_NAME, (0, at + 1), (-1, at + 1))
            style += _look(_CAPTION, (0, at + 2), (-1, at + 2))
            style.append(("NOSPLIT", (0, at), (-1, at + 2)))
            style.append(("BOTTOMPADDING", (0, at + 2), (-1, at + 2), 6))
        return Grid(rows, [width] * _COLUMNS, style=style)

    def _shown(self, item: Shown, width: float) -> tuple[Flowable, str, str]:
        name, *others = item.lines
        return (
            Painted(item.drawing, self._writing, _PICTURE),
            self._wrapped([name], _CAPTION_NAME, width),
            self._wrapped(others, _CAPTION, width),
        )

    def _wrapped(self, lines: Sequence[str], style: ParagraphStyle, width: float) -> str:
        """Lines no wider than this."""
        drawn = (self._writing.drawn(line) for line in lines)
        return "\n".join(
            part for line in drawn for part in simpleSplit(line, style.fontName, style.fontSize, width)
        )


def _look(style: ParagraphStyle, first: tuple[int, int], last: tuple[int, int]) -> list[tuple[Any, ...]]:
    """How a grid draws text, from one cell to another, that is no paragraph."""
    return [
        ("FONT", first, last, style.fontName, style.fontSize, style.leading),
        ("TEXTCOLOR", first, last, style.textColor),
    ]


def _in_rows(items: Sequence[Any], columns: int, empty: Any) -> list[list[Any]]:
    """So many a row, the last filled up."""
    filled = [*items, *[empty] * (-len(items) % columns)]
    return [filled[i : i + columns] for i in range(0, len(filled), columns)]
