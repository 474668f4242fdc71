"""A damaged store: what can be read is copied into a new one, and the damaged file kept aside.

Nothing is made whole that is not. A field whose digest fails is kept as far as it reads, with its digest as
it was, so that `edge-slides verify` goes on naming it; a note on the slide says what was lost. What a person
said is kept only as that person left it: a word whose digest fails is left out. Rows of older versions have
no digests and are kept.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.custody.pages import Pages
from edge.custody.salvage import TABLES, salvage
from edge.custody.storefile import alone, check_space, free_name, put_in_place, remove, stamp
from edge.custody.verify import Checked, Failure, Inspection, is_damage, is_picture
from edge.files import atomic
from edge.machine import clock
from edge.records.boots import BootClock, iso
from edge.records.database import RecordsError, connect, transaction
from edge.records.noted import LONGEST_NOTE
from edge.records.seals import insert_sealed

_EMPTY: dict[str, dict[str, str | None]] = {
    "slides": {
        "classes": "[]",
        "rules": None,
        "site": None,
        "caveats": '["has caveats that cannot be read any more"]',
        "tally": None,
    },
    "readings": {"problems": "[]", "ms": "{}", "overlaps": None, "thumb": None},
    "cells": {"crop": None, "context": None},
}
"""What stands in a column, by table, once what it held cannot be read: JSON, or for bytes a picture."""

_OF = {
    "slides": "id = ?",
    "readings": "slide = ?",
    "cells": "reading IN (SELECT id FROM readings WHERE slide = ?)",
}

Tell = Callable[[int, int, str], None]
"""Is given how much is done, of how much, and what is being done."""


@dataclass(frozen=True)
class Repaired:
    """What came of it.

    Attributes
    ----------
    aside : where the damaged file lies. saved : rows by table.
    lost : rows by table that are known to be missing (see `edge.custody.salvage.salvage`).
    failures : what is not whole in the new store.
    """

    aside: Path
    saved: dict[str, int]
    lost: dict[str, int]
    failures: tuple[Failure, ...]


def damage(path: Path, tell: Tell) -> tuple[bool, list[Failure]]:
    """Whether a repair would change anything, and what is wrong with the store.

    A digest that fails in a file that reads well is not mended by reading it again.

    Raises
    ------
    RecordsError : it is none of this program's, or locked.
    """
    found: list[Failure] = []
    try:
        with Inspection(path) as records:
            found = records.file()
            broken, names = bool(found), records.names()
            for i, name in enumerate(names):
                tell(i, len(names), f"looking at {name}")
                checked = records.slide(name)
                found += checked.failures
                broken |= _is_broken(checked)
    except RecordsError as error:
        if not is_damage(error):
            raise
        return True, [*found, Failure(None, "is damaged and cannot be opened")]
    return broken, found


def _is_broken(checked: Checked) -> bool:
    unread = ("cannot be decoded", "is no JSON")
    return not checked.checksum or any(failure.what.endswith(unread) for failure in checked.failures)


def repair(path: Path, tell: Tell) -> Repaired:
    """Put a new store in the place of a damaged one.

    Raises
    ------
    RecordsError : another program has it open, there is no space, or nothing can be read; nothing is changed.
    """
    new = path.with_name(f".{path.name}.repair.part")
    aside = free_name(path.with_name(f"{path.stem}-damaged-{stamp()}{path.suffix}"))
    try:
        # its pages stay open to the end: to close a file gives up the locks on it
        with alone(path, fold=False), atomic.as_owner(path), Pages(path) as pages:
            check_space(path.parent, path.stat().st_size)
            remove(new)
            lost, saved, failures = _rebuilt(pages, new, tell)
            put_in_place(new, path, aside)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise RecordsError(f"records {path}: cannot be repaired ({why}); restore a backup") from error
    finally:
        remove(new)
    return Repaired(aside, saved, lost, tuple(failures))


def _rebuilt(pages: Pages, new: Path, tell: Tell) -> tuple[dict[str, int], dict[str, int], list[Failure]]:
    with closing(connect(new, 5.0)) as database:
        lost = salvage(pages, database, new, tell)
        counted = (database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES)
        saved = dict(zip(TABLES, counted, strict=True))
        if not saved["slides"]:
            raise ValueError("no slide in them can be read")
        failures = _mended(new, database, tell)
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return lost, saved, failures


def _mended(new: Path, database: sqlite3.Connection, tell: Tell) -> list[Failure]:
    """Look at every slide of the new store; see that people can open one that is not whole, and note it."""
    left: list[Failure] = []
    with Inspection(new) as records:
        names = records.names()
        for i, name in enumerate(names):
            tell(i, len(names), f"looking at {name}")
            if found := records.slide(name).failures:
                with transaction(database, new):
                    _empty_what_cannot_be_read(database, name)
                    _note(database, name, found)
                left += found
    return left


def _empty_what_cannot_be_read(database: sqlite3.Connection, slide: str) -> None:
    for table, columns in _EMPTY.items():
        for (number,) in database.execute(
            f"SELECT rowid FROM {table} WHERE {_OF[table]}", (slide,)
        ).fetchall():
            row = database.execute(f"SELECT * FROM {table} WHERE rowid = ?", (number,)).fetchone()
            for column, empty in columns.items():
                if row[column] is not None and not _reads(row[column]):
                    database.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (empty, number))


def _reads(content: Any) -> bool:
    if isinstance(content, bytes):
        return is_picture(content)
    try:
        json.loads(content)
    except (ValueError, TypeError):
        return False
    return True


def _note(database: sqlite3.Connection, slide: str, failures: Sequence[Failure]) -> None:
    """Say on the slide what is lost; nobody's initials stand beside it."""
    moment = clock.now()
    told = "; ".join(failure.what for failure in failures)
    text = f"The records were damaged and repaired on {moment.utc:%Y-%m-%d}. Of this slide: {told}"
    text = text if len(text) <= LONGEST_NOTE else f"{text[: LONGEST_NOTE - 3]}..."
    at = {"at": iso(moment.utc), "boot": BootClock(database, moment).number, "at_s": moment.boot_s}
    insert_sealed(database, "notes", at | {"slide": slide, "initials": "", "field": "note", "value": text})
