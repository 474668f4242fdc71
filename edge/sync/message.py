"""What is sent of a slide: its report as a FHIR transaction, compact."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import Any

from edge.records.book import Book


@dataclass(frozen=True)
class Message:
    """A slide on its way.

    Attributes
    ----------
    body : the transaction as JSON, UTF-8. entries : how many it has, each to be answered.
    report : the search that finds its report on the server; it names an identifier and nothing of a patient.
    issued, status : since when the report says this, ISO 8601; and what it is (`edge.report.report.Status`).
    """

    body: bytes
    entries: int
    report: str
    issued: str
    status: str

    def packed(self) -> bytes:
        """The body as gzip."""
        return gzip.compress(self.body, 9, mtime=0)


def message(
    book: Book, slide: str, *, pictures: bool = False, without_patient: bool = False
) -> Message | None:
    """The slide as its server is to have it; None while it is screened.

    Parameters
    ----------
    pictures : crops and PDF go along.
    without_patient : patient, age, sex and whatever people wrote in words are left out.

    Raises
    ------
    RecordsError : it cannot be read.
    """
    # seconds on a small board, which who has nothing to send need not wait for
    from edge.report.export import nameless
    from edge.report.fhir.bundle import bundle
    from edge.report.formats import Layout
    from edge.report.gather import gather

    report = gather(book, slide)
    if report.state == "under way":
        return None
    if without_patient:
        report = nameless(report)
    transaction = bundle(report, Layout(), pictures=pictures)
    return Message(_compact(transaction), len(transaction["entry"]), *_told(transaction))


def _told(transaction: dict[str, Any]) -> tuple[str, str, str]:
    """The address of the report's entry, its `issued` and its `status`."""
    (entry,) = (e for e in transaction["entry"] if e["resource"]["resourceType"] == "DiagnosticReport")
    return entry["request"]["url"], entry["resource"]["issued"], entry["resource"]["status"]


def _compact(transaction: dict[str, Any]) -> bytes:
    return json.dumps(transaction, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
