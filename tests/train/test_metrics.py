from __future__ import annotations

import numpy as np
import pytest

from train import metrics


def _bool(*values: int) -> np.ndarray:
    return np.array(values, np.bool_)


def _f32(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def test_roc_area_counts_pairs_in_order() -> None:
    # of the 6 pairs 5 are in order: only 0.4 (positive) lies below 0.5 (negative)
    assert metrics.roc_area(_f32(0.9, 0.8, 0.4, 0.5, 0.1), _bool(1, 1, 1, 0, 0)) == pytest.approx(5 / 6)


def test_roc_area_counts_ties_half() -> None:
    assert metrics.roc_area(_f32(0.5, 0.5, 0.5, 0.5), _bool(1, 0, 1, 0)) == pytest.approx(0.5)
    assert metrics.roc_area(_f32(0.7, 0.5, 0.5), _bool(1, 1, 0)) == pytest.approx(0.75)


def test_one_sided_truth_has_no_area() -> None:
    assert np.isnan(metrics.roc_area(_f32(0.1, 0.2), _bool(1, 1)))
    assert np.isnan(metrics.pr_area(_f32(0.1, 0.2), _bool(0, 0)))


def test_pr_area_is_average_precision() -> None:
    # hits at ranks 1 and 3: (1/1 + 2/3) / 2
    assert metrics.pr_area(_f32(0.9, 0.8, 0.7, 0.1), _bool(1, 0, 1, 0)) == pytest.approx((1 + 2 / 3) / 2)


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]], np.float32)
    truth = np.array([0, 1, 1, 1], np.int32)
    # 0.9 is right half of the time, 0.6 always
    assert metrics.calibration_error(probabilities, truth) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)


def test_confusion_and_decisions_by_hand() -> None:
    truth, called = np.array([0, 0, 0, 1, 2], np.int32), np.array([0, 0, 1, 1, 0], np.int32)
    table = metrics.confusion(truth, called, 4)
    assert table.tolist() == [[2, 1, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    figures = metrics.decisions(table)
    assert figures["accuracy"] == pytest.approx(3 / 5)
    assert figures["balanced_accuracy"] == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_two_sided_figures_by_hand() -> None:
    figures = metrics.two_sided(_bool(1, 1, 0, 1, 0, 0), _bool(1, 1, 1, 0, 0, 0))
    expected = {"sensitivity": 2 / 3, "specificity": 2 / 3, "ppv": 2 / 3, "npv": 2 / 3, "f1": 2 / 3}
    assert figures == pytest.approx(expected)
    assert np.isnan(metrics.two_sided(_bool(0, 0), _bool(0, 0))["sensitivity"])


def test_the_bootstrap_draws_whole_groups() -> None:
    # within a group all cells are alike: with two groups the mean is 0, a half or 1 and nothing between
    groups = ["a"] * 50 + ["b"] * 50
    values = np.array([0.0] * 50 + [1.0] * 50)
    seen: set[float] = set()

    def mean(index: np.ndarray) -> dict[str, float]:
        seen.add(float(values[index].mean()))
        return {"mean": float(values[index].mean())}

    figure = metrics.bootstrap(groups, mean, rounds=200)["mean"]
    assert seen == {0.0, 0.5, 1.0}
    assert (figure.value, figure.low, figure.high) == (0.5, 0.0, 1.0)
    assert metrics.bootstrap(groups, mean, rounds=50) == metrics.bootstrap(groups, mean, rounds=50)
