"""Figures of merit, computed with NumPy from probabilities and truth.

`scores` are (n,) probabilities of the positive side, `truth` (n,) bool. Areas and rates are NaN where a
side is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.types import F32, I32, Bools

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A figure with the ends of its 95% interval."""

    value: float
    low: float
    high: float


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")


def roc(scores: F32, truth: Bools) -> tuple[Floats, Floats]:
    """Points of the ROC curve: false and true positive rates, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], truth[order]
    last_of_tie = np.append(np.diff(ranked) != 0, True)
    true = np.cumsum(hits)[last_of_tie]
    false = np.cumsum(~hits)[last_of_tie]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.append(0.0, false / np.float64(false[-1])), np.append(0.0, true / np.float64(true[-1]))


def roc_area(scores: F32, truth: Bools) -> float:
    """Area under the ROC curve; ties count half."""
    if truth.all() or not truth.any():
        return float("nan")
    false, true = roc(scores, truth)
    return float(np.trapezoid(true, false))


def precision_recall(scores: F32, truth: Bools) -> tuple[Floats, Floats]:
    """Points of the precision-recall curve: recall and precision, highest score first."""
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], truth[order]
    last_of_tie = np.append(np.diff(ranked) != 0, True)
    true = np.cumsum(hits)[last_of_tie].astype(float)
    called = np.flatnonzero(last_of_tie) + 1.0
    return true / max(int(truth.sum()), 1), true / called


def pr_area(scores: F32, truth: Bools) -> float:
    """Average precision: precision summed over the steps of recall, without interpolation."""
    if not truth.any():
        return float("nan")
    recall, precision = precision_recall(scores, truth)
    return float(np.sum(np.diff(np.append(0.0, recall)) * precision))


def calibration_error(probabilities: F32, truth: I32, bins: int = 15) -> float:
    """Expected calibration error of the likeliest class over equally wide bins (Naeini et al., AAAI 2015)."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    error = 0.0
    for b in range(bins):
        inside = which == b
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return float(error)


def confusion(truth: I32, called: I32, classes: int) -> NDArray[np.int64]:
    """(C, C) counts: a row for what the cell is, a column for what it was called."""
    return np.bincount(truth * classes + called, minlength=classes * classes).reshape(classes, classes)


def decisions(table: NDArray[np.int64]) -> dict[str, float]:
    """Accuracy and balanced accuracy (mean recall of the classes present) of a confusion matrix."""
    of_class = table.sum(axis=1)
    present = of_class > 0
    recalls = np.diag(table)[present] / of_class[present]
    return {
        "accuracy": _ratio(float(np.trace(table)), float(table.sum())),
        "balanced_accuracy": float(recalls.mean()) if present.any() else float("nan"),
    }


def two_sided(called: Bools, truth: Bools) -> dict[str, float]:
    """Sensitivity, specificity, PPV, NPV and F1 of positive calls."""
    tp, fp = float(np.sum(called & truth)), float(np.sum(called & ~truth))
    fn, tn = float(np.sum(~called & truth)), float(np.sum(~called & ~truth))
    return {
        "sensitivity": _ratio(tp, tp + fn),
        "specificity": _ratio(tn, tn + fp),
        "ppv": _ratio(tp, tp + fp),
        "npv": _ratio(tn, tn + fn),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
    }


def bootstrap(
    groups: Sequence[str],
    measure: Callable[[NDArray[np.int64]], Mapping[str, float]],
    *,
    rounds: int = 1000,
    seed: int = 0,
) -> dict[str, Figure]:
    """Figures with 95% percentile intervals, whole groups drawn with replacement.

    Cells of one patient are alike, so drawing cells one by one would make intervals far too narrow
    (cluster bootstrap: Davison and Hinkley 1997, section 3.8).

    Parameters
    ----------
    groups : n group names, one a cell.
    measure : indices of the drawn cells -> figures by name.
    """
    names, which = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(which == g) for g in range(len(names))]
    rng = np.random.default_rng(seed)
    full = measure(np.arange(len(which)))
    drawn: dict[str, list[float]] = {name: [] for name in full}
    for _ in range(rounds):
        chosen = rng.integers(len(members), size=len(members))
        for name, value in measure(np.concatenate([members[g] for g in chosen])).items():
            drawn[name].append(value)
    figures = {}
    for name, value in full.items():
        kept = np.asarray([v for v in drawn[name] if not np.isnan(v)])
        low, high = np.percentile(kept, [2.5, 97.5]) if len(kept) else (float("nan"), float("nan"))
        figures[name] = Figure(value, float(low), float(high))
    return figures
