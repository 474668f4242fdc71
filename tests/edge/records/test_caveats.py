"""What must stay in sight of a model: kept with each slide, and told wherever the slide is."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from edge import slides
from edge.custody.merge import merge, opened
from edge.custody.repair import repair
from edge.custody.verify import Inspection
from edge.records.book import Book
from edge.records.database import connect
from edge.records.jsonl import JsonLines
from edge.records.store import Store
from edge.records.summary import Summary
from tests.edge.records.example import HEADER, reading
from tests.edge.records.slides import screened
from tests.edge.records.test_migrations import of_version

CAVEATS = ("exported even so: 3 blasts among its validation cells, 30 are wanted", "installed even so: café")
WITH = replace(HEADER, caveats=CAVEATS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with a slide of a model with caveats, and one of a model without."""
    path = tmp_path / "records.db"
    screened(path, ["blast", "lymphocyte"], "with", header=WITH)
    screened(path, ["blast", "lymphocyte"], "without")
    return path


def test_they_are_kept_and_shown_where_there_are_any(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Book(path, reads_only=True) as book:
        assert book.found("with")["caveats"] == list(CAVEATS)
        assert book.found("without")["caveats"] is None
        rows = book._rows("SELECT slide, caveats FROM v_slides ORDER BY slide")
        assert [(row["slide"], json.loads(row["caveats"] or "[]")) for row in rows] == [
            ("with", list(CAVEATS)), ("without", []),
        ]  # fmt: skip
    assert slides.main(["list", "--json", "-", "--records", str(path)]) == 0
    found = {one["slide"]: one["bundle"] for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert found["with"]["caveats"] == list(CAVEATS)
    assert "caveats" not in found["without"]
    shown = {}
    for name in found:
        assert slides.main(["show", name, "--records", str(path)]) == 0
        shown[name] = " ".join(capsys.readouterr().out.split())
    assert all(f"caveat model {caveat}" in shown["with"] for caveat in CAVEATS)
    assert "caveat" not in shown["without"]


def test_a_slide_without_any_has_the_digest_that_it_had(tmp_path: Path) -> None:
    path, old = of_version(5, tmp_path)
    old.close()
    with sqlite3.connect(path) as five:
        columns = {row[1] for row in five.execute("PRAGMA table_info(slides)")}
    assert "caveats" not in columns
    screened(path, ["blast"], "s")
    with Inspection(path) as records:
        assert records.slide("s").failures == ()
        (row,) = records._rows("SELECT caveats, sha256 FROM slides")
    assert (row["caveats"], len(row["sha256"])) == (None, 32)


def test_they_are_part_of_the_digest_and_come_along_when_slides_are_merged(
    path: Path, tmp_path: Path
) -> None:
    into = tmp_path / "into.db"
    with opened(path, into) as other:
        assert sorted(merge(other, into, lambda *_: None).added) == ["with", "without"]
    with Inspection(into) as records:
        assert records.found("with")["caveats"] == list(CAVEATS)
        assert not records.slide("with").failures
    database = connect(into, 1.0)
    database.execute("UPDATE slides SET caveats = NULL WHERE id = 'with'")
    database.close()
    with Inspection(into) as records:
        assert records.slide("with").failures
        assert not records.slide("without").failures


def test_caveats_that_cannot_be_read_any_more_are_not_none(path: Path) -> None:
    database = connect(path, 1.0)
    database.execute("""UPDATE slides SET caveats = '["torn' WHERE id = 'with'""")
    database.close()
    with Inspection(path) as records:
        assert any("caveats is no JSON" in failure.what for failure in records.slide("with").failures)
    repair(path, lambda *_: None)
    with Book(path) as book:
        assert book.found("with")["caveats"] == ["has caveats that cannot be read any more"]


def test_a_slide_that_goes_on_has_those_of_both_times(path: Path) -> None:
    screened(path, ["blast"], "cut", header=replace(WITH, caveats=CAVEATS[:1]), finish=False)
    screened(path, ["blast"], "plain", finish=False)
    for name, header in (("cut", replace(WITH, caveats=CAVEATS[1:])), ("plain", HEADER)):
        with Store(path) as store:
            with Book(path) as book:
                before = book.found(name)
            store.go_on(before, header)
    with Book(path) as book:
        assert book.found("cut")["caveats"] == list(CAVEATS)
        assert book.found("plain")["caveats"] is None


@pytest.mark.parametrize("header", [HEADER, WITH])
def test_every_json_line_and_the_last_one_for_people_tell_them(header: object, tmp_path: Path) -> None:
    assert isinstance(header, type(HEADER))
    lines, summary = JsonLines(str(tmp_path / "out.jsonl")), Summary()
    for sink in (lines, summary):
        sink.start("s", header, 0.1)
        sink.reading(reading(0))
        sink.finding(reading(1))
    lines.close()
    start, *others = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    for told in (start["bundle"], *others):
        assert told.get("caveats") == (list(CAVEATS) if header.caveats else None)
    ending = f" (model {CAVEATS[0]}; model {CAVEATS[1]})" if header.caveats else "many blasts"
    assert str(summary.line).endswith(ending)
