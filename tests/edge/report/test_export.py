"""Slides to files: nothing is kept, and nothing of the patient leaves where that was asked for."""

from __future__ import annotations

import gc
import io
import tracemalloc
from pathlib import Path

import pytest

from edge.files.delivery import Delivery
from edge.records.book import Book
from edge.report.export import Export
from edge.report.formats import FORMATS
from edge.report.report import Report
from tests.edge.records.slides import screened
from tests.edge.report.exported import exported

NAMED = ["blast", "blast", "lymphocyte"]
FEW, MANY = 5, 40


def test_many_slides_take_no_more_memory_than_few(tmp_path: Path) -> None:
    screened(tmp_path / "records.db", NAMED)
    export = Export(("csv", "json"), "a4", None, False)
    at: dict[int, int] = {}
    with Book(tmp_path / "records.db", reads_only=True) as book, Delivery(tmp_path / "out") as delivery:
        tracemalloc.start()
        try:
            for i in range(MANY):
                export.slide(book, "s", delivery)
                if i + 1 in (FEW, MANY):
                    gc.collect()
                    at[i + 1] = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
        export.end(delivery)
    assert not [one for one in gc.get_objects() if isinstance(one, Report)]
    assert at[MANY] - at[FEW] < MANY * 10_000  # a line of the common table each
    assert export.written == 2 * MANY + 1


PATIENT, NOTE, WHY, AGE = "Zoë Quine", "brought by her sister Ulla", "was Quine's sister", 97


@pytest.mark.parametrize("name", [*FORMATS])
def test_without_patient_no_file_has_a_trace_of_one(tmp_path: Path, name: str) -> None:
    pytest.importorskip(FORMATS[name].split(":")[0])
    records = tmp_path / "records.db"
    screened(records, NAMED)
    with Book(records) as book:
        book.note("s", "AB", patient=PATIENT, age=AGE, sex="female", note=NOTE)
        book.sign("s", "AB")
        book.reopen("s", "AB", WHY)
        book.sign("s", "AB")
    plain = exported(records, "s", "--format", name)
    without = exported(records, "s", "--format", name, "--without-patient", out=tmp_path / "without")
    assert without.keys() == plain.keys()
    if name == "pdf":  # its text is packed
        pages = pytest.importorskip("pypdf").PdfReader(io.BytesIO(without["s.pdf"])).pages
        without["s.txt"] = "".join(page.extract_text() for page in pages).encode()
    for path, content in without.items():
        for trace in ("Quine", "Ulla", "sister"):
            for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
                assert trace.encode(encoding) not in content, path
        assert b"097Y" not in content
        assert b"female" not in content
