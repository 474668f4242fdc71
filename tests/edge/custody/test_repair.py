"""Damaged stores: what can be read is saved, the damaged file kept, and nothing made whole that is not."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.custody.pages import Pages
from edge.machine.profile import data_folder
from edge.records.book import Book
from edge.records.store import Store
from tests.edge.custody.conftest import Run
from tests.edge.records.test_migrations import ROOT, version_2

_TABLES = ("origin", "boots", "clock", "slides", "readings", "cells", "words", "notes")


def _rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with sqlite3.connect(path) as database:
        return {
            table: database.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall() for table in _TABLES
        }


def _overwritten(path: Path, *numbers: int, size: int = 4096) -> None:
    with path.open("rb+") as file:
        for number in numbers:
            file.seek((number - 1) * 4096)
            file.write(random.Random(number).randbytes(size))


def _holding(path: Path, *wanted: bytes) -> list[int]:
    """The pages that hold rows of tables, and in them one of these."""
    content = path.read_bytes()
    pages = [content[at : at + 4096] for at in range(0, len(content), 4096)]
    return [i for i, page in enumerate(pages, 1) if page[0] == 13 and any(one in page for one in wanted)]


def _of(path: Path, table: str, column: str, number: int) -> bytes:
    with sqlite3.connect(path) as database:
        (value,) = database.execute(f"SELECT {column} FROM {table} WHERE id = {number}").fetchone()
    return bytes(value)


def _at_rest(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.parametrize("all_", [False, True])
def test_without_the_files_own_pages_everything_is_saved(run: Run, records: Path, all_: bool) -> None:
    """The first page says where all others are, those after it what tables there are."""
    before = _rows(records)
    _overwritten(records, 1, *(_holding(records, b"CREATE TABLE", b"CREATE VIEW") if all_ else []))
    assert run("verify")[0] == 3
    status, out, error = run("repair")
    assert (status, error) == (0, "")
    assert "saved: 2 slides, 4 readings, 24 cells, 4 words, 4 notes" in out
    assert "lost, as far as can be told: nothing" in out
    assert _rows(records) == before
    assert run("verify")[0] == 0
    assert run("repair")[1] == "the records are whole; there is nothing to repair\n"
    (aside,) = data_folder().glob("records-damaged-*.db")
    assert str(aside) in out
    assert aside.stat().st_mode & 0o777 == records.stat().st_mode & 0o777 == 0o600
    with Book(records) as book:
        book.say("s", [3], "blast", "MK")


def test_a_lost_page_of_cells_is_noted_on_its_slide_and_nothing_is_made_whole(
    run: Run, records: Path
) -> None:
    with Book(records, reads_only=True) as book:
        digests = book.sealed_readings("t")
    _overwritten(records, *_holding(records, _of(records, "cells", "probabilities", 13)))
    status, out, error = run("repair", "--json", "-")
    assert status == 0
    found = json.loads(out)
    assert found["repaired"]
    assert found["lost"]["cells"] >= 1
    assert any(
        told.startswith("slide ") and "are not as they were written" in told for told in found["failures"]
    )
    assert "repair)" not in error  # once is enough
    status, _, error = run("verify")
    assert status == 3
    with Book(records, reads_only=True) as book:
        assert book.sealed_readings("t") == digests
        notes = [note for slide in ("s", "t") for note in book.about(slide).notes if not note.by]
        assert notes
        assert all(note.text.startswith("The records were damaged and repaired on 2") for note in notes)
    assert run("list")[0] == run("show", "t")[0] == 0
    assert run("repair")[:2] == (
        3, "the file reads well, but not all in it is as it was written: restore a backup\n",
    )  # fmt: skip
    assert len(list(data_folder().glob("records-damaged-*"))) == 1


@pytest.mark.parametrize("share", [0.9, 0.6, 0.4])
def test_a_file_cut_short(run: Run, records: Path, share: float) -> None:
    os.truncate(records, int(records.stat().st_size * share))
    status, out, error = run("repair")
    if status == 0:
        assert "saved: " in out
        assert run("list")[0] == 0
        assert run("verify")[0] in (0, 3)
    else:
        assert "no slide in them can be read" in error
        assert not list(data_folder().glob(".*")) + list(data_folder().glob("*damaged*"))


def test_anything_at_all_is_repaired_or_refused_in_one_line(run: Run, records: Path) -> None:
    whole = records.read_bytes()
    chance = random.Random(7)
    pages = len(whole) // 4096
    for _ in range(12):
        records.write_bytes(whole)
        _overwritten(
            records, *(chance.randrange(1, pages + 1) for _ in range(chance.randrange(1, pages // 3)))
        )
        with records.open("rb+") as file:
            for _ in range(20):
                file.seek(chance.randrange(len(whole)))
                file.write(chance.randbytes(3))
        status, _, error = run("repair")
        assert status in (0, 1, 3), error
        if status != 1:
            assert run("list")[0] == 0
            for slide in ("s", "t"):
                assert run("show", slide)[0] in (0, 1)
        assert "Traceback" not in error


def test_a_word_that_is_not_as_it_was_left_is_left_out(run: Run, records: Path) -> None:
    content = records.read_bytes()
    (page,) = _holding(records, _of(records, "words", "sha256", 3))
    at = content.index(b"lymphocyte", (page - 1) * 4096)
    records.write_bytes(content[:at] + b"lymphoCYTE" + content[at + 10 :])
    _overwritten(records, 1)
    status, out, _ = run("repair")
    assert (status, "1 words" in out.splitlines()[1]) == (0, True)
    with Book(records, reads_only=True) as book:
        assert {word.named for slide in ("s", "t") for word in book.said(slide)} == {"lymphocyte"}


def _killed_while_open(path: Path, then: str = "") -> None:
    """A store whose last words are only in its write-ahead log, as after a power cut."""
    code = (
        "import os, sys\nfrom edge.records.book import Book\n"
        "book = Book(sys.argv[1])\nbook._database.execute('PRAGMA wal_autocheckpoint = 0')\n"
        "book.say('s', [5], 'artefact', 'ZZ')\nos._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT)
    assert Path(f"{path}-wal").stat().st_size > 0


def test_what_is_only_in_the_log_is_saved(run: Run, records: Path) -> None:
    _killed_while_open(records)
    _overwritten(records, 1)
    with Pages(records) as pages:
        assert any("ZZ" in row for _, row in pages.rows(lambda *_: None))
    # SQLite would find page 1 in the log
    log = Path(f"{records}-wal")
    log.write_bytes(log.read_bytes())
    run("repair")
    with Book(records, reads_only=True) as book:
        assert [word.by for word in book.said("s")] == ["AB", "AB", "ZZ"]


def test_without_its_log_a_store_is_what_it_was_before(run: Run, records: Path) -> None:
    _killed_while_open(records)
    for ending in ("-wal", "-shm"):
        Path(f"{records}{ending}").unlink()
    assert run("verify")[0] == 0
    assert run("repair")[0] == 0
    with Book(records, reads_only=True) as book:
        assert [word.by for word in book.said("s")] == ["AB", "AB"]


def test_a_store_of_an_older_version(run: Run, tmp_path: Path) -> None:
    path = version_2(tmp_path)
    _overwritten(path, 1)
    status, out, error = run("repair", "--records", path)
    assert (status, error) == (0, "")
    assert "saved: 1 slides, 1 readings, 2 cells" in out
    assert json.loads(run("list", "--records", path, "--json", "-")[1])["finding"] == "refer"


def test_not_while_another_program_has_it_open(run: Run, records: Path) -> None:
    _overwritten(records, *_holding(records, _of(records, "cells", "probabilities", 13)))
    code = (
        "import sys, sqlite3\nd = sqlite3.connect(sys.argv[1])\nd.execute('PRAGMA user_version').fetchone()\n"
        "d.execute('BEGIN')\nd.execute('PRAGMA user_version').fetchone()\nprint('on', flush=True)\ninput()"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(records)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert other.stdout is not None
    other.stdout.readline()
    before = records.read_bytes()
    status, _, error = run("repair")
    other.communicate(b"\n")
    assert status == 1
    assert "another program has them open" in error
    assert records.read_bytes() == before
    assert run("repair")[0] == 0


def test_too_little_space(run: Run, records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("usage", (), {"free": 1_000_000})
    _overwritten(records, 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    status, _, error = run("repair")
    assert (status, "1.0 MB are free; free some space" in error) == (1, True)
    assert sorted(path.name for path in data_folder().iterdir()) == ["records.db"]


Spoil = Callable[[Path], object]


@pytest.mark.parametrize(
    ("spoil", "status", "told"),
    [
        (lambda path: path.unlink(), 1, "there is no such file"),
        (lambda path: path.write_bytes(b"\0" * 9999), 1, "(no slide in them can be read); restore a backup"),
        (lambda path: path.write_bytes(b"SQLite format 3\0" * 999), 1, "no slide in them can be read"),
    ],
)
def test_what_cannot_be_repaired(run: Run, records: Path, spoil: Spoil, status: int, told: str) -> None:
    spoil(records)
    found, _, error = run("repair")
    assert (found, len(error.splitlines())) == (status, 1)
    assert told in error
    assert not list(data_folder().glob(".*"))


def test_a_slide_found_whole_and_half_is_the_whole_one(run: Run, records: Path) -> None:
    """A free page may hold a slide as it was before it was finished."""
    with Store(records) as store:
        (slide,) = store._rows("SELECT * FROM slides WHERE id = 't'")
    _at_rest(records)
    _overwritten(records, 1)
    assert run("repair")[0] == 0
    with Store(records) as store:
        assert store._rows("SELECT * FROM slides WHERE id = 't'") == [slide]
