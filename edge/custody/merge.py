"""Slides of another store into this one: whole, or what this one lacks of those that it has.

What people left is only added, after what is here and in its order. A slide comes over in one transaction;
its digest, and so the checksum on a printed report, stays. Numbers that only order rows within a store, and
boots, are given anew.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge.custody.backup import RECORDS, copy_pages
from edge.custody.union import Left, Numbers, RefusedError, refuse_behind_a_signature
from edge.custody.verify import Inspection
from edge.records.book import Book
from edge.records.database import RecordsError, connect, explain
from edge.records.migrations import MIGRATIONS
from edge.records.rows import Row, insert
from edge.records.seals import ADDED, digest

_ONCE = {"finished": ("slide", "initials"), "reopened": ("signature",)}
"""What of a table there can be one row of."""


@dataclass
class Merged:
    """What came of it: slides added, those that got something (and how many rows), those that lacked nothing,
    and why others did not come over."""

    added: list[str] = field(default_factory=list)
    extended: dict[str, int] = field(default_factory=dict)
    same: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


@contextmanager
def opened(other: Path, beside: Path) -> Iterator[Inspection]:
    """Another store, or the one in a backup; one of an older version as a copy that is brought up to date.

    Parameters
    ----------
    beside : the records to merge into, on whose disk the copy lies meanwhile.

    Raises
    ------
    RecordsError : there is none, it is these records, of a newer program or damaged.
    """
    path = other / RECORDS if other.is_dir() else other
    if not path.exists():
        raise RecordsError(f"records {path}: there is no such file; name a record store or a backup's folder")
    if beside.exists() and path.samefile(beside):
        raise RecordsError(f"records {path}: are those to merge into; name another store")
    if _version(path) >= len(MIGRATIONS):
        with Inspection(path) as found:
            yield found
        return
    with tempfile.TemporaryDirectory(dir=beside.parent, prefix=".merge-") as folder:
        copy = Path(folder) / RECORDS
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as source:
            copy_pages(source, copy, lambda _: None)
        connect(copy, 5.0).close()
        with Inspection(copy) as found:
            yield found


def _version(path: Path) -> int:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return int(database.execute("PRAGMA user_version").fetchone()[0]) or len(MIGRATIONS)
    except sqlite3.OperationalError:
        return len(MIGRATIONS)  # of a read-only disk, which is opened with more care
    except sqlite3.Error as error:
        raise RecordsError(explain(path, error)) from error


def merge(other: Inspection, records: Path, tell: Callable[[int, int, str], None]) -> Merged:
    """Bring the other store's slides into these records, which are made when they are not there.

    Raises
    ------
    RecordsError : these records cannot be written; slides that came over before are there.
    """
    connect(records, 5.0).close()
    merged, names = Merged(), other.names()
    with _Merging(records, other) as into:
        for i, name in enumerate(names):
            tell(i, len(names), name)
            try:
                with into.at_once():
                    is_new, rows = into.slide(name)
            except RefusedError as error:
                merged.refused[name] = str(error)
                continue
            if is_new:
                merged.added.append(name)
            elif rows:
                merged.extended[name] = rows
            else:
                merged.same.append(name)
    return merged


class _Merging(Book):
    """The records that slides come into."""

    def __init__(self, path: Path, other: Inspection) -> None:
        super().__init__(path)
        self._other = other

    def slide(self, name: str) -> tuple[bool, int]:
        """Bring one slide over; whether it is new here, and how many rows of one that is not were lacking."""
        (theirs,) = self._other._rows("SELECT * FROM slides WHERE id = ?", name)
        if theirs["finished_at"] is None and self._other.found(name)["state"] == "under way":
            raise RefusedError("is being screened; merge it when it is finished")
        ours = next(iter(self._rows("SELECT * FROM slides WHERE id = ?", name)), None)
        boots = _Boots(self, self._other)
        if ours is None:
            self._refuse_damaged(name)
            insert(self._database, "slides", theirs | boots.numbers(theirs, "boot", "last_boot"))
            self._readings(name, boots, after=0)
            rows = self._people(name, boots)
            # what was sent there need not go from here. Of a slide that is here, nobody could tell which of
            # the two sent last, and so what the server has: it goes again
            self._table(Left(self, self._other, "outbox", name), boots, Numbers())
            return True, rows
        rows = self._completed(ours, theirs, boots)
        return False, rows + self._people(name, boots)

    def _refuse_damaged(self, name: str) -> None:
        if failures := self._other.slide(name).failures:
            raise RefusedError(f"is damaged there: {failures[0].what}; take it from a backup")

    def _completed(self, ours: Row, theirs: Row, boots: _Boots) -> int:
        """See that it is the same slide; where it was cut short here, as in a backup, bring the rest over."""
        mine, other = self.sealed_readings(ours["id"]), self._other.sealed_readings(ours["id"])
        begun = (
            "started_at",
            "started_s",
            "bundle_sha256",
        )  # the process is another once it was gone on with
        alike = all(ours[column] == theirs[column] for column in begun)
        if ours["finished_at"] is None and alike and mine == other[: len(mine)]:
            if ours["finished_at"] == theirs["finished_at"] and len(mine) == len(other):
                return 0
            if self.found(ours["id"])["state"] == "under way":
                raise RefusedError("is being screened here; merge it when it is finished")
            self._refuse_damaged(ours["id"])
            row = theirs | boots.numbers(theirs, "boot", "last_boot")
            columns = ", ".join(f"{column} = :{column}" for column in row if column not in ("id", "boot"))
            self._database.execute(f"UPDATE slides SET {columns} WHERE id = :id", row)
            self._readings(ours["id"], boots, after=len(mine))
            return 1 + len(other) - len(mine)
        if theirs["finished_at"] is None and alike and other == mine[: len(other)]:
            return 0
        if _content(ours, mine) != _content(theirs, other):
            raise RefusedError(
                f"is another slide than the one of this name here (begun {theirs['started_at'][:16]} there, "
                f"{ours['started_at'][:16]} here); it stays where it is"
            )
        return 0

    def _readings(self, name: str, boots: _Boots, after: int) -> None:
        """Copy the slide's fields with their cells, but for so many that are here."""
        numbers = self._other._numbers(name, "1")[after:]
        for number in numbers:
            (reading,) = self._other._rows("SELECT * FROM readings WHERE id = ?", number)
            key = insert(self._database, "readings", reading | {"id": None} | boots.numbers(reading, "boot"))
            for cell in self._other._rows("SELECT * FROM cells WHERE reading = ? ORDER BY id", number):
                insert(self._database, "cells", cell | {"id": None, "reading": key})
            for whole in self._other._rows("SELECT * FROM fields WHERE reading = ?", number):
                insert(self._database, "fields", whole | {"reading": key})

    def _people(self, name: str, boots: _Boots) -> int:
        """Add what people left there and not here; gives how many rows."""
        left = {table: Left(self, self._other, table, name) for table in ADDED}
        refuse_behind_a_signature(left)
        numbers = Numbers()
        added = sum(self._table(left[table], boots, numbers) for table in ADDED)
        judging = ("words", "findings")
        if any(left[t].lacking for t in judging) and any(left[t].extra for t in judging):
            self._judge_again(name, left["words"].lacking or left["findings"].lacking)
        return added

    def _table(self, left: Left, boots: _Boots, numbers: Numbers) -> int:
        """One table's rows, in their order; those that are here are known by their digests."""
        added, table = 0, left.table
        for row, here in left.pairs:
            if here is None:
                new = row | numbers.in_ours(table, row) | {"id": None, "boot": boots.number(row["boot"])}
                if table == "words":
                    new["step"] = numbers.step(row, self._next_word())
                if self._is_there(table, new):
                    continue
                numbers.tell(table, row, insert(self._database, table, new))
                added += 1
            else:
                numbers.tell(table, row, here["id"])
                if table == "words":
                    numbers.step(row, here["step"])
        return added

    def _next_word(self) -> int:
        return int(self._rows("SELECT ifnull(max(id), 0) + 1 AS id FROM words")[0]["id"])

    def _is_there(self, table: str, row: Row) -> bool:
        """Whether the one row that there can be is there, otherwise written: ours stays."""
        if table not in _ONCE:
            return False
        same = " AND ".join(f"{column} = :{column}" for column in _ONCE[table])
        return self._database.execute(f"SELECT 1 FROM {table} WHERE {same}", row).fetchone() is not None

    def _judge_again(self, name: str, words: list[Row]) -> None:
        """Each store had a finding from its own words; now there is one from all."""
        from edge.review.review import Review

        with Review(self, name, words[-1]["initials"]) as review:
            review.keep()


class _Boots:
    """Boots there as they are numbered here; what was learnt of their clocks comes with them."""

    def __init__(self, ours: _Merging, theirs: Inspection) -> None:
        self._ours, self._theirs = ours, theirs
        self._numbers: dict[int, int] = {}

    def numbers(self, row: Row, *columns: str) -> Row:
        """These columns of a row there, as they are here."""
        return {column: self.number(row[column]) for column in columns}

    def number(self, there: int | None) -> int | None:
        if there is None:
            return None
        if there not in self._numbers:
            self._numbers[there] = self._brought(there)
        return self._numbers[there]

    def _brought(self, there: int) -> int:
        ours, database = self._ours, self._ours._database
        (boot,) = self._theirs._rows("SELECT * FROM boots WHERE number = ?", there)
        known = ours._rows("SELECT number FROM boots WHERE boot_id = ?", boot["boot_id"])
        number = known[0]["number"] if known else insert(database, "boots", boot | {"number": None})
        asked = "SELECT utc, boot_s, voucher FROM clock WHERE boot = ? ORDER BY id"
        here = ours._rows(asked, number)
        for row in self._theirs._rows(asked, there):
            if row not in here:
                insert(database, "clock", row | {"boot": number})
        return int(number)


def _content(slide: Row, readings: list[bytes]) -> bytes:
    """What the screening left of a slide: its digest; of one that has none, without the store it came from.

    A store of an older version gets its name only when it is brought up to date, each copy another.
    """
    return slide["sha256"] or digest(slide | {"origin": None}, *readings)
