"""A slide to files: its report in every format asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from edge.files.delivery import Delivery, file_name
from edge.records.book import Book
from edge.records.people import Signature
from edge.records.slidejson import signature_record
from edge.report.formats import Layout, writer
from edge.report.gather import gather
from edge.report.report import Report
from edge.report.table import slide_row


@dataclass(frozen=True)
class Order:
    """What is to be written of slides.

    Attributes
    ----------
    formats : see `edge.report.formats.FORMATS`. paper : of pages. made_at : what reports say of when they
        were made. without_patient : patient, age, sex and whatever people wrote in words are left out.
    """

    formats: tuple[str, ...]
    paper: str = "a4"
    made_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    without_patient: bool = False


@dataclass(frozen=True)
class Written:
    """What was written of a slide: names of files, their bytes, and its row in the table of all slides."""

    slide: str
    files: tuple[str, ...]
    size: int
    row: dict[str, Any]


class Export:
    """Writes slides, one after the other; nothing of them is kept.

    Raises
    ------
    LeukoscopeError : what a format needs is not installed.
    """

    def __init__(self, order: Order, book: Book, delivery: Delivery) -> None:
        self._writers = [writer(name) for name in order.formats]
        self._order, self._book, self._delivery = order, book, delivery

    def slide(self, slide: str) -> Written:
        """Write one slide."""
        report = gather(self._book, slide, self._order.made_at)
        if self._order.without_patient:
            report = nameless(report)
        files, size, layout = [], 0, Layout(self._order.paper)
        for write in self._writers:
            for ending, content in write(report, layout):
                path = self._delivery.deliver(file_name(slide) + ending, content)
                files.append(str(path.relative_to(self._delivery.folder)))
                size += len(content)
        return Written(slide, tuple(files), size, slide_row(report))


def nameless(report: Report) -> Report:
    """The report without what is known of the patient, and without what people wrote in their own words."""
    signatures = tuple(_wordless(one) for one in report.signatures)
    nothing: dict[str, Any] = {"patient": None, "age": None, "sex": None, "notes": []}
    record = report.record | nothing | {"signatures": [signature_record(one) for one in signatures]}
    return replace(report, patient=None, age=None, sex=None, notes=(), signatures=signatures, record=record)


def _wordless(signature: Signature) -> Signature:
    """A signature without the reason why it was taken back, which may name the patient."""
    back = signature.reopened
    return signature if back is None else replace(signature, reopened=replace(back, text=""))
