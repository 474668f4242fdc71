"""What people leave in the records of a slide: words, what they know of it, signatures, their place."""

from __future__ import annotations

import json
from dataclasses import dataclass

from edge.machine import clock, processes
from edge.records.boots import TrueTimes
from edge.records.identifiers import initials
from edge.records.queries import Queries
from edge.records.rows import Row
from edge.types import FindingKind, Said

SEXES = ("female", "male", "other")


@dataclass(frozen=True)
class Word(Said):
    """A word as the records have it.

    Attributes
    ----------
    number : it counts words of all slides in the order in which they came.
    step : the same for what a person said at once. undoes : the step that this one takes back, or None.
    """

    number: int
    step: int
    undoes: int | None


@dataclass(frozen=True)
class Note:
    """Something written down about a slide, who did and when (UTC, ISO 8601)."""

    by: str
    at: str
    text: str


@dataclass(frozen=True)
class About:
    """What is known of a slide beside its cells: None where nobody said."""

    patient: str | None = None
    age: int | None = None
    sex: str | None = None
    notes: tuple[Note, ...] = ()


UNKNOWN = About()


@dataclass(frozen=True)
class Finished:
    """A person has read a slide: when, and which word was the last before (see `Word.number`)."""

    by: str
    at: str
    word: int


@dataclass(frozen=True)
class Signature:
    """A slide is closed.

    Attributes
    ----------
    by, at : who did, and when (UTC, ISO 8601).
    finding : the kind of finding signed.
    readers : initials of the two who read it blind to each other, empty where nobody did.
    kappa, both : Cohen's kappa of the two, and over how many cells; None where it means nothing.
    number : of its row. reopened : by whom, when and why it was taken back; None while it stands.
    """

    by: str
    at: str
    finding: FindingKind
    readers: tuple[str, ...] = ()
    kappa: float | None = None
    both: int | None = None
    number: int = 0
    reopened: Note | None = None


@dataclass(frozen=True)
class Place:
    """Where a person's review stands: the cell under the cursor, and the class that is shown alone."""

    cell: int | None = None
    only: str | None = None


class People(Queries):
    """Asks a record store what people left in it."""

    def said(self, slide: str, after: int = 0) -> list[Word]:
        """What people said of the slide's cells, in order; only words with a number above `after`."""
        rows = self._rows("SELECT * FROM words WHERE slide = ? AND id > ? ORDER BY id", slide, after)
        times = self._times() if rows else None
        return [
            Word(
                cell=row["cell"],
                by=row["initials"],
                named=row["named"],
                at=_at(row, times),
                number=row["id"],
                step=row["step"],
                undoes=row["undoes"],
            )
            for row in rows
        ]

    def about(self, slide: str) -> About:
        """What is known of a slide and its patient."""
        rows = self._rows("SELECT * FROM notes WHERE slide = ? ORDER BY id", slide)
        times = self._times() if rows else None
        newest = {row["field"]: row["value"] for row in rows}
        return About(
            patient=newest.get("patient"),
            age=newest.get("age"),
            sex=newest.get("sex"),
            notes=tuple(
                Note(row["initials"], _at(row, times), row["value"]) for row in rows if row["field"] == "note"
            ),
        )

    def finished(self, slide: str) -> list[Finished]:
        """Who has read the slide to the end, in order."""
        rows = self._rows("SELECT * FROM finished WHERE slide = ? ORDER BY id", slide)
        times = self._times() if rows else None
        return [Finished(row["initials"], _at(row, times), row["word"]) for row in rows]

    def signature(self, slide: str) -> Signature | None:
        """Who closed the slide; None while it is open, or open again."""
        last = self.signatures(slide)[-1:]
        return last[0] if last and last[0].reopened is None else None

    def signatures(self, slide: str) -> list[Signature]:
        """Who closed the slide, in order; each but the last was taken back, and the last may be."""
        rows = self._rows("SELECT * FROM signatures WHERE slide = ? ORDER BY id", slide)
        back = {row["signature"]: row for row in self._rows("SELECT * FROM reopened WHERE slide = ?", slide)}
        times = self._times() if rows else None
        return [
            Signature(
                by=row["initials"],
                at=_at(row, times),
                finding=row["finding"],
                readers=tuple(json.loads(row["readers"])),
                kappa=row["kappa"],
                both=row["both"],
                number=row["id"],
                reopened=Note(found["initials"], _at(found, times), found["reason"])
                if (found := back.get(row["id"]))
                else None,
            )
            for row in rows
        ]

    def beside(self, slide: str, by: str) -> list[str]:
        """The initials of those who have the slide open at this moment; this person's only from elsewhere."""
        rows = self._rows(
            "SELECT visits.* FROM visits JOIN boots ON boots.number = visits.boot "
            "WHERE slide = ? AND left_s IS NULL AND boot_id = ? ORDER BY visits.id",
            slide,
            clock.boot_id(),
        )
        mine = {"initials": initials(by), "process": processes.name()}
        return list(
            dict.fromkeys(
                row["initials"]
                for row in rows
                if processes.runs(row["process"]) and any(row[key] != mine[key] for key in mine)
            )
        )

    def place(self, slide: str, by: str) -> Place | None:
        """Where this person's review stands; None at the first time."""
        asked = "SELECT * FROM places WHERE slide = ? AND initials = ?"
        for row in self._rows(asked, slide, initials(by)):
            return Place(row["cell"], row["only"])
        return None


def _at(row: Row, times: TrueTimes | None) -> str:
    """When it was written, as far as the true time is known."""
    return times.of(row["boot"], row["at"], row["at_s"])[0] if times else str(row["at"])
