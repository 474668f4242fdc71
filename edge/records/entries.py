"""What the record store writes: a slide's rows, and the readings that reach the disk as one group."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Self, cast

from edge.machine import clock, processes
from edge.records.boots import iso
from edge.records.database import RecordsError
from edge.records.noted import noted
from edge.records.people import About
from edge.records.rows import Row, cell_rows, finding_row, insert, reading_row
from edge.records.seals import digest_of_reading, insert_sealed, seal
from edge.types import Finding, Reading, SlideHeader, Tally

_DRAWS = 100  # of an identifier; that two are in the records already happens to no true source of chance


@dataclass
class Slide:
    """A slide to be inserted, or inserted already.

    Attributes
    ----------
    row : the columns of table `slides`. notes : rows of table `notes`, all but the slide.
    classes, positive : in the order of a reading's probabilities; those that count as positive.
    another : draws another identifier for one that was generated; None for a name that somebody gave.
    """

    row: Row
    notes: tuple[Row, ...]
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    another: Callable[[], str] | None

    @classmethod
    def begun(
        cls, name: str, header: SlideHeader, about: About, boot: int, another: Callable[[], str] | None
    ) -> Self:
        """A slide that begins now, with what is known about it, all but notes in words, which are somebody's.

        Nobody's initials stand beside what was known when a slide began.
        """
        moment = clock.now()
        row = vars(header) | {"classes": json.dumps(header.classes), "rules": json.dumps(header.rules)}
        row["site"] = None if header.site is None else json.dumps(header.site)
        row |= {"id": name, "boot": boot, "started_at": iso(moment.utc), "started_s": moment.boot_s}
        row |= {"clock_set": moment.is_set, "process": processes.name()}
        known = {field: noted(field, getattr(about, field)) for field in ("patient", "age", "sex")}
        at = {"initials": "", "at": iso(moment.utc), "boot": boot, "at_s": moment.boot_s}
        notes = tuple(at | {"field": f, "value": value} for f, value in known.items() if value is not None)
        positive = tuple(cast(Iterable[str], header.rules.get("positive", ())))
        return cls(row, notes, header.classes, positive, another)

    @property
    def id(self) -> str:
        """What it is called; of one that was generated, for certain once it is inserted."""
        return str(self.row["id"])

    def insert(self, database: sqlite3.Connection, path: Path) -> None:
        """Insert its rows; the identifier is drawn anew while a slide, of whichever program, has it.

        Raises
        ------
        RecordsError : the records `path` have a slide of this name. sqlite3.Error : as SQLite has it.
        """
        for _ in range(_DRAWS):
            try:
                origin = database.execute("SELECT id FROM origin").fetchone()[0]
                insert(database, "slides", self.row | {"origin": origin})
                break
            except sqlite3.IntegrityError as error:
                if self.another is None:
                    raise RecordsError(
                        f"slide {self.id}: is in the records {path} already; choose another identifier with "
                        f"--slide, such as {self.id}-{token_hex(2)}"
                    ) from error
                self.row["id"] = self.another()
        else:
            raise RecordsError(
                f"records {path}: every identifier drawn for a new slide is in them already; name the slide "
                "with --slide, or choose another file with --records"
            )
        for note in self.notes:
            insert_sealed(database, "notes", note | {"slide": self.id})


@dataclass(frozen=True)
class Entry:
    """A reading on its way to the disk, and with it the whole slide where it is all of it."""

    slide: Slide
    reading: Reading
    whole: bool = False

    def insert(self, database: sqlite3.Connection, path: Path) -> None:
        """Insert its rows; see `Slide.insert`."""
        if self.whole:
            self.slide.insert(database, path)
        row = reading_row(self.reading) | {"slide": self.slide.id}
        cells = [*cell_rows(self.reading, self.slide.classes, self.slide.positive)]
        key = insert(database, "readings", row | {"sha256": digest_of_reading(row, cells)})
        for cell in cells:
            insert(database, "cells", cell | {"reading": key})
        if self.whole:
            seal(database, self.slide.id)


def finished(finding: Finding, tally: Tally) -> Row:
    """The columns of table `slides` that a slide has when it is finished, which it is now."""
    moment = clock.now()
    return {"finished_at": iso(moment.utc), "finished_s": moment.boot_s, **finding_row(finding, tally)}
