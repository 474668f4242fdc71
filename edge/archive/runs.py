"""The runs of an archive, as `edge.archive.run.running` notes them: who runs it, since when, how it ended."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from edge.archive.place import ArchiveError, Place
from edge.files import strictjson
from edge.machine import clock, processes

FOLDER = "runs"

DONE = "done"
"""How a run ended that did all there was to do."""

State = Literal["under way", "elsewhere", "cut off", "ended"]
"""Of a run: its program runs; it runs, or ran, on another machine, of which nobody here knows; its program
runs no more and said nothing; it said that it ends."""


@dataclass(frozen=True)
class Run:
    """One `edge-archive run`.

    Attributes
    ----------
    started : UTC. address : of the cluster, as it was given.
    host, boot, process : where the command runs, and what it is called there (`edge.machine.processes`).
    ended, how : UTC, and in a few words; None while it runs, or where it was cut off.
    """

    started: datetime
    address: str
    host: str
    boot: str
    process: str
    ended: datetime | None
    how: str | None

    @classmethod
    def last(cls, place: Place) -> Run | None:
        """The one that began last, None where none did.

        Raises
        ------
        ArchiveError : what is noted of it cannot be read.
        """
        names = sorted(name for name in place.names(FOLDER) if name.endswith(".json"))
        if not names:
            return None
        name = f"{FOLDER}/{names[-1]}"
        try:
            table = strictjson.read(place.read(name))
            told = table.values
            return cls(
                started=_moment(told["started"]),
                address=table.text("address"),
                host=table.text("host"),
                boot=table.text("boot"),
                process=table.text("process"),
                ended=None if told.get("ended") is None else _moment(told["ended"]),
                how=None if told.get("how") is None else table.text("how", longest=100_000),
            )
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ArchiveError(
                f"{place.address}: {name} cannot be read ({error}); remove it, it only tells of a run"
            ) from None

    @property
    def state(self) -> State:
        """What has become of it, as far as this machine can tell."""
        if self.ended is not None:
            return "ended"
        if self.host != socket.gethostname():
            return "elsewhere"
        # a process that is named by when it started is so within its boot
        same_boot = ":" not in self.process or self.boot == clock.boot_id()
        return "under way" if same_boot and processes.runs(self.process) else "cut off"


def now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
