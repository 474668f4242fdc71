"""Many slides to files: on every processor, in order, with an eye on the space that is left."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from edge.files.delivery import Delivery
from edge.files.medium import check_space
from edge.records.book import Book
from edge.report.export import Export, Order, Written
from edge.report.table import SLIDES, slides_table

_MANY = 24  # slides: fewer are written before other processes have begun
_HANDS = 4  # processes at most: each takes 80 MB
_AT_ONCE = 4  # slides that a process is given
_LOOK = 16  # slides between two looks at the space that the rest will take

_here: Export | None = None
"""Of a process of the crew."""


def export(order: Order, records: Path, slides: Sequence[str], delivery: Delivery) -> Iterator[Written]:
    """Write these slides, and with CSV the table of all of them; gives each when it is there, in order.

    Raises
    ------
    LeukoscopeError : a slide cannot be read, or not be written; the ones before it are there.
    """
    rows, size = [], 0
    with _crew(order, records, slides, delivery) as written:
        for done, one in enumerate(written, 1):
            rows.append(one.row)
            size += one.size
            if done % _LOOK == 1:  # after the first, too
                check_space(delivery.folder, size * (len(slides) - done) // done, 0)
            yield one
    if "csv" in order.formats:
        delivery.deliver(SLIDES, slides_table(rows))


@contextmanager
def _crew(
    order: Order, records: Path, slides: Sequence[str], delivery: Delivery
) -> Iterator[Iterator[Written]]:
    """Slides written one after the other, in this process or, where they are many, in several."""
    hands = min(len(os.sched_getaffinity(0)), _HANDS)
    if len(slides) < _MANY or hands == 1:
        with Book(records, reads_only=True) as book:
            yield map(Export(order, book, delivery).slide, slides)
        return
    new = multiprocessing.get_context("spawn")  # what this process has open stays its own
    given = (order, records, delivery.folder)
    pool = ProcessPoolExecutor(hands, new, initializer=_begin, initargs=given)
    try:
        yield pool.map(_write, slides, chunksize=_AT_ONCE)
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(order: Order, records: Path, folder: Path) -> None:
    global _here
    delivery = Delivery(folder, beside=True)
    delivery.__enter__()  # whoever called sees to its end
    _here = Export(order, Book(records, reads_only=True), delivery)


def _write(slide: str) -> Written:
    assert _here is not None
    return _here.slide(slide)
