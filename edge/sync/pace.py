"""How fast it may go: a slow line is shared, and a small processor belongs to the screening."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

KBIT_PER_S = 40.0
"""Sent by default: what is left of a GPRS uplink (two slots, coding scheme 2: 26.8 kbit/s; four: 53.6)."""

CPU_SHARE = 0.05
_PIECES_A_SECOND = 4
_SMALLEST_PIECE, _LARGEST_PIECE = 256, 65536  # bytes


class Pace:
    """Sleeps where a sender would go too fast. Used by the thread that sends.

    Parameters
    ----------
    kbit_per_s : sent at most, but for a piece of a quarter of a second; 0 for no limit.
    cpu_share : of one processor, on average since the pace was made; None for no limit.
    since_start : what the thread used before counts, too.
    now, sleep : a clock in seconds that never goes back, and who waits so many.
    """

    def __init__(
        self,
        kbit_per_s: float = KBIT_PER_S,
        cpu_share: float | None = CPU_SHARE,
        *,
        since_start: bool = False,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.bytes_per_s = kbit_per_s * 125
        self.now, self.sleep = now, sleep
        self._share = cpu_share
        self._began_s, self._used_s = now(), 0.0 if since_start else time.thread_time()
        self._free_s = self._began_s  # when the line has taken what was sent

    def pieces(self, body: bytes) -> Iterator[bytes]:
        """The body, piece by piece, each when it may go."""
        if not self.bytes_per_s:
            yield body
            return
        size = int(min(max(self.bytes_per_s / _PIECES_A_SECOND, _SMALLEST_PIECE), _LARGEST_PIECE))
        for first in range(0, len(body), size):
            piece = body[first : first + size]
            if (ahead_s := self._free_s - self.now()) > 0:
                self.sleep(ahead_s)
            self._free_s = max(self._free_s, self.now()) + self.takes_s(len(piece))
            yield piece

    def rest(self, until_s: float = float("inf")) -> None:
        """Wait until the processor time used so far is no more than its share; not beyond `until_s`."""
        if self._share is None:
            return
        due_s = self._began_s + (time.thread_time() - self._used_s) / self._share
        wait_s = min(due_s, until_s) - self.now()
        if wait_s > 0:
            self.sleep(wait_s)

    def takes_s(self, size: int) -> float:
        """Seconds that so many bytes need."""
        return size / self.bytes_per_s if self.bytes_per_s else 0.0
