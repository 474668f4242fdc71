"""A line that gets slower before the processor does it by itself, and says so.

Slower means fewer frames a second. That loses no cell: a live camera goes on giving its newest frame, the
ones passed over show places that the next one shows too, unless the stage moves faster than the frames come;
and what was counted stays counted. Files and the simulated slide wait for the line, so that none of their
frames is passed over at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from edge.machine import health
from edge.machine.health import Health
from edge.machine.profile import ThermalSettings

LOOK_S = 2.0
"""Seconds between two looks at the machine."""

WORSE_S = 10.0
"""Seconds that a step gets to show its effect before the next: a heat sink's time constant is longer, but a
processor follows its load within seconds."""

BETTER_S = 30.0
"""Seconds that the machine must stay cool before the line gets faster; on a step that overheats it again the
line would else swing between the two."""

_TRIED_AGAIN_S = 600.0  # a step that overheated the machine is not tried again before, doubled each time
_LONGEST_S = 4800.0
_SHORTEST_PAUSE_S = 0.002


class ThermalThrottle:
    """How long the line rests after a frame; keeps `edge.line.screening.Throttle`.

    Steps down one at a time while the processor is hot or throttled, and up again when it has been cool for a
    while. A step up that made it hot again is not taken again for ten minutes, then twenty, and so on.

    Parameters
    ----------
    thermal : limits and steps of the device profile.
    look, clock : how the machine is, and the monotonic clock.
    """

    def __init__(
        self,
        thermal: ThermalSettings,
        look: Callable[[], Health] = health.look,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._thermal, self._look, self._clock = thermal, look, clock
        self._step = 0  # 0 for full speed, i for the i-th of the steps
        self._looked_s = self._changed_s = float("-inf")
        self._cool_since: float | None = None
        self._faster_s = self._faster_at = float("-inf")  # when it last got faster, and when it may again
        self._wait_s = _TRIED_AGAIN_S
        self._note: str | None = None
        self._told = False

    @property
    def fps(self) -> float | None:
        """Frames a second at most, None without a limit."""
        return self._thermal.steps_fps[self._step - 1] if self._step else None

    @property
    def note(self) -> str | None:
        """What to tell the user; gone with the next frame after it was read."""
        self._told = self._note is not None
        return self._note

    def pause_s(self, took_s: float) -> float:
        """Seconds to rest after a frame that took so long; 0 while the machine is cool."""
        if self._told:
            self._note, self._told = None, False
        now = self._clock()
        if now - self._looked_s >= LOOK_S:
            self._looked_s = now
            self._adjust(self._look(), now)
        pause = 1 / self.fps - took_s if self.fps else 0.0
        return pause if pause >= _SHORTEST_PAUSE_S else 0.0

    def _adjust(self, found: Health, now: float) -> None:
        celsius = found.temperature_c
        hot = bool(found.throttled) or (celsius is not None and celsius >= self._thermal.slow_at_c)
        # a machine that tells no temperature is cool when it does not throttle
        cool = not found.throttled and (celsius is None or celsius < self._thermal.recover_below_c)
        self._cool_since = (now if self._cool_since is None else self._cool_since) if cool else None
        if hot and self._step < len(self._thermal.steps_fps) and now - self._changed_s >= WORSE_S:
            self._slower(found, now)
        elif (
            self._step
            and self._cool_since is not None
            and now >= max(self._cool_since + BETTER_S, self._changed_s + BETTER_S, self._faster_at)
        ):
            self._faster(now)

    def _slower(self, found: Health, now: float) -> None:
        if now - self._faster_s < _TRIED_AGAIN_S:  # it was the last step up that did it
            self._faster_at = now + self._wait_s
            self._wait_s = min(self._wait_s * 2, _LONGEST_S)
        else:
            self._wait_s = _TRIED_AGAIN_S
        self._step += 1
        self._changed_s = now
        why, until = _reason(found, self._thermal)
        self._note = f"the processor {why}: at most {self.fps:g} frames a second {until}"

    def _faster(self, now: float) -> None:
        self._step -= 1
        self._changed_s = self._faster_s = now
        limit = f"up to {self.fps:g} frames a second again" if self.fps else "full speed again"
        self._note = f"the processor has cooled: {limit}"


def _reason(found: Health, thermal: ThermalSettings) -> tuple[str, str]:
    """Why the line gets slower, and until when."""
    celsius = found.temperature_c
    degrees = "" if celsius is None else f" ({celsius:.0f} °C)"
    if celsius is not None and celsius >= thermal.slow_at_c:
        return f"is hot{degrees}", "until it cools"
    if found.undervoltage:
        return f"gets too little power{degrees}", "until its supply is better"
    return f"slows itself down{degrees}", "for a while"
