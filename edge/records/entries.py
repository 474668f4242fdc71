"""What the record store writes: a slide's rows, and the readings that reach the disk as one group."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from secrets import token_hex
from typing import Any, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from edge.machine import clock, processes
from edge.records.boots import iso
from edge.records.database import RecordsError
from edge.records.noted import noted
from edge.records.people import About
from edge.records.rows import (
    KeepFields,
    Row,
    cell_rows,
    field_row,
    finding_row,
    insert,
    insert_all,
    keeps,
    reading_row,
)
from edge.records.seals import digest_of_reading, insert_sealed, seal
from edge.records.states import state_of
from edge.types import Finding, Reading, SlideHeader, Tally

Array = TypeVar("Array", bound=NDArray[Any])

_DRAWS = 100  # of an identifier; that two are in the records already happens to no true source of chance


@dataclass
class Slide:
    """A slide to be inserted, or inserted already.

    Attributes
    ----------
    row : the columns of table `slides`. notes : rows of table `notes`, all but the slide.
    classes, positive : in the order of a reading's probabilities; those that count as positive.
    boot : number of the boot in which it is read now.
    another : draws another identifier for one that was generated; None for a name that somebody gave.
    """

    row: Row
    notes: tuple[Row, ...]
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    boot: int
    another: Callable[[], str] | None = None

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
        row["caveats"] = json.dumps(header.caveats) if header.caveats else None
        row |= {"id": name, "boot": boot, "started_at": iso(moment.utc), "started_s": moment.boot_s}
        row |= {"clock_set": moment.is_set, "process": processes.name(), "gone_on": None}
        known = {field: noted(field, getattr(about, field)) for field in ("patient", "age", "sex")}
        at = {"initials": "", "at": iso(moment.utc), "boot": boot, "at_s": moment.boot_s}
        notes = tuple(at | {"field": f, "value": value} for f, value in known.items() if value is not None)
        return cls(row, notes, header.classes, _positive(header), boot, another)

    @classmethod
    def again(cls, name: str, header: SlideHeader, boot: int) -> Self:
        """A slide that is in the records, and is gone on with."""
        return cls({"id": name}, (), header.classes, _positive(header), boot)

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
                    raise RecordsError(self._there_already(database, path)) from error
                self.row["id"] = self.another()
        else:
            raise RecordsError(
                f"records {path}: every identifier drawn for a new slide is in them already; name the slide "
                "with --slide, or choose another file with --records"
            )
        for note in self.notes:
            insert_sealed(database, "notes", note | {"slide": self.id})

    def _there_already(self, database: sqlite3.Connection, path: Path) -> str:
        row = database.execute(
            "SELECT slides.*, boot_id, EXISTS (SELECT 1 FROM signatures WHERE slide = slides.id "
            "AND id NOT IN (SELECT signature FROM reopened)) AS signed_by FROM slides "
            "LEFT JOIN boots ON number = ifnull(last_boot, boot) WHERE id = ?",
            (self.id,),
        ).fetchone()
        cut_off = state_of(dict(row), row["boot_id"]) == "cut off"
        how = ", but was cut off: go on with it with --go-on, or" if cut_off else ";"
        return (
            f"slide {self.id}: is in the records {path} already{how} choose another identifier with --slide, "
            f"such as {self.id}-{token_hex(2)}"
        )

    def go_on(self, database: sqlite3.Connection, before: Row, header: SlideHeader) -> None:
        """Make it this process's, unless another was faster; `before` is its row as it was read.

        Raises
        ------
        RecordsError : it is not cut off any more. sqlite3.Error : as SQLite has it.
        """
        told = {name: getattr(header, name) for name in ("version", "runtime", "profile")}
        row = {"at": iso(clock.now().utc)} | told
        caveats = list(dict.fromkeys((*(before["caveats"] or ()), *header.caveats)))
        changed = database.execute(
            "UPDATE slides SET process = :process, last_boot = :boot, caveats = :caveats, "
            "gone_on = json_insert(ifnull(gone_on, '[]'), '$[#]', json(:told)) "
            "WHERE id = :id AND finished_at IS NULL AND process IS :before",
            {
                "process": processes.name(),
                "boot": self.boot,
                "told": json.dumps(row),
                "caveats": json.dumps(caveats) if caveats else None,
                "id": self.id,
                "before": before["process"],
            },
        )
        if not changed.rowcount:
            raise RecordsError(f"slide {self.id}: another program closed it or went on with it meanwhile")

    def finish(self, database: sqlite3.Connection, finding: Finding, tally: Tally) -> None:
        """Write down what it came to, and seal it.

        Where people's words had led to a finding while it was cut off, that one holds no more: what follows
        from all cells, and from those words, is added.
        """
        row = finished(finding, tally)
        columns = ", ".join(f"{column} = :{column}" for column in row)
        database.execute(f"UPDATE slides SET {columns} WHERE id = :id", row | {"id": self.id})
        said = "SELECT initials FROM findings WHERE slide = ? ORDER BY id DESC LIMIT 1"
        if last := database.execute(said, (self.id,)).fetchone():
            at = {"at": row["finished_at"], "boot": self.boot, "at_s": row["finished_s"]}
            by = {"slide": self.id, "initials": last[0]}
            insert_sealed(database, "findings", finding_row(finding, tally) | by | at)
        seal(database, self.id)


class Entry:
    """A reading on its way to the disk, and with it the whole slide where it is all of it.

    Parameters
    ----------
    light : once its rows are made, all of the reading but what `without_pictures` leaves is let go of.

    Attributes
    ----------
    made : its rows are made.
    """

    def __init__(
        self, slide: Slide, reading: Reading, *, whole: bool = False, keep: KeepFields = "none", light: bool
    ) -> None:
        self.slide, self.reading, self.whole = slide, reading, whole
        self._keep, self._light = keep, light
        self.made = False
        self._row: Row = {}
        self._cells: list[Row] = []
        self._field: Row | None = None

    @property
    def pixels_bytes(self) -> int:
        """What its frame takes in memory until its rows are made."""
        return 0 if self.made else self.reading.frame.pixels.nbytes

    def make(self) -> None:
        """Make its rows, unless they are made: nothing of the frame is needed afterwards."""
        if self.made:
            return
        self._row = reading_row(self.reading)
        self._cells = [*cell_rows(self.reading, self.slide.classes, self.slide.positive)]
        if keeps(self._keep, self.reading, self._cells, self.slide.positive):
            self._field = field_row(self.reading)
        if self._light:
            self.reading = without_pictures(self.reading)
        self.made = True

    def insert(self, database: sqlite3.Connection, path: Path) -> None:
        """Insert its rows, which are made; see `Slide.insert`."""
        if self.whole:
            self.slide.insert(database, path)
        row = self._row | {"slide": self.slide.id, "boot": self.slide.boot}
        key = insert(database, "readings", row | {"sha256": digest_of_reading(row, self._cells)})
        insert_all(database, "cells", [cell | {"reading": key} for cell in self._cells])
        if self._field is not None:
            insert(database, "fields", self._field | {"reading": key})
        if self.whole:
            seal(database, self.slide.id)


def without_pictures(reading: Reading) -> Reading:
    """The reading for those who only print it: of its frame's pixels and its cells' masks the sizes are left.

    Such pictures are black, and take no memory.
    """
    cells, frame = reading.cells, reading.frame
    found = replace(cells.found, labels=_black(cells.found.labels), nuclei=_black(cells.found.nuclei))
    return replace(
        reading, frame=replace(frame, pixels=_black(frame.pixels)), cells=replace(cells, found=found)
    )


def _black(picture: Array) -> Array:
    return cast(Array, np.broadcast_to(np.zeros((), picture.dtype), picture.shape))


def _positive(header: SlideHeader) -> tuple[str, ...]:
    return tuple(cast(Iterable[str], header.rules.get("positive", ())))


def finished(finding: Finding, tally: Tally) -> Row:
    """The columns of table `slides` that a slide has when it is finished, which it is now."""
    moment = clock.now()
    return {"finished_at": iso(moment.utc), "finished_s": moment.boot_s, **finding_row(finding, tally)}
