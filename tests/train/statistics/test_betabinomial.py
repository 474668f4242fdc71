"""Fitted distributions are those that units were drawn from, whatever their sizes."""

from __future__ import annotations

import numpy as np
import pytest

from train.statistics.betabinomial import Counts, between_units, fit


def drawn(rng: np.random.Generator, a: float, b: float, units: int, most: int = 200) -> Counts:
    trials = rng.integers(20, most, units)
    return np.stack([rng.binomial(trials, rng.beta(a, b, units)), trials], axis=1)


@pytest.mark.parametrize(("a", "b"), [(2.0, 8.0), (0.4, 20.0), (0.3, 0.5), (30.0, 300.0)])
def test_it_finds_again_what_slides_were_drawn_from(a: float, b: float) -> None:
    rng = np.random.default_rng(0)
    found = fit([drawn(rng, a, b, 500), drawn(rng, a, b, 500)])
    assert found.mean == pytest.approx(a / (a + b), rel=0.08)
    assert found.a + found.b == pytest.approx(a + b, rel=0.25)


def test_it_is_the_likeliest_one() -> None:
    stats = pytest.importorskip("scipy.stats")
    counts = drawn(np.random.default_rng(3), 1.0, 4.0, 40)
    found = fit([counts])

    def likelihood(a: float, b: float) -> float:
        return float(stats.betabinom.logpmf(counts[:, 0], counts[:, 1], a, b).sum())

    best = likelihood(found.a, found.b)
    for factor in (0.9, 1.1):
        assert likelihood(found.a * factor, found.b) < best
        assert likelihood(found.a, found.b * factor) < best
        assert likelihood(found.a * factor, found.b * factor) < best


def test_a_laboratory_weighs_the_same_whatever_its_number_of_slides() -> None:
    rng = np.random.default_rng(5)
    few, many = drawn(rng, 2, 18, 40), drawn(rng, 18, 2, 40)
    even = fit([few, many])
    crowded = fit([few, np.concatenate([many] * 10)])
    assert even.mean == pytest.approx(0.5, abs=0.05)
    assert (crowded.mean, crowded.between) == pytest.approx((even.mean, even.between), rel=1e-4)


def test_the_order_of_laboratories_and_slides_changes_nothing() -> None:
    rng = np.random.default_rng(7)
    one, other = drawn(rng, 1, 9, 12), drawn(rng, 2, 5, 30)
    found, again = fit([one, other]), fit([other[::-1], one])
    assert (again.a, again.b) == pytest.approx((found.a, found.b), rel=1e-9)


def test_units_that_are_alike_are_told_no_more_exactly_than_their_cells_allow() -> None:
    found = fit([np.array([[5, 100]] * 4)])
    assert found.mean == pytest.approx(0.05, rel=0.03)
    assert found.a + found.b == pytest.approx(400, rel=0.01)


def test_nothing_called_or_everything() -> None:
    none = fit([np.array([[0, 100], [0, 50]])])
    assert (none.a, none.b) == (0.5, 150.5)
    every = fit([np.array([[30, 30]]), np.array([[20, 20], [0, 0]])])
    assert (every.a, every.b) == (50.5, 0.5)


@pytest.mark.parametrize("groups", [[], [np.array([[3, 10]])], [np.array([[3, 10], [0, 0]])]])
def test_one_unit_tells_no_spread(groups: list[Counts]) -> None:
    with pytest.raises(ValueError, match="two are needed"):
        fit(groups)


def test_slides_of_a_laboratory_differ_less_than_laboratories_do() -> None:
    rng = np.random.default_rng(11)
    precision = 50.0
    groups = [drawn(rng, precision * mean, precision * (1 - mean), 60) for mean in (0.01, 0.05, 0.2, 0.4)]
    within = between_units(groups)
    assert within == pytest.approx(1 / (1 + precision), rel=0.3)
    assert fit(groups).between > 3 * within


def test_nobody_tells_how_slides_differ() -> None:
    assert between_units([np.array([[3, 100]]), np.array([[0, 50], [0, 60]])]) is None


def test_cautiously_few_laboratories_with_rare_successes_may_differ() -> None:
    counts = [np.array([[k, n]]) for k, n in ((1, 176), (2, 28), (3, 3213), (8, 841), (0, 139), (1, 146))]
    likeliest, cautious = fit(counts), fit(counts, cautious=True)
    assert cautious.between > 3 * likeliest.between
    assert likeliest.mean < cautious.mean < 0.05


def test_caution_costs_little_where_many_units_tell() -> None:
    counts = drawn(np.random.default_rng(2), 2.0, 20.0, 120)
    groups = [counts[i::40] for i in range(40)]
    likeliest, cautious = fit(groups), fit(groups, cautious=True)
    assert 0.4 < (cautious.a + cautious.b) / (likeliest.a + likeliest.b) < 1
    assert cautious.mean == pytest.approx(likeliest.mean, rel=0.15)
