"""The operating point: temperature and thresholds, chosen on validation cells only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.bundle.manifest import Thresholds
from edge.cells.classify import Calls, decide
from edge.types import F32, I32
from train.recipes.recipe import Recipe
from train.statistics.metrics import Floats, calibration_error

_ENOUGH = 50  # cells of a laboratory: fewer say little of the share of its cells that are called blasts
_TEMPERATURES = np.geomspace(0.3, 4.0, 200)


@dataclass(frozen=True)
class OperatingPoint:
    """What turns logits into decisions; see `edge.bundle.bundle.Thresholds`.

    Attributes
    ----------
    temperature : logits are divided by it (Guo et al., ICML 2017).
    calibration_error : what is left of it on the validation cells.
    positive, confidence, certain : thresholds on the calibrated probabilities.
    """

    temperature: float
    calibration_error: float
    positive: float
    confidence: float
    certain: float

    def calls(self, logits: F32, recipe: Recipe) -> Calls:
        """What a device says of (n, C) logits at this point."""
        limits = Thresholds(self.positive, self.confidence, self.certain)
        probabilities = softmax(logits, self.temperature).astype(np.float32)
        return decide(probabilities, _Rules(limits, tuple(recipe.positive_indices)))


@dataclass(frozen=True)
class _Rules:
    """See `edge.cells.classify.Rules`."""

    thresholds: Thresholds
    positive_indices: tuple[int, ...]


def softmax(logits: F32, temperature: float) -> Floats:
    """(n, C) calibrated probabilities."""
    scaled = logits.astype(np.float64) / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def choose(logits: F32, truth: I32, laboratories: NDArray[np.str_], recipe: Recipe) -> OperatingPoint:
    """Choose the operating point.

    What may be called a blast by mistake is a mean over laboratories, not over cells: the next laboratory is
    as likely to be like a small data set as like a large one, and patients with acute leukemia, whose other
    cells are the hardest to tell from blasts, would else decide alone.

    Parameters
    ----------
    logits : (n, C) of the validation cells. truth : (n,) index of their class.
    laboratories : (n,) the data set of each.
    """
    temperature = recipe.operation.temperature or min(
        _TEMPERATURES, key=lambda t: _surprise(softmax(logits, float(t)), truth)
    )
    probabilities = softmax(logits, float(temperature))
    wanted, columns = recipe.operation, recipe.positive_indices
    p_positive = probabilities[:, columns].sum(axis=1)
    negative = ~np.isin(truth, columns)
    weights = _evened(laboratories[negative])
    positive = wanted.positive or _threshold(p_positive[negative], weights, 1 - wanted.specificity)
    certain = max(_threshold(p_positive[negative], weights, wanted.certain_false), positive)
    sure = np.delete(probabilities, columns, axis=1)[p_positive < positive].max(axis=1, initial=0.0)
    return OperatingPoint(
        temperature=round(float(temperature), 4),
        calibration_error=round(calibration_error(probabilities.astype(np.float32), truth), 4),
        positive=positive,
        confidence=_floor(float(np.quantile(sure, wanted.abstain))) if len(sure) else 0.0,
        certain=certain,
    )


def _surprise(probabilities: Floats, truth: I32) -> float:
    """Mean negative log likelihood."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)).mean())


def _evened(laboratories: NDArray[np.str_]) -> Floats:
    """(n,) weights that sum to 1, each laboratory's to the same unless it is too small to tell a share."""
    _, which, counts = np.unique(laboratories, return_inverse=True, return_counts=True)
    weights = 1 / np.maximum(counts, _ENOUGH)[which]
    return np.asarray(weights / weights.sum())


def _threshold(of_negatives: Floats, weights: Floats, share: float) -> float:
    """The lowest threshold that at most this share of the negatives' weight reaches, to three decimals."""
    if not len(of_negatives):
        return 0.5
    order = np.argsort(-of_negatives)
    reached = np.cumsum(weights[order])
    level = float(
        of_negatives[order][np.searchsorted(reached, share + 1e-9, side="right").clip(max=len(order) - 1)]
    )
    return float(np.clip(np.ceil(level * 1000 + 1e-9) / 1000, 0.001, 0.999))


def _floor(level: float) -> float:
    """To three decimals, never above: rounded up, it may leave out far more than was asked."""
    return float(np.clip(np.floor(level * 1000 + 1e-9) / 1000, 0, 0.999))
