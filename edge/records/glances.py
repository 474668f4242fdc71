"""The records' slides at a glance: what a line of a list shows, of thousands at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from edge.machine import clock
from edge.records.boots import ClockState, TrueTimes, iso
from edge.records.queries import Queries, in_order
from edge.records.rows import Row
from edge.records.slidelist import searched
from edge.records.states import State, boot_of, state_of
from edge.types import FindingKind


@dataclass(slots=True)
class Glance:
    """A slide as a line of a list; `edge.records.slidelist.SlideList.found` tells the rest.

    Attributes
    ----------
    slide, patient : identifiers; no patient where nobody said.
    finding, headline, cells : the newest finding and the leukocytes it rests on; None before there is one.
    state, signed_by : see `edge.records.states.State`.
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

    def judged(self, row: Row) -> Glance:
        """The same with the finding of the slide's row, of one that was cut off without any."""
        named = {"finding": row["finding"], "headline": row["headline"], "cells": row["cells_counted"]}
        texts = f"{self.searched}\n{row['finding']}\n{row['headline']}".casefold()
        return replace(self, **named, searched=texts)


class Glances(Queries):
    """Asks a record store for many slides, and little of each."""

    def glances(self, newest: int = -1) -> list[Glance]:
        """The slides, the newest first; only so many of them, unless it is negative."""
        rows = self._rows(
            "SELECT s.id, s.origin, s.boot, s.last_boot, s.started_at, s.started_s, s.finished_at, "
            "s.process, "
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
            "ORDER BY s.boot, s.started_s, s.started_at, s.id",
            newest,
        )
        boots = {row["number"]: row["boot_id"] for row in self._rows("SELECT * FROM boots")}
        times = self._times()
        for row in rows:
            row["state"] = state_of(row, boots.get(boot_of(row)))
            if row["state"] == "under way":  # what was judged before it was gone on with holds no more
                row |= dict.fromkeys(("finding", "headline", "cells"))
        return [
            Glance(
                slide=row["id"],
                patient=row["patient"],
                finding=row["finding"],
                headline=row["headline"],
                cells=row["cells"],
                state=row["state"],
                signed_by=row["signed_by"],
                searched=searched(row | {"readers": (row["readers"] or "").split(",")}),
                _started=(row["boot"], row["started_at"], row["started_s"]),
                _times=times,
            )
            for row in reversed(in_order(rows, times))
        ]

    def cut_off(self, days: float, among: int = 20) -> Row | None:
        """The newest slide that was cut off in the last days: its `id` and `at`, when it was begun; or None.

        Only among so many of the newest slides, so that who asks when a program starts does not wait. By the
        wall clocks as they were: a machine that knows no time tells of none, or of one too many.
        """
        rows = self._rows(
            "SELECT id, started_at, started_s, finished_at, process, boot, last_boot, NULL AS signed_by FROM "
            "(SELECT * FROM slides ORDER BY rowid DESC LIMIT ?) AS newest WHERE finished_at IS NULL "
            "AND NOT EXISTS (SELECT 1 FROM signatures WHERE slide = newest.id "
            "AND signatures.id NOT IN (SELECT signature FROM reopened))",
            among,
        )
        since = iso(clock.now().utc - timedelta(days=days))
        boots = {row["number"]: row["boot_id"] for row in self._rows("SELECT * FROM boots")} if rows else {}
        for row in rows:
            at, _ = self._times().of(row["boot"], row["started_at"], row["started_s"])
            if at >= since and state_of(row, boots.get(boot_of(row))) == "cut off":
                return {"id": row["id"], "at": at}
        return None

    def holds(self, slide: str) -> bool:
        """Whether a slide of this identifier is in the records."""
        return bool(self._rows("SELECT 1 FROM slides WHERE id = ?", slide))
