"""What a run is worth on its validation cells: intervals that hold, and when it is too little."""

from __future__ import annotations

import numpy as np
import pytest

from train.statistics.bootstrap import Figure
from train.statistics.worth import BY_CELL, BY_GROUP, Side, Worth, by_cells


def _scores(positives: int, others: int, apart: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.arange(positives + others) < positives
    return (rng.normal(0, 1, len(truth)) + apart * truth).astype(np.float32), truth


def _worth(positives: int = 60, others: int = 200, apart: float = 2.0, groups: int = 20) -> Worth:
    scores, truth = _scores(positives, others, apart)
    named = [f"p{i % groups}" for i in range(len(truth))]
    return Worth.of(scores, truth, named, ["a"] * len(truth))


def test_many_groups_are_drawn_and_few_are_not() -> None:
    found = _worth()
    assert (found.interval, found.positives, found.others) == (BY_GROUP, Side(60, 20), Side(200, 20))
    assert found.roc_area.low < found.roc_area.value < found.roc_area.high
    assert found.shortcomings == ()
    few = _worth(groups=9)
    assert (few.interval, few.positives.groups) == (BY_CELL, 9)
    assert few.roc_area.value == found.roc_area.value
    assert "few groups" in few.line


def test_groups_of_two_data_sets_are_two() -> None:
    scores, truth = _scores(10, 10, 1.0)
    found = Worth.of(scores, truth, ["p"] * 20, ["a", "b"] * 10)
    assert (found.positives.groups, found.others.groups) == (2, 2)


@pytest.mark.parametrize(
    ("worth", "words"),
    [
        (_worth(positives=3), ["3 blasts among its validation cells, 30 are wanted"]),
        (_worth(positives=1, others=29), ["1 blast among", "29 other cells among"]),
        (_worth(apart=0.0), ["not surely better than chance"]),
        (_worth(apart=-2.0), ["ROC area 0.0"]),
        (_worth(positives=0), ["0 blasts among"]),
        (_worth(positives=30, others=30, apart=3.0), []),
    ],
)
def test_what_is_too_little(worth: Worth, words: list[str]) -> None:
    assert len(worth.shortcomings) >= len(words)
    assert bool(worth.shortcomings) is bool(words)
    for word in words:
        assert any(word in text for text in worth.shortcomings), worth.shortcomings
    assert Worth.read(worth.as_json()).shortcomings == worth.shortcomings
    assert worth.line.startswith(f"validation: {worth.positives.cells} blast")


def test_the_interval_by_cells_is_that_of_its_source() -> None:
    """Hanley and McNeil's table: area 0.8925, 51 and 58 pictures, standard error 0.0326 (1982, table II)."""
    found = by_cells(0.893, 51, 58)
    assert (found.high - found.low) / 2 / 1.96 == pytest.approx(0.0325, abs=6e-4)
    assert by_cells(1.0, 50, 50) == Figure(1.0, 1.0, 1.0)
    assert np.isnan(by_cells(float("nan"), 0, 9).low)


def test_fields_are_called_so() -> None:
    scores, truth = _scores(3, 40, 1.0)
    found = Worth.of(scores, truth, ["g"] * 43, ["a"] * 43, "positive field", "field")
    assert "3 positive fields among its validation fields, 30 are wanted" in found.shortcomings
    for wrong in ({}, {"sign": "x"}, {**found.as_json(), "positives": 3}):
        with pytest.raises((KeyError, TypeError)):
            Worth.read(wrong)
