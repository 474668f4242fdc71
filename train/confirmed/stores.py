"""Record stores, opened to be read and never changed."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from edge.custody.backup import RECORDS, copy_pages
from edge.records.book import Book
from edge.records.database import RecordsError, connect, explain
from edge.records.migrations import MIGRATIONS

_BUSY_S = 5.0


@contextmanager
def opened(given: Path) -> Iterator[Book]:
    """A record store, or the one in a backup's folder, to be read: beside who writes it, too.

    One of an older version is read from a copy that is brought up to date: it stays as it is.

    Raises
    ------
    RecordsError : there is none, it is no record store, of a newer program, damaged or locked.
    """
    path = given / RECORDS if given.is_dir() else given
    if not path.exists():
        raise RecordsError(f"records {path}: there is no such file; name a record store or a backup's folder")
    version = _version(path)
    if version == 0:
        raise RecordsError(
            f"records {path}: is not a record store; name the file that edge-run --records wrote"
        )
    if version > len(MIGRATIONS):
        raise RecordsError(
            f"records {path}: written by a newer version of this program (schema {version}, this one knows "
            f"{len(MIGRATIONS)}); update the program on this machine"
        )
    if version == len(MIGRATIONS):
        with Book(path, _BUSY_S, reads_only=True) as book:
            yield book
        return
    with tempfile.TemporaryDirectory(prefix="leukoscope-") as folder:
        copy = Path(folder) / RECORDS
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source:
            copy_pages(source, copy, lambda _: None)
        connect(copy, _BUSY_S).close()
        with Book(copy, _BUSY_S, reads_only=True) as book:
            yield book


def _version(path: Path) -> int:
    """The schema's version; 0 for what is no record store."""
    address = f"{path.resolve().as_uri()}?mode=ro"
    try:
        try:
            return _asked(address)
        except sqlite3.OperationalError:
            # WAL wants a file beside the store; who cannot make it is alone with a store at rest
            if Path(f"{path.resolve()}-wal").exists():
                raise
            return _asked(f"{address}&immutable=1")
    except sqlite3.Error as error:
        raise RecordsError(explain(path, error).partition(" choose another")[0].rstrip(";,")) from error


def _asked(address: str) -> int:
    with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_S)) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        of_ours = "SELECT count(*) FROM sqlite_master WHERE name IN ('slides', 'readings', 'cells')"
        return int(version) if database.execute(of_ours).fetchone()[0] == 3 else 0
