"""The records' slides at a glance: what a line of a list shows, of thousands at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.records.boots import ClockState, TrueTimes
from edge.records.people import State
from edge.records.queries import Queries
from edge.records.slidelist import searched, state_of
from edge.types import FindingKind


@dataclass(slots=True)
class Glance:
    """A slide as a line of a list; `edge.records.slidelist.SlideList.found` tells the rest.

    Attributes
    ----------
    slide, patient : identifiers; no patient where nobody said.
    finding, headline, cells : the newest finding and the leukocytes it rests on; None before there is one.
    state, signed_by : see `edge.records.people.State`.
    searched : what a search looks through, in small letters.
    """

    slide: str
    patient: str | None
    finding: FindingKind | None
    headline: str | None
    cells: int | None
    state: State
    signed_by: str | None
    searched: str
    _started: tuple[Any, ...]
    _times: TrueTimes

    @property
    def started(self) -> tuple[str, ClockState]:
        """When it was begun, UTC, ISO 8601, and what is known of that time."""
        return self._times.of(*self._started)


class Glances(Queries):
    """Asks a record store for many slides, and little of each."""

    def glances(self, newest: int = -1) -> list[Glance]:
        """The slides, the newest first; only so many of them, unless it is negative."""
        rows = self._rows(
            "SELECT s.id, s.boot, s.started_at, s.started_s, s.finished_at, s.process, "
            "ifnull(f.finding, s.finding) AS finding, ifnull(f.headline, s.headline) AS headline, "
            "json_extract(ifnull(f.tally, s.tally), '$.leukocytes') AS cells, "
            "p.value AS patient, signatures.initials AS signed_by, "
            "(SELECT group_concat(DISTINCT initials) FROM words WHERE slide = s.id) AS readers "
            "FROM (SELECT * FROM slides ORDER BY rowid DESC LIMIT ?) AS s "
            "LEFT JOIN findings AS f ON f.id = (SELECT max(id) FROM findings WHERE slide = s.id) "
            "LEFT JOIN notes AS p ON p.id = "
            "(SELECT max(id) FROM notes WHERE slide = s.id AND field = 'patient') "
            "LEFT JOIN signatures ON signatures.slide = s.id "
            "AND signatures.id NOT IN (SELECT signature FROM reopened) "
            "ORDER BY s.boot DESC, s.started_s DESC, s.started_at DESC, s.id DESC",
            newest,
        )
        boots = {row["number"]: row["boot_id"] for row in self._rows("SELECT * FROM boots")}
        times = self._times()
        return [
            Glance(
                slide=row["id"],
                patient=row["patient"],
                finding=row["finding"],
                headline=row["headline"],
                cells=row["cells"],
                state=state_of(row, boots),
                signed_by=row["signed_by"],
                searched=searched(row | {"readers": (row["readers"] or "").split(",")}),
                _started=(row["boot"], row["started_at"], row["started_s"]),
                _times=times,
            )
            for row in rows
        ]

    def holds(self, slide: str) -> bool:
        """Whether a slide of this identifier is in the records."""
        return bool(self._rows("SELECT 1 FROM slides WHERE id = ?", slide))
