"""PDF: a report on A4 or letter pages, the same bytes wherever it is written."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime

from reportlab import rl_config
from reportlab.lib import pagesizes
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate

from edge.report.formats import Layout
from edge.report.pages.blocks import Pages
from edge.report.pages.content import content
from edge.report.pages.flow import Flow, Heading
from edge.report.pages.fonts import HEAVY, PLAIN, Writing
from edge.report.report import RESEARCH_USE, Report

rl_config.useA85 = 0  # pictures as they are: not a quarter larger, and without seconds of encoding
_PAPERS = {"a4": pagesizes.A4, "letter": pagesizes.LETTER}
_MARGIN = 15 * mm
_TOTAL = "total"
_SIZE = 7.5


def files(report: Report, layout: Layout) -> Iterator[tuple[str, bytes]]:
    """The report as `.pdf`."""
    pages, writing, out = content(report), Writing(), io.BytesIO()
    _Document(out, pages, writing, _PAPERS[layout.paper]).make()
    yield ".pdf", out.getvalue()


class _Document(BaseDocTemplate):  # type: ignore[misc]  # reportlab has no types
    """Pages with slide, patient and number on each, and bookmarks of sections.

    Nothing is compressed: what comes of that differs with the library that does it, and pictures, most of
    the file, are JPEGs anyway.
    """

    def __init__(self, out: io.BytesIO, pages: Pages, writing: Writing, paper: tuple[float, float]) -> None:
        super().__init__(
            out, pagesize=paper, pageCompression=0, invariant=1, lang="en",
            title=writing.drawn(pages.title), author=writing.drawn(pages.made_by),
            subject=writing.drawn(pages.standing), creator=writing.drawn(pages.made_by),
            keywords="leukemia screening, research use only",
        )  # fmt: skip
        width, height = paper
        self._width, self._top = width - 2 * _MARGIN, height - 10 * mm
        frame = Frame(
            _MARGIN, _MARGIN, self._width, height - 2 * _MARGIN - 2 * mm,
            leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0,
        )  # fmt: skip
        self.addPageTemplates(PageTemplate("page", [frame], onPage=self._head_and_foot))
        self._pages, self._writing = pages, writing

    def make(self) -> None:
        """Lay the pages out and write them."""
        flow = Flow(self._width, self._writing)
        self.build(list(flow.pages(self._pages)))

    def afterFlowable(self, flowable: Flowable) -> None:  # noqa: N802  # reportlab calls it so
        if isinstance(flowable, Heading):
            self.canv.bookmarkPage(flowable.name)
            self.canv.addOutlineEntry(flowable.title, flowable.name, 0)

    def beforeDocument(self) -> None:  # noqa: N802
        date = _pdf_date(self._pages.made_at)
        self.canv.setDateFormatter(lambda *_: date)
        self.canv.setViewerPreference("DisplayDocTitle", "true")

    def _endBuild(self) -> None:  # noqa: N802
        """How many pages there are is known at the last: every page shows a form that is filled here."""
        self.canv.beginForm(_TOTAL, 0, -3, 60, 10)
        self.canv.setFont(PLAIN, _SIZE)
        self.canv.drawString(0, 0, f" of {self.page}")
        self.canv.endForm()
        super()._endBuild()

    def _head_and_foot(self, canvas: Canvas, _: BaseDocTemplate) -> None:
        right = _MARGIN + self._width
        canvas.saveState()
        standing = self._writing.drawn(self._pages.standing)
        room = self._width - canvas.stringWidth(standing, HEAVY, _SIZE) - 10
        canvas.setFont(PLAIN, _SIZE)
        about = self._writing.drawn(self._pages.about)
        canvas.drawString(_MARGIN, self._top, _fitting(canvas, about, room))
        canvas.setFont(HEAVY, _SIZE)
        canvas.drawRightString(right, self._top, standing)
        canvas.setFont(PLAIN, _SIZE)
        canvas.drawString(_MARGIN, 8 * mm, RESEARCH_USE)
        canvas.drawRightString(right - 22, 8 * mm, f"Page {canvas.getPageNumber()}")
        canvas.translate(right - 22, 8 * mm)
        canvas.doForm(_TOTAL)
        canvas.restoreState()


def _fitting(canvas: Canvas, text: str, room: float) -> str:
    """The text, or as much of its beginning as there is room for."""
    if canvas.stringWidth(text, PLAIN, _SIZE) <= room:
        return text
    while text and canvas.stringWidth(f"{text} …", PLAIN, _SIZE) > room:
        text = text[:-1]
    return f"{text} …"


def _pdf_date(moment: str) -> str:
    """UTC, as ISO 32000-1, 7.9.4 has it."""
    return f"D:{datetime.fromisoformat(moment).astimezone(UTC):%Y%m%d%H%M%S}+00'00'"
