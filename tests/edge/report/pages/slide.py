"""A slide with all that a report tells: two overlapping fields, words, a note, a signature taken back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edge.line.finding import judge
from edge.line.ledger import Ledger
from edge.records.book import Book
from edge.records.store import Store
from edge.report.gather import gather
from edge.report.report import Report
from edge.review.review import Review
from tests.edge.records.example import HEADER, RULES, reading
from tests.edge.records.slides import field

PATIENT = '<script>alert(1)</script> & "Ωμέγα" Жуков\''
NOTE = 'thick <b>at</b> the edge\n& read "the rest" only\''
MADE_AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
FIELDS = [["blast"] * 4 + ["lymphocyte"] * 6, ["lymphocyte"] * 9 + ["artefact"]]


def write(folder: Path) -> None:
    """Fill `records.db` with slide `s 1`: cells 1 to 4 are called blasts, 5 to 20 are not."""
    path, ledger = folder / "records.db", Ledger(RULES)
    with Store(path) as store:
        store.begin_slide("s 1", replace(HEADER, crop_um=24.0))
        for index, named in enumerate(FIELDS):
            one = replace(
                field(index, named),
                thumb=np.full((40, 40), 200 - index, np.uint8),
                overlaps=((0, 30.0, 0.0),) if index else (),
                focus=0.9,
                um_per_px_from="red-cells",
            )
            assert one.settled is not None
            ledger.count(one.ids[one.settled], one.classes[one.settled])
            store.add(one)
        store.add(reading(2, 0, problems=("out of focus",)))
        store.flush()
        tally = ledger.tally(frames=3)
        store.finish_slide(judge(tally, RULES), tally)
    with Book(path) as book:
        book.note("s 1", "AB", patient=PATIENT, age=54, sex="female")
        for by, words in (("AB", {1: "blast", 5: "blast"}), ("CD", {1: "blast", 5: "lymphocyte"})):
            with Review(book, "s 1", by) as review:
                for cell, name in words.items():
                    review.say([cell], name)
                review.finish()
        with Review(book, "s 1", "AB") as review:
            review.sign()
        book.reopen("s 1", "CD", "cell 5 <again>")
        book.note("s 1", "AB", note=NOTE)


def report(book: Book) -> Report:
    return gather(book, "s 1", MADE_AT)
