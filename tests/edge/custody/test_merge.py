"""Slides of two stores in one: what is new, what is lacking, and what is not the same slide."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.custody.merge import merge, opened
from edge.records.book import Book
from edge.records.migrations import MIGRATIONS
from edge.records.store import Store
from tests.edge.custody.conftest import Run, filled
from tests.edge.records.example import FINDING, HEADER, TALLY
from tests.edge.records.slides import field, screened
from tests.edge.records.test_migrations import ROOT
from tests.edge.records.test_version_5 import version_4


@pytest.fixture
def copy(records: Path, tmp_path: Path) -> Path:
    """The default store as it is at the beginning, on another box."""
    path = tmp_path / "copy" / "r.db"
    path.parent.mkdir()
    path.write_bytes(records.read_bytes())
    return path


def _checksums(path: Path) -> dict[str, str]:
    with Book(path, reads_only=True) as book:
        return {row["id"]: book.checksum(row["id"]) for row in book.slides()}


def _counts(path: Path) -> dict[str, int]:
    with sqlite3.connect(path) as database:
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in tables
            if table not in ("boots", "clock", "sqlite_sequence", "visits")
        }


def test_new_slides_come_over_with_their_checksums_and_only_once(
    run: Run, records: Path, tmp_path: Path
) -> None:
    other = filled(tmp_path / "other.db", "u", "v")
    with Book(other) as book:
        book.say_each("u", {1: "blast"}, "AB", undoes=book.said("u")[0].step)
        book.judged("u", FINDING, TALLY, "AB")
        book.finish("u", "AB")
        book.sign("u", "AB", readers=["AB", "MK"], kappa=0.5, both=3)
        book.reopen("u", "MK", "a wrong cell")
        book.sign("u", "MK")
        origin = book._rows("SELECT id FROM origin")[0]["id"]
        said, finished, signed = book.said("u"), book.finished("u"), book.signatures("u")
    before, theirs = _checksums(records), _checksums(other)
    status, out, error = run("merge", other)
    assert (status, error) == (0, "")
    assert out == "2 slides added, 0 got what they lacked, 0 were here already, 0 refused\n"
    assert _checksums(records) == before | theirs
    assert run("verify")[0] == 0
    with Book(records) as book:
        assert {row["origin"] for row in book.slides() if row["id"] in "uv"} == {origin}
        now = book.said("u")
        assert [(w.cell, w.named, w.by, w.at) for w in now] == [(w.cell, w.named, w.by, w.at) for w in said]
        assert [w.step == now[0].step for w in now] == [True, True, False]
        assert now[2].undoes == now[0].step != said[0].step  # numbers of their own
        assert now[2].step == now[2].number
        assert [one.word for one in book.finished("u")] == [now[-1].number]
        assert [one.at for one in book.finished("u")] == [one.at for one in finished]
        signatures = book.signatures("u")
        assert [(one.by, one.kappa, one.reopened is None) for one in signatures] == [
            (one.by, one.kappa, one.reopened is None) for one in signed
        ]
        assert book.crop("u", 1) is not None
        book.say("v", [4], "blast", "ZZ")
    counts = _counts(records)
    status, out, _ = run("merge", other, "--json", "-")
    assert status == 0
    assert json.loads(out) == {"added": [], "extended": {}, "same": ["u", "v"], "refused": {}}
    assert _counts(records) == counts


def test_a_store_is_made_of_many(run: Run, records: Path, copy: Path, tmp_path: Path) -> None:
    both = tmp_path / "all.db"
    assert run("backup", tmp_path / "backup")[0] == 0
    for other in (tmp_path / "backup", filled(tmp_path / "o.db", "u"), copy):
        assert run("merge", other, "--records", both)[0] == 0
    assert _checksums(both) == _checksums(records) | _checksums(tmp_path / "o.db")
    assert both.stat().st_mode & 0o777 == 0o600


def test_slides_that_are_here_get_what_they_lack(run: Run, records: Path, copy: Path) -> None:
    with Book(copy) as book:
        book.say("s", [4], "blast", "MK")
        book.say("s", [4], None, "MK")
        book.note("s", "MK", patient="P-9", note="thick")
        book.finish("s", "MK")
        book.judged("s", FINDING, TALLY, "MK")
        book.sign("s", "MK")
    status, out, error = run("merge", copy)
    assert (status, error) == (0, "")
    assert out == "0 slides added, 1 got what they lacked, 1 were here already, 0 refused\n"
    assert _checksums(records) == _checksums(copy)
    with Book(records) as book:
        assert book.found("s")["signed_by"] == "MK"
        assert book.about("s").patient == "P-9"
        book.reopen("s", "AB", "seen again")
    assert "1 got what they lacked" in run("merge", records, "--records", copy)[1]
    assert _checksums(records) == _checksums(copy)
    assert run("verify")[0] == run("verify", "--records", copy)[0] == 0


def test_what_two_people_said_of_one_slide_in_two_places_is_judged_together(
    run: Run, records: Path, copy: Path
) -> None:
    for path, cells, by in ((records, [5, 6], "MK"), (copy, [7], "ZZ")):
        with Book(path) as book:
            book.say("s", cells, "blast", by)
            book.judged("s", FINDING, TALLY, by)
    assert run("merge", copy)[0] == 0
    with Book(records) as book:
        assert [word.by for word in book.said("s")] == ["AB", "AB", "MK", "MK", "ZZ"]
        found = book.found("s")
        assert found["confirmed"]["blast"] == 3  # of both; neither finding alone says so
    counts = _counts(records)
    assert run("merge", copy)[1].startswith("0 slides added, 0 got")
    assert _counts(records) == counts


def test_no_word_comes_behind_a_signature(run: Run, records: Path, copy: Path) -> None:
    with Book(records) as book, Book(copy) as other:
        book.sign("s", "AB")
        other.say("s", [5], "blast", "MK")
        other.sign("t", "MK")
        book.say("t", [5], "blast", "AB")
        other.note("s", "MK", note="a note may")
    status, out, error = run("merge", copy)
    assert status == 1
    assert (
        "slide s: was signed by AB here, and has words there that the signed finding does not rest on"
        in error
    )
    assert "slide t: was signed by MK there, and has words here" in error
    assert "2 refused" in out
    with Book(records) as book:
        book.reopen("s", "AB", "to merge")
    assert "slide s" not in run("merge", copy)[2]
    with Book(records) as book:
        assert [word.by for word in book.said("s")] == ["AB", "AB", "MK"]


def test_another_slide_of_the_same_name_is_refused_and_the_others_come(
    run: Run, records: Path, tmp_path: Path
) -> None:
    other = filled(tmp_path / "o.db", "u")
    screened(other, ["lymphocyte"], "s")
    before = _checksums(records)["s"]
    status, out, error = run("merge", other)
    assert status == 1
    assert "slide s: is another slide than the one of this name here (begun 20" in error
    assert out == "1 slide added, 0 got what they lacked, 0 were here already, 1 refused\n"
    assert _checksums(records)["s"] == before


def test_a_damaged_slide_is_refused(run: Run, records: Path, tmp_path: Path) -> None:
    other = filled(tmp_path / "o.db", "u", "v")
    with sqlite3.connect(other) as database:
        database.execute("UPDATE cells SET class = 'lymphocyte' WHERE id = 1")
    status, out, error = run("merge", other)
    assert (status, out[:14]) == (1, "1 slide added,")
    assert "slide u: is damaged there: field 0: it or its cells are not as they were written" in error


def test_a_slide_cut_short_in_a_backup_is_completed(run: Run, records: Path, tmp_path: Path) -> None:
    with Store(records) as store:
        store.begin_slide("long", HEADER)
        store.add(field(0, ["blast"] * 4))
        store.flush()
        assert run("backup", tmp_path / "b")[0] == 0
        status, _, error = run("merge", records, "--records", tmp_path / "new.db")
        assert (status, "slide long: is being screened; merge it when it is finished" in error) == (1, True)
        store.add(field(1, ["lymphocyte"] * 4))
        store.flush()
        store.finish_slide(FINDING, TALLY)
    box = tmp_path / "box.db"
    box.write_bytes((tmp_path / "b" / "records.db").read_bytes())
    with sqlite3.connect(box) as database:
        database.execute("UPDATE boots SET boot_id = 'of another boot'")
    with Book(box) as book:
        book.say("long", [1], "artefact", "MK")
    assert "1 got what they lacked" in run("merge", records, "--records", box)[1]
    with Book(box) as book:
        assert (len(book.readings("long")), book.found("long")["finding"]) == (2, "refer")
        assert [word.by for word in book.said("long")] == ["MK"]
    assert run("verify", "--records", box)[0] == 0
    assert run("merge", tmp_path / "b")[1].startswith("0 slides added, 0 got")  # and the half brings nothing


def test_times_stay_true(run: Run, records: Path, tmp_path: Path) -> None:
    """The other box learnt its time only after a slide; its boots have numbers that are taken here."""
    other = filled(tmp_path / "o.db", "u")
    with sqlite3.connect(other) as database:
        database.execute("UPDATE boots SET boot_id = 'theirs'")
        database.execute("DELETE FROM clock")
        learnt = "INSERT INTO clock (boot, utc, boot_s, voucher) VALUES (1, ?, ?, ?)"
        database.execute(learnt, ("2020-01-01T00:00:00.000+00:00", 0, ""))
        database.execute(learnt, ("2026-06-01T00:00:00.000+00:00", 9, "ntp"))
    with Book(other) as book:
        was, said = book.found("u"), book.said("u")
    assert was["clock"] == "corrected"
    assert run("merge", other)[0] == 0
    with Book(records) as book:
        now = book.found("u")
        assert (now["started_at"], now["clock"]) == (was["started_at"], "corrected")
        assert [word.at for word in book.said("u")] == [word.at for word in said]
        assert book.found("s")["clock"] != "corrected"
        assert now["boot"] != was["boot"]


def test_an_older_store_is_read_through_a_copy(run: Run, records: Path, tmp_path: Path) -> None:
    other = version_4(tmp_path)
    before = other.read_bytes()
    assert run("merge", other)[1].startswith("2 slides added")
    with Book(records) as book:
        assert book.found("signed")["signed_by"] == "AB"
    counts = _counts(records)
    assert run("merge", other)[1].startswith("0 slides added, 0 got what they lacked, 2 were here already")
    assert _counts(records) == counts
    assert other.read_bytes() == before
    assert not list(records.parent.glob(".merge-*"))


def test_killed_half_way_it_goes_on_where_it_stopped(run: Run, records: Path, tmp_path: Path) -> None:
    other = filled(tmp_path / "o.db", "u", "v")
    code = (
        "import sys, os\nfrom pathlib import Path\nfrom edge.custody.merge import _Merging, merge, opened\n"
        "people = _Merging._people\n"
        "def cut(self, name, boots):\n"
        "    if name == 'v': os._exit(9)\n"
        "    return people(self, name, boots)\n"
        "_Merging._people = cut\n"
        "other, here = map(Path, sys.argv[1:])\n"
        "with opened(other, here) as source: merge(source, here, lambda *_: None)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(other), str(records)], cwd=ROOT)
    assert done.returncode == 9
    assert _checksums(records).keys() == {"s", "t", "u"}
    assert run("verify")[0] == 0
    assert run("merge", other)[1].startswith("1 slide added, 0 got what they lacked, 1 were here")


def _newer(path: Path) -> Path:
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    return path


def _text(path: Path) -> Path:
    path.write_bytes(b"no database " * 1000)
    return path


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (
            lambda copy: copy.parent / "none.db",
            "there is no such file; name a record store or a backup's folder",
        ),
        (lambda copy: copy.parent.parent, "there is no such file; name a record store or a backup's folder"),
        (_newer, "written by a newer version of this program"),
        (_text, "is not a record store"),
    ],
)
def test_what_cannot_be_merged(run: Run, copy: Path, other: Callable[[Path], Path], told: str) -> None:
    status, _, error = run("merge", other(copy))
    assert (status, len(error.splitlines())) == (1, 1)
    assert told in error


def test_a_store_is_not_merged_into_itself(run: Run, records: Path) -> None:
    status, _, error = run("merge", records)
    assert (status, "are those to merge into; name another store" in error) == (1, True)


def test_progress_is_told(records: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    with opened(records, tmp_path / "n.db") as other:
        merge(other, tmp_path / "n.db", lambda *step: told.append(step))
    assert told == [(0, 2, "s"), (1, 2, "t")]
