"""What a slide had come to whose screening was cut off: the power went, or the program was killed."""

from __future__ import annotations

import json
from dataclasses import replace

from edge.line.finding import judge
from edge.line.past import ledger_of
from edge.records.book import Book
from edge.records.rows import Row, finding_row
from edge.review.cells import rules_of
from edge.types import Finding, Tally

_EMPTY = "It was cut off before its first field."
_ANEW = "Screen the slide again."


def judged(book: Book, slide: Row) -> Row:
    """The slide's row, of one that was cut off with the finding that follows from what is on the disk."""
    if slide["finding"] is not None or slide["state"] != "cut off":
        return slide
    found = finding_row(*_come_to(book, slide))
    return slide | found | {"tally": json.loads(found["tally"])}


def close(book: Book, slide: str, by: str | None = None) -> Finding:
    """Finish a slide that was cut off with what is on the disk; what it came to.

    Parameters
    ----------
    by : initials of who closes it, which are noted; None for nobody's.

    Raises
    ------
    RecordsError : it was not cut off, or the records cannot be written.
    """
    with book.at_once():
        row = book.found(slide)
        finding, tally = _come_to(book, row)
        book.end(row["id"], finding, tally, by)
    return finding


def _come_to(book: Book, slide: Row) -> tuple[Finding, Tally]:
    """What follows from the cells and the words that the records have."""
    rules, name = rules_of(slide), slide["id"]
    ledger = ledger_of(rules, book.settled(name), book.said(name))
    tally = ledger.tally(uncertain=book.undecided(name), **book.fields(name))
    finding = judge(tally, rules)
    if not tally.frames:
        finding = replace(
            finding,
            kind="not-readable",
            headline="NOT READABLE",
            reason=_EMPTY,
            advice=_ANEW,
            cells_needed=None,
        )
    return finding, tally
