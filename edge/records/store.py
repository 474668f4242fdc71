"""What was seen, kept: every reading with its cells, committed before it is shown.

`Store.add` takes a reading at line speed; a thread of its own writes what has come in and commits it as
one group; `Store.committed` hands the readings back once they are on the disk, and those are shown.
Frames themselves are not kept.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any, Self, cast

from edge.machine import clock, processes
from edge.machine.clock import Moment
from edge.records.boots import BootClock, iso
from edge.records.database import RecordsError, connect, explain
from edge.records.identifiers import checked, new_slide_id
from edge.records.noted import noted
from edge.records.people import UNKNOWN, About
from edge.records.queries import Queries
from edge.records.rows import cell_rows, finding_row, insert, reading_row
from edge.types import Finding, Reading, SlideHeader, Tally

GROUP_S = 0.1
"""Least time between commits, seconds: an SD card endures and manages few a second. A reading that comes
after a pause is committed at once; one under load waits this long at most, plus the commit itself."""

CLOCK_S = 3.0
"""Seconds between two looks at the machine's clock, which somebody may set while a slide is read."""

WAITING = 6
"""Readings not yet on the disk at most, since each holds its frame in memory; then `add` waits."""

_DRAWS = 100  # of an identifier; that two are in the records already happens to no true source of chance


class Unrecorded:
    """Keeps nothing, and hands every reading back at once. What `--no-records` asks for."""

    def __init__(self) -> None:
        self._readings: list[Reading] = []

    def new_slide_id(self) -> str:
        return new_slide_id()

    def begin_slide(
        self, slide: str | None, header: SlideHeader, *, generated: bool = False, about: About = UNKNOWN
    ) -> str:
        return slide or new_slide_id()

    def add(self, reading: Reading) -> None:
        self._readings.append(reading)

    def committed(self) -> list[Reading]:
        readings, self._readings = self._readings, []
        return readings

    def flush(self) -> list[Reading]:
        return self.committed()

    def finish_slide(self, finding: Finding, tally: Tally) -> None:
        return

    def close(self) -> None:
        return


class Store(Queries):
    """The record store, one SQLite file. Used by one thread; a context manager.

    Parameters
    ----------
    path : the file, made with its folder when it is not there.
    busy_s : how long to wait for another program that holds the file.

    Raises
    ------
    RecordsError
        From every method: the file cannot be opened, read or written. Once a commit has failed, nothing
        more is written; what `committed` had returned is on the disk.
    """

    def __init__(self, path: str | Path, busy_s: float = 5.0) -> None:
        self.path = Path(path)
        self._database = connect(self.path, busy_s)
        self._looked_s = 0.0
        self._boot = self._registered()
        self._slide: str | None = None
        self._classes: tuple[str, ...] = ()
        self._positive: tuple[str, ...] = ()
        self._changed = threading.Condition()
        self._waiting: list[Reading] = []  # not yet on the disk, those being written included
        self._durable: list[Reading] = []  # on the disk, not yet handed back
        self._kept = 0
        self._hurry = self._closing = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._write, name="records", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _registered(self) -> BootClock:
        """This boot, written down if it is the first time that it is seen."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            boot = BootClock(self._database, clock.now())
            self._database.execute("COMMIT")
        except sqlite3.Error as error:
            self._database.close()
            raise RecordsError(explain(self.path, error)) from error
        self._looked_s = time.monotonic()
        return boot

    def new_slide_id(self) -> str:
        """A readable identifier that no other slide has, with the date or, without a set clock, the boot."""
        return new_slide_id(self._boot.number, self._boot.is_set)

    def begin_slide(
        self, slide: str | None, header: SlideHeader, *, generated: bool = False, about: About = UNKNOWN
    ) -> str:
        """Start a slide and return its identifier, generated when `slide` is None.

        An identifier that is in the records already is refused: going on with it could count a cell twice.
        Of one that was `generated` (by `new_slide_id`) another is taken instead. What is known `about` the
        slide is noted with it, all but notes in words, which are somebody's.
        """
        generated = generated or slide is None
        self._drain()
        moment = clock.now()
        row = vars(header) | {"classes": json.dumps(header.classes), "rules": json.dumps(header.rules)}
        row |= {"boot": self._boot.number, "started_at": iso(moment.utc), "started_s": moment.boot_s}
        row |= {"clock_set": moment.is_set, "process": processes.name()}
        row["id"] = self.new_slide_id() if slide is None else checked(slide)
        known = {field: noted(field, getattr(about, field)) for field in ("patient", "age", "sex")}
        self._insert_slide(row, generated)
        self._note(
            str(row["id"]), {field: value for field, value in known.items() if value is not None}, moment
        )
        self._slide, self._classes, self._kept = str(row["id"]), header.classes, 0
        self._positive = tuple(cast(Iterable[str], header.rules.get("positive", ())))
        return self._slide

    def _insert_slide(self, row: dict[str, Any], generated: bool) -> None:
        """Insert the row, whose identifier is drawn anew while a slide, of whichever program, has it."""
        for _ in range(_DRAWS):
            try:
                insert(self._database, "slides", row)
                return
            except sqlite3.IntegrityError as error:
                if not generated:
                    raise RecordsError(
                        f"slide {row['id']}: is in the records {self.path} already; choose another "
                        f"identifier with --slide, such as {row['id']}-{token_hex(2)}"
                    ) from error
                row["id"] = self.new_slide_id()
            except sqlite3.Error as error:
                raise RecordsError(explain(self.path, error)) from error
        raise RecordsError(
            f"records {self.path}: every identifier drawn for a new slide is in them already; name the slide "
            "with --slide, or choose another file with --records"
        )

    def _note(self, slide: str, known: Mapping[str, str | int | None], moment: Moment) -> None:
        """Write down what was known when the slide began; nobody's initials stand beside it."""
        row = {"slide": slide, "initials": "", "at": iso(moment.utc), "boot": self._boot.number}
        try:
            for field, value in known.items():
                if value is not None:
                    now = {"at_s": moment.boot_s, "field": field, "value": value}
                    insert(self._database, "notes", row | now)
        except sqlite3.Error as error:
            raise RecordsError(explain(self.path, error)) from error

    def add(self, reading: Reading) -> None:
        """Take a reading of the slide begun; waits only when the disk has fallen behind."""
        if self._slide is None:
            raise ValueError("add: no slide was begun")
        with self._changed:
            self._changed.wait_for(lambda: len(self._waiting) < WAITING or self._failure)
            if self._failure:
                raise self._failure
            self._waiting.append(reading)
            self._changed.notify_all()

    def committed(self) -> list[Reading]:
        """The readings that reached the disk since the last call, in order. Does not wait.

        Raises RecordsError when a commit failed, after what reached the disk before it was handed out.
        """
        with self._changed:
            readings, self._durable = self._durable, []
            if self._failure and not readings:
                raise self._failure
            return readings

    def flush(self) -> list[Reading]:
        """Commit everything now and return what `committed` would."""
        self._drain()
        return self.committed()

    def finish_slide(self, finding: Finding, tally: Tally) -> None:
        """Commit everything and write the slide's result; `committed` still hands out the last readings."""
        self._drain()
        if self._failure:
            raise self._failure
        moment = clock.now()
        row = {"finished_at": iso(moment.utc), "finished_s": moment.boot_s, **finding_row(finding, tally)}
        columns = ", ".join(f"{column} = :{column}" for column in row)
        try:
            self._database.execute(f"UPDATE slides SET {columns} WHERE id = :id", row | {"id": self._slide})
        except sqlite3.Error as error:
            raise RecordsError(explain(self.path, error)) from error

    def close(self) -> None:
        """Commit what can be committed and close the file."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
        self._database.close()

    def _rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        self._drain()
        try:
            return [dict(row) for row in self._database.execute(sql, values)]
        except sqlite3.Error as error:
            raise RecordsError(explain(self.path, error)) from error

    def _drain(self) -> None:
        """Wait until the writing thread has nothing to do; the caller may then use the database."""
        with self._changed:
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._waiting or self._failure)
            self._hurry = False

    def _write(self) -> None:
        """The writing thread: what has come in, one transaction, and again."""
        last_commit = float("-inf")
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                pause = last_commit + GROUP_S - time.monotonic()
                self._changed.wait_for(
                    lambda: self._hurry or self._closing or len(self._waiting) >= WAITING // 2, max(pause, 0)
                )
                group = list(self._waiting)
            if not group:
                return
            failure = self._commit(group)
            last_commit = time.monotonic()
            with self._changed:
                self._failure = failure
                if not failure:
                    del self._waiting[: len(group)]
                    self._durable += group
                    self._kept += len(group)
                self._changed.notify_all()
            group.clear()  # or their frames would stay in memory until the next ones come
            if failure:
                return

    def _commit(self, group: Sequence[Reading]) -> Exception | None:
        try:
            self._database.execute("BEGIN IMMEDIATE")
            if time.monotonic() - self._looked_s >= CLOCK_S:
                self._looked_s = time.monotonic()
                self._boot.note(clock.now())
            for reading in group:
                self._insert(reading)
            self._database.execute("COMMIT")
        except Exception as error:  # raised again in the thread that uses the store
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            if not isinstance(error, sqlite3.Error):
                return error
            kept = f"the {self._kept} readings of slide {self._slide} shown so far are kept"
            return RecordsError(f"{explain(self.path, error)}; {kept}")
        return None

    def _insert(self, reading: Reading) -> None:
        row = reading_row(reading) | {"slide": self._slide}
        key = insert(self._database, "readings", row)
        for row in cell_rows(reading, self._classes, self._positive):
            insert(self._database, "cells", row | {"reading": key})
