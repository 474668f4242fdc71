"""The report as PDF: what stands on its pages, and the same bytes everywhere."""

from __future__ import annotations

import hashlib
import io
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pypdf import PdfReader

from edge.report.formats import Layout, writer
from edge.report.pages import html
from edge.report.pages.pdf import files
from edge.report.report import Report
from edge.types import LeukoscopeError
from tests.edge.report.pages.slide import MADE_AT, NOTE, PATIENT


def _pdf(report: Report, paper: str = "a4") -> PdfReader:
    ((ending, content),) = files(report, Layout(paper))
    assert ending == ".pdf"
    return PdfReader(io.BytesIO(content))


def _words(text: str) -> str:
    return " ".join(text.split())


def test_every_page_says_whose_it_is_that_it_is_not_signed_and_its_number(report: Report) -> None:
    pages = _pdf(report).pages
    assert len(pages) > 1
    for number, page in enumerate(pages, 1):
        text = _words(page.extract_text())
        assert "Slide s 1 · patient" in text
        assert "PRELIMINARY: not signed" in text
        assert f"Page {number}" in text
        assert f"of {len(pages)}" in text
        assert "For research use only" in text


def test_it_says_what_the_html_says(report: Report) -> None:
    text = "".join(_words(" ".join(page.extract_text() for page in _pdf(report).pages)).split())
    finding = report.finding
    assert finding
    wanted = (PATIENT, NOTE, finding.headline, finding.reason, "cell 5: people differ", report.checksum)
    for part in wanted:
        assert "".join(part.split()) in text


def test_what_pages_show_again_and_again_is_there(report: Report) -> None:
    shown = set()
    for page in _pdf(report).pages:
        contents = page.get_contents()
        assert contents is not None
        names = {f"/{name}" for name in re.findall(r"/(\S+) Do\b", contents.get_data().decode("latin-1"))}
        assert names <= set(page["/Resources"]["/XObject"])  # type: ignore[index]
        shown |= names
    assert any("dot-" in name for name in shown)
    assert not any("#" in name for name in shown)  # what follows one is read as a number (ISO 32000-1, 7.3.5)


def test_bookmarks_and_what_a_reader_shows_of_it(report: Report) -> None:
    pdf = _pdf(report)
    titles = [one.title for one in pdf.outline if not isinstance(one, list)]
    assert titles[:2] == ["Differential", "Cells to look at"]
    assert titles[-1] == "Checksum of the record"
    assert pdf.metadata
    assert pdf.metadata.title == "Screening for leukemia: slide s 1"
    assert pdf.metadata.creation_date == MADE_AT
    catalog: Any = pdf.root_object
    assert catalog["/Lang"] == "en"


@pytest.mark.parametrize(("paper", "points"), [("a4", (595, 842)), ("letter", (612, 792))])
def test_it_has_the_paper_chosen(report: Report, paper: str, points: tuple[int, int]) -> None:
    box = _pdf(report, paper).pages[0].mediabox
    assert (round(box.width), round(box.height)) == points


def test_pictures_are_the_bytes_that_were_kept(report: Report) -> None:
    crops = report.pictures.crops([cell.seen.id for cell in report.gallery])
    ((_, content),) = files(report, Layout())
    assert crops
    assert all(jpeg in content for jpeg in crops.values())
    assert b"FlateDecode" not in content  # which differs with the library that compresses


def test_letters_that_it_cannot_draw_are_written_by_number_and_it_says_so(report: Report) -> None:
    drawn = _words(_pdf(report).pages[0].extract_text())
    strange = _words(_pdf(replace(report, patient="रमेश-42 משה")).pages[0].extract_text())
    assert "cannot draw" not in drawn
    assert "cannot draw" in strange
    assert "\\u0930\\u092e\\u0947\\u0936-42 \\u05de\\u05e9\\u05d4" in strange


def test_a_long_patient_and_slide_stay_on_the_page(report: Report) -> None:
    long = replace(report, patient="W" * 64, slide="स" * 64)
    assert len(_pdf(long).pages) >= len(_pdf(report).pages)
    assert "…" in _pdf(long).pages[0].extract_text()


def test_a_file_is_the_same_wherever_it_is_written(report: Report, records: Path) -> None:
    """Another process, another order of hashes, another place and language."""
    code = (
        "import hashlib, sys\nfrom pathlib import Path\n"
        "from edge.records.book import Book\nfrom edge.report.formats import Layout, writer\n"
        "from edge.report.gather import gather\nfrom datetime import datetime\n"
        "made_at = datetime.fromisoformat(sys.argv[2])\n"
        "with Book(Path(sys.argv[1]), reads_only=True) as book:\n"
        "    for name in ('html', 'pdf'):\n"
        "        ((_, content),) = writer(name)(gather(book, 's 1', made_at), Layout())\n"
        "        print(hashlib.sha256(content).hexdigest())\n"
    )
    elsewhere = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Asia/Kolkata", "LC_ALL": "C"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(records), MADE_AT.isoformat()],
        env=elsewhere, capture_output=True, text=True, check=True,
    )  # fmt: skip
    here = [
        hashlib.sha256(content).hexdigest()
        for write in (html.files, files)
        for _, content in write(report, Layout())
    ]
    assert done.stdout.split() == here


def test_without_reportlab_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pdf", "flow", "fonts", "paint"):
        monkeypatch.delitem(sys.modules, f"edge.report.pages.{name}", raising=False)
    monkeypatch.setitem(sys.modules, "reportlab", None)
    with pytest.raises(LeukoscopeError, match=r"--format pdf: needs reportlab.*pip install .leukoscope"):
        writer("pdf")
    writer("html")
