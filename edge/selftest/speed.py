"""How long a cell takes in two precisions, the two taking turns.

On a busy machine a clock tells of others, and what comes of it is kept: so the processor's own time is taken
where that computes, and of each the least of many turns, which others disturbed least.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from time import perf_counter, process_time

import numpy as np

from edge.cells.classify import Classifier
from edge.runtimes import GraphError

FEW, MANY = 2, 12
"""Cells of a field: of most smears one to four, of a crowded one as many as a runtime takes at once."""

_TURNS = 5


@dataclass(frozen=True)
class Speed:
    """Milliseconds a cell in a field of `FEW` cells and in one of `MANY`."""

    few_ms: float
    many_ms: float

    def against(self, other: Speed) -> float:
        """How many times as fast it is as another; either kind of field counts as much as the other."""
        return (other.few_ms + other.many_ms) / (self.few_ms + self.many_ms)


def measured(classifiers: Sequence[Classifier]) -> list[Speed | GraphError]:
    """How fast each classifies, or how it failed; all of one bundle and one kind of runtime.

    Every turn each looks at a field of few cells and at one of many, once at each cell: how many a second
    look is taken at depends on the cells.
    """
    looks = [_at_once(classifier) for classifier in classifiers]
    now = process_time if classifiers[0].runtime.startswith("ort-") else perf_counter
    size = classifiers[0].manifest.size_px
    fields = [np.random.default_rng(n).integers(0, 256, (n, size, size, 3), np.uint8) for n in (FEW, MANY)]
    least = np.full((len(looks), len(fields)), np.inf)
    failed: dict[int, GraphError] = {}
    for _ in range(_TURNS):
        for i, look in enumerate(looks):
            for j, crops in enumerate(fields):
                if i in failed:
                    continue
                try:
                    started = now()
                    look.probabilities(crops)
                    least[i, j] = min(least[i, j], (now() - started) * 1000 / len(crops))
                except GraphError as error:
                    failed[i] = error
    return [failed.get(i) or Speed(*row.tolist()) for i, row in enumerate(least)]


def _at_once(classifier: Classifier) -> Classifier:
    """The same on the same runtime, without second looks."""
    plain = copy(classifier)
    plain.manifest = replace(classifier.manifest, second_look=None)
    return plain
