"""Agreement of two readers, against figures that were published."""

from __future__ import annotations

import pytest

from edge.review.agreement import Agreement, kappa


def pairs(counts: dict[tuple[str, str], int]) -> list[tuple[str, str]]:
    return [pair for pair, n in counts.items() for _ in range(n)]


def test_two_raters_of_a_hundred_patients() -> None:
    """Fleiss, Levin, Paik, Statistical Methods for Rates and Proportions, 3rd edition, table 18.1: .68."""
    found = kappa(
        pairs({
            ("psychotic", "psychotic"): 75, ("psychotic", "neurotic"): 1, ("psychotic", "organic"): 4,
            ("neurotic", "psychotic"): 5, ("neurotic", "neurotic"): 4, ("neurotic", "organic"): 1,
            ("organic", "organic"): 10,
        })
    )  # fmt: skip
    assert found == pytest.approx(0.676, abs=5e-4)


def test_fifty_applications_read_by_two() -> None:
    """p_o .7, p_e .5: .4."""
    counts = {("yes", "yes"): 20, ("yes", "no"): 5, ("no", "yes"): 10, ("no", "no"): 15}
    assert kappa(pairs(counts)) == pytest.approx(0.4)


def test_its_ends() -> None:
    assert kappa([("a", "a"), ("b", "b")]) == 1
    assert kappa([("a", "b"), ("b", "a")]) == -1
    assert kappa([("a", "b")]) == 0
    assert kappa([("a", "a")] * 9) is None
    assert kappa([]) is None


def test_only_cells_that_both_named_are_held_against_each_other() -> None:
    found = Agreement.of(
        ("AB", "MK"), {1: "blast", 2: "blast", 3: "monocyte"}, {2: "monocyte", 3: "monocyte", 9: "blast"}
    )
    assert (found.both, found.kappa, found.differing) == (2, 0, ((2, "blast", "monocyte"),))
