"""A task's slides as a record store, which a shard's are merged from."""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from edge.archive.place import ArchiveError, Place
from edge.custody import merge
from edge.files.text import printable
from edge.records import identifiers
from edge.records.database import RecordsError, explain
from edge.records.store import Store, Unrecorded

_END = 40  # characters of a name that is too long, the last of which say most


@contextmanager
def of_task(*, wanted: bool) -> Iterator[Store | Unrecorded]:
    """A store of its own for a task, on this machine's disk until it is `put`; or one that keeps nothing."""
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
            place.files.get_file(place.path(fragment), str(part))
            with merge.opened(part, whole) as other:
                came = merge.merge(other, whole, lambda *_: None)
            if came.refused:
                slide, why = next(iter(came.refused.items()))
                raise ArchiveError(f"{place.address}: {fragment}: slide {slide}: {why}")
            part.unlink()
        _put(whole, place, name)


def identifier(slide: str) -> str:
    """What the records call a slide: its name, or of one that they cannot take its end and a hash."""
    with suppress(RecordsError):
        if identifiers.checked(slide) == slide:
            return slide
    end = printable(slide)[-_END:].strip()
    return identifiers.checked(
        f"{end} {hashlib.sha256(slide.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}"
    )
