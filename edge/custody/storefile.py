"""A record store's file: held while nobody else has it open, put in another's place, removed."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from edge.records.database import ENDINGS, RecordsError

_LOCKS, _LOCKS_LENGTH = 0x40000000, 512
"""The bytes that SQLite locks in a file, which hold nothing (https://sqlite.org/fileformat2.html, 1.3). In
WAL mode whoever has it open holds one of them, at rest too."""

_SPARE = 4_000_000  # bytes


@contextmanager
def alone(path: Path, *, fold: bool = True) -> Iterator[None]:
    """Hold the store, whole or damaged, so that no other program opens it within; it may not be there.

    To `fold`, what lies in its write-ahead log is brought into the file first, where that can be done. This
    process must not have it open itself.

    Raises
    ------
    RecordsError : another program has it open, or it cannot be opened for writing.
    """
    if not path.exists():
        yield
        return
    if fold and _is_database(path):  # of another file SQLite would throw the log away
        with suppress(sqlite3.Error), closing(sqlite3.connect(path.absolute(), timeout=0)) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError as error:
        raise RecordsError(f"records {path}: cannot be written ({error.strerror}); use sudo") from error
    try:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCKS_LENGTH, _LOCKS)
        except BlockingIOError:
            raise RecordsError(
                f"records {path}: another program has them open, such as a screening; close it (the service: "
                "sudo systemctl stop leukoscope) and do this again"
            ) from None
        yield
    finally:
        os.close(handle)


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(16) == b"SQLite format 3\0"
    except OSError:
        return False


def put_in_place(new: Path, path: Path, aside: Path) -> None:
    """Let `new` be the store; what was there lies at `aside` then, with what SQLite laid beside it.

    The file has its name at every moment: it is the old one or the new one. Call it within `alone`.

    Raises
    ------
    OSError : the old one is still there.
    """
    for ending in ("", "-wal", "-journal"):
        old = Path(f"{path}{ending}")
        if old.exists() and (not ending or old.stat().st_size):
            _keep(old, Path(f"{aside}{ending}"))
    for ending in ENDINGS[1:]:  # SQLite would take what is in them for the new one's
        Path(f"{path}{ending}").unlink(missing_ok=True)
    os.replace(new, path)
    _sync(path.parent)


def remove(path: Path) -> None:
    """Remove a store that nobody needs, with what SQLite laid beside it."""
    for ending in ENDINGS:
        Path(f"{path}{ending}").unlink(missing_ok=True)


def check_space(folder: Path, needs: int) -> None:
    """See that so many bytes fit into a folder that is there.

    Raises
    ------
    RecordsError : they do not.
    """
    free = shutil.disk_usage(folder).free
    if free < needs + _SPARE:
        raise RecordsError(
            f"folder {folder}: {needs / 1e6:.1f} MB are needed beside the records, {free / 1e6:.1f} MB are "
            "free; free some space"
        )


def _keep(old: Path, aside: Path) -> None:
    """Give a file a second name, or where the disk knows no such thing, that name alone."""
    try:
        os.link(old, aside)
    except OSError:
        old.rename(aside)


def stamp() -> str:
    """Now, for a name: UTC, to the minute, and without what no file may have in its name."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H%M}"


def free_name(path: Path) -> Path:
    """This name, or the first of `name-2`, `name-3`... that nothing has."""
    found, number = path, 1
    while os.path.lexists(found):
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def _sync(folder: Path) -> None:
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)
