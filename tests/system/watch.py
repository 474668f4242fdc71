"""A feed of the device application under observation: when pictures came, when it was told that none do."""

from __future__ import annotations

import os
import threading
import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep

from edge.cameras import Camera
from edge.cameras.livefeed import LiveFeed
from edge.types import Frame

PATIENCE_S = 30.0
SETTLED_FRAMES, SETTLED_S = 5, 3.0
"""Before a fault, for a feed opens a camera that fails time and again more and more slowly."""

REMEMBERED = 1000
"""Pictures, to see whether one comes again; the memory of a long run must not grow with their number."""


@dataclass(frozen=True)
class Outcome:
    """Of one fault. Seconds; None where it did not happen.

    Attributes
    ----------
    told_s : from the fault to the first word of it. back_s : from the end of the fault to the next picture.
    gap_s : longest time without a picture. reason : what was told.
    """

    told_s: float | None
    back_s: float
    gap_s: float
    reason: str


class Watch:
    """Takes whatever the feed of a camera gives, as the line would. A context manager.

    Attributes
    ----------
    disordered, repeated : frames that were out of order, pictures that came twice, in words.
    """

    def __init__(self, another: Callable[[], Camera]) -> None:
        self._feed = LiveFeed(another(), another)
        self._pictures: list[float] = []
        self._told: list[tuple[float, str]] = []
        self._seen: deque[int] = deque(maxlen=REMEMBERED)
        self._index = -1
        self.disordered: deque[str] = deque(maxlen=REMEMBERED)
        self.repeated: deque[str] = deque(maxlen=REMEMBERED)
        self._thread = threading.Thread(target=self._run, name="watch")

    def __enter__(self) -> Watch:
        self._feed.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._feed.close()
        self._thread.join(PATIENCE_S)

    def during(self, strike: Callable[[], None]) -> Outcome:
        """Let it happen, and wait until pictures flow again."""
        sleep(SETTLED_S)
        self._more(SETTLED_FRAMES)
        self._pictures, self._told = self._pictures[-1:], []
        began_s = monotonic()
        strike()
        over_s = monotonic()
        self._more(SETTLED_FRAMES)
        pictures, told = list(self._pictures), list(self._told)
        later = [at_s for at_s in pictures if at_s > over_s]
        gaps = [b - a for a, b in pairwise(pictures)]
        return Outcome(
            told_s=round(told[0][0] - began_s, 2) if told else None,
            back_s=round(later[0] - over_s, 2),
            gap_s=round(max(gaps), 2),
            reason=told[0][1] if told else "",
        )

    def _more(self, count: int) -> None:
        wanted, end_s = len(self._pictures) + count, monotonic() + PATIENCE_S
        while len(self._pictures) < wanted:
            if monotonic() > end_s or not self._thread.is_alive():
                raise AssertionError(f"no pictures for {PATIENCE_S:g} s; {self._feed.trouble}")
            sleep(0.01)

    def _run(self) -> None:
        while (got := self._feed.get()) is not None:
            if isinstance(got, Frame):
                self._judge(got)
                self._pictures.append(monotonic())
            else:
                self._told.append((monotonic(), got.reason))

    def _judge(self, frame: Frame) -> None:
        """Every picture once, in order."""
        if frame.index != self._index + 1:
            self.disordered.append(f"frame {frame.index} after frame {self._index}")
        self._index = frame.index
        look = zlib.crc32(frame.pixels.tobytes())
        if look in self._seen:
            self.repeated.append(f"frame {frame.index} was given before")
        self._seen.append(look)


def usage() -> dict[str, int]:
    """Resident kilobytes, threads and open files of this process."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "resident_kb": int(status["VmRSS"].split()[0]),
        "threads": int(status["Threads"]),
        "files": len(os.listdir("/proc/self/fd")),
    }
