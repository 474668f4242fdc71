from __future__ import annotations

import pytest

from edge.cameras.pace import FIRST_S, KEPT, LATE, LONGEST_S, Pace


def noted(*seconds: float) -> Pace:
    pace = Pace()
    for each in seconds:
        pace.note(each)
    return pace


def test_before_a_rate_is_known_a_camera_is_given_time() -> None:
    assert Pace().patience_s(1.5) == FIRST_S
    assert Pace().patience_s(1.5, first_s=1.0) == 1.5
    assert Pace().longest_s == 0


@pytest.mark.parametrize(
    ("interval_s", "patience_s"), [(0.03, 1.5), (1.0, LATE), (2.5, 2.5 * LATE), (60.0, LONGEST_S)]
)
def test_the_rate_decides_how_long_it_may_be_silent(interval_s: float, patience_s: float) -> None:
    assert noted(*[interval_s] * 3).patience_s(1.5) == pytest.approx(patience_s)


def test_one_long_wait_is_enough_to_know_a_slow_camera_and_some_short_ones_a_fast_one() -> None:
    assert noted(*[0.03] * 50, 4.0).patience_s(1.5) == LATE * 4.0
    assert noted(4.0, *[0.03] * (KEPT - 1)).patience_s(1.5) == LATE * 4.0
    assert noted(4.0, *[0.03] * KEPT).patience_s(1.5) == 1.5
