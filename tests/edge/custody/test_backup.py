"""Backups: whole, checked, made while others write; put back in one step, whatever was there kept."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.custody import restore as module
from edge.machine.profile import data_folder
from edge.records.book import Book
from edge.records.store import Store
from tests.edge.custody.conftest import Run
from tests.edge.records.example import HEADER
from tests.edge.records.slides import screened
from tests.edge.records.test_migrations import ROOT
from tests.edge.records.test_version_5 import version_4

OWN = {
    "calibrations.json": b"{}", "site.json": b"{}", "site.json.before": b"{}", "device.pem": b"PRIVATE",
    "settings.toml": b"a = 1", "keys/hospital.pub": b"KEY", "bundles/current.json": b"{}",
    f"bundles/{'ab' * 32}.bundle": b"zip",
}  # fmt: skip
STAYS = {
    "selftest.json": b"{}", "engines/x.engine": b"long", ".x.part": b"half", "records-damaged-1.db": b"old",
    "bundles/.y.part": b"half",
}  # fmt: skip


@pytest.fixture
def home(records: Path) -> Path:
    """A data folder with everything in it."""
    for name, content in (OWN | STAYS).items():
        path = data_folder() / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    return data_folder()


@pytest.fixture
def backup(home: Path, run: Run, tmp_path: Path) -> Path:
    assert run("backup", tmp_path / "backup")[0] == 0
    return tmp_path / "backup"


def _files(folder: Path) -> dict[str, bytes]:
    """What is in a folder, without what SQLite lays beside a store to read it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }


def test_a_backup_is_a_dated_folder_that_anybody_can_open(run: Run, home: Path, tmp_path: Path) -> None:
    with Book(home / "records.db") as book:
        checksums = {slide: book.checksum(slide) for slide in ("s", "t")}
        book.say("s", [3], "blast", "ZZ")  # is in the write-ahead log yet
        checksums["s"] = book.checksum("s")
        status, out, error = run("backup", tmp_path)
    assert (status, error) == (0, "")
    assert "private key" in out
    (folder,) = tmp_path.glob("leukoscope-backup-20*T*")
    assert str(folder) in out
    found = _files(folder)
    assert found.keys() == {"records.db", "manifest.json", *OWN}
    assert {name: found[name] for name in OWN} == OWN
    assert {path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")]} == {0o700, 0o600}
    about = json.loads(found["manifest.json"])
    assert (about["format"], about["schema"], about["slides"]) == (1, 7, 2)
    assert about["files"].keys() == {"records.db", *OWN}
    with sqlite3.connect(f"{(folder / 'records.db').as_uri()}?mode=ro", uri=True) as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        assert other.execute("SELECT slide, readers FROM v_slides ORDER BY 1").fetchall() == [
            ("s", "AB,ZZ"), ("t", "AB"),
        ]  # fmt: skip
    with Book(folder / "records.db", reads_only=True) as book:
        assert {slide: book.checksum(slide) for slide in ("s", "t")} == checksums
    assert run("backup", tmp_path, "--json", "-")[0] == 0  # in the same minute
    assert len(list(tmp_path.glob("leukoscope-backup-*"))) == 2


def test_a_backup_while_another_program_screens_is_of_one_moment(
    run: Run, home: Path, tmp_path: Path
) -> None:
    code = (
        "import sys\nsys.path.insert(0, '.')\nfrom edge.records.store import Store\n"
        "from tests.edge.records.example import HEADER\nfrom tests.edge.records.slides import field\n"
        "with Store(sys.argv[1]) as store:\n"
        "    store.begin_slide('now', HEADER)\n"
        "    for i in range(100_000):\n"
        "        store.add(field(i, ['blast'] * 8))\n"
        "        store.flush()\n"
        "        if i == 3: print('on', flush=True)\n"
    )
    arguments = [sys.executable, "-c", code, str(home / "records.db")]
    with subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        status, _, error = run("backup", tmp_path / "b")
        there, _, told = run("restore", tmp_path / "b", "--replace")
        assert other.poll() is None
        other.kill()
    assert (status, error) == (0, "")
    assert (there, "another program has them open" in told) == (1, True)
    assert run("verify", "--records", tmp_path / "b" / "records.db")[0] == 0
    with Book(tmp_path / "b" / "records.db", reads_only=True) as book:
        assert {row["id"]: row["state"] for row in book.listed()}.keys() == {"s", "t", "now"}
        assert len(book.readings("now")) >= 3


def test_a_backup_of_damaged_records_is_made_and_says_so(run: Run, home: Path, tmp_path: Path) -> None:
    with sqlite3.connect(home / "records.db") as other:
        other.execute("UPDATE readings SET sharpness = 0.1 WHERE id = 1")
    status, _, error = run("backup", tmp_path / "b")
    assert (status, "slide s: field 0: it or its cells are not" in error) == (3, True)
    assert (tmp_path / "b" / "manifest.json").exists()
    assert run("restore", tmp_path / "b", "--records", tmp_path / "new.db")[0] == 3


@pytest.mark.parametrize("step", ["fsync", "unwritable", "space"])
def test_a_backup_that_fails_leaves_nothing(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    to = tmp_path / "stick"
    to.mkdir()
    if step == "fsync":
        monkeypatch.setattr(os, "fsync", fail)
    elif step == "space":
        monkeypatch.setattr(shutil, "disk_usage", lambda _: type("usage", (), {"free": 1000}))
    else:
        to = home / "records.db" / "x"
    status, _, error = run("backup", to)
    assert (status, len(error.splitlines())) == (1, 1)
    assert list((tmp_path / "stick").iterdir()) == []


def test_a_killed_backup_leaves_nothing_that_looks_like_one(run: Run, home: Path, tmp_path: Path) -> None:
    code = (
        "import sys, os\nfrom edge.custody import backup\nfrom edge import slides\n"
        "backup._looked_at = lambda *_: (print('on', flush=True), input())\n"
        "slides.main(['backup', sys.argv[1]])"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        other.kill()
    assert all(path.name.startswith(".leukoscope-backup") for path in tmp_path.iterdir())
    assert run("backup", tmp_path)[0] == 0
    assert [path.name[0] for path in tmp_path.iterdir()] == ["l"]


def test_an_older_store_and_a_file_in_the_way(run: Run, tmp_path: Path) -> None:
    path = version_4(tmp_path)
    status, out, _ = run("backup", tmp_path / "b", "--records", path)
    assert (status, "2 slides" in out) == (0, True)
    status, _, error = run("backup", path, "--records", path)
    assert (status, "is a file; name a folder" in error) == (1, True)
    status, _, error = run("backup", tmp_path / "c", "--records", tmp_path / "none.db")
    assert (status, "there is no such file" in error) == (1, True)


# -- putting it back -----------------------------------------------------------------------------------------


def test_another_box_takes_the_place_of_the_first(
    run: Run, backup: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Book(home / "records.db", reads_only=True) as book:
        was = {slide: book.checksum(slide) for slide in ("s", "t")}
        (origin,) = book._rows("SELECT id FROM origin")
    second = tmp_path / "second"
    monkeypatch.setenv("LEUKOSCOPE_HOME", str(second))
    Store(second / "records.db").close()  # that box was started once: no slide is there to be lost
    status, out, error = run("restore", backup)
    assert (status, error) == (0, "")
    assert "records.db: 2 slides, as of 20" in out
    found = _files(second)
    assert {name: found[name] for name in OWN} == OWN
    assert run("verify")[0] == 0
    screened(second / "records.db", ["blast"], "new")
    with Book(second / "records.db") as book:
        assert {slide: book.checksum(slide) for slide in ("s", "t")} == was
        origins = {row["id"]: row["origin"] for row in book._rows("SELECT id, origin FROM slides")}
    assert origins["s"] == origins["t"] == origin["id"] != origins["new"]
    assert {path.stat().st_mode & 0o777 for path in second.rglob("*")} <= {0o700, 0o600}


def test_what_is_there_is_never_overwritten_and_kept_when_replaced(
    run: Run, backup: Path, home: Path
) -> None:
    screened(home / "records.db", ["blast"], "later")
    (home / "site.json").write_bytes(b"newer")
    before = _files(home)
    status, _, error = run("restore", backup)
    assert status == 1
    assert "there are 3 slides there already; --replace keeps them aside" in error
    assert _files(home) == before
    status, out, _ = run("restore", backup, "--replace")
    assert status == 0
    (aside,) = home.glob("before-restore-*")
    assert str(aside) in out
    assert (aside / "site.json").read_bytes() == b"newer"
    assert (home / "site.json").read_bytes() == b"{}"
    with Book(home / "records.db", reads_only=True) as book, Book(aside / "records.db") as old:
        assert {row["id"] for row in book.listed()} == {"s", "t"}
        assert {row["id"] for row in old.listed()} == {"s", "t", "later"}
    assert not list(home.glob(".records*"))
    assert run("merge", aside / "records.db")[:2] == (
        0, "1 slide added, 0 got what they lacked, 2 were here already, 0 refused\n",
    )  # fmt: skip


def test_to_look_at_a_backup_leaves_the_devices_own(
    run: Run, backup: Path, home: Path, tmp_path: Path
) -> None:
    (home / "device.pem").write_bytes(b"MINE")
    status, out, _ = run("restore", backup, "--records", tmp_path / "look" / "x.db")
    assert (status, "the device's own settings stay as they are" in out) == (0, True)
    assert (home / "device.pem").read_bytes() == b"MINE"
    assert [path.name for path in (tmp_path / "look").iterdir()] == ["x.db"]


def test_damaged_records_make_place(run: Run, backup: Path, home: Path) -> None:
    damaged = b"damaged" * 9999
    (home / "records.db").write_bytes(damaged)
    (home / "records.db-wal").write_bytes(b"log of the damaged")
    assert "there are damaged slides there" in run("restore", backup)[2]
    assert run("restore", backup, "--replace")[0] == 0
    (aside,) = home.glob("before-restore-*")
    assert (aside / "records.db").read_bytes() == damaged
    assert (aside / "records.db-wal").read_bytes() == b"log of the damaged"
    assert run("verify")[0] == 0


class _PowerCutError(BaseException):
    pass


def test_a_power_cut_leaves_the_old_records_or_the_new_and_a_second_run_finishes(
    run: Run, backup: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screened(home / "records.db", ["blast"], "later")
    with sqlite3.connect(home / "records.db") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    seen = []
    for step in ("connect", "_put", "put_in_place"):
        with monkeypatch.context() as patch:

            def cut(*_: object, patch: pytest.MonkeyPatch = patch) -> None:
                patch.setattr(module, "remove", lambda _: None)  # nothing is tidied up any more
                raise _PowerCutError

            patch.setattr(module, step, cut)
            with pytest.raises(_PowerCutError):
                run("restore", backup, "--replace")
        with Book(home / "records.db", reads_only=True) as book:
            seen.append(len(book.listed()))
    assert seen == [3, 3, 3]
    assert run("restore", backup, "--replace")[0] == 0
    with Book(home / "records.db", reads_only=True) as book:
        assert len(book.listed()) == 2
    assert not list(home.glob(".records*"))


def _manifest(backup: Path, **changes: object) -> None:
    path = backup / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda b: (b / "manifest.json").unlink(), "there is no manifest.json in it"),
        (lambda b: (b / "manifest.json").write_text("{"), "manifest.json is damaged"),
        (lambda b: _manifest(b, schema=99, version="9.9"), "a newer version of this program (9.9); update"),
        (lambda b: _manifest(b, format=2), "was made by a newer version"),
        (lambda b: _manifest(b, files={"records.db": "a", "../x": "b"}), "names what is no part of a backup"),
        (
            lambda b: _manifest(b, files={"records.db": "a", "bin/x": "b"}),
            "names what is no part of a backup",
        ),
        (lambda b: _manifest(b, files={}), "names what is no part of a backup"),
        (lambda b: (b / "site.json").write_bytes(b"!"), "site.json is not as it was written; take another"),
        (lambda b: (b / "device.pem").unlink(), "device.pem cannot be read"),
        (lambda b: (b / "records.db").open("ab").write(b"x"), "records.db is not as it was written"),
        (shutil.rmtree, "there is no manifest.json in it"),
    ],
)
def test_a_backup_that_is_not_whole_is_refused(
    run: Run, backup: Path, home: Path, spoil: Callable[[Path], object], told: str
) -> None:
    spoil(backup)
    before = _files(home)
    status, _, error = run("restore", backup, "--replace")
    assert (status, len(error.splitlines())) == (1, 1)
    assert told in error
    assert _files(home) == before


def test_too_little_space_for_what_is_put_back(
    run: Run, backup: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: type("usage", (), {"free": 1000}))
    status, _, error = run("restore", backup, "--replace")
    assert (status, "free some space" in error) == (1, True)
    with Book(home / "records.db", reads_only=True) as book:
        assert len(book.listed()) == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_real_stick_that_is_too_small(run: Run, home: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    if os.system(f"mount -t tmpfs -o size=64k tmpfs {stick} 2>/dev/null"):
        pytest.skip("mounting is not allowed here")
    try:
        status, _, error = run("backup", stick)
        assert (status, "MB are free; free some space or choose another folder" in error) == (1, True)
        assert list(stick.iterdir()) == []
    finally:
        os.system(f"umount {stick}")


def test_the_store_is_not_held_up_by_a_backup(run: Run, home: Path, tmp_path: Path) -> None:
    with Store(home / "records.db") as store:
        store.begin_slide("now", HEADER)
        began = time.monotonic()
        assert run("backup", tmp_path / "b")[0] == 0
        assert time.monotonic() - began < 600
