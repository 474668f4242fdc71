"""Which slides a server has yet to get: it follows from the slides and from what it answered, both kept.

Nothing is put into the outbox and nothing can be forgotten: a slide is due as soon as it is finished or
signed and says something else than what the server accepted last.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from edge.machine.clock import Moment
from edge.records.book import Book
from edge.records.boots import ClockState, TrueTimes
from edge.records.queries import in_order
from edge.records.rows import Row
from edge.records.seals import ADDED, insert_sealed
from edge.records.states import boot_of, state_of
from edge.types import FindingKind

Outcome = Literal["accepted", "refused"]

_URGENT: tuple[FindingKind, ...] = ("refer", "read-film")
_LONGEST_REASON = 500

_LAST = ", ".join(
    f"(SELECT CASE WHEN sha256 IS NULL THEN id ELSE hex(sha256) END FROM {table} WHERE slide = s.id "
    f"ORDER BY id DESC LIMIT 1) AS {table}"
    for table in ADDED
)


@dataclass(frozen=True)
class Answer:
    """What a server answered to a slide.

    Attributes
    ----------
    outcome, status, reason : see table `outbox`. revision : of the slide that it was sent.
    size : bytes that were sent. at : when, UTC, ISO 8601, as far as the true time is known.
    """

    slide: str
    outcome: Outcome
    revision: str
    status: int
    reason: str
    size: int
    at: str


@dataclass(frozen=True)
class Age:
    """How long ago something was, seconds; `at_least` where the clocks do not tell more."""

    seconds: float
    at_least: bool = False


@dataclass(frozen=True)
class Due:
    """A slide that the server has yet to get.

    Attributes
    ----------
    slide : its identifier. finding : its newest.
    signed : whether somebody signed it. ever_signed : or had, before it was reopened.
    revision : of what its report says now.
    replaces : the server has an earlier revision of it.
    refused : what the server answered to this very revision; None where it is not refused.
    """

    slide: str
    finding: FindingKind | None
    signed: bool
    ever_signed: bool
    revision: str
    replaces: bool
    refused: Answer | None
    _ended: tuple[str | None, int | None, float | None, str, ClockState]

    def age(self, now: Moment) -> Age:
        """How long it has been finished, by the boot's clock wherever nobody vouches for the wall's."""
        boot_id, _, boot_s, at, clock = self._ended
        if boot_id == now.boot_id and boot_s is not None:
            return Age(max(now.boot_s - boot_s, 0.0))
        if now.is_set and clock in ("set", "corrected"):
            from datetime import datetime

            return Age(max((now.utc - datetime.fromisoformat(at)).total_seconds(), 0.0))
        return Age(max(now.boot_s, 0.0), at_least=True)


class Outbox(Book):
    """The records as they are sent: read, and nothing written but what a server answered."""

    def due(self, server: str) -> list[Due]:
        """The slides that this server has yet to get, those refused included: the urgent, then the oldest."""
        answers = self._last_answers(server)
        found = []
        for row, times in self._finished():
            revision = _revision(row, times)
            accepted = answers.get((row["id"], "accepted"))
            if accepted and accepted.revision == revision:
                continue
            refused = answers.get((row["id"], "refused"))
            found.append(_due(row, times, revision, accepted is not None, refused))
        return sorted(found, key=lambda due: _rank(due.finding))

    def accepted(self, server: str) -> int:
        """How many slides this server has, in whatever revision."""
        asked = "SELECT count(DISTINCT slide) AS n FROM outbox WHERE server = ? AND outcome = 'accepted'"
        return int(self._rows(asked, server)[0]["n"])

    def usual_size(self, server: str) -> float | None:
        """Bytes of a slide as this server got them lately, on average; None where it got none."""
        lately = "SELECT size FROM outbox WHERE server = ? ORDER BY id DESC LIMIT 50"
        asked = f"SELECT avg(size) AS size FROM ({lately})"
        size: float | None = self._rows(asked, server)[0]["size"]
        return size

    def open_ended(self) -> int:
        """How many slides were cut off and neither closed nor signed: they are not sent before."""
        rows = self._rows(
            "SELECT id, boot, last_boot, finished_at, process, NULL AS signed_by FROM slides AS s "
            "WHERE finished_at IS NULL AND NOT EXISTS (SELECT 1 FROM signatures WHERE slide = s.id)"
        )
        boots = self._boot_ids()
        return sum(state_of(row, boots.get(boot_of(row) or 0)) == "cut off" for row in rows)

    def answered(self, due: Due, server: str, outcome: Outcome, status: int, reason: str, size: int) -> None:
        """Write down what the server answered to this revision of the slide."""
        text = " ".join(reason.split())
        row: Row = {"slide": due.slide, "server": server, "revision": due.revision, "outcome": outcome}
        row |= {"status": status, "reason": text[:_LONGEST_REASON], "size": size}
        with self._writing() as moment:
            insert_sealed(self._database, "outbox", row | moment)

    def _last_answers(self, server: str) -> dict[tuple[str, str], Answer]:
        rows = self._rows(
            "SELECT * FROM outbox WHERE id IN "
            "(SELECT max(id) FROM outbox WHERE server = ? GROUP BY slide, outcome)",
            server,
        )
        times = self._times()
        return {
            (row["slide"], row["outcome"]): Answer(
                slide=row["slide"],
                outcome=row["outcome"],
                revision=row["revision"],
                status=row["status"],
                reason=row["reason"],
                size=row["size"],
                at=times.of(row["boot"], row["at"], row["at_s"])[0],
            )
            for row in rows
        }

    def _finished(self) -> Iterator[tuple[Row, TrueTimes]]:
        """Every slide that is finished or was signed, in order, with what its revision rests on.

        A signature that was taken back counts: whoever got the signed report must get that, too.
        """
        rows = self._rows(
            "SELECT s.id, s.origin, s.boot, s.last_boot, s.started_at, s.started_s, s.finished_at, "
            f"s.finished_s, s.process, hex(s.sha256) AS slides, {_LAST}, "
            "(SELECT finding FROM findings WHERE slide = s.id ORDER BY id DESC LIMIT 1) AS judged, "
            "s.finding, "
            "c.boot AS signed_boot, c.at AS signed_at, c.at_s AS signed_s, "
            "CASE WHEN EXISTS (SELECT 1 FROM reopened WHERE signature = c.id) THEN NULL ELSE c.initials END "
            "AS signed_by "
            "FROM slides AS s LEFT JOIN signatures AS c ON c.id = "
            "(SELECT max(id) FROM signatures WHERE slide = s.id) "
            "WHERE s.finished_at IS NOT NULL OR c.id IS NOT NULL "
            "ORDER BY s.boot, s.started_s, s.started_at, s.id"
        )
        boots, times = self._boot_ids(), self._times()
        for row in in_order(rows, times):
            row["boot_id"] = boots.get(boot_of(row) or 0)
            if state_of(row, row["boot_id"]) != "under way":
                yield row, times

    def _boot_ids(self) -> dict[int, str]:
        return {row["number"]: row["boot_id"] for row in self._rows("SELECT number, boot_id FROM boots")}


def _revision(row: Row, times: TrueTimes) -> str:
    """What changes when the report says something else: 16 hexadecimal digits.

    It rests on the digests of the slide and of the last row that people added to each table, since rows are
    only added, and on the times that a clock set later puts right. None of them is another in another store.
    """
    parts = [row["slides"], row["finished_at"], *(row[table] for table in ADDED)]
    parts += times.of(row["boot"], row["started_at"], row["started_s"])
    if row["finished_at"]:
        parts += times.of(boot_of(row), row["finished_at"], row["finished_s"])
    if row["signed_at"]:
        parts += times.of(row["signed_boot"], row["signed_at"], row["signed_s"])
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def _due(row: Row, times: TrueTimes, revision: str, replaces: bool, refused: Answer | None) -> Due:
    at, boot_s = row["finished_at"] or row["started_at"], row["finished_s"] or row["started_s"]
    return Due(
        slide=row["id"],
        finding=row["judged"] or row["finding"],
        signed=bool(row["signed_by"]),
        ever_signed=row["signed_at"] is not None,
        revision=revision,
        replaces=replaces,
        refused=refused if refused and refused.revision == revision else None,
        _ended=(row["boot_id"], boot_of(row), boot_s, *times.of(boot_of(row), at, boot_s)),
    )


def _rank(finding: FindingKind | None) -> int:
    return _URGENT.index(finding) if finding in _URGENT else len(_URGENT)
