"""A task's slides as a record store, which a shard's are merged from."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from edge.archive.done import damaged
from edge.archive.place import Place
from edge.custody import merge
from edge.records.database import RecordsError, explain
from edge.records.store import Store, Unrecorded


@contextmanager
def of_task(*, wanted: bool) -> Iterator[Store | Unrecorded]:
    """A store of its own for a task, in this machine's folder for temporary files; or one that keeps nothing.

    SQLite wants a disk of this machine: over a network its locks and its write-ahead log are not safe.
    """
    if not wanted:
        yield Unrecorded()
        return
    with tempfile.TemporaryDirectory(prefix="leukoscope-") as folder:
        store = Store(Path(folder) / "records.db")
        try:
            yield store
        finally:
            store.close()


def put(store: Store | Unrecorded, place: Place, name: str) -> None:
    """Close a store and write its file to the place, whole in itself."""
    store.close()
    if isinstance(store, Store):
        _put(store.path, place, name)


def _put(path: Path, place: Place, name: str) -> None:
    try:
        with closing(sqlite3.connect(path)) as database:  # or the last commits would stay in a file beside it
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise RecordsError(explain(path, error)) from error
    with open(path, "rb") as content, place.writing(name) as stream:
        shutil.copyfileobj(content, stream, 1 << 20)


def merged(place: Place, names: Sequence[str], name: str) -> None:
    """Bring the slides of several stores of a place together into one.

    Raises
    ------
    ArchiveError : one of them is not there or damaged. RecordsError : no room for it on this machine.
    """
    with tempfile.TemporaryDirectory(prefix="leukoscope-") as folder:
        whole, part = Path(folder) / "records.db", Path(folder) / "part.db"
        for fragment in names:
            _fetched(place, fragment, part)
            if why := _added(part, whole):
                raise damaged(place, fragment, f"cannot be merged: {why}")
            part.unlink()
        _put(whole, place, name)


def _fetched(place: Place, fragment: str, to: Path) -> None:
    try:
        with place.files.open(place.path(fragment), "rb") as stream, open(to, "wb") as copy:
            shutil.copyfileobj(stream, copy, 1 << 20)
    except FileNotFoundError:
        raise damaged(place, fragment, "is gone") from None


def _added(part: Path, whole: Path) -> str | None:
    """Bring a store's slides into the whole; why that cannot be, None where it could."""
    try:
        with merge.opened(part, whole) as other:
            came = merge.merge(other, whole, lambda *_: None)
    except RecordsError as error:
        if str(part) not in str(error):
            raise
        return str(error)
    return next((f"slide {slide} {why}" for slide, why in came.refused.items()), None)
