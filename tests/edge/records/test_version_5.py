"""What the fifth version of the records brought: signatures that can be taken back, digests, views."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from edge.records.book import Book
from edge.records.database import RecordsError
from edge.records.migrations import MIGRATIONS
from edge.records.seals import ADDED
from edge.records.store import Store
from tests.edge.records.example import CLASSES, FINDING, TALLY
from tests.edge.records.slides import screened
from tests.edge.records.test_migrations import of_version

NAMED = ["blast", "blast", "lymphocyte", "artefact", *["lymphocyte"] * 8]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    screened(tmp_path / "records.db", NAMED)
    return tmp_path / "records.db"


def version_4(folder: Path) -> Path:
    """A store as the fourth version left it, with a slide that is signed and one that is not."""
    path, old = of_version(4, folder)
    old.execute("INSERT INTO boots VALUES (1, 'ab', '2026-11-01T08:00:00.000+00:00', 5.0)")
    for slide in ("signed", "open"):
        old.execute(
            "INSERT INTO slides (id, started_at, finished_at, version, profile, camera, runtime, bundle, "
            "bundle_sha256, trusted, classes, finding, boot, started_s, tally) VALUES (?, "
            "'2026-11-01T08:00:00.000+00:00', '2026-11-01T08:20:00.000+00:00', '0.1', 'p', 'c', 'r', 'b', "
            "'ab', 1, ?, 'refer', 1, 5.0, ?)",
            (slide, json.dumps(CLASSES), json.dumps({"counts": {}, "leukocytes": 3, "positives": 2})),
        )
        old.execute(
            "INSERT INTO readings (slide, frame, source, captured_at, t_s, width, height, um_per_px, "
            "um_per_px_from, sharpness, brightness, problems, repeated, ms) VALUES (?, 0, 'x.png', "
            "'2026-11-01T08:00:01+00:00', 5.5, 64, 48, 0.1, 'nominal', 0.5, 0.5, '[]', 0, '{}')",
            (slide,),
        )
    at = "'2026-11-01T09:00:00.000+00:00', 1, 100.0"
    old.execute(f"INSERT INTO notes VALUES (1, 'signed', 'AB', 'patient', 'P-1', {at})")
    old.execute(f"INSERT INTO signatures VALUES (7, 'signed', 'AB', 'refer', '[\"AB\"]', 0.5, 9, {at})")
    old.commit()
    old.close()
    return path


def test_version_4_keeps_its_signatures_and_is_given_an_origin(tmp_path: Path) -> None:
    path = version_4(tmp_path)
    with Book(path) as book:
        (signature,) = book.signatures("signed")
        assert (signature.by, signature.finding, signature.kappa, signature.both) == ("AB", "refer", 0.5, 9)
        assert (signature.number, signature.readers, signature.reopened) == (7, ("AB",), None)
        assert {row["id"]: row["state"] for row in book.listed()} == {"signed": "signed", "open": "finished"}
        (origin,) = book._rows("SELECT id FROM origin")
        assert len(origin["id"]) == 32
        assert {row["origin"] for row in book._rows("SELECT origin FROM slides")} == {origin["id"]}
        kept = book._rows("SELECT sha256 FROM slides UNION SELECT sha256 FROM readings")
        assert kept == [{"sha256": None}]
        before = book.checksum("signed")
        assert len(before) == 64
        book.reopen("signed", "MK", "wrong slide")
        assert book.checksum("signed") != before
        book.sign("signed", "MK")
    for table in ADDED:
        with sqlite3.connect(path) as other:
            for change in (f"UPDATE {table} SET initials = 'X'", f"DELETE FROM {table}"):
                if other.execute(f"SELECT count(*) FROM {table}").fetchone()[0]:
                    with pytest.raises(sqlite3.Error, match=f"{table} are only added to"):
                        other.execute(change)


def test_every_migrated_store_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    asked = "SELECT type, name, tbl_name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"
    found = []
    for version in range(len(MIGRATIONS)):
        folder = tmp_path / str(version)
        folder.mkdir()
        path = of_version(version, folder)[0] if version else folder / "records.db"
        Store(path).close()
        with sqlite3.connect(path) as database:
            found.append((database.execute(asked).fetchall(), *(
                database.execute(f"PRAGMA table_info({table})").fetchall() for table in (*ADDED, "cells")
            )))  # fmt: skip
    assert all(one == found[0] for one in found)


def test_a_signed_slide_is_reopened_corrected_and_signed_again(path: Path) -> None:
    with Book(path) as book:
        book.say("s", [1], "lymphocyte", "AB")
        book.sign("s", "AB")
        with pytest.raises(RecordsError, match="signed it"):
            book.say("s", [2], "lymphocyte", "AB")
        for reason in ("", "  ", "x" * 3000):
            with pytest.raises(RecordsError, match="note "):
                book.reopen("s", "MK", reason)
        book.reopen("s", "mk", " called by the clinic ")
        assert book.signature("s") is None
        assert book.found("s")["state"] == "finished"
        with pytest.raises(RecordsError, match="is not signed; there is nothing to reopen"):
            book.reopen("s", "MK", "again")
        book.say("s", [2], "lymphocyte", "AB")
        book.judged("s", FINDING, TALLY, "AB")
        book.sign("s", "MK")
        first, second = book.signatures("s")
        assert first.reopened is not None
        assert (first.by, first.reopened.by, first.reopened.text) == ("AB", "MK", "called by the clinic")
        assert (second.by, second.reopened) == ("MK", None)
        slide = book.found("s")
        assert (slide["state"], slide["signed_by"]) == ("signed", "MK")
        assert [(one.slide, one.signed_by) for one in book.glances()] == [("s", "MK")]
        assert len(book.said("s")) == 2


def test_digests_are_of_everything_and_of_nothing_that_only_orders(path: Path) -> None:
    with Book(path) as book:
        first = book.checksum("s")
        book.say("s", [1], "blast", "AB")
        second = book.checksum("s")
        assert first != second
        (kept,) = book._rows("SELECT sha256 FROM slides")
        assert book.sealed_readings("s") == [
            book.digest_of_reading(row["id"]) for row in book._rows("SELECT id FROM readings ORDER BY id")
        ]
    with sqlite3.connect(path) as other:
        other.execute("UPDATE cells SET crop = zeroblob(4) WHERE id = 1")
    with Book(path) as book:
        number = book._rows("SELECT reading FROM cells WHERE id = 1")[0]["reading"]
        assert book.digest_of_reading(number) not in book.sealed_readings("s")
        assert book.checksum("s") == second  # kept digests are taken as they are
        assert book._rows("SELECT sha256 FROM slides") == [kept]


# -- views ---------------------------------------------------------------------------------------------------


def test_the_views_say_what_the_program_says(path: Path) -> None:
    screened(path, ["lymphocyte"] * 3, "other")
    with Book(path) as book:
        book.note("s", "AB", patient="P-7", age="40", sex="female", note="pale")
        book.note("s", "AB", patient="P-8")
        book.say("s", [1], "lymphocyte", "AB")
        book.say("s", [1], "artefact", "AB")  # thought better of it
        book.say("s", [2], "lymphocyte", "AB")
        book.say("s", [2], "blast", "MK")  # they do not agree
        book.say("s", [3], "artefact", "AB")
        book.say("s", [3], None, "AB")
        book.judged("s", FINDING, TALLY, "MK")
        book.sign("s", "MK")
        (row,) = book._rows("SELECT * FROM v_slides WHERE slide = 's'")
        found = book.found("s")
        for column in (
            "patient",
            "age",
            "sex",
            "finding",
            "headline",
            "signed_by",
            "blast_fraction",
            "state",
        ):
            assert row[column] == found[column]
        assert (row["patient"], row["age"], row["state"]) == ("P-8", 40, "signed")
        assert row["cells_counted"] == TALLY.leukocytes
        assert row["readers"] == "AB,MK"
        assert row["machine_finding"] == found["machine"]["finding"]
        (other,) = book._rows("SELECT * FROM v_slides WHERE slide = 'other'")
        assert (other["patient"], other["readers"], other["state"]) == (None, None, "finished")
        assert other["finding"] == book.found("other")["finding"]
        cells = {row["cell"]: row for row in book._rows("SELECT * FROM v_cells WHERE slide = 's'")}
        views = {view["cell"]: view for view in book.views("s")}
        assert cells.keys() == views.keys()
        for number, cell in cells.items():
            assert (cell["machine"], bool(cell["settled"])) == (
                views[number]["class"],
                views[number]["settled"],
            )
            assert cell["crop"] is not None
        assert [cells[n]["people"] for n in (1, 2, 3, 4)] == ["artefact", None, None, None]
        assert [cells[n]["class"] for n in (1, 2, 3, 4)] == ["artefact", "blast", "lymphocyte", "artefact"]
        assert cells[1]["suspicion"] == pytest.approx(0.91, abs=0.1)
        book.reopen("s", "MK", "once more")
        (row,) = book._rows("SELECT state, signed_by FROM v_slides WHERE slide = 's'")
        assert row == {"state": "finished", "signed_by": None}


def test_the_views_read_one_slide_by_indexes_alone(path: Path) -> None:
    """Or they would take seconds of a thousand slides (benchmarks/custody.py)."""
    with Book(path, reads_only=True) as book:
        for view in ("v_slides", "v_cells"):
            plan = book._rows(f"EXPLAIN QUERY PLAN SELECT * FROM {view} WHERE slide = 's'")
            scanned = {row["detail"] for row in plan if row["detail"].startswith("SCAN")}
            assert scanned <= {"SCAN seen", "SCAN (subquery-7)", "SCAN (subquery-6)", "SCAN (subquery-5)"}
            assert not any("AUTOMATIC" in row["detail"] for row in plan)
