"""The rows of a damaged store into a new one: each to the table whose shape it has, with its number."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from edge.custody.pages import Pages, Value
from edge.records.database import transaction
from edge.records.rows import Row, insert
from edge.records.seals import SEALED, digest

_PASSES = (
    ("origin", "boots", "clock", "slides"),
    ("readings", "signatures"),
    ("cells", "fields", "words", "notes", "findings", "finished", "reopened", "places", "outbox"),
)
"""In this order, so that what a row belongs to is there already. Visits tell of programs that ran once."""

TABLES = tuple(table for tables in _PASSES for table in tables)

_BELONGS = {
    "cells": ("reading", "readings"),
    "fields": ("reading", "readings"),
    "reopened": ("signature", "signatures"),
}
_OF_SLIDE = ("slide", "slides")

_NUMBERED = {"slides": "rowid", "boots": "number"}
"""What counts a table's rows, where it is not `id`: numbers are given one after the other, and rows stay."""

_KINDS = {
    "TEXT": (str,), "INTEGER": (int,), "REAL": (int, float), "BLOB": (bytes,), "": (int, float, str),
}  # fmt: skip
"""Of values by a column's type; a real number without a fraction lies in the file as a whole one."""


@dataclass(frozen=True)
class _Column:
    name: str
    kind: str
    needed: bool
    is_number: bool  # of the row: SQLite keeps it beside the record, which has NULL there


def salvage(
    pages: Pages, database: sqlite3.Connection, path: Path, tell: Callable[[int, int, str], None]
) -> dict[str, int]:
    """Copy every row that can be read into the new store at `path`.

    Gives how many are known to be lost, by table: gaps in their numbers, and those left out.
    """
    shapes = {table: _shape(database, table) for table in TABLES}
    lost: Counter[str] = Counter()
    nameless: set[object] = set()
    database.execute("PRAGMA foreign_keys = OFF")

    def rows(turn: int) -> Iterator[tuple[int, list[Value]]]:
        words = f"reading pages, {turn} of {len(_PASSES)}"
        return pages.rows(lambda done, total: tell(done, total, words))

    for turn, tables in enumerate(_PASSES, 1):
        with transaction(database, path):
            for number, values in rows(turn):
                table, row = _placed(shapes, tables, number, values)
                if row and not _kept(database, table, number, row):
                    lost[table] += 1
                    if "slide" in row and not _is_there(database, "slides", row["slide"]):
                        nameless.add(row["slide"])
    with transaction(database, path):
        _name_lost_boots(database)
    database.execute("PRAGMA foreign_keys = ON")
    for table in TABLES:
        lost[table] = max(lost[table], _gaps(database, table))
    lost["slides"] = max(lost["slides"], len(nameless))
    return {table: n for table, n in lost.items() if n}


def _shape(database: sqlite3.Connection, table: str) -> tuple[_Column, ...]:
    return tuple(
        _Column(name, kind, bool(needed), bool(key) and kind == "INTEGER")
        for _, name, kind, needed, _, key in map(tuple, database.execute(f"PRAGMA table_info({table})"))
    )


def _placed(
    shapes: Mapping[str, Sequence[_Column]], tables: Sequence[str], number: int, values: Sequence[Value]
) -> tuple[str, Row | None]:
    """To which of these tables a row belongs, and the row by column; None where it is of none of them."""
    for table in tables:
        if row := _fitting(shapes[table], number, values):
            return table, row
    return "", None


def _fitting(shape: Sequence[_Column], number: int, values: Sequence[Value]) -> Row | None:
    """The row by column, if it has this shape; of an older version it has fewer columns."""
    if len(values) > len(shape) or any(column.needed for column in shape[len(values) :]):
        return None
    row: Row = {}
    for column, value in zip(shape, values, strict=False):
        if column.is_number:
            value = number if value is None else b""  # which no number is
        if column.needed if value is None else not isinstance(value, _KINDS[column.kind]):
            return None
        row[column.name] = value
    return row


def _kept(database: sqlite3.Connection, table: str, number: int, row: Row) -> bool:
    """Copy one row, unless it is not what somebody left, or what it belongs to is lost."""
    if table == "origin":
        database.execute("UPDATE origin SET id = :id", row)
        return True
    if table in SEALED and row.get("sha256") is not None and row["sha256"] != digest(row):
        return False
    key, of = _BELONGS.get(table, _OF_SLIDE)
    if key in row and not _is_there(database, of, row[key]):
        return False
    if table == "slides":
        row["rowid"] = number
    # an older version of a slide, from before it was finished, may lie in a free page
    clash = "REPLACE" if row.get("finished_at") is not None else "IGNORE"
    marks = ", ".join(f":{column}" for column in row)
    database.execute(f"INSERT OR {clash} INTO {table} ({', '.join(row)}) VALUES ({marks})", row)
    return True


def _is_there(database: sqlite3.Connection, table: str, key: object) -> bool:
    return database.execute(f"SELECT 1 FROM {table} WHERE id = ?", (key,)).fetchone() is not None


def _name_lost_boots(database: sqlite3.Connection) -> None:
    """Stand-ins for boots whose rows are lost: times of theirs hold as they were written."""
    columns = [
        *((table, "boot") for table in ("clock", "slides", "readings", *SEALED)),
        ("slides", "last_boot"),
    ]
    used = " UNION ".join(f"SELECT {name} FROM {table} WHERE {name} IS NOT NULL" for table, name in columns)
    for (number,) in database.execute(f"{used} EXCEPT SELECT number FROM boots").fetchall():
        row = {
            "number": number,
            "boot_id": f"lost-{number}-{token_hex(4)}",
            "first_seen_at": "",
            "first_seen_s": 0.0,
        }
        insert(database, "boots", row)


def _gaps(database: sqlite3.Connection, table: str) -> int:
    if table in ("origin", "fields", "places"):
        return 0
    number = _NUMBERED.get(table, "id")
    (gaps,) = database.execute(f"SELECT ifnull(max({number}), 0) - count(*) FROM {table}").fetchone()
    return int(gaps)
