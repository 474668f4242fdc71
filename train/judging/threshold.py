"""One threshold for laboratories that nobody has seen, chosen on healthy ones that a run left out.

At home a network errs differently: where 5% of a leukemia patient's other cells are called blasts, a healthy
laboratory that it learned from has none and one that it did not has a tenth. So the threshold is the lowest
at which healthy laboratories left out are called no more blasts than a count can bear. A laboratory is judged
at the threshold of the others; a bundle gets that of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from edge.bundle.manifest import Manifest
from edge.types import F32
from train.judging.leftout import LeftOutError, Unseen
from train.statistics.metrics import Floats

EACH, MEAN = 0.03, 0.01
"""Largest share of a healthy laboratory's leukocytes that may be called blasts, and of it the mean."""

LEAST_CELLS = 50
"""Of a laboratory that has a say."""

_ROUNDING = 1e-9  # three of a hundred are not more than 3%
_STEPS: Floats = np.arange(0.02, 0.98, 0.001)


def split(cells: Unseen, about: Manifest) -> tuple[F32, F32]:
    """Scores of its blasts, and of its other leukocytes: what the positive classes reach together."""
    scores = cells.probabilities[:, list(about.positive_indices)].sum(axis=1)
    blasts, others = cells.sides(about.positive, about.leukocytes)
    return scores[blasts], scores[others]


def healthy(answers: Sequence[Unseen], about: Manifest) -> dict[str, F32]:
    """Data set → scores of its leukocytes, of those of healthy people only."""
    parts = {each.source.name: split(each, about) for each in answers}
    return {
        name: others
        for name, (blasts, others) in parts.items()
        if not len(blasts) and len(others) >= LEAST_CELLS
    }


def lowest(of: Mapping[str, F32], without: str = "") -> float:
    """The lowest threshold that `EACH` and `MEAN` hold at, three digits.

    Parameters
    ----------
    of : see `healthy`. without : a data set that has no say, as it is judged at what comes out.

    Raises
    ------
    LeftOutError : none has a say, or no threshold is high enough.
    """
    told = [np.sort(scores) for name, scores in of.items() if name != without]
    if not told:
        raise LeftOutError("no healthy laboratory was left out: no threshold can be chosen on any")
    false = np.array([1 - np.searchsorted(scores, _STEPS) / len(scores) for scores in told])
    good = (false.max(axis=0) <= EACH + _ROUNDING) & (false.mean(axis=0) <= MEAN + _ROUNDING)
    if not good.any():
        raise LeftOutError(f"more than {EACH:.0%} of a healthy laboratory are called blasts at any threshold")
    return round(float(_STEPS[good.argmax()]), 3)


def lines(of: Mapping[str, F32], about: Manifest) -> Iterator[str]:
    """What that is, in words, where any laboratory has a say."""
    if of:
        here = f"the bundle's is {about.thresholds.positive:g}"
        yield f"threshold that healthy laboratories left out can bear: {lowest(of):g} ({here})"
