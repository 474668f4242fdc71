"""The hand-over from the line's thread to the screen's: the newest reading, and nothing queued."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from threading import Lock

import numpy as np

from edge.types import U8, Finding, Reading, Sink, Tally


@dataclass(frozen=True, eq=False)
class SeenCell:
    """A cell as the gallery shows it: `crop` (S, S, 3) uint8 RGB, class index, its probability."""

    crop: U8
    klass: int
    probability: float
    uncertain: bool


class Latest(Sink):
    """Holds the newest reading until the screen takes it; older ones are dropped.

    Nothing is lost by that: every reading carries the slide's whole tally and was recorded before it came.
    So many of the last new `cells` are kept for the gallery.
    """

    def __init__(self, cells: int = 24) -> None:
        self._lock = Lock()
        self._taken = True
        self._times: deque[float] = deque(maxlen=30)
        self._cells: deque[SeenCell] = deque(maxlen=cells)
        self.newest: Reading | None = None

    def reading(self, reading: Reading) -> None:
        """Another one, to be shown instead of the one before."""
        with self._lock:
            self.newest, self._taken = reading, False
            self._times.append(reading.t_s)
            for i in np.flatnonzero(reading.new & ~reading.cells.cut):
                klass = int(reading.classes[i])
                self._cells.appendleft(
                    SeenCell(
                        reading.crops[i].copy(),
                        klass,
                        float(reading.probabilities[i, klass]),
                        bool(reading.uncertain[i]),
                    )
                )

    def revise(self, tally: Tally, finding: Finding) -> None:
        """What the slide says now that people have spoken, to be shown with the newest reading."""
        with self._lock:
            if self.newest is not None:
                self.newest, self._taken = replace(self.newest, tally=tally, finding=finding), False

    def take(self) -> Reading | None:
        """The newest reading, None if it was taken before."""
        with self._lock:
            if self._taken:
                return None
            self._taken = True
            return self.newest

    def clear(self) -> None:
        """Forget all, for another slide."""
        with self._lock:
            self.newest, self._taken = None, True
            self._times.clear()
            self._cells.clear()

    def restart_clock(self) -> None:
        """Leave the time until now out of `frames_per_s`, after a pause."""
        with self._lock:
            self._times.clear()

    @property
    def cells(self) -> list[SeenCell]:
        """The last new cells, newest first."""
        with self._lock:
            return list(self._cells)

    @property
    def frames_per_s(self) -> float | None:
        """Readings a second over the last 30, None before there are two."""
        with self._lock:
            times = list(self._times)
        if len(times) < 2 or times[-1] <= times[0]:
            return None
        return (len(times) - 1) / (times[-1] - times[0])
