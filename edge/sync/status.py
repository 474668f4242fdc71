"""What waits, what was sent and what was refused, in words and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edge.files.text import printable
from edge.machine import clock
from edge.records.outbox import Age, Due, Outbox

_USUAL_BYTES = 5000  # of a slide without pictures, until this device's own tell
_SHOWN = 20  # slides listed
_UNITS = ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute"))


@dataclass(frozen=True)
class Status:
    """Where a record store stands with a server.

    Attributes
    ----------
    server : its address. accepted : slides that it has.
    waiting : those that it has yet to get, in the order in which they go. refused : those it does not take.
    oldest : how long the longest has waited, None where none does. size : bytes that wait, about.
    cut_off : slides that do not go before somebody closes them.
    """

    server: str
    accepted: int
    waiting: tuple[Due, ...]
    refused: tuple[Due, ...]
    oldest: Age | None
    size: int
    cut_off: int

    @classmethod
    def of(cls, book: Outbox, server: str) -> Status:
        """As the records have it now.

        Raises
        ------
        RecordsError : they cannot be read.
        """
        due, now = book.due(server), clock.now()
        waiting = tuple(one for one in due if one.refused is None)
        ages = [one.age(now) for one in waiting]
        return cls(
            server=server,
            accepted=book.accepted(server),
            waiting=waiting,
            refused=tuple(one for one in due if one.refused is not None),
            oldest=max(ages, key=lambda age: age.seconds, default=None),
            size=len(waiting) * round(book.usual_size(server) or _USUAL_BYTES),
            cut_off=book.open_ended(),
        )

    def record(self) -> dict[str, Any]:
        """As JSON; docs/sync.md names the fields."""
        return {
            "kind": "sync",
            "server": self.server,
            "accepted": self.accepted,
            "waiting": len(self.waiting),
            "waiting_bytes": self.size,
            "oldest_s": self.oldest and round(self.oldest.seconds, 1),
            "oldest_at_least": bool(self.oldest and self.oldest.at_least),
            "slides": [{"slide": due.slide, "finding": due.finding} for due in self.waiting],
            "refused": [
                {"slide": due.slide, "status": due.refused.status, "reason": due.refused.reason,
                 "at": due.refused.at}
                for due in self.refused if due.refused
            ],
            "cut_off": self.cut_off,
        }  # fmt: skip

    @property
    def told(self) -> str:
        """What waits, in a few words."""
        if self.oldest is None:
            return "nothing waits"
        return f"{slides(len(self.waiting))} waiting, about {kb(self.size)}, the oldest {ago(self.oldest)}"

    def lines(self) -> list[str]:
        """For people."""
        found = [f"{self.server}: {self.told}; {slides(self.accepted)} sent, {len(self.refused)} refused"]
        for due in self.refused[:_SHOWN]:
            if due.refused:
                found.append(f"refused: {due.slide} on {due.refused.at[:10]}: {due.refused.reason}")
        if self.refused:
            found.append("mend it there or here, then: edge-device sync --again")
        if self.cut_off:
            found.append(f"{slides(self.cut_off)} cut off: sent once closed (edge-slides close)")
        return [printable(line) for line in found]

    def planned(self, *, again: bool) -> list[str]:
        """The slides that would go now, in order."""
        going = (*self.waiting, *(self.refused if again else ()))
        found = [f"{due.slide}  {due.finding or 'no finding'}" for due in going]
        return [
            *map(printable, found),
            f"{slides(len(going))} would go to {self.server}, {kb(self.size)} or so",
        ]


def slides(n: int) -> str:
    return f"{n} slide{'s' * (n != 1)}"


def kb(size: int) -> str:
    return f"{max(size, 0) / 1000:,.0f} kB"


def ago(age: Age) -> str:
    """An age in its largest unit."""
    for seconds, unit in _UNITS:
        if age.seconds >= seconds:
            n = int(age.seconds // seconds)
            return f"{'at least ' * age.at_least}{n} {unit}{'s' * (n != 1)} old"
    return f"{'of an age that no clock tells' if age.at_least else 'of just now'}"
