"""The runs of an archive: who runs it, since when, and how it ended."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from edge.archive.place import ArchiveError, Place
from edge.files import strictjson
from edge.machine import processes

FOLDER = "runs"

State = Literal["under way", "elsewhere", "cut off", "ended"]
"""Of a run: its program runs; it runs, or ran, on another machine, of which nobody here knows; its program
runs no more and said nothing; it said that it ends."""


@dataclass(frozen=True)
class Run:
    """One `edge-archive run`, from its beginning to its end.

    Attributes
    ----------
    started : UTC, ISO 8601. address : of the cluster, as it was given.
    host, process : where the command runs, and what it is called there (`edge.machine.processes`).
    fields : pictures of the plan that earlier runs had done, so that this one's rate can be told.
    ended, how : UTC, ISO 8601, and in a few words; None while it runs, or where it was cut off.
    """

    started: str
    address: str
    host: str
    process: str
    fields: int = 0
    ended: str | None = None
    how: str | None = None

    @classmethod
    def begin(cls, place: Place, address: str, fields: int) -> Run:
        """Write down that a run of this process begins."""
        run = cls(now().isoformat(timespec="milliseconds"), address, socket.gethostname(),
                  processes.name(), fields)  # fmt: skip
        run._write(place)
        return run

    def end(self, place: Place, how: str) -> Run:
        """Write down how it ended: `finished`, or what stopped it."""
        run = replace(self, ended=now().isoformat(timespec="milliseconds"), how=how)
        run._write(place)
        return run

    @classmethod
    def last(cls, place: Place) -> Run | None:
        """The one that began last, None where none did.

        Raises
        ------
        ArchiveError : what is written of it cannot be read.
        """
        names = sorted(name for name in place.names(FOLDER) if name.endswith(".json"))
        if not names:
            return None
        name = f"{FOLDER}/{names[-1]}"
        try:
            table = strictjson.read(place.read(name)).values
            run = cls(**{key: table[key] for key in cls.__dataclass_fields__ if key in table})
            run.seconds()  # its times are times
            return run
        except (OSError, ValueError, TypeError) as error:
            raise ArchiveError(f"{place.address}: {name} cannot be read ({error}); remove it") from None

    @property
    def state(self) -> State:
        """What has become of it, as far as this machine can tell."""
        if self.ended is not None:
            return "ended"
        if self.host != socket.gethostname():
            return "elsewhere"
        return "under way" if processes.runs(self.process) else "cut off"

    def seconds(self) -> float:
        """How long it took, or has taken."""
        until = datetime.fromisoformat(self.ended) if self.ended else now()
        return max((until - datetime.fromisoformat(self.started)).total_seconds(), 0.0)

    def _write(self, place: Place) -> None:
        moment = datetime.fromisoformat(self.started)
        # no colons: object storage and disks take these names, and they sort as the runs began
        place.write(f"{FOLDER}/{moment:%Y%m%dT%H%M%S%f}.json", (json.dumps(asdict(self)) + "\n").encode())


def now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)
