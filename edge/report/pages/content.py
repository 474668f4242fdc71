"""What stands on a report's pages, in order: the essentials, then all that they rest on."""

from __future__ import annotations

from edge.report.pages.blocks import Pages
from edge.report.pages.differential import differential
from edge.report.pages.essentials import essentials, in_short
from edge.report.pages.gallery import cells, first_cells
from edge.report.pages.particulars import checksum, made_with, people, quality
from edge.report.pages.places import places
from edge.report.pages.words import said
from edge.report.report import Report

_SECTIONS = (differential, cells, places, quality, made_with, people, checksum)


def content(report: Report) -> Pages:
    """The report as pages."""
    return Pages(
        title=f"Screening for leukemia: slide {said(report.slide)}",
        about=f"Slide {said(report.slide)} · patient {said(report.patient)}",
        standing=in_short(report),
        made_at=report.made_at,
        made_by=f"Leukoscope {said(report.made_with['version'])}",
        essentials=(*essentials(report), *first_cells(report)),
        sections=tuple(section(report) for section in _SECTIONS),
    )
