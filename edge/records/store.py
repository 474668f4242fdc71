"""What was seen, kept: every reading with its cells, committed before it is shown.

`Store.add` takes a reading at line speed; a thread of its own makes its rows, writes what has come in and
commits it as one group; `Store.committed` hands the readings back once they are on the disk, and those are
shown.
Slides that are one frame each go the same way, whole, so that groups reach over them. Frames themselves are
not kept.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from edge.machine import clock
from edge.records.boots import BootClock
from edge.records.database import RecordsError, connect, explain, transaction
from edge.records.entries import Entry, Slide, finished
from edge.records.glances import Glances
from edge.records.identifiers import checked, new_slide_id
from edge.records.people import UNKNOWN, About
from edge.records.rows import KeepFields, Row
from edge.records.unrecorded import Entered, Unrecorded
from edge.types import Finding, Reading, SlideHeader, Tally

__all__ = ["CLOCK_S", "GROUP_S", "WAITING", "Entered", "Store", "Unrecorded"]

GROUP_S = 0.1
"""Least time between commits, seconds: an SD card endures and manages few a second. A reading that comes
after a pause is committed at once; one under load waits this long at most, plus the commit itself."""

CLOCK_S = 3.0
"""Seconds between two looks at the machine's clock, which somebody may set while a slide is read."""

WAITING = 6
"""Readings not yet on the disk at most; then `add` waits."""

_PIXELS_BYTES = 16 << 20  # of frames whose rows are not made yet, beyond which it waits too: three of 1080p


class Store(Glances):
    """The record store, one SQLite file. Used by one thread; a context manager.

    Parameters
    ----------
    path : the file, made with its folder when it is not there.
    busy_s : how long to wait for another program that holds the file.
    keep_fields : of which fields that are counted the whole picture is kept.
    pictures : readings are handed back with the pictures of frames and cells; without them, what waits for
        the disk takes little memory (see `edge.records.entries.without_pictures`).

    Raises
    ------
    RecordsError
        From every method: the file cannot be opened, read or written. Once a commit has failed, nothing
        more is written; what `committed` had returned is on the disk.
    """

    def __init__(
        self,
        path: str | Path,
        busy_s: float = 5.0,
        *,
        keep_fields: KeepFields = "none",
        pictures: bool = True,
    ) -> None:
        self.path, self._keep, self._pictures = Path(path), keep_fields, pictures
        self._database = connect(self.path, busy_s)
        self._looked_s = 0.0
        self._boot = self._registered()
        self._slide: Slide | None = None
        self._changed = threading.Condition()
        self._waiting: list[Entry] = []  # not yet on the disk, those being written included
        self._durable: list[Reading] = []  # on the disk, not yet handed back
        self._kept = 0
        self._hurry = self._closing = False
        self._failure: Exception | None = None
        # at no lower priority: on a busy machine it then falls behind until `add` has to wait for it
        self._thread = threading.Thread(target=self._write, name="records", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _registered(self) -> BootClock:
        """This boot, written down if it is the first time that it is seen."""
        try:
            with transaction(self._database, self.path):
                boot = BootClock(self._database, clock.now())
        except RecordsError:
            self._database.close()
            raise
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
        name = self.new_slide_id() if slide is None else checked(slide)
        begun = Slide.begun(name, header, about, self._boot.number, self.new_slide_id if generated else None)
        with transaction(self._database, self.path):
            begun.insert(self._database, self.path)
        self._slide, self._kept = begun, 0
        return begun.id

    def go_on(self, before: Row, header: SlideHeader) -> str:
        """Go on with a slide that was cut off, from its row as it was read; its identifier.

        Raises
        ------
        RecordsError : another program did meanwhile, or closed it.
        """
        self._drain()
        again = Slide.again(before["id"], header, self._boot.number)
        with transaction(self._database, self.path):
            again.go_on(self._database, before, header)
        self._slide, self._kept = again, 0
        return again.id

    def add_slide(
        self, header: SlideHeader, reading: Reading, finding: Finding, tally: Tally, about: About = UNKNOWN
    ) -> Slide:
        """Take a slide that is this one reading, under a generated identifier; else like `add`.

        Begin, reading and finding reach the disk together, or none of them does. What is returned holds the
        identifier once `committed` has handed the reading back.
        """
        slide = Slide.begun(self.new_slide_id(), header, about, self._boot.number, self.new_slide_id)
        slide.row |= finished(finding, tally)
        self._queue(slide, reading, whole=True)
        return slide

    def add(self, reading: Reading) -> None:
        """Take a reading of the slide begun; waits only when the disk has fallen behind."""
        if self._slide is None:
            raise ValueError("add: no slide was begun")
        self._queue(self._slide, reading)

    def _queue(self, slide: Slide, reading: Reading, *, whole: bool = False) -> None:
        entry = Entry(slide, reading, whole=whole, keep=self._keep, light=not self._pictures)
        with self._changed:
            self._changed.wait_for(lambda: not self._full or self._failure)
            if self._failure:
                raise self._failure
            self._waiting.append(entry)
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
        if self._slide is not None:
            with transaction(self._database, self.path):
                self._slide.finish(self._database, finding, tally)

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

    @property
    def _full(self) -> bool:
        """Whether the disk has fallen behind."""
        waiting = self._waiting
        return len(waiting) >= WAITING or sum(entry.pixels_bytes for entry in waiting) >= _PIXELS_BYTES

    @property
    def _pressed(self) -> bool:
        """Whether what waits is to be committed at once."""
        return self._hurry or self._closing or len(self._waiting) >= WAITING // 2

    def _write(self) -> None:
        """The writing thread: what has come in, one transaction, and again."""
        last_commit = float("-inf")
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                # rows are made as soon as a reading comes, for until then it holds its frame
                self._changed.wait_for(
                    lambda: self._pressed or any(not entry.made for entry in self._waiting),
                    max(last_commit + GROUP_S - time.monotonic(), 0),
                )
                group = list(self._waiting)
                due = self._pressed or time.monotonic() >= last_commit + GROUP_S
            if not group:
                return
            failure = self._work(group, due)
            if due:
                last_commit = time.monotonic()
            with self._changed:
                self._failure = failure
                if due and not failure:
                    del self._waiting[: len(group)]
                    self._durable += [entry.reading for entry in group]
                    self._kept += len(group)
                self._changed.notify_all()
            group.clear()  # or their frames would stay in memory until the next ones come
            if failure:
                return

    def _work(self, group: Sequence[Entry], due: bool) -> Exception | None:
        """Make the rows of what has come in, and commit them if that is due."""
        try:
            for entry in group:
                entry.make()
            if due:
                self._commit(group)
        except RecordsError as error:
            of = f"readings of slide {group[0].slide.id}" if not group[0].whole else "slides"
            return RecordsError(f"{error}; the {self._kept} {of} shown so far are kept")
        except Exception as error:  # raised again in the thread that uses the store
            return error
        return None

    def _commit(self, group: Sequence[Entry]) -> None:
        with transaction(self._database, self.path):
            if time.monotonic() - self._looked_s >= CLOCK_S:
                self._looked_s = time.monotonic()
                self._boot.note(clock.now())
            for entry in group:
                entry.insert(self._database, self.path)
