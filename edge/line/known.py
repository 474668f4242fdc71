"""What was said of the cells that a slide counted already: they are not asked about again.

Fields overlap, and a stage that rests shows one field many times. A cell that the map knows, that was counted
and of which the classifier was sure is named as it was; one that it was not sure of may be clearer here.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import numpy as np

from edge.cells.classify import Calls, Classifier, decide
from edge.types import F32, I32, U8, Bools

_KEPT = 4000  # cells: as many as the map recognises by their surroundings


class Known:
    """The counted cells of one slide by their identity, those at most that were counted last."""

    def __init__(self) -> None:
        self._said: OrderedDict[int, F32] = OrderedDict()

    def remember(self, ids: I32, calls: Calls) -> None:
        """Keep what was said of n cells that were counted now, `ids` (n,)."""
        self._said.update(zip(ids.tolist(), calls.probabilities, strict=True))
        while len(self._said) > _KEPT:
            self._said.popitem(last=False)

    def name(self, ids: I32, crops: U8, counts: Bools, classify: Classifier) -> Calls:
        """What the cells of a field are; the classifier is shown those alone that are not known.

        Parameters
        ----------
        ids : (n,) int32, identities on the slide. crops : (n, S, S, 3) uint8 RGB.
        counts : (n,) bool, which would enter the tally now: what the others are told is shown, and no more.

        Returns
        -------
        Of a known cell without its features, which stand as zeros: they were taken when it was counted.
        """
        known: Bools = np.array([i in self._said for i in ids.tolist()], np.bool_)
        fresh = classify(crops[~known], counts[~known])
        if not known.any():
            return fresh
        said = [self._said[i] for i in ids[known].tolist()]
        both = _among(known, fresh.probabilities, np.stack(said))
        features = None if fresh.features is None else _among(known, fresh.features, 0.0)
        return replace(decide(both, classify), features=features)


def _among(known: Bools, fresh: F32, before: F32 | float) -> F32:
    """(n, k) rows of what is fresh and of what was known before, in the cells' order."""
    rows = np.empty((len(known), fresh.shape[1]), np.float32)
    rows[~known], rows[known] = fresh, before
    return rows
