"""A support vector machine with a radial kernel, one class against the rest, and its probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from edge.types import F32, I32
from train.published.classical import Arrays, ClassicalError, Floats, Texts

_COSTS = (0.03, 0.3, 3.0, 30.0)  # of a cell on the wrong side, against a smoother border
_WIDTHS = (0.03, 0.3)  # gamma times the number of features: 1 is about the distance between two cells
_FOLDS = 5

Fold = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Numbers of the cells to learn from and of those to judge."""


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

        Cost and width of the kernel are those with the highest mean recall of the classes, among cells whose
        groups the machines did not see; the smoothest of equals. Probabilities come from a logistic
        regression on the machines' values for these same cells (Platt 1999, for any number of classes), all
        classes taken to be equally frequent: how many cells of each were collected says nothing of blood.

        Raises
        ------
        ClassicalError : a class's cells cannot be parted by group into learned and judged ones.
        """
        scaler = StandardScaler().fit(features)
        points = scaler.transform(features)
        folds = _folds(truth, groups, classes, seed)
        judged = np.concatenate([cells for _, cells in folds])
        tried = [(cost, width / points.shape[1]) for cost in _COSTS for width in _WIDTHS]
        crossed = [_crossed(points, truth, len(classes), folds, *kernel) for kernel in tried]
        best = int(np.argmax([_mean_recall(values, truth[judged]) for values in crossed]))
        (cost, gamma), values = tried[best], crossed[best]
        machines = _machines(points, truth, len(classes), cost, gamma)
        platt = LogisticRegression(max_iter=1000, class_weight="balanced").fit(values, truth[judged])
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


def _machines(points: Floats, truth: I32, classes: int, cost: float, gamma: float) -> list[SVC]:
    """One for each class against the rest; for two classes only that of the second."""
    numbers = range(classes) if classes > 2 else (1,)
    return [SVC(C=cost, gamma=gamma, class_weight="balanced").fit(points, truth == k) for k in numbers]


def _folds(truth: I32, groups: Texts, classes: tuple[str, ...], seed: int) -> list[Fold]:
    """Parts of whole groups, those left out from which a class could not be learned."""
    parts = StratifiedGroupKFold(min(_FOLDS, len(np.unique(groups))), shuffle=True, random_state=seed)
    folds = [
        (learned, judged)
        for learned, judged in parts.split(truth[:, None], truth, groups)
        if len(np.unique(truth[learned])) == len(classes)
    ]
    seen = {number for _, judged in folds for number in truth[judged].tolist()}
    for number, name in enumerate(classes):
        if number not in seen:
            raise ClassicalError(
                f"class {name}: its training cells lie in too few groups to judge some without learning from "
                "the same; add cells of other groups"
            )
    return folds


def _crossed(
    points: Floats, truth: I32, classes: int, folds: list[Fold], cost: float, gamma: float
) -> Floats:
    """(m, D) values for the cells that each fold judges, of machines that learned from the others."""
    return np.concatenate(
        [
            _values(_machines(points[learned], truth[learned], classes, cost, gamma), points[judged])
            for learned, judged in folds
        ]
    )


def _values(machines: list[SVC], points: Floats) -> Floats:
    return np.stack([machine.decision_function(points) for machine in machines], axis=1)


def _mean_recall(values: Floats, truth: I32) -> float:
    """Of the classes, each cell called what the machines' values (m, D) say."""
    called = values.argmax(axis=1) if values.shape[1] > 1 else values[:, 0] > 0
    return float(np.mean([(called[truth == number] == number).mean() for number in np.unique(truth)]))
