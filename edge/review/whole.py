"""All that the records say of a slide as one JSON object: what `edge-slides show --json -` writes."""

from __future__ import annotations

from typing import Any

from edge.records.book import Book
from edge.records.rows import Row
from edge.records.slidejson import cell_records, people_record, rounded, slide_record
from edge.review.cells import interval_at_end


def whole(book: Book, slide: Row) -> dict[str, Any]:
    """The slide of this row (see `edge.review.unfinished.judged`) with its cells and what people left."""
    name = slide["id"]
    cells = cell_records(book.views(name), slide["classes"], book.said(name))
    return without_cells(book, slide) | {"cells": cells}


def without_cells(book: Book, slide: Row) -> dict[str, Any]:
    """The same without the cells."""
    name = slide["id"]
    return {
        **slide_record(slide),
        "blast_interval_at_end": rounded(interval_at_end(slide)),
        **people_record(book.about(name), book.finished(name), book.signatures(name)),
    }
