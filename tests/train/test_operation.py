from __future__ import annotations

import numpy as np

from train.classes import CLASSES
from train.operation import choose, softmax
from train.recipe import Operation


def _cells(n: int = 4000, sharpness: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are right by a known odds: labels drawn from softmax of the logits themselves."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (n, len(CLASSES)))
    chances = softmax(logits, 1.0).cumsum(axis=1)
    truth = (rng.random((n, 1)) > chances).sum(axis=1).clip(0, len(CLASSES) - 1)
    return (logits * sharpness).astype(np.float32), truth.astype(np.int32)


def test_the_temperature_undoes_overconfidence() -> None:
    logits, truth = _cells()
    point = choose(logits, truth, Operation())
    assert 2.6 < point.temperature < 3.4
    assert point.calibration_error < 0.03


def test_thresholds_keep_what_was_asked() -> None:
    logits, truth = _cells()
    wanted = Operation(specificity=0.97, abstain=0.05, certain_false=0.002)
    point = choose(logits, truth, wanted)
    p = softmax(logits, point.temperature)
    blast = p[:, CLASSES.index("blast")]
    negative = truth != CLASSES.index("blast")
    assert 0.97 <= (blast[negative] < point.positive).mean() < 0.98
    assert (blast[negative] >= point.certain).mean() <= 0.002
    assert point.positive <= point.certain
    called = blast >= point.positive
    others = np.delete(p, CLASSES.index("blast"), axis=1).max(axis=1)
    sure = np.where(called, blast, others)
    assert abs((sure < point.confidence).mean() - 0.05) < 0.01
