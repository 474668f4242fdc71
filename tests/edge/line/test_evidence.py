"""Evidence and intervals against published values and exact sums, and at every look of simulated slides."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from edge.line.evidence import (
    confidence_sequence,
    log_evidence_above,
    log_evidence_below,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    # Newcombe, Statist Med 1998;17:857-872, table I, method 3 (score, no continuity correction)
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval(k: int, n: int, low: float, high: float) -> None:
    assert wilson_interval(k, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_ends_where_nothing_or_all_was_counted() -> None:
    assert all(wilson_interval(0, n)[0] == 0 and wilson_interval(n, n)[1] == 1 for n in range(1, 300))


@pytest.mark.parametrize("evidence", [log_evidence_above, log_evidence_below])
@pytest.mark.parametrize("total", [1, 7, 60])
def test_evidence_is_worth_one_on_average_at_the_rate_tested(evidence: object, total: int) -> None:
    """What makes it an e-value: its expectation under the hypothesis is 1, at any number of cells."""
    k = np.arange(total + 1)
    log_chance = np.array([math.log(math.comb(total, i)) for i in k]) + k * math.log(0.03)
    log_chance += (total - k) * math.log1p(-0.03)
    worth = np.exp(log_chance + evidence(k, total, 0.03)).sum()  # type: ignore[operator]
    assert worth == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize(("rate", "evidence"), [(0.02, log_evidence_above), (0.06, log_evidence_below)])
def test_a_true_hypothesis_is_hardly_ever_spoken_against_at_any_look(rate: float, evidence: object) -> None:
    """Looked at after each of 600 cells, on 1,000 slides: at most α of them ever (Ville), here α = .05."""
    k = _counted(rate, slides=1000, cells=600)
    worth = _at_each_look(lambda k, n: evidence(k, n, 0.03), k)  # type: ignore[operator]
    assert (worth >= math.log(20)).any(axis=1).mean() <= 0.05


def test_the_interval_holds_at_all_looks_together() -> None:
    for rate in (0.01, 0.2):
        k = _counted(rate, slides=300, cells=300)
        low = _at_each_look(lambda k, n: confidence_sequence(k, n, 0.95)[0], k)
        high = _at_each_look(lambda k, n: confidence_sequence(k, n, 0.95)[1], k)
        assert ((low <= rate) & (rate <= high)).all(axis=1).mean() >= 0.95


def _counted(rate: float, *, slides: int, cells: int) -> np.ndarray:
    """(slides, cells) positives after each cell."""
    return (np.random.default_rng(7).random((slides, cells)) < rate).cumsum(axis=1)


def _at_each_look(of: Callable[[np.ndarray, np.ndarray], np.ndarray], k: np.ndarray) -> np.ndarray:
    """`of` positives and cells at every look, worked out once for those that are the same."""
    n = np.broadcast_to(np.arange(1, k.shape[1] + 1), k.shape)
    pairs, places = np.unique(np.stack([k.ravel(), n.ravel()]), axis=1, return_inverse=True)
    return of(*pairs)[places].reshape(k.shape)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (3, 40), (100, 500), (5, 100_000)])
def test_the_ends_are_where_the_evidence_of_all_rates_is_just_too_strong(k: int, n: int) -> None:
    def log_worth(rate: float) -> float:
        mixture = math.lgamma(k + 0.5) + math.lgamma(n - k + 0.5) - math.lgamma(n + 1) - math.log(math.pi)
        return mixture - k * math.log(rate) - (n - k) * math.log1p(-rate)

    ends = [float(end) for end in confidence_sequence(k, n, 0.95)]
    for end in ends:
        if 0 < end < 1:
            assert log_worth(end) == pytest.approx(math.log(20), abs=0.02)
    assert ends[0] <= k / n <= ends[1]
    assert (ends[0] == 0) == (k == 0)
    assert (ends[1] == 1) == (k == n)
