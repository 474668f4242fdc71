"""How long a frame takes at each station of the line."""

from __future__ import annotations

from time import perf_counter


class Stages:
    """Milliseconds by stage, from the moment when it is made."""

    def __init__(self) -> None:
        self._started = self._last = perf_counter()
        self._ms: dict[str, float] = {}

    def end(self, stage: str) -> None:
        now = perf_counter()
        self._ms[stage] = (now - self._last) * 1e3
        self._last = now

    def go_on(self) -> None:
        """Leave out the time since the last stage, in which the frame waited."""
        now = perf_counter()
        self._started += now - self._last
        self._last = now

    def total(self) -> dict[str, float]:
        return {**self._ms, "total": (perf_counter() - self._started) * 1e3}
