"""A support vector machine with a radial kernel, one class against the rest, and its probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from edge.types import F32, I32
from train.classical import Arrays, ClassicalError, Floats, Texts

_COST = 3.0  # of a cell on the wrong side, against a smoother border
_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Svm:
    """What was learned; C classes, F features, V support vectors, D machines: C, or one for two classes.

    Attributes
    ----------
    mean, spread : (F,) what features are shifted and divided by.
    vectors : (V, F) standardised. weights : (V, D), 0 for the machines that a vector does not support.
    offsets : (D,). gamma : of the kernel exp(-gamma |x - v|²).
    slopes, levels : (D, C) and (C,), from the machines' values to log odds.
    """

    mean: Floats
    spread: Floats
    vectors: Floats
    weights: Floats
    offsets: Floats
    gamma: Floats
    slopes: Floats
    levels: Floats

    @classmethod
    def fit(cls, features: Floats, truth: I32, groups: Texts, classes: tuple[str, ...], seed: int) -> Self:
        """Learn from (n, F) features and (n,) classes by number.

        Probabilities come from a logistic regression on the machines' values (Platt 1999, for any number of
        classes) for cells whose groups the machines did not see.

        Raises
        ------
        ClassicalError : a class's cells cannot be parted by group into learned and judged ones.
        """
        scaler = StandardScaler().fit(features)
        points = scaler.transform(features)
        gamma = 1 / points.shape[1]
        machines = _machines(points, truth, len(classes), gamma)
        values, judged = _crossed(points, truth, groups, classes, gamma, seed)
        platt = LogisticRegression(max_iter=1000).fit(values[judged], truth[judged])
        slopes, levels = platt.coef_.T, platt.intercept_
        if len(classes) == 2:  # scikit-learn gives the second class's log odds alone
            slopes, levels = np.pad(slopes, ((0, 0), (1, 0))), np.pad(levels, (1, 0))
        support = np.unique(np.concatenate([machine.support_ for machine in machines]))
        weights = np.zeros((len(support), len(machines)))
        for column, machine in zip(weights.T, machines, strict=True):
            column[np.searchsorted(support, machine.support_)] = machine.dual_coef_[0]
        offsets = np.concatenate([machine.intercept_ for machine in machines])
        spread = np.asarray(scaler.scale_, np.float64)
        return cls(scaler.mean_, spread, points[support], weights, offsets, np.array(gamma), slopes, levels)

    def probabilities(self, features: Floats) -> F32:
        """(n, F) -> (n, C) float32 that sum to 1."""
        points = (features - self.mean) / self.spread
        squares = (points**2).sum(axis=1)[:, None] + (self.vectors**2).sum(axis=1)
        apart = np.maximum(squares - 2 * points @ self.vectors.T, 0)
        values = np.exp(-self.gamma * apart) @ self.weights + self.offsets
        odds = values @ self.slopes + self.levels
        shares = np.exp(odds - odds.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)

    def arrays(self) -> Arrays:
        """What `Svm(**arrays)` takes."""
        return dict(vars(self))


def _machines(points: Floats, truth: I32, classes: int, gamma: float) -> list[SVC]:
    """One for each class against the rest; for two classes only that of the second."""
    numbers = range(classes) if classes > 2 else (1,)
    return [SVC(C=_COST, gamma=gamma, class_weight="balanced").fit(points, truth == k) for k in numbers]


def _crossed(
    points: Floats, truth: I32, groups: Texts, classes: tuple[str, ...], gamma: float, seed: int
) -> tuple[Floats, I32]:
    """(n, D) values of machines that did not see a cell's group, and the cells, by number, that have them."""
    folds = StratifiedGroupKFold(min(_FOLDS, len(np.unique(groups))), shuffle=True, random_state=seed)
    values, done = np.zeros((len(points), len(classes) if len(classes) > 2 else 1)), []
    for learned, judged in folds.split(points, truth, groups):
        if len(np.unique(truth[learned])) == len(classes):
            machines = _machines(points[learned], truth[learned], len(classes), gamma)
            values[judged] = np.stack([m.decision_function(points[judged]) for m in machines], axis=1)
            done.append(judged)
    cells = np.concatenate([*done, np.zeros(0, np.intp)])
    for number, name in enumerate(classes):
        if not (truth[cells] == number).any():
            raise ClassicalError(
                f"class {name}: its training cells lie in too few groups to judge some without having learned "
                "from the same; add cells of other groups"
            )
    return values, np.sort(cells).astype(np.int32)
