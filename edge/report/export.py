"""Slides to files: each slide's report in every format asked for, and one table of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from edge.files.delivery import Delivery, file_name
from edge.records.book import Book
from edge.records.people import Signature
from edge.report.formats import Layout, writer
from edge.report.gather import gather
from edge.report.report import Report
from edge.report.table import SLIDES, slide_row, slides_table


class Export:
    """Writes slides, one after the other; of what is written only lines of the common table are kept.

    Parameters
    ----------
    formats : see `edge.report.formats.FORMATS`. paper : of pages. made_at : see `gather`; now for None.
    without_patient : patient, age, sex and notes are left out.

    Attributes
    ----------
    written : files so far.

    Raises
    ------
    LeukoscopeError : what a format needs is not installed.
    """

    def __init__(
        self, formats: Sequence[str], paper: str, made_at: datetime | None, without_patient: bool
    ) -> None:
        self._writers = [writer(name) for name in formats]
        self._layout = Layout(paper)
        self._made_at = made_at or datetime.now(UTC)
        self._without_patient = without_patient
        self._rows: list[dict[str, Any]] | None = [] if "csv" in formats else None
        self.written = 0

    def slide(self, book: Book, slide: str, delivery: Delivery) -> None:
        """Write one slide."""
        report = gather(book, slide, self._made_at)
        if self._without_patient:
            report = nameless(report)
        for write in self._writers:
            for ending, content in write(report, self._layout):
                delivery.deliver(file_name(slide) + ending, content)
                self.written += 1
        if self._rows is not None:
            self._rows.append(slide_row(report))

    def end(self, delivery: Delivery) -> None:
        """Write what is about all slides."""
        if self._rows is not None:
            delivery.deliver(SLIDES, slides_table(self._rows))
            self.written += 1


def nameless(report: Report) -> Report:
    """The report without what is known of the patient, and without what people wrote in their own words."""
    record = report.record | {"patient": None, "age": None, "sex": None, "notes": []}
    signatures = tuple(_wordless(one) for one in report.signatures)
    return replace(report, patient=None, age=None, sex=None, notes=(), signatures=signatures, record=record)


def _wordless(signature: Signature) -> Signature:
    """A signature without the reason why it was taken back, which may name the patient."""
    back = signature.reopened
    return signature if back is None else replace(signature, reopened=replace(back, text=""))
