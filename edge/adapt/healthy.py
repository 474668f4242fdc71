"""Scores of a healthy person's cells → from where on a cell is called a blast here, and how often falsely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.bundle import spreads
from edge.bundle.manifest import Manifest
from edge.bundle.site import Healthy
from edge.cells.classify import decide
from edge.types import F32, F64, FindingKind, LeukoscopeError

Texts = NDArray[np.str_]

LEAST_CELLS = 200
"""Leukocytes at the least: a differential's usual count (CLSI H20)."""

AIM = 0.005
"""Share of normal cells that may score above the threshold: one in a count of 200."""

LOWEST, HIGHEST = 0.02, 0.98
"""Between which a threshold may lie: beyond, calibrated probabilities tell next to nothing apart."""

BETWEEN = 0.02
"""How alike false blasts of one slide are, where the bundle does not say; see `spreads.of_healthy_slides`."""

_TAIL = 0.1  # share of the cells whose scores are fitted
_STEP = 0.001  # a threshold is told in three digits
_PARTS = 5
_SURE, _MANY = 0.9, 0.05  # scores of blasts, and the share of cells with such that no healthy blood has


class HealthyError(LeukoscopeError):
    """The slide cannot tell where normal cells score. Says why and what to do."""


@dataclass(frozen=True, eq=False)
class Scores:
    """Cells of a slide presumed healthy, each once.

    Attributes
    ----------
    values : (n,) float32, probability of the positive classes together.
    types : (n,) str, the likeliest of the other classes.
    fields : (n,) int32, which field shows it.
    leukocytes : how many of them are leukocytes; the others only score so high that a low threshold would
        count them.
    """

    values: F32
    types: Texts
    fields: NDArray[np.int32]
    leukocytes: int

    @classmethod
    def of(cls, probabilities: F32, fields: Sequence[int], about: Manifest) -> Scores:
        """Of n cells, by (n, C) their probabilities and the fields that show them.

        What is called no leukocyte is counted nowhere and left out, unless a threshold that may be chosen
        would make a blast of it.
        """
        if not len(probabilities):
            return cls(np.zeros(0, np.float32), np.zeros(0, np.str_), np.zeros(0, np.int32), 0)
        positive = list(about.positive_indices)
        values = probabilities[:, positive].sum(axis=1)
        others = probabilities.copy()
        others[:, positive] = -1
        types = np.array(about.classes)[others.argmax(axis=1)]
        leukocyte = np.isin(np.array(about.classes)[decide(probabilities, about).classes], about.leukocytes)
        keep = leukocyte | (values >= LOWEST)
        return cls(values[keep], types[keep], np.asarray(fields, np.int32)[keep], int(leukocyte.sum()))


def enough(scores: Scores) -> None:
    """Raise HealthyError for too few cells, which says how many more."""
    if (missing := LEAST_CELLS - scores.leukocytes) > 0:
        raise HealthyError(
            f"{scores.leukocytes} leukocytes of the {LEAST_CELLS} needed: {missing} more; show more fields of"
            " the same person's slide"
        )


def threshold(values: F32) -> float:
    """The score that `AIM` of normal cells exceed, within `LOWEST` and `HIGHEST`.

    Parameters
    ----------
    values : (n,) scores of normal cells, 0 to 1; one at least.

    Notes
    -----
    Of 200 cells the one in 200 is the highest score, which is anything. So the logits above the 90th
    percentile are taken for an exponential beyond it, and the level is read off that (peaks over threshold:
    Pickands, Ann Statist 1975;3:119; Davison and Smith, J R Stat Soc B 1990;52:393). It never lies above the
    next step over the highest score seen.

    Of 200 cells drawn 400 times from the normal cells of five laboratories, by the network of 2026-11-21,
    this lets 0.3 to 0.8% of them all above, the share of the 200 themselves 0.8 to 1.2%; more than 1% in 4 to
    30% of the draws, and in 29 to 71%. `benchmarks/adapt.py` compares both on laboratories that the network
    never saw.
    """
    logits = _logits(values)
    start = float(np.quantile(logits, 1 - _TAIL))
    beyond = logits[logits > start] - start
    level = start + (float(beyond.mean()) * float(np.log(_TAIL / AIM)) if len(beyond) else 0.0)
    score = 1 / (1 + np.exp(-level))
    ceiling = (np.floor(float(values.max()) / _STEP) + 1) * _STEP
    return round(float(np.clip(min(np.ceil(score / _STEP) * _STEP, ceiling), LOWEST, HIGHEST)), 3)


def empirical(values: F32) -> float:
    """The same level as the share of the cells themselves has it: what `threshold` is compared with."""
    return round(float(np.clip(np.quantile(values, 1 - AIM), LOWEST, HIGHEST)), 3)


def _logits(values: F32) -> F64:
    inside = np.clip(values.astype(np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside) - np.log1p(-inside), np.float64)


def called(scores: Scores) -> int:
    """How many cells are called positive by a threshold that they had no part in.

    The cells are in five parts, by field where there are as many; the threshold of four is held against the
    fifth.
    """
    _, field = np.unique(scores.fields, return_inverse=True)
    if field.max() + 1 < _PARTS:
        field = np.arange(len(scores.values))
    order = np.random.default_rng(0).permutation(field.max() + 1)  # neighbours are alike
    part = order[field] % _PARTS
    values = scores.values
    return sum(int((values[part == i] >= threshold(values[part != i])).sum()) for i in range(_PARTS))


def measured(scores: Scores, about: Manifest, source: str) -> Healthy:
    """Threshold and false blasts of a slide of these scores.

    Raises
    ------
    HealthyError : too few cells.
    """
    enough(scores)
    falsely, cells = called(scores), len(scores.values)
    return Healthy(
        threshold=threshold(scores.values),
        false_blasts=spreads.of_healthy_slides([(falsely, cells)], between_slides(about)),
        cells=cells,
        called=falsely,
        slides=1,
        by_type=by_type(scores),
        source=source,
    )


def between_slides(about: Manifest) -> float:
    """How alike false blasts of one slide are, as the bundle says, else `BETWEEN`."""
    operation = about.everything.get("operation")
    told = operation.get("between_slides") if isinstance(operation, dict) else None
    known = isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told < 1
    return float(told) if known else BETWEEN  # type: ignore[arg-type]


def by_type(scores: Scores) -> dict[str, tuple[int, float]]:
    """Class → its cells, and the mean score of their highest tenth; the commonest class first."""
    found = {}
    for name in np.unique(scores.types).tolist():
        own = np.sort(scores.values[scores.types == name])
        found[name] = len(own), float(own[-max(len(own) // 10, 1) :].mean())
    return dict(sorted(found.items(), key=lambda one: -one[1][0]))


def suspicions(scores: Scores, found: FindingKind | None, headline: str) -> list[str]:
    """Why the slide may be no healthy person's, in words; empty where nothing speaks for that.

    Parameters
    ----------
    found, headline : what the line finds at the threshold and by the rates that ship; None for nothing.
    """
    told = []
    if found in ("refer", "read-film"):
        told.append(f"the finding is {headline}")
    share = float((scores.values > _SURE).mean()) if len(scores.values) else 0.0
    if share > _MANY:
        told.append(f"{share:.0%} of the cells score above {_SURE:g}, a hump of their own")
    return told
