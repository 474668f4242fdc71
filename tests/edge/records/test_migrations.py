"""Stores of older versions: they open, and keep everything."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edge.records.book import Book
from edge.records.database import RecordsError
from edge.records.migrations import MIGRATIONS
from edge.records.store import Store
from tests.edge.records.example import CLASSES, HEADER
from tests.edge.records.slides import screened

ROOT = Path(__file__).parents[3]


def of_version(version: int, folder: Path) -> tuple[Path, sqlite3.Connection]:
    """An empty store as that version made it."""
    path = folder / "records.db"
    old = sqlite3.connect(path)
    for statements in MIGRATIONS[:version]:
        for statement in statements:
            old.execute(statement)
    old.execute(f"PRAGMA user_version = {version}")
    old.commit()
    return path, old


def version_2(folder: Path) -> Path:
    """A store as the second version left it: a finished slide with two cells, one of them counted."""
    path, old = of_version(2, folder)
    old.execute("INSERT INTO boots VALUES (1, 'ab', '2026-11-01T08:00:00.000+00:00', 5.0)")
    old.execute("INSERT INTO clock VALUES (1, 1, '2026-11-01T08:00:00.000+00:00', 5.0, 'ntp')")
    old.execute(
        "INSERT INTO slides VALUES ('old', '2026-11-01T08:00:00.000+00:00', '2026-11-01T08:20:00.000+00:00', "
        "'0.1', 'p', 'c', 'r', 'b', 'ab', 1, ?, 'refer', 'many blasts', 0.5, 0.1, 0.9, 0.95, "
        """'{"counts": {"blast": 1, "lymphocyte": 0, "artefact": 0}, "leukocytes": 1, "positives": 1, """
        """"certain_positives": 1, "uncertain": 1, "frames": 1, "rejected": 0, "repeated": 0}', """
        "1, 5.0, 1205.0, 1)",
        ('["' + '", "'.join(CLASSES) + '"]',),
    )
    old.execute(
        "INSERT INTO readings VALUES (1, 'old', 0, 'x.png', '2026-11-01T08:00:01+00:00', 5.5, 64, 48, NULL, "
        "0.1, 'nominal', 0.5, 0.5, '[]', 0, NULL, '{}', 6.0, NULL)"
    )
    with Store(folder / "other.db") as store:  # for a crop
        screened(folder / "other.db", ["blast"])
        (cell,) = store._rows("SELECT crop, probabilities FROM cells")
    for number, counted in ((1, 1), (2, 0)):
        old.execute(
            "INSERT INTO cells VALUES (?, 1, ?, 1, 2, 3, 4, 100.0, 60.0, 'blast', ?, ?, 0, 0, 1, ?, ?)",
            (number, number, cell["probabilities"], 1 - counted, counted, cell["crop"]),
        )
    old.commit()
    old.close()
    return path


def test_a_store_of_version_2_opens_for_people_and_keeps_everything(tmp_path: Path) -> None:
    path = version_2(tmp_path)
    with sqlite3.connect(path) as old:
        tables = ("slides", "readings", "cells", "boots", "clock")
        kept = {table: old.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
    with Book(path) as book:
        slide = book.found("old")
        assert (slide["state"], slide["finding"], slide["rules"], slide["headline"]) == (
            "finished", "refer", None, None,
        )  # fmt: skip
        assert (slide["counts"]["blast"], slide["cells_counted"], slide["confirmed"]) == (1, 1, {})
        finding = book.finding("old")
        assert finding is not None
        assert (finding.headline, finding.advice, finding.corrected) == ("REFER", "", None)
        views = book.views("old")
        assert [(view["cell"], view["settled"]) for view in views] == [(1, True), (2, False)]
        assert book.crop("old", 1) is not None
        assert book.surroundings("old", 1) is None
        book.say("old", [1], "lymphocyte", "AB")
        for table, rows in kept.items():
            found = [tuple(row.values()) for row in book._rows(f"SELECT * FROM {table}")]
            assert [row[: len(was)] for row, was in zip(found, rows, strict=False)] == rows


def test_a_store_of_version_3_knows_of_no_site(tmp_path: Path) -> None:
    path, old = of_version(3, tmp_path)
    old.close()
    screened(path, ["blast"])
    with Book(path) as book:
        assert book.found("s")["site"] is None


def test_a_store_of_version_2_is_only_read_and_brought_up_to_date_all_the_same(tmp_path: Path) -> None:
    path = version_2(tmp_path)
    with Book(path, reads_only=True) as book:
        assert [row["id"] for row in book.listed()] == ["old"]
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def _listed_by_a_user(folder: Path, path: Path) -> str:
    """What a user is told who may read the folder and nothing more; tests often run as root."""
    code = (
        "import os, sys\n"
        "from edge.records.book import Book\n"
        "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        "with Book(sys.argv[1], reads_only=True) as book:\n"
        "    print([row['id'] for row in book.listed()])"
    )
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True)
    folder.chmod(0o755)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1].partition(": ")[2]


def test_a_read_only_disk_is_read_or_says_why_not() -> None:
    # not in pytest's own folder, which only root may enter when root runs the tests
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "new.db"
        screened(path, ["blast"])
        assert _listed_by_a_user(folder, path) == "['s']"
        told = _listed_by_a_user(folder, version_2(folder))
        assert told.startswith(f"records {folder}/records.db: written by an older version of this program")
        assert told.endswith("copy it to a disk that can be written and name the copy with --records")
        assert os.stat(path).st_mode & 0o777 == 0o444


def test_a_newer_store_is_not_read(tmp_path: Path) -> None:
    path = version_2(tmp_path)
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    with pytest.raises(RecordsError, match="written by a newer version"):
        Book(path, reads_only=True)


def test_a_store_of_version_1_opens_and_keeps_everything(tmp_path: Path) -> None:
    path, old = of_version(1, tmp_path)
    old.execute(
        "INSERT INTO slides (id, started_at, finished_at, version, profile, camera, runtime, bundle, "
        "bundle_sha256, trusted, classes) VALUES ('old', '2026-10-01T08:00:00.000+00:00', "
        "'2026-10-01T08:20:00.000+00:00', '0.1', 'p', 'c', 'r', 'b', 'ab', 1, '[\"blast\"]')"
    )
    old.execute(
        "INSERT INTO readings (slide, frame, source, captured_at, t_s, width, height, um_per_px, "
        "um_per_px_from, sharpness, brightness, problems, repeated, ms) VALUES ('old', 0, 'x.png', "
        "'2026-10-01T08:00:01+00:00', 5.5, 64, 48, 0.1, 'nominal', 0.5, 0.5, '[]', 0, '{}')"
    )
    old.commit()
    kept = [old.execute(f"SELECT * FROM {table}").fetchone() for table in ("slides", "readings")]
    old.close()
    for _ in range(2):
        with Store(path) as store:
            store.begin_slide(None, HEADER)
            first = store.slides()[0]
            (row,) = store.readings("old")
            for was, name in zip(kept, ("slides", "readings"), strict=True):
                (found,) = store._rows(f"SELECT * FROM {name} LIMIT 1")
                assert tuple(found.values())[: len(was)] == was
    assert (first["id"], first["clock"]) == ("old", "unknown")
    assert first["started_at"] == "2026-10-01T08:00:00.000+00:00"
    assert (row["captured_at"], row["clock"]) == ("2026-10-01T08:00:01+00:00", "unknown")


def test_a_migration_that_is_interrupted_leaves_the_old_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, old = of_version(1, tmp_path)
    old.commit()
    old.close()
    torn = (MIGRATIONS[0], (*MIGRATIONS[1][:3], "NOT SQL"))
    with monkeypatch.context() as patch:
        patch.setattr("edge.records.database.MIGRATIONS", torn)
        with pytest.raises(Exception, match="syntax error"):
            Store(path)
    with sqlite3.connect(path) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (1,)
        assert not other.execute("SELECT * FROM sqlite_master WHERE name = 'boots'").fetchall()
    with Store(path) as store:
        assert store.slides() == []
