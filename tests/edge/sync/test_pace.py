"""How fast it goes."""

from __future__ import annotations

import time

import pytest

from edge.sync.pace import Pace
from tests.edge.sync.conftest import Waits


@pytest.mark.parametrize("rate", [1.0, 40.0, 1000.0])
def test_a_body_takes_the_time_that_its_line_takes(rate: float) -> None:
    waits = Waits()
    pace = Pace(rate, None, now=waits.now, sleep=waits.sleep)
    body = bytes(range(256)) * 800
    assert b"".join(pace.pieces(body)) == body
    assert waits.s == pytest.approx(pace.takes_s(len(body)), rel=0.3)
    assert max(waits.waited) < 3  # no bursts that fill a slow line's buffers


def test_without_a_limit_it_goes_at_once() -> None:
    waits = Waits()
    assert [*Pace(0, None, now=waits.now, sleep=waits.sleep).pieces(b"x" * 100_000)] == [b"x" * 100_000]
    assert waits.waited == []


def test_what_it_takes_of_the_processor_is_rested_for() -> None:
    waits = Waits()
    pace = Pace(0, 0.05, now=waits.now, sleep=waits.sleep)
    used = time.thread_time()
    while time.thread_time() - used < 0.02:
        pass
    pace.rest()
    assert waits.s >= 0.02 / 0.05
    before = waits.s
    pace.rest(until_s=before)
    assert waits.s == before
