"""Milliseconds a cell, of several classifiers that take turns: what disturbs one disturbs all."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Protocol

import numpy as np

from edge.types import F32, U8

CELLS = 8  # in one run: a field of a good smear
_ROUNDS = 40


class Classifies(Protocol):
    """What answers crops with probabilities."""

    def probabilities(self, crops: U8) -> F32:
        """(n, S, S, 3) uint8 RGB crops → (n, C) float32 probabilities."""
        ...


def per_cell(classifiers: Sequence[Classifies], crops: Sequence[U8], rounds: int = _ROUNDS) -> list[float]:
    """Least milliseconds a cell of each classifier, over batches of `CELLS` of its own crops.

    The least and not the mean: whatever else the machine does can only add to it.
    """
    batches = [np.ascontiguousarray(some[:CELLS]) for some in crops]
    best = [float("inf")] * len(classifiers)
    for _ in range(rounds):
        for i, (classifier, batch) in enumerate(zip(classifiers, batches, strict=True)):
            started = perf_counter()
            classifier.probabilities(batch)
            best[i] = min(best[i], (perf_counter() - started) / len(batch) * 1e3)
    return best
