"""A backup: a folder with the records and what else this device has learned, each with its hash.

`records.db` in it is a store that any program may open. It is copied while others screen into the store, as
of one moment (https://sqlite.org/backup.html): a transaction that is held open meanwhile keeps the moment.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from edge import __version__
from edge.custody.storefile import free_name, stamp
from edge.custody.verify import Failure, Inspection, verify
from edge.files import atomic
from edge.files.delivery import Delivery, Tell
from edge.files.medium import digest_of
from edge.records.book import Book
from edge.records.database import ENDINGS, RecordsError, explain
from edge.records.migrations import MIGRATIONS

RECORDS, MANIFEST = "records.db", "manifest.json"
FORMAT = 1

FOLDERS = ("keys", "bundles")
"""Of the data folder, that travel beside its own files: trusted keys, and installed bundles."""

_STAYS = ("selftest.json",)
"""What holds for this machine alone."""

_PAGES = 2048  # copied between two looks at the progress


@dataclass(frozen=True)
class Backup:
    """A backup that was made.

    Attributes
    ----------
    folder : where it lies. slides : in it. files : others than the records, by name. size : bytes.
    failures : what is wrong with the records, which were copied as they are.
    safe : a line for people who pull the medium out, see `Delivery.safe_to_pull_out`.
    """

    folder: Path
    slides: int
    files: tuple[str, ...]
    size: int
    failures: tuple[Failure, ...]
    safe: str


def backup(records: Path, home: Path, to: Path, copied: Tell, looked: Callable[[int, int], None]) -> Backup:
    """Make a backup of the records and of the device's own files, and look at what came out.

    Parameters
    ----------
    records : the store. home : the data folder. to : a folder that is there gets a dated folder; else the
        backup itself is called so.
    copied : is told bytes done and of how many. looked : slides looked at, and of how many.

    Raises
    ------
    RecordsError, DeliveryError : it was not made, and why; nothing is left under its name.
    """
    if to.exists() and not to.is_dir():
        raise RecordsError(f"backup {to}: is a file; name a folder, or one that is not there yet")
    target = free_name(to / f"leukoscope-backup-{stamp()}") if to.is_dir() else to
    others = device_files(home, records)
    with Book(records, reads_only=True):  # of an older version it is brought up to date, or told why not
        pass
    with closing(_opened(records)) as source:
        size = _rows_size(source, records)
        sizes = [size, *(path.stat().st_size for path in others.values())]
        with (
            Delivery(target.parent, needs=sum(sizes), largest=max(sizes), tell=copied) as delivery,
            delivery.deliver_folder(target.name) as inside,
        ):
            with atomic.as_owner(target.parent):
                copy_pages(source, inside.folder / RECORDS, lambda done: copied(done, sum(sizes)))
            hashes = {RECORDS: inside.written(RECORDS)}
            for name, path in others.items():
                hashes[name] = digest_of(inside.deliver_file(name, path))
            failures, slides = _looked_at(inside.folder / RECORDS, looked)
            inside.deliver(MANIFEST, _manifest(hashes, slides))
        return Backup(target, slides, tuple(others), sum(sizes), tuple(failures), delivery.safe_to_pull_out)


def device_files(home: Path, records: Path) -> dict[str, Path]:
    """What the device has learned and been given, by name in the backup: not what is made again by itself."""
    own = {f"{place.name}{ending}" for place in (records, home / RECORDS) for ending in ENDINGS}
    found: dict[str, Path] = {}
    for folder in (home, *(home / name for name in FOLDERS)):
        with suppress(OSError):
            for path in sorted(folder.iterdir()):
                if is_ours(path.name) and path.name not in own and path.is_file():
                    found[path.relative_to(home).as_posix()] = path
    return found


def is_ours(name: str) -> bool:
    """Whether a file of the data folder travels: no database or what was kept aside, nothing hidden."""
    return not name.startswith(".") and name not in _STAYS and ".db" not in name


def _opened(records: Path) -> sqlite3.Connection:
    try:
        database = sqlite3.connect(f"{records.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
        database.execute("BEGIN")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()  # from here on as of this moment
    except sqlite3.Error as error:
        raise RecordsError(explain(records, error)) from error
    return database


def _rows_size(source: sqlite3.Connection, records: Path) -> int:
    try:
        pages, size = (source.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    except sqlite3.Error as error:
        raise RecordsError(explain(records, error)) from error
    return int(pages * size)


def copy_pages(source: sqlite3.Connection, path: Path, tell: Callable[[int], None]) -> None:
    """Copy the store's pages; the copy needs no files beside it, and can be opened on a read-only medium."""
    with open(path, "xb", opener=atomic.opener):
        pass
    (size,) = source.execute("PRAGMA page_size").fetchone()
    try:
        # shares and sticks may not know SQLite's locks, and nobody else writes it
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?vfs=unix-none", uri=True)) as copy:
            copy.execute("PRAGMA locking_mode = EXCLUSIVE")
            copy.execute("PRAGMA synchronous = OFF")  # the whole file is brought to the medium afterwards
            source.backup(copy, pages=_PAGES, progress=lambda _, left, all_: tell((all_ - left) * size))
            copy.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.Error as error:
        raise RecordsError(explain(path, error).partition(", or")[0].partition("; choose")[0]) from error


def _looked_at(path: Path, tell: Callable[[int, int], None]) -> tuple[list[Failure], int]:
    with Inspection(path) as copy:
        failures, names = copy.file(), copy.names()
        for checked in verify(copy, names, lambda i, _: tell(i, len(names))):
            failures += checked.failures
    return failures, len(names)


def _manifest(hashes: dict[str, str], slides: int) -> bytes:
    about = {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": __version__,
        "schema": len(MIGRATIONS),
        "slides": slides,
        "files": hashes,
    }
    return (json.dumps(about, indent=1) + "\n").encode()
