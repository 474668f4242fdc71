"""Digests of what the records hold, by which a damaged disk or a strange hand is found out.

A row that is only added has its own digest beside it; that of a reading is over its cells and their pictures
too, that of a slide over its readings' digests. Numbers that only order rows within one store are left out,
so that slides keep their digests when they are merged into another store.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping

from edge.records.queries import Queries
from edge.records.rows import Row, insert

_OF_THIS_STORE = {"boot", "last_boot", "reading", "step", "undoes", "word", "signature", "sha256"}
ADDED = ("words", "notes", "findings", "finished", "signatures", "reopened")
"""The tables of what people left, whose rows are only added and each have a digest."""

SEALED = (*ADDED, "outbox")
"""Those and what servers answered, which is no part of the slide and not of its checksum."""


def digest(row: Mapping[str, object], *parts: bytes) -> bytes:
    """(32,) SHA-256 over a row's columns by name, those that are NULL or only of this store left out.

    A column that a later version adds is NULL in older rows, so their digests stay. Numbers count by their
    value, as SQLite keeps them by the column's type. `parts` are digests of what belongs to the row.
    """
    told: list[bytes] = []  # hashed together, for most columns are short and there are many cells
    for name in sorted(row):
        value = row[name]
        if value is None or name in _OF_THIS_STORE or (name == "id" and not isinstance(value, str)):
            continue
        if isinstance(value, bytes):
            kind, content = b"b", value
        elif isinstance(value, str):
            kind, content = b"s", value.encode("utf-8", "surrogatepass")
        else:
            kind, content = b"n", repr(float(value)).encode()  # type: ignore[arg-type]
        told += b"%s %s %d " % (name.encode(), kind, len(content)), content
    return hashlib.sha256(b"".join((*told, *parts))).digest()


def digest_of_reading(reading: Mapping[str, object], cells: Iterable[Mapping[str, object]]) -> bytes:
    """(32,) SHA-256 of a reading's row with the rows of its cells, in order."""
    return digest(reading, *map(digest, cells))


def insert_sealed(database: sqlite3.Connection, table: str, row: Row) -> int:
    """Insert the row with its digest; see `edge.records.rows.insert`."""
    return insert(database, table, row | {"sha256": digest(row)})


def seal(database: sqlite3.Connection, slide: str) -> None:
    """Write down the digest of a slide that is finished, over its columns and its readings' digests."""
    cursor = database.execute("SELECT * FROM slides WHERE id = ?", (slide,))
    names = [column[0] for column in cursor.description]
    row = dict(zip(names, cursor.fetchone(), strict=True))
    readings = database.execute(
        "SELECT sha256 FROM readings WHERE slide = ? ORDER BY id", (slide,)
    ).fetchall()
    if any(one[0] is None for one in readings):  # written by an older version, and never sealed
        return
    whole = digest(row, *(one[0] for one in readings))
    database.execute("UPDATE slides SET sha256 = ? WHERE id = ?", (whole, slide))


class Seals(Queries):
    """Asks a record store for the digest of what it holds of a slide."""

    def checksum(self, slide: str) -> str:
        """64 hexadecimal digits, SHA-256 of all that the records hold of a slide, people's words included.

        Kept digests are taken as they are; those of rows of older versions are made here. Whether they are
        right is another question (see `edge.custody.verify`). Whoever adds a word changes it.
        """
        (row,) = self._rows("SELECT * FROM slides WHERE id = ?", slide)
        parts = [row["sha256"] or digest(row, *self.sealed_readings(slide))]
        for table in ADDED:
            added = self._rows(f"SELECT * FROM {table} WHERE slide = ? ORDER BY id", slide)
            parts += [one["sha256"] or digest(one) for one in added]
        return digest({}, *parts).hex()

    def sealed_readings(self, slide: str) -> list[bytes]:
        """The digests of a slide's readings in order."""
        readings = self._rows("SELECT id, sha256 FROM readings WHERE slide = ? ORDER BY id", slide)
        return [one["sha256"] or self.digest_of_reading(one["id"]) for one in readings]

    def digest_of_reading(self, reading: int) -> bytes:
        """The digest of a reading, made anew."""
        (row,) = self._rows("SELECT * FROM readings WHERE id = ?", reading)
        return digest_of_reading(
            row, self._rows("SELECT * FROM cells WHERE reading = ? ORDER BY id", reading)
        )
