"""Ridge logistic regression against what must hold of it."""

from __future__ import annotations

import numpy as np
import pytest

from train.statistics.ridge import fit, leave_one_out


def test_the_gradient_is_nought_where_it_arrives() -> None:
    rng = np.random.default_rng(0)
    rows, truth = rng.normal(2, 3, (40, 6)), rng.random(40) < 0.3
    found = fit(rows, truth, 2.0)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    weight = np.where(truth, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    off = weight * (1 / (1 + np.exp(-found.scores(rows))) - truth)
    slope = ((rows - mean) / deviation).T @ off + 2.0 * found.weights * deviation
    np.testing.assert_allclose(slope, 0, atol=1e-6)
    assert off.sum() == pytest.approx(0, abs=1e-6)


def test_more_columns_than_rows_and_columns_that_never_change() -> None:
    rng = np.random.default_rng(1)
    truth = np.arange(20) % 2 == 0
    rows = np.column_stack([rng.normal(0, 1, (20, 100)), np.full(20, 7.0)])
    rows[:, 0] += 3 * truth
    found = fit(rows, truth, 1.0)
    assert np.isfinite(found.weights).all()
    assert found.weights[-1] == 0
    assert found.scores(rows)[truth].min() > found.scores(rows)[~truth].max()


def test_a_row_left_out_is_scored_by_the_others() -> None:
    rng = np.random.default_rng(2)
    rows, truth = rng.normal(0, 1, (12, 3)), np.arange(12) < 5
    scores = leave_one_out(rows, truth, 1.0)
    assert scores[3] == pytest.approx(fit(np.delete(rows, 3, 0), np.delete(truth, 3), 1.0).scores(rows)[3])


def test_what_tells_nothing_apart_scores_at_random() -> None:
    rng = np.random.default_rng(3)
    truth = np.arange(200) % 2 == 0
    scores = leave_one_out(rng.normal(0, 1, (200, 5)), truth, 10.0)
    above = (scores[truth][:, None] > scores[~truth]).mean()
    assert 0.35 < above < 0.65
