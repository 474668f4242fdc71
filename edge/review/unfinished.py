"""What a slide had come to whose screening was cut off: the power went, or the program was killed."""

from __future__ import annotations

import json

import numpy as np

from edge.line.finding import judge
from edge.line.ledger import Ledger
from edge.records.book import Book
from edge.records.rows import Row, finding_row
from edge.review.cells import cells_of, rules_of


def judged(book: Book, slide: Row) -> Row:
    """The slide's row, of one that was cut off with the finding that follows from what is on the disk."""
    if slide["finding"] is not None or slide["state"] != "cut off":
        return slide
    rules = rules_of(slide)
    counted = [cell for cell in cells_of(book.views(slide["id"]), rules) if cell.settled]
    ledger = Ledger(rules)
    ledger.count(
        np.array([cell.id for cell in counted], np.int32),
        np.array([rules.classes.index(cell.named) for cell in counted], np.int32),
    )
    ledger.hear(book.said(slide["id"]))
    tally = ledger.tally(**book.fields(slide["id"]))
    found = finding_row(judge(tally, rules), tally)
    return slide | found | {"tally": json.loads(found["tally"])}
