"""Which boot a slide was read in, and what was learnt of that boot's clock: true times without rewriting.

A reading is written with the wall clock of its moment, right or wrong, and with the seconds since the boot.
Whenever the clock is found to have jumped, or somebody begins to vouch for it, a row says what it showed at
which second of the boot. From those rows the true time of every reading of that boot follows.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast, get_args

from edge.machine.clock import RELEASED, Moment, Voucher
from edge.records.rows import insert

ClockState = Literal["set", "corrected", "not set", "unknown"]
"""What a time in the records is: as written, and somebody vouched for it; as learnt later; as written, and
nobody knows better; written by a version that did not ask."""

JUMP_S = 1.0
"""A wall clock that left the boot's clock by more than this was set anew; less may be a slow look at both."""

_SAME_S = 2.0  # a frame's two times may be taken some way apart
_BETTER = get_args(Voucher)  # the better the later


@dataclass(frozen=True)
class Setting:
    """How a boot's wall clock was set for a while.

    Attributes
    ----------
    offset_s : UTC at the moment of the boot, seconds since 1970.
    since_s : when it was noticed, seconds since the boot.
    voucher : who says that it is right.
    """

    offset_s: float
    since_s: float
    voucher: Voucher

    @property
    def rank(self) -> int:
        return _BETTER.index(self.voucher)


class BootClock:
    """This boot in the records, and what is known of its clock. Used within the caller's transactions.

    Attributes
    ----------
    number : of the boot; the records count those in which they were opened.
    is_set : whether anybody vouched for the clock as it was last noted.
    """

    def __init__(self, database: sqlite3.Connection, moment: Moment) -> None:
        self._database = database
        self.is_set = False
        row = {"boot_id": moment.boot_id, "first_seen_at": iso(moment.utc), "first_seen_s": moment.boot_s}
        find = "SELECT number FROM boots WHERE boot_id = ?"
        found = database.execute(find, (moment.boot_id,)).fetchone()
        self.number = int(found[0]) if found else insert(database, "boots", row)
        self.note(moment)

    def note(self, moment: Moment) -> None:
        """Write down how the clock is set, where that is news.

        A jump for which nothing vouches is somebody's hand: what restores the time of the last shutdown does
        so before a program like this one starts.
        """
        settings = self.settings()
        offset_s = moment.utc.timestamp() - moment.boot_s
        voucher = moment.voucher
        if settings:
            jumped = abs(offset_s - settings[-1].offset_s) > JUMP_S
            if jumped and not voucher and moment.utc >= RELEASED:
                voucher = "hand"
            if not jumped and _BETTER.index(voucher) <= settings[-1].rank:
                self.is_set = bool(settings[-1].voucher)
                return
        row = {"boot": self.number, "utc": iso(moment.utc), "boot_s": moment.boot_s, "voucher": voucher}
        insert(self._database, "clock", row)
        self.is_set = bool(voucher)

    def settings(self) -> list[Setting]:
        """How the clock was set in this boot, in order."""
        rows = self._database.execute("SELECT * FROM clock WHERE boot = ? ORDER BY id", (self.number,))
        return [_setting(row) for row in rows]


class TrueTimes:
    """The true times of what was written, from all that was learnt of the clocks: table `clock`, in order."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._settings: dict[int, list[Setting]] = {}
        for row in rows:
            self._settings.setdefault(row["boot"], []).append(_setting(row))

    def of(self, boot: int | None, written: str, boot_s: float | None) -> tuple[str, ClockState]:
        """The time in ISO 8601, UTC, and what it is.

        A time holds as it was written if nobody in its boot was better informed than who vouched for it then.
        Else it follows from the setting of the best informed: the next after it, or the last before.
        """
        if boot is None or boot_s is None:
            return written, "unknown"
        settings = self._settings.get(boot, [])
        best = max((setting.rank for setting in settings), default=0)
        if not best:
            return written, "not set"
        offset_s = datetime.fromisoformat(written).timestamp() - boot_s
        nearest = min(settings, key=lambda setting: abs(setting.offset_s - offset_s))
        if abs(nearest.offset_s - offset_s) <= _SAME_S and any(
            setting.rank == best and abs(setting.offset_s - nearest.offset_s) <= JUMP_S
            for setting in settings
        ):
            return written, "set"
        right = [setting for setting in settings if setting.rank == best]
        taken = next((setting for setting in right if setting.since_s >= boot_s), right[-1])
        return iso(datetime.fromtimestamp(taken.offset_s + boot_s, UTC)), "corrected"


def _setting(row: Mapping[str, Any]) -> Setting:
    utc_s = datetime.fromisoformat(row["utc"]).timestamp()
    voucher = row["voucher"] if row["voucher"] in _BETTER else ""
    return Setting(utc_s - row["boot_s"], row["boot_s"], cast(Voucher, voucher))


def iso(utc: datetime) -> str:
    """A time as the records write it: ISO 8601, UTC, to the millisecond."""
    return utc.isoformat(timespec="milliseconds")
