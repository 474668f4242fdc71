"""Figures of merit, computed with NumPy from probabilities and truth.

`scores` are (n,) probabilities of the positive side, `truth` (n,) bool. Areas and rates are NaN where a
side is empty. What takes `Draws` gives (R + 1,) values, the first of the data as they are
(`train.statistics.bootstrap`); the rest is the same without rounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.types import F32, I32, Bools
from train.statistics.bootstrap import Draws, undrawn

Floats = NDArray[np.float64]

_BLOCK = 300_000  # numbers at once, rounds times cells: what stays in a processor's cache
BINS = 15
"""Of the calibration error: equally wide ones (Naeini et al., AAAI 2015; Guo et al., ICML 2017)."""


def ratio(part: Floats, whole: Floats) -> Floats:
    """Their quotient, NaN where there is nothing to divide by."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    out = np.full(np.broadcast(part, whole).shape, np.nan)
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def roc(scores: F32, truth: Bools) -> tuple[Floats, Floats]:
    """Points of the ROC curve: false and true positive rates, from (0, 0) to (1, 1)."""
    true, false = _counted(scores, truth)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.append(0.0, false / np.float64(false[-1])), np.append(0.0, true / np.float64(true[-1]))


def precision_recall(scores: F32, truth: Bools) -> tuple[Floats, Floats]:
    """Points of the precision-recall curve: recall and precision, highest score first."""
    true, false = _counted(scores, truth)
    return true / max(int(truth.sum()), 1), true / (true + false)


def _counted(scores: F32, truth: Bools) -> tuple[Floats, Floats]:
    """Positives and negatives of each score or higher, the highest first."""
    order = np.argsort(-scores, kind="stable")
    hits, last_of_tie = truth[order], np.append(np.diff(scores[order]) != 0, True)
    return np.cumsum(hits)[last_of_tie].astype(float), np.cumsum(~hits)[last_of_tie].astype(float)


def roc_areas(draws: Draws, scores: F32, truth: Bools) -> Floats:
    """(R + 1,) areas under the ROC curve; ties count half."""
    out = [np.zeros(0)]
    for gained, lost in by_score(draws, scores, truth):
        above = np.cumsum(gained, axis=1) - gained / 2
        pairs = gained.sum(axis=1, dtype=float) * lost.sum(axis=1, dtype=float)
        out.append(ratio((lost * above).sum(axis=1, dtype=float), pairs))
    return np.concatenate(out)


def pr_areas(draws: Draws, scores: F32, truth: Bools) -> Floats:
    """(R + 1,) average precisions: precision summed over the steps of recall, without interpolation."""
    out = [np.zeros(0)]
    for gained, lost in by_score(draws, scores, truth):
        true = np.cumsum(gained, axis=1)
        called = np.maximum(true + np.cumsum(lost, axis=1), 1)
        out.append(ratio((gained * true / called).sum(axis=1, dtype=float), gained.sum(axis=1, dtype=float)))
    return np.concatenate(out)


def by_score(draws: Draws, scores: F32, truth: Bools) -> Iterator[tuple[F32, F32]]:
    """How many positives and negatives were drawn at each score, highest first, (r, k) float32 each.

    Some rounds at a time, so that memory stays bounded.
    """
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(scores[order]) != 0)[: len(order)])
    counts, which, hits = draws.counts.astype(np.float32), draws.which[order], truth[order]
    step = max(_BLOCK // max(len(scores), 1), 1)
    for first in range(0, len(counts), step):
        drawn = counts[first : first + step, which]
        gained = drawn * hits
        lost = drawn - gained
        if len(starts) < len(order):
            gained, lost = (np.add.reduceat(part, starts, axis=1) for part in (gained, lost))
        yield gained, lost


def roc_area(scores: F32, truth: Bools) -> float:
    """Area under the ROC curve; ties count half."""
    return float(roc_areas(undrawn(len(truth)), scores, truth)[0])


def calibration_errors(draws: Draws, confidence: F32, right: Bools, bins: int = BINS) -> Floats:
    """(R + 1,) expected calibration errors: how far confidence is from the share right, bin by bin."""
    inside = np.arange(bins) == bin_of(confidence, bins)[:, None]
    gaps = draws.sums(inside * (confidence.astype(float) - right)[:, None])
    return ratio(np.abs(gaps).sum(axis=1), draws.sums(np.ones((len(right), 1)))[:, 0])


def calibration_error(probabilities: F32, truth: I32, bins: int = BINS) -> float:
    """Expected calibration error of the likeliest class over equally wide bins (Naeini et al., AAAI 2015)."""
    right = probabilities.argmax(axis=1) == truth
    return float(calibration_errors(undrawn(len(truth)), probabilities.max(axis=1), right, bins)[0])


def bin_of(confidence: F32, bins: int = BINS) -> NDArray[np.int64]:
    """(n,) which of equally wide bins over 0 to 1 each confidence lies in."""
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def confusion(truth: I32, called: I32, classes: int) -> NDArray[np.int64]:
    """(C, C) counts: a row for what the cell is, a column for what it was called."""
    return np.bincount(truth * classes + called, minlength=classes * classes).reshape(classes, classes)


def accuracies(tables: Floats) -> dict[str, Floats]:
    """(...) accuracy and balanced accuracy (mean recall of the classes present) of (..., C, C) tables."""
    hits, of_class = np.diagonal(tables, axis1=-2, axis2=-1), tables.sum(axis=-1)
    recalls = np.nan_to_num(ratio(hits, of_class)).sum(axis=-1)
    return {
        "accuracy": ratio(hits.sum(axis=-1), of_class.sum(axis=-1)),
        "balanced_accuracy": ratio(recalls, (of_class > 0).sum(axis=-1)),
    }


def decisions(table: NDArray[np.int64]) -> dict[str, float]:
    """Accuracy and balanced accuracy (mean recall of the classes present) of a (C, C) confusion matrix."""
    return {name: float(value) for name, value in accuracies(table.astype(float)).items()}


def merged(tables: Floats, parts: Sequence[Sequence[int]]) -> Floats:
    """(...) accuracy over merged classes, of (..., C, C) tables.

    Parameters
    ----------
    parts : classes that count as one, by index. Cells of a class in no part are left out; a cell called such
        a class is called wrongly.
    """
    right = np.sum([tables[..., part, :][..., :, part].sum(axis=(-2, -1)) for part in parts], axis=0)
    whole = np.sum([tables[..., part, :].sum(axis=(-2, -1)) for part in parts], axis=0)
    return ratio(right, whole)


def one_sided(tables: Floats, side: Sequence[int]) -> dict[str, Floats]:
    """(...) sensitivity, specificity, PPV, NPV and F1 of calling a cell one of `side`; (..., C, C) tables."""
    inside = np.isin(np.arange(tables.shape[-1]), side)
    tp = tables[..., inside, :][..., inside].sum(axis=(-2, -1))
    fn = tables[..., inside, :][..., ~inside].sum(axis=(-2, -1))
    fp = tables[..., ~inside, :][..., inside].sum(axis=(-2, -1))
    tn = tables[..., ~inside, :][..., ~inside].sum(axis=(-2, -1))
    return {
        "sensitivity": ratio(tp, tp + fn),
        "specificity": ratio(tn, tn + fp),
        "ppv": ratio(tp, tp + fp),
        "npv": ratio(tn, tn + fn),
        "f1": ratio(2 * tp, 2 * tp + fp + fn),
    }


def two_sided(called: Bools, truth: Bools) -> dict[str, float]:
    """Sensitivity, specificity, PPV, NPV and F1 of positive calls."""
    table = confusion(truth.astype(np.int32), called.astype(np.int32), 2).astype(float)
    return {name: float(value) for name, value in one_sided(table, [1]).items()}
