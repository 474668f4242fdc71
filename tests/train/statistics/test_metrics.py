from __future__ import annotations

import numpy as np
import pytest

from train.statistics import metrics
from train.statistics.bootstrap import Draws, draw, undrawn


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
    assert np.isnan(metrics.pr_areas(undrawn(2), _f32(0.1, 0.2), _bool(0, 0))[0])


def test_pr_area_is_average_precision() -> None:
    # hits at ranks 1 and 3: (1/1 + 2/3) / 2
    areas = metrics.pr_areas(undrawn(4), _f32(0.9, 0.8, 0.7, 0.1), _bool(1, 0, 1, 0))
    assert areas == pytest.approx([(1 + 2 / 3) / 2])


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


def test_areas_over_draws_are_those_of_the_cells_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_BLOCK", 200)  # a few rounds at a time
    rng = np.random.default_rng(5)
    scores = np.round(rng.random(50), 1).astype(np.float32)  # with ties
    truth = rng.random(50) < 0.3
    draws = draw([f"g{i}" for i in rng.integers(0, 8, 50)], rounds=20)
    rocs, prs = metrics.roc_areas(draws, scores, truth), metrics.pr_areas(draws, scores, truth)
    for counts, of_roc, of_pr in zip(draws.counts, rocs, prs, strict=True):
        repeated = np.repeat(np.arange(50), counts[draws.which].astype(int))
        mine, hits = scores[repeated], truth[repeated]
        pairs = mine[hits][:, None] - mine[~hits][None]
        assert of_roc == pytest.approx(((pairs > 0) + 0.5 * (pairs == 0)).mean())
        recall, precision = metrics.precision_recall(mine, hits)
        assert of_pr == pytest.approx(np.sum(np.diff(np.append(0, recall)) * precision), abs=1e-6)


def test_calibration_error_over_draws() -> None:
    confidence, right = _f32(0.9, 0.9, 0.6, 0.6), _bool(1, 0, 1, 1)
    draws = Draws(np.array([[1.0, 1.0], [2.0, 0.0], [0.0, 2.0]]), np.array([0, 0, 1, 1]))
    found = metrics.calibration_errors(draws, confidence, right)
    assert found.tolist() == pytest.approx([0.4, 0.4, 0.4])
    assert metrics.calibration_errors(draws, confidence, _bool(1, 1, 1, 1)).tolist() == pytest.approx(
        [0.25, 0.1, 0.4]
    )


def test_merged_classes_count_as_one_and_others_are_left_out() -> None:
    #             blast, smudge, artefact, platelet
    table = np.array([[5.0, 1, 0, 0], [0, 2, 3, 0], [1, 1, 4, 0], [0, 0, 0, 9]])
    # smudge cells and artefacts are alike; platelets are not asked about
    assert metrics.merged(table, [[0], [1, 2]]) == pytest.approx((5 + 2 + 3 + 1 + 4) / 17)
    called_platelet = np.array([[3.0, 0, 0, 2], [0, 0, 0, 0], [0, 0, 0, 0], [7, 0, 0, 0]])
    assert metrics.merged(called_platelet, [[0], [1, 2]]) == pytest.approx(3 / 5)
    assert np.isnan(metrics.merged(np.zeros((4, 4)), [[0], [1, 2]]))
