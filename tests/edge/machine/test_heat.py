"""The throttle on a modelled processor that is heated by work and cooled by rest."""

from __future__ import annotations

import math

import pytest

from edge.machine.health import Health
from edge.machine.heat import ThermalThrottle
from edge.machine.profile import ThermalSettings

THERMAL = ThermalSettings(slow_at_c=80, recover_below_c=72, steps_fps=(8, 4, 2))


class Box:
    """A processor with a heat sink: one thermal resistance, one time constant.

    At rest it takes 2 W, at work 8 W; 8 K/W to the air. So at full speed it settles 64 K above the air.
    """

    def __init__(self, air_c: float, took_s: float = 0.1) -> None:
        self.air_c, self.took_s = air_c, took_s
        self.celsius, self.now = air_c + 16, 0.0
        self.throttled: bool | None = False
        self.looks = 0
        self.notes: list[str] = []
        self.hottest = -math.inf
        self.throttle = ThermalThrottle(THERMAL, look=self.look, clock=lambda: self.now)

    def limit(self) -> float | None:
        return self.throttle.fps

    def look(self) -> Health:
        self.looks += 1
        return Health(temperature_c=self.celsius, throttled=self.throttled)

    def _pass(self, seconds: float, watts: float) -> None:
        settled = self.air_c + 8 * watts
        self.celsius = settled + (self.celsius - settled) * math.exp(-seconds / 60)
        self.now += seconds

    def run(self, seconds: float) -> int:
        """Frames read in this time."""
        frames, end = 0, self.now + seconds
        while self.now < end:
            self._pass(self.took_s, 8)
            self.hottest = max(self.hottest, self.celsius)
            frames += 1
            pause_s = self.throttle.pause_s(self.took_s)
            assert pause_s >= 0
            self._pass(pause_s, 2)
            if (note := self.throttle.note) and note not in self.notes[-1:]:
                self.notes.append(note)
        return frames


def test_a_cool_machine_is_left_alone() -> None:
    box = Box(air_c=10)
    assert box.run(600) >= 5990
    assert box.limit() is None
    assert not box.notes


def test_it_settles_below_the_limit() -> None:
    box = Box(air_c=35)  # 99 °C at full speed
    box.run(600)
    assert box.hottest < THERMAL.slow_at_c + 4  # what the first steps take to work
    box.hottest = -math.inf
    before = len(box.notes)
    frames = box.run(4 * 3600)
    assert box.hottest < THERMAL.slow_at_c + 2
    assert frames > 4 * 3600 * 3.9  # four a second is what this box can bear
    assert len(box.notes) - before <= 16  # no swinging to and fro
    assert box.notes[0] == "the processor is hot (80 °C): at most 8 frames a second until it cools"


def test_full_speed_comes_back_with_cool_air() -> None:
    box = Box(air_c=45)
    box.run(1800)
    assert box.limit() == 2
    box.air_c = 5
    box.run(3 * 3600)
    assert box.limit() is None
    assert "the processor has cooled: up to 4 frames a second again" in box.notes
    assert box.notes[-1] == "the processor has cooled: full speed again"


def test_a_processor_that_slows_itself_down_is_helped_before_the_limit() -> None:
    box = Box(air_c=0)
    box.throttled = True
    box.run(5)
    assert box.limit() == 8
    box.run(30)
    assert box.limit() == 2
    assert "slows itself down" in box.notes[0]
    box.throttled = False
    box.run(120)
    assert box.limit() is None


def test_too_little_power_is_named() -> None:
    weak = Health(temperature_c=50, throttled=True, undervoltage=True)
    throttle = ThermalThrottle(THERMAL, look=lambda: weak, clock=lambda: 0.0)
    throttle.pause_s(0.1)
    assert throttle.note == (
        "the processor gets too little power (50 °C): at most 8 frames a second until its supply is better"
    )


def test_a_machine_that_tells_nothing_runs_at_full_speed() -> None:
    now = 0.0
    throttle = ThermalThrottle(THERMAL, look=Health, clock=lambda: now)
    for _ in range(200):
        now += 1
        assert throttle.pause_s(0.1) == 0
    assert throttle.note is None


def test_between_the_limits_nothing_changes() -> None:
    now, celsius = 0.0, 81.0
    throttle = ThermalThrottle(THERMAL, look=lambda: Health(temperature_c=celsius), clock=lambda: now)
    throttle.pause_s(0.1)
    celsius = 76.0
    for _ in range(600):
        now += 1
        assert throttle.pause_s(0.025) == pytest.approx(0.1)


def test_it_looks_every_two_seconds_at_most() -> None:
    box = Box(air_c=35)
    box.run(600)
    assert box.looks <= 301


def test_a_note_stays_until_the_frame_after_it_was_read() -> None:
    now, hot = 0.0, Health(temperature_c=90)
    throttle = ThermalThrottle(THERMAL, look=lambda: hot, clock=lambda: now)
    throttle.pause_s(0.1)
    throttle.pause_s(0.1)  # the frame before had a note of its own
    assert throttle.note == throttle.note is not None
    throttle.pause_s(0.1)
    assert throttle.note is None


def test_a_frame_that_takes_longer_than_its_share_is_followed_at_once() -> None:
    throttle = ThermalThrottle(THERMAL, look=lambda: Health(temperature_c=90), clock=lambda: 0.0)
    assert throttle.pause_s(0.5) == 0
    assert throttle.pause_s(0.1) == pytest.approx(0.025)
