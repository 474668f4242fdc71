"""`edge-run --headless`: runs a screening to its end, with a line for what somebody must know."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from edge.command import say, write_to
from edge.types import FilesRead, Reading, Sink, Waiting

if TYPE_CHECKING:  # whoever is told that a camera is away need not wait for the rest of the line
    from edge.line.screening import Screening

_CLEAR = "\r\x1b[K"


def run(screening: Screening, frames: int | None) -> None:
    """Run to the end, which comes after so many `frames` if that is known; shows progress on a terminal."""
    watched = sys.stderr is not None and sys.stderr.isatty()
    try:
        for reading in screening.readings():
            if told := _told(reading):
                say("edge-run", told)
            if watched:
                write_to(sys.stderr, _CLEAR + _progress(reading, frames))
    finally:
        if watched:
            write_to(sys.stderr, _CLEAR)


class CameraTeller(Sink):
    """Follows a screening and says on standard error what the camera does not give, and why.

    When it goes away and when it is back; of files, at the end, which were not read.
    """

    def __init__(self) -> None:
        self._reason: str | None = None
        self._faults = 0

    def reading(self, reading: Reading) -> None:
        """What cannot be read is told by itself, see `run`; here it is counted."""
        self._faults += reading.frame.fault is not None

    def waiting(self, trouble: Waiting | None) -> None:
        """Once for each reason, and once when the pictures come again."""
        reason = trouble.reason if trouble else None
        if reason == self._reason:
            return
        self._reason = reason
        say("edge-run", f"{trouble.reason}; {trouble.advice}" if trouble else "the camera is back")

    def files(self, files: FilesRead) -> None:
        """Once, where something was left out beside what was told already."""
        if files.note and sum(left.count for left in files.left_out) > self._faults:
            say("edge-run", files.note)


def _told(reading: Reading) -> str | None:
    """What somebody must know of a reading, though the slide goes on."""
    if reading.frame.fault is not None:
        return f"{reading.frame.source}: {reading.frame.fault}; counted as rejected".replace("\n", " ")
    return reading.note


def _progress(reading: Reading, frames: int | None) -> str:
    tally, of = reading.tally, f" of {frames}" if frames else ""
    return (
        f"frame {reading.frame.index + 1}{of}, {tally.summary}, "
        f"{tally.rejected} rejected, {reading.ms['total']:.0f} ms"
    )
