"""Spreads against what can be worked out by hand, and against slides that were drawn at random."""

from __future__ import annotations

import numpy as np
import pytest

from edge.bundle.spreads import beta_quantiles, of_beta, of_healthy_slides


@pytest.mark.parametrize("a", [0.02, 0.3, 1, 7, 400, 1e5])
def test_quantiles_of_a_power(a: float) -> None:
    levels = (0.025, 0.5, 0.975)
    np.testing.assert_allclose(beta_quantiles(a, 1, levels), np.power(levels, 1 / a), rtol=2e-3, atol=1e-9)
    np.testing.assert_allclose(
        beta_quantiles(1, a, levels), -np.expm1(np.log1p(-np.array(levels)) / a), rtol=2e-3, atol=1e-9
    )


def test_jeffreys_interval_as_published() -> None:
    # Brown, Cai, DasGupta 2001, table 5: n = 10 and 20
    assert beta_quantiles(1.5, 9.5, (0.025, 0.975)) == pytest.approx([0.011, 0.381], abs=6e-4)
    assert beta_quantiles(5.5, 5.5, (0.025, 0.975)) == pytest.approx([0.224, 0.776], abs=6e-4)


def test_a_spread_holds_its_mean_even_where_nearly_all_are_at_0() -> None:
    spread = of_beta(0.002, 20)
    assert spread.low <= spread.mean <= spread.high


def test_95_percent_of_the_next_slides_lie_inside() -> None:
    rng = np.random.default_rng(1)
    mean, between, inside, above = 0.02, 0.02, 0, 0
    a = mean * (1 / between - 1)
    for _ in range(400):
        rates = rng.beta(a, a * (1 - mean) / mean, 11)
        slides = [(int(rng.binomial(200, rate)), 200) for rate in rates[:10]]
        spread = of_healthy_slides(slides, between)
        inside += spread.low <= rates[10] <= spread.high
        above += rates[10] > spread.high
    assert inside / 400 > 0.93
    assert above / 400 < 0.045


def test_more_slides_tell_more_than_more_cells_of_one() -> None:
    one = of_healthy_slides([(20, 2000)], 0.02)
    ten = of_healthy_slides([(2, 200)] * 10, 0.02)
    alike = of_healthy_slides([(20, 2000)], 0.0)
    assert one.high > 1.5 * ten.high
    assert alike.high < ten.high
    assert alike.high == pytest.approx(0.0150, abs=5e-4)  # Jeffreys' end alone


@pytest.mark.parametrize("slides", [[(3, 2)], [(0, 0)]])
def test_counts_that_are_none(slides: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="no such rate"):
        of_healthy_slides(slides, 0.1)
