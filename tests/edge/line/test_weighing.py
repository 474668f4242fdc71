"""What counts mean where the errors are known: corrected fraction, positive at some look, clear of blasts."""

from __future__ import annotations

import numpy as np
import pytest

from edge.bundle.manifest import FindingRule
from edge.bundle.operation import ErrorRates, Spread
from edge.line.evidence import wilson_interval
from edge.line.weighing import corrected_ends, fixed_sample_interval, reached, weighed
from edge.types import Tally

RULE = FindingRule(0.05, 0.95, 0.5, "test")
GOOD = ErrorRates(Spread(0.85, 0.8, 0.9), Spread(0.003, 0.0, 0.01), "test")
HARSH = ErrorRates(Spread(0.2, 0.01, 0.6), Spread(0.08, 0.002, 0.3), "test")


def test_the_corrected_fraction_is_that_of_rogan_and_gladen() -> None:
    assert weighed(120, 1000, 0.0, RULE, GOOD).fraction == pytest.approx(0.1381, abs=1e-4)
    low, high = corrected_ends(np.array(0.10), np.array(0.14), GOOD)
    assert float(low) == pytest.approx((0.10 - 0.01) / (0.9 - 0.01))
    assert float(high) == pytest.approx(0.14 / 0.8)


def test_a_network_that_tells_nothing_apart_says_nothing_of_the_fraction() -> None:
    blind = ErrorRates(Spread(0.3, 0.1, 0.5), Spread(0.3, 0.1, 0.5), "test")
    weight = weighed(60, 200, 0.0, RULE, blind)
    assert (weight.fraction, weight.interval) == (None, None)
    assert not weight.clear
    assert weight.more is None


@pytest.mark.parametrize(
    ("k", "n", "rates", "kind"),
    [
        ([1, 2], [1, 2], GOOD, None),  # two cells are not enough, whatever they are
        ([1, 2, 3], [1, 2, 3], GOOD, "refer"),
        ([3], [400], GOOD, None),
        ([3, 5], [30, 60], GOOD, "read-film"),
        ([10], [40], GOOD, "refer"),
        ([10, 10], [40, 2000], GOOD, "refer"),  # what it was once, it stays
        ([52], [172], HARSH, None),  # a healthy laboratory with a pale stain
        ([150], [200], HARSH, "refer"),
    ],
)
def test_reached(k: list[int], n: list[int], rates: ErrorRates, kind: str | None) -> None:
    assert reached(np.array(k, np.int32), np.array(n, np.int32), RULE, rates) == kind


@pytest.mark.parametrize(
    ("k", "n", "clear"),
    [(0, 73, False), (0, 199, False), (0, 200, True), (1, 399, False), (1, 400, True), (20, 400, False)],
)
def test_clear_of_blasts(k: int, n: int, clear: bool) -> None:
    assert weighed(k, n, 0.0, RULE, GOOD).clear is clear


def test_a_blind_network_clears_nobody() -> None:
    assert not weighed(0, 2000, 0.0, RULE, HARSH).clear


def test_the_cells_asked_for_decide() -> None:
    for k, n in ((0, 10), (0, 150), (5, 60), (2, 60)):
        weight = weighed(k, n, 0.0, RULE, GOOD)
        assert weight.more is not None
        then = n + weight.more
        positives = round(k * then / n)
        decided = weighed(positives, then, 0.0, RULE, GOOD).clear
        decided |= reached(np.array([positives]), np.array([then]), RULE, GOOD) is not None
        assert decided


def test_what_people_looked_at_is_no_longer_false() -> None:
    machine, person = weighed(8, 400, 0.0, RULE, GOOD), weighed(8, 400, 1.0, RULE, GOOD)
    assert person.fraction is not None
    assert person.fraction == pytest.approx(8 / 400 / (0.85 * 0.95), rel=0.01)
    assert machine.fraction is not None
    assert machine.fraction < person.fraction
    assert machine.interval is not None
    assert person.interval is not None
    assert person.interval[0] > machine.interval[0]


def test_the_interval_of_a_finished_slide_is_wilsons_where_the_network_never_errs() -> None:
    perfect = ErrorRates(Spread(1, 1, 1), Spread(0, 0, 0), "test")
    found = fixed_sample_interval(_tally(30, 200), RULE, perfect)
    assert found == pytest.approx(wilson_interval(30, 200), abs=2e-3)


def test_the_interval_of_a_finished_slide_holds_in_19_of_20() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(1000):
        found = rng.beta(60, 12)  # between .74 and .91 in 95%
        called = rng.binomial(400, 0.1 * found + 0.9 * rng.beta(1.3, 420))
        rates = ErrorRates(Spread(0.833, 0.74, 0.91), GOOD.false_blasts, "test")
        low, high = fixed_sample_interval(_tally(called, 400), RULE, rates)
        held += low <= 0.1 <= high
    assert held / 1000 >= 0.94


def _tally(positives: int, leukocytes: int) -> Tally:
    return Tally(counts={}, leukocytes=leukocytes, positives=positives, candidates=positives)
