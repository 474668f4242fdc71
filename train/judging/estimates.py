"""Figures of a model on judged cells, over the rounds of a bootstrap.

Everything here gives (R + 1,) values by name, the first of the data as they are: see
`train.statistics.bootstrap`. So figures of several models over the same rounds can be subtracted before their
interval is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge.cells.classify import Calls
from edge.types import F32, I32, Bools
from train.statistics.bootstrap import Draws, Figure
from train.statistics.metrics import (
    BINS,
    Floats,
    accuracies,
    bin_of,
    calibration_errors,
    merged,
    one_sided,
    pr_areas,
    ratio,
    roc_areas,
)

DIFFERENTIAL: tuple[tuple[str, ...], ...] = (
    ("blast",),
    ("lymphocyte",),
    ("monocyte",),
    ("neutrophil",),
    ("eosinophil",),
    ("basophil",),
    ("erythroblast",),
    ("smudge-cell", "artefact"),
)
"""Classes of `accuracy_differential`; those in one tuple count as one. A cell that is of another class
(immature granulocyte, platelet) is not counted; one that is called so is called wrongly."""

IMMATURE = "immature-granulocyte"
"""Told apart among the cells called blast: it lies between blast and neutrophil, and experts differ on it."""

_CONFIDENCES = np.append(np.arange(0.0, 0.9, 0.01), 1 - np.geomspace(0.1, 1e-4, 100))  # dense where cells are
_STEP, _MOST = 0.02, 0.8  # of an abstention curve: shares of the cells


def differential(classes: Sequence[str]) -> list[list[int]]:
    """`DIFFERENTIAL` by index, as far as a model names these classes."""
    parts = [[classes.index(name) for name in part if name in classes] for part in DIFFERENTIAL]
    return [part for part in parts if part]


def decided(
    draws: Draws, truth: I32, calls: Calls, classes: Sequence[str], positive: Sequence[int]
) -> dict[str, Floats]:
    """Figures of the calls: of the cells given, every one as it is called.

    Parameters
    ----------
    truth : (n,) int32 index of the class. calls : what the model says of these n cells.
    positive : indices of the positive classes.

    Returns
    -------
    accuracy, balanced_accuracy, sensitivity, specificity, ppv, npv, f1, their false_positive_rate and
    false_negative_rate, and accuracy_differential (see `DIFFERENTIAL`).
    """
    tables = draws.tables(truth, calls.classes, len(classes))
    is_positive = np.isin(truth, positive)
    sides = one_sided(tables, positive)
    return {
        **accuracies(tables),
        **sides,
        "sensitivity": _spread(sides["sensitivity"], draws, is_positive),
        "specificity": _spread(sides["specificity"], draws, ~is_positive),
        "false_positive_rate": _spread(1 - sides["specificity"], draws, ~is_positive),
        "false_negative_rate": _spread(1 - sides["sensitivity"], draws, is_positive),
        "accuracy_differential": _differential(tables, classes),
    }


def ranked(draws: Draws, truth: I32, probabilities: F32, positive: Sequence[int]) -> dict[str, Floats]:
    """Figures of the probabilities, which no threshold touches.

    Returns
    -------
    roc_area, pr_area, calibration_error (of the likeliest class) and calibration_error_positive (of the
    positive classes together).
    """
    is_positive = np.isin(truth, positive)
    scores = probabilities[:, list(positive)].sum(axis=1)
    right = probabilities.argmax(axis=1) == truth
    return {
        "roc_area": _spread(roc_areas(draws, scores, is_positive), draws, is_positive, ~is_positive),
        "pr_area": _spread(pr_areas(draws, scores, is_positive), draws, is_positive),
        "calibration_error": calibration_errors(draws, probabilities.max(axis=1), right),
        "calibration_error_positive": calibration_errors(draws, np.minimum(scores, 1), is_positive),
    }


def counted(
    draws: Draws, truth: I32, calls: Calls, classes: Sequence[str], positive: Sequence[int]
) -> dict[str, Floats]:
    """What a device's count is worth: `decided` of the cells on which the classifier does not abstain.

    With them `ranked` of all cells: the classifier's own choice of cells would flatter a ranking.
    """
    sure = ~calls.uncertain
    return {
        **decided(draws.of(sure), truth[sure], calls.of(sure), classes, positive),
        **ranked(draws, truth, calls.probabilities, positive),
    }


def _spread(values: Floats, draws: Draws, *sides: Bools) -> Floats:
    """The values, without rounds where a side's cells come from one group: nothing tells their spread."""
    alone = any(len(draws.of(side).counts) == 1 for side in sides)
    return values[:1] if alone else values


def _differential(tables: Floats, classes: Sequence[str]) -> Floats:
    parts = differential(classes)
    return merged(tables, parts) if parts else np.full(len(tables), np.nan)


def by_class(draws: Draws, truth: I32, calls: Calls, classes: Sequence[str]) -> dict[str, dict[str, Floats]]:
    """Recall, precision and F1 of every class that some cell is of, over the cells that are counted.

    Beside them, of all its cells, the share on which the classifier abstains and the one-against-the-rest ROC
    area.
    """
    sure = ~calls.uncertain
    left = draws.of(sure)
    tables = left.tables(truth[sure], calls.classes[sure], len(classes))
    out = {}
    for index in np.unique(truth).tolist():
        sides, inside = one_sided(tables, [index]), truth == index
        area = roc_areas(draws, calls.probabilities[:, index], inside)
        out[classes[index]] = {
            "recall": _spread(sides["sensitivity"], left, inside[sure]),
            "precision": _spread(sides["ppv"], left, inside[sure]),
            "f1": _spread(sides["f1"], left, inside[sure]),
            "abstained": _share(draws, calls.uncertain, inside),
            "roc_area": _spread(area, draws, inside, ~inside),
        }
    return out


def called_positive(
    draws: Draws, truth: I32, calls: Calls, classes: Sequence[str], positive: Sequence[int]
) -> Mapping[str, Floats]:
    """The share of cells that are not positive and are called and counted so, abstentions in the denominator.

    By class, and of all but immature granulocytes together.
    """
    called = np.isin(calls.classes, positive)
    negative = [i for i in np.unique(truth).tolist() if i not in positive]
    mature = [i for i in negative if classes[i] != IMMATURE]
    asked = {f"all-but-{IMMATURE}": mature} if mature else {}
    asked |= {classes[i]: [i] for i in negative}
    return {name: _share(draws, called, np.isin(truth, index)) for name, index in asked.items()}


def _share(draws: Draws, yes: Bools, inside: Bools) -> Floats:
    """(R + 1,) share of the cells inside of which it is true."""
    sums = draws.of(inside).sums(np.stack([yes, np.ones(len(yes), bool)], axis=1)[inside])
    return ratio(sums[:, 0], sums[:, 1])


@dataclass(frozen=True)
class Bin:
    """Cells of about one confidence.

    Attributes
    ----------
    low, high : ends of the bin. cells : in it. confidence : their mean. right : the share that was right.
    """

    low: float
    high: float
    cells: int
    confidence: float
    right: Figure


def reliability(draws: Draws, confidence: F32, right: Bools) -> list[Bin]:
    """The bins of a reliability diagram that hold cells; the calibration error is their mean gap."""
    which = bin_of(confidence)
    out = []
    for b in np.unique(which).tolist():
        inside = which == b
        sums = draws.sums(np.stack([inside & right, inside], axis=1))
        share = Figure.of(ratio(sums[:, 0], sums[:, 1]))
        mean = float(confidence[inside].mean())
        out.append(Bin(b / BINS, (b + 1) / BINS, int(inside.sum()), mean, share))
    return out


@dataclass(frozen=True)
class Undecided:
    """What is left when the classifier abstains below a confidence, which positive calls never do.

    Attributes
    ----------
    confidence : threshold. undecided : share of the cells that it leaves out.
    accuracy, sensitivity, specificity : over the others.
    """

    confidence: float
    undecided: float
    accuracy: Figure
    sensitivity: Figure
    specificity: Figure


def abstention(
    draws: Draws, truth: I32, calls: Calls, uncertain: Callable[[float], Bools], positive: Sequence[int]
) -> list[Undecided]:
    """The abstention curve, at steps of at least `_STEP` of the cells.

    Parameters
    ----------
    uncertain : confidence threshold → (n,) bool, the cells left undecided at it.
    """
    out: list[Undecided] = []
    size = calls.probabilities.shape[1]
    for threshold in _CONFIDENCES:
        left = ~uncertain(float(threshold))
        share = 1 - float(left.mean())
        if share > _MOST or (out and share < out[-1].undecided + _STEP):
            continue
        tables = draws.of(left).tables(truth[left], calls.classes[left], size)
        sides = one_sided(tables, positive)
        figures = (accuracies(tables)["accuracy"], sides["sensitivity"], sides["specificity"])
        out.append(Undecided(float(threshold), share, *(Figure.of(f) for f in figures)))
    return out
