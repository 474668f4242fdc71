"""Whether the records are as they were written: the file, every row, every picture, every digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.records.book import Book
from edge.records.database import FAILURES, RecordsError
from edge.records.rows import Row
from edge.records.seals import SEALED, digest, digest_of_reading
from edge.types import LeukoscopeError

_JSON = {
    "slides": ("classes", "rules", "site", "caveats", "tally"),
    "readings": ("problems", "ms", "overlaps"),
    "findings": ("tally",),
    "signatures": ("readers",),
}
_TOLERANCE = 1e-3  # of a sum of float32

_NOT_THE_FILE = tuple(
    f"SQLITE_{code}" for code in ("BUSY", "LOCKED", "CANTOPEN", "PERM", "READONLY", "FULL", "NOMEM", "AUTH")
)

WHAT_TO_DO = "restore a backup (edge-slides restore), or save what can be read (edge-slides repair)"

Tell = Callable[[int, str], None]


@dataclass(frozen=True)
class Failure:
    """What is wrong; `slide` is None where it is the file."""

    slide: str | None
    what: str

    @property
    def told(self) -> str:
        """In one line, without what to do."""
        return f"{f'slide {self.slide}' if self.slide else 'the file'}: {self.what}"

    def __str__(self) -> str:
        return f"{self.told}; {WHAT_TO_DO}"


@dataclass(frozen=True)
class Checked:
    """A slide that was looked at.

    Attributes
    ----------
    checksum : 64 hexadecimal digits (`edge.records.seals.Seals.checksum`); empty where it cannot be read.
    sealed : all of it has digests; a slide of an older version, or one still under way, has not.
    fields, cells : rows that were looked at. failures : none where it is as it was written.
    """

    slide: str
    checksum: str
    sealed: bool
    fields: int
    cells: int
    failures: tuple[Failure, ...]


class Inspection(Book):
    """The record store under inspection; it is only read.

    Raises
    ------
    RecordsError : from every method, where the file cannot be read at all.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, reads_only=True)

    def file(self) -> list[Failure]:
        """What SQLite finds wrong with the file; takes as long as reading it."""
        try:
            found = [row["integrity_check"] for row in self._rows("PRAGMA integrity_check(20)")]
            strays = self._rows("PRAGMA foreign_key_check")
        except RecordsError as error:
            return [Failure(None, _reason(error))]
        lost: dict[tuple[str, str], int] = {}
        for row in strays:
            lost[row["table"], row["parent"]] = lost.get((row["table"], row["parent"]), 0) + 1
        return [
            *(Failure(None, " ".join(line.split())) for line in found if line != "ok"),
            *(
                Failure(None, f"{n} rows of {table} belong to no row of {of}")
                for (table, of), n in lost.items()
            ),
        ]

    def names(self) -> list[str]:
        """The identifiers of the slides, in the order in which they were begun."""
        return [str(row["id"]) for row in self._rows("SELECT id FROM slides ORDER BY rowid")]

    def slide(self, name: str) -> Checked:
        """Everything the records hold of one slide."""
        found = _Findings(name)
        try:
            (slide,) = self._rows("SELECT * FROM slides WHERE id = ?", name)
            classes = _classes(slide)
            found.json("slides", slide, "")
            parts = [self._reading(found, number, classes) for number in self._numbers(name, "1")]
            self._seal(found, slide, parts)
            for table in SEALED:
                for row in self._rows(f"SELECT * FROM {table} WHERE slide = ? ORDER BY id", name):
                    self._added(found, table, row, classes, sealed=slide["sha256"] is not None)
            checksum = self.checksum(name)
        except RecordsError as error:
            found.tell(_reason(error))
            checksum = ""
        sealed = found.sealed and bool(found.fields)
        return Checked(name, checksum, sealed, found.fields, len(found.cells), tuple(found.failures))

    def _reading(self, found: _Findings, number: int, classes: Sequence[str] | None) -> bytes:
        """Look at a field and its cells; gives its digest, made anew."""
        (reading,) = self._rows("SELECT * FROM readings WHERE id = ?", number)
        cells = self._rows("SELECT * FROM cells WHERE reading = ? ORDER BY id", number)
        where = f"field {reading['frame']}"
        found.fields += 1
        found.json("readings", reading, where)
        found.picture(reading["thumb"], f"{where}: its small picture")
        for row in self._rows("SELECT * FROM fields WHERE reading = ?", number):
            found.whole(row, where)
        for cell in cells:
            found.cell(cell, reading, classes, where)
        made = digest_of_reading(reading, cells)
        if reading["sha256"] is None:
            found.sealed = False
        elif reading["sha256"] != made:
            found.tell(f"{where}: it or its cells are not as they were written")
        return made

    def _seal(self, found: _Findings, slide: Row, parts: Sequence[bytes]) -> None:
        if slide["sha256"] is None:
            if slide["finished_at"] and parts and found.sealed:
                found.tell("has lost its digest")
            found.sealed = False
        elif slide["sha256"] != digest(slide, *parts):
            found.tell("is not as it was finished, or a field of it is missing")

    def _added(
        self, found: _Findings, table: str, row: Row, classes: Sequence[str] | None, *, sealed: bool
    ) -> None:
        where = f"row {row['id']} of {table}"
        found.json(table, row, where)
        if table == "words":
            if row["cell"] not in found.cells:
                found.tell(f"{where}: names cell {row['cell']}, which is not there")
            if row["named"] is not None and classes is not None and row["named"] not in classes:
                found.tell(f"{where}: names a class that the slide's bundle has not")
        if row["sha256"] is None:
            found.sealed = False
            if sealed:
                found.tell(f"{where}: has lost its digest")
        elif row["sha256"] != digest(row):
            who = row.get("initials") or ("the sending" if table == "outbox" else "the screening")
            found.tell(f"{where}: is not as {who} left it")


class _Findings:
    """What was found of one slide so far."""

    def __init__(self, slide: str) -> None:
        self._slide = slide
        self.failures: list[Failure] = []
        self.cells: set[object] = set()
        self.fields, self.sealed = 0, True

    def tell(self, what: str) -> None:
        self.failures.append(Failure(self._slide, what))

    def json(self, table: str, row: Row, where: str) -> None:
        for column in _JSON.get(table, ()):
            try:
                json.loads(row[column] or "null")
            except (ValueError, TypeError):
                self.tell(f"{where}{': ' if where else ''}{column} is no JSON")

    def picture(self, content: Any, what: str) -> None:
        if content is not None and not is_picture(content):
            self.tell(f"{what} cannot be decoded")

    def whole(self, row: Row, where: str) -> None:
        """A whole picture of a field, which has a digest of its own."""
        self.picture(row["jpeg"], f"{where}: its whole picture")
        if isinstance(row["jpeg"], bytes) and hashlib.sha256(row["jpeg"]).digest() != row["sha256"]:
            self.tell(f"{where}: its whole picture is not as it was written")

    def cell(self, cell: Row, reading: Row, classes: Sequence[str] | None, where: str) -> None:
        self.cells.add(cell["cell"])
        where = f"{where}, cell {cell['cell']}"
        for column, what in (("crop", "its crop"), ("context", "what lies round it")):
            self.picture(cell[column], f"{where}: {what}")
        if not _is_inside(cell, reading):
            self.tell(f"{where}: its box is not inside the field")
        if classes is None:
            return
        if cell["class"] not in classes:
            self.tell(f"{where}: is called what the slide's bundle has not")
        if not _are_probabilities(cell["probabilities"], len(classes)):
            self.tell(f"{where}: its probabilities are not {len(classes)} that sum to 1")


def is_damage(error: LeukoscopeError) -> bool:
    """Whether records cannot be read because of what is in the file, and not of who may read it, and when."""
    cause = error.__cause__
    name = getattr(cause, "sqlite_errorname", "")
    return isinstance(cause, FAILURES) and not name.startswith(_NOT_THE_FILE)


def _reason(error: RecordsError) -> str:
    """Without the file's name, and what else to do."""
    return str(error).partition(": ")[2].partition(";")[0]


def _classes(slide: Row) -> list[str] | None:
    try:
        found = json.loads(slide["classes"])
    except (ValueError, TypeError):
        return None
    return found if isinstance(found, list) else None


def is_picture(content: Any) -> bool:
    """Whether it decodes to its end, without a warning; at an eighth of its size, which reads all of it."""
    import simplejpeg

    try:
        simplejpeg.decode_jpeg(content, "GRAY", min_factor=8, strict=True)
    except (ValueError, TypeError):
        return False
    return True


def _is_inside(cell: Row, reading: Row) -> bool:
    try:
        across = 0 <= cell["x0"] < cell["x1"] <= reading["width"]
        return bool(across and 0 <= cell["y0"] < cell["y1"] <= reading["height"])
    except TypeError:
        return False


def _are_probabilities(content: Any, classes: int) -> bool:
    if not isinstance(content, bytes) or len(content) != 4 * classes:
        return False
    found = np.frombuffer(content, "<f4")
    return bool((found >= 0).all() and abs(float(found.sum()) - 1) <= _TOLERANCE)


def verify(records: Inspection, names: Sequence[str], tell: Tell) -> Iterator[Checked]:
    """Look at these slides, one after the other; `tell` is given how many are done, and the next."""
    for i, name in enumerate(names):
        tell(i, name)
        yield records.slide(name)
