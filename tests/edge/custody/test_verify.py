"""What is not as it was written is found, whichever row, picture or digest it is."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from edge.records.book import Book
from edge.records.migrations import MIGRATIONS
from edge.records.store import Store
from tests.edge.custody.conftest import Run
from tests.edge.records.example import HEADER
from tests.edge.records.slides import field
from tests.edge.records.test_version_5 import version_4


def _spoiled(path: Path, change: str) -> None:
    with sqlite3.connect(path) as other:
        for trigger in other.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            other.execute(f"DROP TRIGGER {trigger[0]}")  # as a strange hand would
        other.execute(change)


def test_records_as_they_were_written(run: Run, records: Path) -> None:
    assert run("verify") == (0, "2 slides, 4 fields and 24 cells are as they were written\n", "")
    status, out, _ = run("verify", "--json", "-")
    first, second, whole = map(json.loads, out.splitlines())
    assert status == 0
    assert (first["slide"], first["fields"], first["cells"], first["failures"]) == ("s", 2, 12, [])
    assert (second["kind"], whole["kind"], whole["slides"], whole["failures"]) == ("slide", "records", 2, 0)
    with Book(records, reads_only=True) as book:
        assert first["checksum"] == book.checksum("s")
    assert out == run("verify", "--json", "-")[1]  # and nothing was written


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("UPDATE slides SET finding = 'no-blasts-seen' WHERE id = 't'", "is not as it was finished"),
        ("UPDATE slides SET tally = '{' WHERE id = 't'", "tally is no JSON"),
        ("UPDATE slides SET sha256 = NULL WHERE id = 't'", "has lost its digest"),
        ("UPDATE readings SET sharpness = 0.1 WHERE id = 3", "field 0: it or its cells are not as"),
        ("UPDATE readings SET problems = 'x' WHERE id = 3", "field 0: problems is no JSON"),
        ("UPDATE readings SET thumb = x'00' WHERE id = 3", "field 0: its small picture cannot be decoded"),
        ("DELETE FROM readings WHERE id = 4", "or a field of it is missing"),
        ("DELETE FROM cells WHERE id = 13", "field 0: it or its cells are not as they were written"),
        ("UPDATE cells SET crop = substr(crop, 1, 400) WHERE id = 13", "cell 1: its crop cannot be decoded"),
        ("UPDATE cells SET context = x'ffd8' WHERE id = 13", "cell 1: what lies round it cannot be decoded"),
        ("UPDATE cells SET x1 = 9999 WHERE id = 13", "cell 1: its box is not inside the field"),
        ("UPDATE cells SET x1 = 'x' WHERE id = 13", "cell 1: its box is not inside the field"),
        ("UPDATE cells SET class = 'melon' WHERE id = 13", "cell 1: is called what the slide's bundle"),
        ("UPDATE cells SET probabilities = zeroblob(12) WHERE id = 13", "are not 3 that sum to 1"),
        ("UPDATE cells SET probabilities = x'00' WHERE id = 13", "are not 3 that sum to 1"),
        ("UPDATE words SET named = 'blast' WHERE id = 3", "row 3 of words: is not as AB left it"),
        ("UPDATE words SET cell = 99 WHERE id = 3", "row 3 of words: names cell 99, which is not there"),
        ("UPDATE words SET named = 'melon' WHERE id = 3", "names a class that the slide's bundle has not"),
        ("UPDATE notes SET value = 'P-9', sha256 = NULL WHERE id = 3", "row 3 of notes: has lost its digest"),
        ("UPDATE slides SET classes = x'ff' WHERE id = 't'", "is not as it was finished"),
        ("INSERT INTO fields VALUES (3, x'00', x'00')", "its whole picture is not as it was written"),
    ],
)  # fmt: skip
def test_what_was_changed_is_found(run: Run, records: Path, change: str, told: str) -> None:
    _spoiled(records, change)
    status, _, error = run("verify")
    assert status == 3
    assert told in error
    lines = error.splitlines()
    assert all(line.startswith("edge-slides: slide t: ") for line in lines if "the file" not in line)
    assert all(line.endswith("save what can be read (edge-slides repair)") for line in lines)
    assert run("verify", "s")[0] == 0


def test_rows_that_belong_to_nothing(run: Run, records: Path) -> None:
    _spoiled(records, "DELETE FROM slides WHERE id = 't'")
    status, out, error = run("verify", "--json", "-")
    assert status == 3
    assert "the file: 2 rows of readings belong to no row of slides" in error
    assert json.loads(out.splitlines()[-1])["file"]


def test_a_slide_is_held_against_its_report(run: Run, records: Path) -> None:
    with Book(records) as book:
        checksum = book.checksum("s")
        assert run("verify", "s")[1].startswith(f"{checksum}  s\n")
        for digits in (checksum, checksum[:16], checksum.upper(), f"{checksum[:8]} {checksum[8:30]}"):
            assert run("verify", "s", "--checksum", digits)[0] == 0
        status, _, error = run("verify", "s", "--checksum", "0" * 16)
        assert (status, f"its checksum is {checksum[:16]}, not 0000" in error) == (3, True)
        book.say("s", [3], "blast", "MK")
        status, _, error = run("verify", "s", "--checksum", checksum)
        assert status == 3
        assert "something was added after the report was made" in error


def test_slides_without_digests_are_no_failures(run: Run, tmp_path: Path) -> None:
    path = version_4(tmp_path)
    with Store(path) as store:
        store.begin_slide("cut", HEADER)
        store.add(field(0, ["blast"]))
        store.flush()
    status, out, error = run("verify", "--records", path)
    assert (status, error) == (0, "")
    assert "3 slides without a digest of the whole: unfinished or of an older version" in out


def test_a_store_that_is_screened_into_is_looked_at(run: Run, records: Path) -> None:
    with Store(records) as store:
        store.begin_slide("now", HEADER)
        store.add(field(0, ["blast"]))
        store.flush()
        assert run("verify")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["none"], 1, "slide 'none': is not in the records"),
        (["--records", "/nowhere/r.db"], 1, "records /nowhere/r.db: there is no such file"),
        (["--checksum", "ab" * 8], 1, "name that one"),
        (["s", "--checksum", "short"], 2, "is not 16 to 64 hexadecimal digits"),
        (["s", "--json", "/nowhere/x"], 1, "--json /nowhere/x: cannot be written"),
    ],
)
def test_what_cannot_be_done_is_told(
    run: Run, records: Path, arguments: list[str], status: int, told: str
) -> None:
    found, _, error = run("verify", *arguments)
    assert found == status
    assert told in error
    assert len(error.splitlines()) == 1


def test_a_newer_store_and_one_that_is_none(run: Run, records: Path, tmp_path: Path) -> None:
    with sqlite3.connect(records) as other:
        other.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    status, _, error = run("verify")
    assert (status, "written by a newer version" in error) == (1, True)
    (tmp_path / "x.db").write_bytes(b"no database " * 1000)
    status, _, error = run("verify", "--records", tmp_path / "x.db")
    assert status == 3
    assert "is not a record store" in error
    assert "edge-slides repair" in error
