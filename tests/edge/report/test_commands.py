"""`edge-slides export` as people use it: names of files, what is asked for, one clear line for mistakes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import slides
from edge.files.delivery import file_name
from edge.records.book import Book
from edge.records.store import Store
from edge.report import commands, formats
from edge.report.table import SLIDES
from tests.edge.records.example import HEADER
from tests.edge.records.slides import screened
from tests.edge.report.exported import exported

NAMED = ["blast", "blast", "lymphocyte"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.db"
    for slide in ("s", "a/b"):
        screened(path, NAMED, slide)
    return path


@pytest.fixture
def run(records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `export` into the folder `out`: its status, what it printed, and what it complained of."""

    def run(*arguments: object) -> tuple[int, str, str]:
        words = ["export", "--records", records, "--out", tmp_path / "out", *arguments]
        try:
            status = slides.main([*map(str, words)])
        except SystemExit as ended:
            status = int(ended.code or 0)
        return status, *capsys.readouterr()

    return run


def test_a_slash_in_a_slides_name_leads_into_no_folder(records: Path) -> None:
    files = exported(records, "a/b", "--format", "json,csv")
    assert set(files) == {f"{file_name('a/b')}.json", f"{file_name('a/b')}.csv", SLIDES}
    assert json.loads(files[f"{file_name('a/b')}.json"])["slide"] == "a/b"


def test_all_or_those_found_each_once(records: Path, run: Run, tmp_path: Path) -> None:
    with Book(records) as book:
        book.note("s", "AB", patient="Quine")
    status, out, err = run("s", "--all", "--format", "csv,json,csv")
    assert (status, out, err) == (0, f"2 slides: 5 files in {tmp_path / 'out'}\n", "")
    assert set(exported(records, "--search", "quine", "--format", "json", out=tmp_path / "x")) == {"s.json"}


def test_the_same_slide_gives_the_same_bytes(records: Path, tmp_path: Path) -> None:
    words = ("--all", "--format", "csv,json,dicom")
    assert exported(records, *words) == exported(records, *words, out=tmp_path / "again")


def test_a_slide_under_way_and_one_without_cells(records: Path, tmp_path: Path) -> None:
    with Store(records) as store:
        store.begin_slide("now", HEADER)
        store.flush()
        files = exported(records, "now", "--format", "csv,json,labels,dicom", out=tmp_path / "now")
    assert json.loads(files["now.json"])["state"] == "under way"
    assert set(files) == {"now.csv", "now.json", SLIDES, "now.dcm/report.dcm"}
    assert files["now.csv"].count(b"\n") == 1
    later = exported(records, "now", "--format", "json", out=tmp_path / "later")
    assert json.loads(later["now.json"])["state"] in ("cut off", "under way")


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["t"], 1, "slide 't': is not in the records"),
        (["s", "t"], 1, "slide 't': is not in the records"),
        ([], 1, "name slides, or give --all"),
        (["--search", "nobody\x1b"], 1, "`edge-slides list` shows all"),
        (["s", "--format", "json,word"], 2, "word is none of html, pdf, csv, json, labels, fhir, dicom"),
        (["s", "--format", ","], 2, "nothing is none of"),
        (["s", "--date", "yesterday"], 2, "yesterday is no date like 2026-11-30"),
        (["s", "--date", "0001-01-01T00:00+14:00"], 2, "is no date like"),
        (["s", "--paper", "a3"], 2, "a3"),
        (["s", "--format", "json", "--out", "/dev/null"], 1, "/dev/null"),
        (["s", "--records", "/nowhere/r.db"], 1, "records /nowhere/r.db: there is no such file"),
    ],
)  # fmt: skip
def test_every_mistake_is_one_clear_line_and_writes_nothing(
    run: Run, tmp_path: Path, arguments: list[object], status: int, told: str
) -> None:
    ended, out, err = run(*arguments)
    assert (ended, out) == (status, "")
    assert told in err
    assert err.startswith("edge-slides")
    assert err.count("\n") == 1
    assert "\x1b" not in err
    assert not (tmp_path / "out").exists()


def test_an_empty_store_has_nothing_to_export(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store(tmp_path / "empty.db").close()
    words = ["export", "--records", tmp_path / "empty.db", "--out", tmp_path / "out", "--all"]
    assert slides.main([*map(str, words)]) == 1
    assert capsys.readouterr().err.startswith("edge-slides: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("missing", ["highdicom", "pydicom"])
def test_what_is_not_installed_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    for name in [*sys.modules]:
        if name.startswith("edge.report.dicom"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    status, out, err = run("s", "--format", "json,dicom")
    assert (status, out) == (1, "")
    assert err == (
        f"edge-slides: --format dicom: needs {missing}, which is not installed; install it with "
        "pip install 'leukoscope[dicom]'\n"
    )
    assert not (tmp_path / "out").exists()


def test_what_can_be_asked_for_is_what_there_is() -> None:
    assert [*formats.FORMATS] == [*commands._FORMATS]
    assert formats.PAPERS == commands._PAPERS
