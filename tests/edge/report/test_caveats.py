"""What must stay in sight of a model stands in every form of report; without any nothing is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.records.book import Book
from edge.report.dicom.findings import conclusions
from edge.report.formats import Layout, writer
from edge.report.gather import gather
from edge.report.table import slide_row
from tests.edge.records.example import HEADER
from tests.edge.records.slides import screened
from tests.edge.report.test_record import SCHEMA, VALIDATOR, undescribed

CAVEAT = "exported even so: 3 blasts among its validation cells, 30 are wanted"


@pytest.mark.parametrize("caveats", [(), (CAVEAT,)])
def test_reports_tell_them(tmp_path: Path, caveats: tuple[str, ...]) -> None:
    path = tmp_path / "records.db"
    screened(path, ["blast", "lymphocyte"], header=replace(HEADER, caveats=caveats))
    with Book(path) as book:
        report = gather(book, "s")
        written = {
            kind: b"".join(content for _, content in writer(kind)(report, Layout()))
            for kind in ("html", "fhir", "json")
        }
        comments = [str(item.get("TextValue")) for item in conclusions(report)]
    row = slide_row(report)
    assert (row["caveats"], row["trusted"]) == (caveats[0] if caveats else None, int(HEADER.trusted))
    told = bool(caveats)
    assert (f"Caveat of the model: {CAVEAT}" in comments) is told
    for kind, content in written.items():
        assert (CAVEAT.encode() in content) is told, kind
    assert (b"Caveat of the model" in written["html"]) is told
    record = json.loads(written["json"])
    assert record["bundle"].get("caveats") == (list(caveats) or None)
    assert [*map(str, VALIDATOR.iter_errors(record))] == []
    assert [*undescribed(record, SCHEMA)] == []
