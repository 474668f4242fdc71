"""Writes an archive's summary: one page that opens offline in every browser and prints well."""

from __future__ import annotations

from edge.archive.overview.gather import gather
from edge.archive.overview.page import pages
from edge.archive.place import Place
from edge.report.pages import html

FILE = "summary.html"


def write(place: Place) -> None:
    """Write `summary.html` of all shards that are whole, in the place of an earlier one.

    Raises
    ------
    ArchiveError : this is no archive's output, a table of it cannot be read, or the page cannot be written.
    """
    place.write(FILE, html.page(pages(gather(place))))
