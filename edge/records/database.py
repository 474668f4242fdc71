"""The file behind the records: its tables, its versions, and what can be wrong with it."""

from __future__ import annotations

import os
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path

from edge.files import atomic
from edge.types import LeukoscopeError

MIGRATIONS = (
    (
        """
        CREATE TABLE slides (
            id TEXT PRIMARY KEY,
            started_at TEXT NOT NULL,       -- UTC, ISO 8601
            finished_at TEXT,               -- NULL while under way, and for ever if the power went
            version TEXT NOT NULL,          -- of the program
            profile TEXT NOT NULL,
            camera TEXT NOT NULL,
            runtime TEXT NOT NULL,
            bundle TEXT NOT NULL,           -- name and version
            bundle_sha256 TEXT NOT NULL,
            trusted INTEGER NOT NULL,       -- 0 for a bundle neither shipped nor signed by a trusted key
            classes TEXT NOT NULL,          -- JSON list, in the order of cells.probabilities
            finding TEXT,
            reason TEXT,
            blast_fraction REAL,
            interval_low REAL,
            interval_high REAL,
            interval_level REAL,
            tally TEXT                      -- JSON object
        )
        """,
        """
        CREATE TABLE readings (
            id INTEGER PRIMARY KEY,
            slide TEXT NOT NULL REFERENCES slides (id),
            frame INTEGER NOT NULL,         -- index of the frame
            source TEXT NOT NULL,
            captured_at TEXT NOT NULL,      -- UTC, ISO 8601
            t_s REAL NOT NULL,              -- monotonic clock
            width INTEGER NOT NULL,
            height INTEGER NOT NULL,
            exposure_ms REAL,
            um_per_px REAL NOT NULL,
            um_per_px_from TEXT NOT NULL,
            sharpness REAL NOT NULL,
            brightness REAL NOT NULL,
            problems TEXT NOT NULL,         -- JSON list, empty for an accepted field
            repeated INTEGER NOT NULL,      -- 1 when the field showed nothing new
            fault TEXT,                     -- why there was no picture
            ms TEXT NOT NULL                -- JSON object, milliseconds by stage
        )
        """,
        "CREATE INDEX readings_of_slide ON readings (slide, frame)",
        """
        CREATE TABLE cells (
            id INTEGER PRIMARY KEY,
            reading INTEGER NOT NULL REFERENCES readings (id),
            cell INTEGER NOT NULL,          -- identity on the slide
            x0 INTEGER NOT NULL, y0 INTEGER NOT NULL, x1 INTEGER NOT NULL, y1 INTEGER NOT NULL,
            area_um2 REAL NOT NULL,
            nucleus_area_um2 REAL NOT NULL,
            class TEXT NOT NULL,
            probabilities BLOB NOT NULL,    -- little-endian float32, one a class of the slide
            uncertain INTEGER NOT NULL,
            certain INTEGER NOT NULL,
            cut INTEGER NOT NULL,
            new INTEGER NOT NULL,
            counted INTEGER NOT NULL,
            crop BLOB                       -- JPEG; NULL where a cell already kept is seen again
        )
        """,
        "CREATE INDEX cells_of_reading ON cells (reading)",
    ),
    (
        """
        CREATE TABLE boots (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            boot_id TEXT NOT NULL UNIQUE,   -- what the kernel calls it
            first_seen_at TEXT NOT NULL,    -- by the wall clock of that moment, right or wrong
            first_seen_s REAL NOT NULL      -- seconds since the boot, sleep included
        )
        """,
        """
        CREATE TABLE clock (                -- added to when a boot's clock becomes set or jumps
            id INTEGER PRIMARY KEY,
            boot INTEGER NOT NULL REFERENCES boots (number),
            utc TEXT NOT NULL,              -- what the wall clock said, ISO 8601
            boot_s REAL NOT NULL,           -- at so many seconds since the boot, sleep included
            voucher TEXT NOT NULL           -- who says so: 'ntp', 'rtc', 'hand', or '' for nobody
        )
        """,
        "CREATE INDEX clock_of_boot ON clock (boot)",
        # NULL in all of these: written before they were there
        "ALTER TABLE slides ADD COLUMN boot INTEGER REFERENCES boots (number)",
        "ALTER TABLE slides ADD COLUMN started_s REAL",  # seconds since the boot, sleep included
        "ALTER TABLE slides ADD COLUMN finished_s REAL",
        "ALTER TABLE slides ADD COLUMN clock_set INTEGER",  # 1 when something vouched for started_at
        "ALTER TABLE readings ADD COLUMN captured_s REAL",  # seconds since the boot, sleep included
        "ALTER TABLE readings ADD COLUMN focus REAL",  # sharpness by the best of the slide, 0 to 1
    ),
)
"""The statements that lead from schema version i to i + 1. A file's version is its PRAGMA user_version."""

ENDINGS = ("", "-wal", "-shm", "-journal")
"""Of the store's file and of those that SQLite lays beside it."""


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
        database = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise RecordsError(explain(path, error)) from error
    try:
        _prepare(database, path)
        with atomic.as_owner(path):
            _close_to_others(path)
    except sqlite3.Error as error:
        database.close()
        raise RecordsError(explain(path, error)) from error
    except RecordsError:
        database.close()
        raise
    database.row_factory = sqlite3.Row
    return database


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


def explain(path: Path, error: sqlite3.Error) -> str:
    """One line for the user: what is wrong with the file, and what to do."""
    # some errors of the module itself, like a closed connection, have no name
    name = getattr(error, "sqlite_errorname", "")
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
