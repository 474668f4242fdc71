"""The file behind the records: opening it, bringing it up to date, and what can be wrong with it."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge.files import atomic
from edge.records.migrations import MIGRATIONS
from edge.types import LeukoscopeError

ENDINGS = ("", "-wal", "-shm", "-journal")
"""Of the store's file and of those that SQLite lays beside it."""


FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What a file that is damaged makes of a call: the second where SQLite's own words repeat bytes of it."""


class RecordsError(LeukoscopeError):
    """The record store cannot be opened, read or written. Says which, why and what to do."""


def connect(path: Path, busy_s: float) -> sqlite3.Connection:
    """Open the record store at `path`, making it or bringing it up to this program's schema.

    WAL lets others read while a slide is screened. With synchronous=FULL every commit reaches the disk
    before it returns, so that what was shown survives a power cut (https://sqlite.org/wal.html, section 4).

    Records are patients': whatever the umask, the file, those that SQLite lays beside it, and folders made
    for it are their owner's alone; files that were made otherwise before become so.

    Raises
    ------
    RecordsError : not a record store, damaged, written by a newer program, read-only, locked, or no space.
    """
    try:
        with atomic.as_owner(path):
            atomic.make_folder(path.parent)
            _make(path)
    except OSError as error:
        raise RecordsError(
            f"records {path}: the folder cannot be made: {error.strerror}; choose another with --records"
        ) from error
    if path.is_dir():
        raise RecordsError(f"records {path}: is a folder; name a file in it, as in {path / 'records.db'}")
    try:
        # SQLite takes `file:x?mode=memory` and `:memory:` for something else, but nothing with a slash first
        whole = path.absolute()
        database = sqlite3.connect(whole, timeout=busy_s, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise RecordsError(explain(path, error)) from error
    try:
        _prepare(database, path)
        with atomic.as_owner(path):
            _close_to_others(path)
    except FAILURES as error:
        database.close()
        raise RecordsError(explain(path, error)) from error
    except RecordsError:
        database.close()
        raise
    database.row_factory = sqlite3.Row
    return database


def connect_to_read(path: Path, busy_s: float) -> sqlite3.Connection:
    """Open a record store that is there, to be read: on a read-only disk too, and beside who writes.

    A store of an older version is brought up to this program's schema first, where it can be written.

    Raises
    ------
    RecordsError : no such file, or none that this program can read.
    """
    if not path.exists():
        raise RecordsError(f"records {path}: there is no such file; choose another with --records")
    if path.is_dir():
        raise RecordsError(f"records {path}: is a folder; name a file in it, as in {path / 'records.db'}")
    real = Path(os.path.realpath(path))
    address = f"{real.as_uri()}?mode=ro"
    try:
        try:
            database, version = _opened(address, busy_s)
        except sqlite3.OperationalError:
            # WAL wants a file beside the store; who cannot make it is alone with a store at rest
            if Path(f"{real}-wal").exists():
                raise
            database, version = _opened(f"{address}&immutable=1", busy_s)
    except FAILURES as error:
        raise RecordsError(explain(path, error)) from error
    if version == len(MIGRATIONS):
        return database
    database.close()
    try:
        return connect(path, busy_s)
    except RecordsError as error:
        if not 0 < version < len(MIGRATIONS):
            raise
        raise RecordsError(
            f"records {path}: written by an older version of this program (schema {version}, this one needs "
            f"{len(MIGRATIONS)}), and cannot be brought up to date where it is: copy it to a disk that can "
            "be written and name the copy with --records"
        ) from error


@contextmanager
def transaction(database: sqlite3.Connection, path: Path) -> Iterator[None]:
    """What is written within reaches the disk together when it ends, or none of it does.

    Raises
    ------
    RecordsError : it cannot be written.
    """
    try:
        database.execute("BEGIN IMMEDIATE")
        yield
        database.execute("COMMIT")
    except sqlite3.Error as error:
        raise RecordsError(explain(path, error)) from error
    finally:
        with suppress(sqlite3.Error):
            if database.in_transaction:
                database.execute("ROLLBACK")


def _opened(address: str, busy_s: float) -> tuple[sqlite3.Connection, int]:
    """A connection that writes nothing, and the schema's version."""
    database = sqlite3.connect(
        address, uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False
    )
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        database.execute("SELECT count(*) FROM sqlite_master")
    except FAILURES:
        database.close()
        raise
    database.row_factory = sqlite3.Row
    return database, int(version)


def _make(path: Path) -> None:
    """Make the empty file, before SQLite does for everybody; those beside it will have its permissions."""
    with suppress(OSError):  # it is there, or SQLite tells why it cannot be made
        os.close(os.open(os.path.realpath(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _close_to_others(path: Path) -> None:
    """Take from others what an older version, or another program, let them do; only the owner can."""
    for ending in ENDINGS:
        with suppress(OSError):
            file = os.path.realpath(path) + ending
            mode = stat.S_IMODE(os.stat(file).st_mode)
            if mode & 0o077:
                os.chmod(file, mode & 0o700)


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise RecordsError(
            f"records {path}: written by a newer version of this program (schema {version}, this one knows "
            f"{len(MIGRATIONS)}); update the program or choose another file with --records"
        )
    if not version and database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise RecordsError(
            f"records {path}: is a database of another program; choose another file with --records"
        )
    database.execute("PRAGMA journal_mode = WAL")
    database.execute("PRAGMA synchronous = FULL")
    database.execute("PRAGMA foreign_keys = ON")
    database.execute("PRAGMA cache_size = -512")  # KiB: records are written, and hardly ever read again
    # takes the lock and writes to the disk, so that a store that cannot be written is known at once
    database.execute("BEGIN IMMEDIATE")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    for statements in MIGRATIONS[version:]:
        for statement in statements:
            database.execute(statement)
    database.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    database.execute("COMMIT")


def explain(path: Path, error: Exception) -> str:
    """One line for the user: what is wrong with the file, and what to do."""
    # some errors of the module itself, like a closed connection, have no name
    name = getattr(error, "sqlite_errorname", "SQLITE_CORRUPT" * isinstance(error, UnicodeDecodeError))
    reasons = {
        "SQLITE_FULL": "the disk is full; free some space",
        "SQLITE_READONLY": "the file or its folder is read-only; make it writable",
        "SQLITE_PERM": "no permission to write it; make it writable",
        "SQLITE_CANTOPEN": "cannot be opened for writing; see that its folder is writable",
        "SQLITE_NOTADB": "is not a record store",
        "SQLITE_CORRUPT": "is damaged; restore a backup",
        "SQLITE_BUSY": "is locked by another program; close it",
        "SQLITE_LOCKED": "is locked by another program; close it",
        "SQLITE_IOERR": "the disk does not read or write it; check the disk and its space",
    }
    reason = next((text for start, text in reasons.items() if name.startswith(start)), str(error))
    otherwise = ", or" if ";" in reason else ";"
    return f"records {path}: {reason}{otherwise} choose another file with --records"
