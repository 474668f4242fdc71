"""The records as people read them and write in them: words, notes, signatures, beside a store that is filled.

A second connection to the store's file. Whatever a method adds is on the disk before it returns. What people
said is only ever added to; nothing is taken out.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from edge.machine import clock, processes
from edge.records.boots import BootClock, iso
from edge.records.database import FAILURES, RecordsError, connect, connect_to_read, explain, transaction
from edge.records.fields import Fields
from edge.records.glances import Glances
from edge.records.identifiers import initials, shortened
from edge.records.kept import Kept
from edge.records.noted import noted
from edge.records.people import People, Signature, Word
from edge.records.rows import Row, finding_of, finding_row, insert
from edge.records.seals import Seals, insert_sealed, seal
from edge.records.slidelist import SlideList
from edge.types import Finding, Tally

_CLOSED = "closed after it had been cut off"


class Book(SlideList, Glances, Kept, Fields, People, Seals):
    """The record store under people's hands. Used by one thread at a time; a context manager.

    Parameters
    ----------
    path : the store's file.
    busy_s : how long to wait for another program that holds the file.
    reads_only : the file is not written to, and may lie on a read-only disk.

    Raises
    ------
    RecordsError : from every method: the file cannot be opened, read or written, or what was asked cannot be.
    """

    def __init__(self, path: str | Path, busy_s: float = 5.0, *, reads_only: bool = False) -> None:
        self.path = Path(path)
        if not reads_only and not self.path.exists():
            raise RecordsError(f"records {path}: there is no such file; choose another with --records")
        self._database = (connect_to_read if reads_only else connect)(self.path, busy_s)
        self._boot: BootClock | None = None
        self._moment: dict[str, Any] | None = None  # of the transaction under way

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is added within reaches the disk together when it ends, or none of it does."""
        with self._writing():
            yield

    def say(self, slide: str, cells: Iterable[int], named: str | None, by: str) -> list[Word]:
        """Add one person's word on these cells, all at once; None takes back what the person had said."""
        return self.say_each(slide, dict.fromkeys(cells, named), by)

    def say_each(
        self, slide: str, names: Mapping[int, str | None], by: str, *, undoes: int | None = None
    ) -> list[Word]:
        """Add one person's word on each of these cells, all at once.

        `undoes` is the step (see `edge.records.people.Word`) that this one takes back.

        Raises
        ------
        RecordsError : no such cell or class, the slide is signed, or another program screens it now.
        """
        with self._writing() as moment:
            found = self._writable(slide)
            self._check_cells(slide, names.keys())
            if wrong := {name for name in names.values() if name is not None} - set(found["classes"]):
                raise RecordsError(
                    f"class {shortened(min(wrong))}: the bundle of slide {slide} has no such class; it has "
                    f"{', '.join(found['classes'])}"
                )
            (last,) = self._rows("SELECT ifnull(max(id), 0) AS id FROM words")
            row = {"slide": slide, "initials": initials(by), "step": last["id"] + 1, "undoes": undoes}
            for cell, named in names.items():
                insert_sealed(self._database, "words", row | {"cell": int(cell), "named": named} | moment)
        return self.said(slide, last["id"])[: len(names)]

    def note(self, slide: str, by: str, **fields: str | int | None) -> None:
        """Write down `patient`, `age` (years), `sex` or a `note`; None takes the first three back.

        Raises
        ------
        RecordsError : it cannot be so, or the slide is signed and it is more than a note.
        """
        with self._writing() as moment:
            if fields.keys() - {"note"}:
                self._unsigned(slide)
            row = {"slide": self.found(slide)["id"], "initials": initials(by)} | moment
            for field, value in fields.items():
                insert_sealed(self._database, "notes", row | {"field": field, "value": noted(field, value)})

    def finding(self, slide: str) -> Finding | None:
        """What the slide says after all that people said of it; None while there is nothing."""
        return finding_of(self.found(slide))

    def judged(self, slide: str, finding: Finding, tally: Tally, by: str) -> None:
        """Add the finding that follows from people's words, the last of which was this person's."""
        with self._writing() as moment:
            self._unsigned(slide)
            row = {"slide": slide, "initials": initials(by), **finding_row(finding, tally)}
            insert_sealed(self._database, "findings", row | moment)

    def finish(self, slide: str, by: str) -> None:
        """This person has read the slide: from now on others' words are no secret. Once is enough."""
        with self._writing() as moment:
            self._writable(slide)
            row = {"slide": slide, "initials": initials(by)}
            done = "SELECT 1 FROM finished WHERE slide = :slide AND initials = :initials"
            if self._database.execute(done, row).fetchone():
                return
            (last,) = self._rows("SELECT ifnull(max(id), 0) AS id FROM words WHERE slide = ?", slide)
            insert_sealed(self._database, "finished", row | {"word": last["id"]} | moment)

    def sign(
        self,
        slide: str,
        by: str,
        *,
        readers: Sequence[str] = (),
        kappa: float | None = None,
        both: int | None = None,
    ) -> Signature:
        """Close the slide with the finding that it has; see `edge.records.people.Signature`.

        Raises
        ------
        RecordsError : it is signed already, has no finding, or is being screened.
        """
        with self._writing() as moment:
            found = self._writable(slide)
            if found["state"] == "under way":
                raise RecordsError(f"slide {slide}: is being screened; end it, then sign")
            if found["finding"] is None:
                raise RecordsError(f"slide {slide}: has no finding that could be signed; review it first")
            row = {"slide": slide, "initials": initials(by), "finding": found["finding"]}
            row |= {"readers": json.dumps(list(readers)), "kappa": kappa, "both": both}
            insert_sealed(self._database, "signatures", row | moment)
        signature = self.signature(slide)
        assert signature is not None
        return signature

    def end(self, slide: str, finding: Finding, tally: Tally, by: str | None = None) -> None:
        """Finish a slide that was cut off, as of its last reading; who does is noted, None for nobody.

        Raises
        ------
        RecordsError : it was not cut off.
        """
        with self._writing():
            found = self._writable(slide)
            if found["state"] != "cut off":
                how = "was finished" if found["state"] == "finished" else "is being screened by this program"
                raise RecordsError(f"slide {slide}: {how}; only one that was cut off is closed")
            last = self._rows(
                "SELECT captured_at AS finished_at, captured_s AS finished_s, ifnull(boot, ?) AS last_boot "
                "FROM readings WHERE slide = ? ORDER BY id DESC LIMIT 1",
                found["boot"],
                slide,
            )
            began = "SELECT started_at AS finished_at, started_s AS finished_s, boot AS last_boot FROM slides"
            row = (last or self._rows(f"{began} WHERE id = ?", slide))[0] | finding_row(finding, tally)
            if by is not None:
                self.note(slide, by, note=_CLOSED)
            columns = ", ".join(f"{column} = :{column}" for column in row)
            self._database.execute(f"UPDATE slides SET {columns} WHERE id = :id", row | {"id": slide})
            seal(self._database, slide)

    def reopen(self, slide: str, by: str, reason: str) -> None:
        """Take back a slide's signature, so that what it closed can be corrected and signed again.

        The signature stays in the records, and beside it who took it back and why.

        Raises
        ------
        RecordsError : the slide is not signed, or no reason is given.
        """
        with self._writing() as moment:
            found = self.found(slide)
            standing = self.signature(found["id"])
            if standing is None:
                raise RecordsError(f"slide {found['id']}: is not signed; there is nothing to reopen")
            row = {"slide": found["id"], "signature": standing.number, "initials": initials(by)}
            row["reason"] = noted("note", reason)
            insert_sealed(self._database, "reopened", row | moment)

    @contextmanager
    def open_by(self, slide: str, by: str) -> Iterator[list[str]]:
        """Let others know that this person has the slide open; gives the initials of those who have too."""
        with self._writing() as moment:
            row = {"slide": slide, "initials": initials(by), "process": processes.name()}
            visit = insert(self._database, "visits", row | moment)
        try:
            yield self.beside(slide, by)
        finally:
            with suppress(RecordsError), self._writing() as moment:  # the end of the program is as good
                self._database.execute(
                    "UPDATE visits SET left_s = ? WHERE id = ? AND left_s IS NULL", (moment["at_s"], visit)
                )

    def keep_place(self, slide: str, by: str, cell: int | None, only: str | None = None) -> None:
        """Remember where this person's review stands, instead of where it stood before."""
        with self._writing():
            self._database.execute(
                "INSERT OR REPLACE INTO places (slide, initials, cell, only) VALUES (?, ?, ?, ?)",
                (slide, initials(by), cell, only),
            )

    def at_hand(self, slide: str) -> Row:
        """The slide as `found` gives it, unless another program screens it now."""
        found = self.found(slide)
        if found["state"] == "under way" and found["process"] != processes.name():
            raise RecordsError(
                f"slide {found['id']}: is being screened by another program on this machine; review it "
                "there, or here once it is finished"
            )
        return found

    def _writable(self, slide: str) -> Row:
        self._unsigned(slide)
        return self.at_hand(slide)

    def _unsigned(self, slide: str) -> Row:
        found = self.found(slide)
        if found["state"] == "signed":
            raise RecordsError(
                f"slide {slide}: {found['signed_by']} signed it on {found['signed_at'][:10]} and closed it; "
                f"to correct it: edge-slides reopen {slide} --by INITIALS --reason TEXT"
            )
        return found

    def _check_cells(self, slide: str, cells: Collection[int]) -> None:
        known = self._seen(slide, cells)
        if missing := set(cells) - known.keys():
            has = f"it has {min(known)} to {max(known)}" if known else "it has none"
            raise RecordsError(
                f"cell {min(missing)}: slide {slide} has no such cell; {has} (see edge-slides show)"
            )

    def _rows(self, sql: str, *values: object) -> list[Row]:
        try:
            return [dict(row) for row in self._database.execute(sql, values)]
        except FAILURES as error:
            raise RecordsError(explain(self.path, error)) from error

    @contextmanager
    def _writing(self) -> Iterator[dict[str, Any]]:
        """One transaction, on the disk when it ends; gives the columns of its moment.

        What is checked in it still holds when it ends: nobody else writes meanwhile.
        """
        if self._moment is not None:
            yield self._moment
            return
        moment = clock.now()
        with transaction(self._database, self.path):
            try:
                if self._boot is None:
                    self._boot = BootClock(self._database, moment)
                else:
                    self._boot.note(moment)
                self._moment = {"at": iso(moment.utc), "boot": self._boot.number, "at_s": moment.boot_s}
                yield self._moment
            except BaseException:
                self._boot = None
                raise
            finally:
                self._moment = None
