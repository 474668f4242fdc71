"""Ridge logistic regression where there are more columns than rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.types import F64, Bools

_STEPS = 50
_STILL = 1e-8  # largest change of a weight at which Newton's method has arrived


@dataclass(frozen=True, eq=False)
class Linear:
    """A score that is linear in what it is given: `weights` (D,) float64 and `bias`."""

    weights: F64
    bias: float

    def scores(self, rows: F64) -> F64:
        """(n, D) → (n,) float64."""
        return np.asarray(rows @ self.weights + self.bias, np.float64)


def fit(rows: F64, truth: Bools, penalty: float) -> Linear:
    """The penalized maximum of the likelihood, both kinds weighing the same.

    Parameters
    ----------
    rows : (n, D), put to mean 0 and deviation 1 column by column before they are penalized.
    truth : (n,) bool, with some of both kinds.
    penalty : half of this times the square of the weights is taken from the log-likelihood; above 0.

    Notes
    -----
    le Cessie and van Houwelingen, Appl Stat 1992;41:191, by Newton's method. The best weights lie in the
    space of the rows (representer theorem), so the steps are taken there: n numbers instead of D.
    """
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    left, size, right = np.linalg.svd((rows - mean) / deviation, full_matrices=False)
    columns = np.column_stack([left * size, np.ones(len(rows))])
    weight = np.where(truth, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))
    ridge = np.append(np.full(len(size), penalty), 0.0)
    found = np.zeros(columns.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(columns @ found, -500, 500)))
        slope = columns.T @ (weight * (chance - truth)) + ridge * found
        curve = (columns.T * (weight * chance * (1 - chance))) @ columns + np.diag(ridge + 1e-12)
        step = np.linalg.solve(curve, slope)
        found -= step
        if np.abs(step).max() < _STILL:
            break
    weights = (right.T @ found[:-1]) / deviation
    return Linear(weights, float(found[-1] - mean @ weights))


def leave_one_out(rows: F64, truth: Bools, penalty: float) -> F64:
    """(n,) float64: the score of each row by a fit on the others."""
    scores = np.empty(len(rows))
    for i in range(len(rows)):
        others = np.arange(len(rows)) != i
        scores[i] = fit(rows[others], truth[others], penalty).scores(rows[i : i + 1])[0]
    return scores
