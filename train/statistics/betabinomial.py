"""Rates that differ from unit to unit: beta-binomial distributions, fitted by maximum likelihood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.statistics.metrics import Floats

Counts = NDArray[np.int64]
"""(u, 2): successes and trials of each unit."""

_LEAST_PRECISION = 0.02
_LARGEST_LOGIT = 12.0
_NEAR = 2.0  # logits to either side of a rate of all trials together, where that of units lies
_ONE_SIDED = 1.353  # half of the 90% point of chi squared with one degree of freedom
_GRID, _ROUNDS, _CLOSER = 41, 6, 0.15  # points a side, rounds, and how much narrower each looks


@dataclass(frozen=True)
class Beta:
    """How a rate is distributed over units: Beta(a, b)."""

    a: float
    b: float

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)

    @property
    def between(self) -> float:
        """Share of a trial's variance that lies between units (intraclass correlation)."""
        return 1 / (self.a + self.b + 1)


def fit(groups: Sequence[Counts], *, cautious: bool = False) -> Beta:
    """The Beta distribution over the units of groups, each group weighing the same.

    Parameters
    ----------
    groups : units of each, as laboratories have slides; a unit without trials says nothing, and two with
        some are needed in all.
    cautious : of all that the units do not rule out, the one whose rates differ most. Where successes are
        rare, the likeliest is often that they do not differ at all, and few groups cannot tell.

    Notes
    -----
    Maximum of Σ over groups of the mean log likelihood of a unit (Skellam, J R Stat Soc B 1948;10:257; the
    weights as in a pseudo-likelihood). No rate is told more exactly than so many trials could tell one that
    is the same everywhere: a + b is at most their number; and where all trials came out alike, it is
    Jeffreys' posterior of them together.
    """
    groups = _telling(groups)
    units = sum(map(len, groups))
    if units < 2:
        raise ValueError(f"{units} units do not tell how a rate differs; two are needed")
    successes, trials = np.concatenate(groups).sum(axis=0).tolist()
    if successes in (0, trials):
        return Beta(successes + 0.5, trials - successes + 0.5)

    def likelihood(logits: Floats, precisions: Floats) -> Floats:
        of_groups = [_log_likelihoods(units, logits, precisions).mean(axis=-1) for units in groups]
        return np.asarray(np.sum(of_groups, axis=0))

    logits, precisions = _grid(trials)
    for _ in range(_ROUNDS):
        found = likelihood(logits[:, None], precisions[None, :])
        i, j = np.unravel_index(found.argmax(), found.shape)
        logit, precision = float(logits[i]), float(precisions[j])
        logits, precisions = _closer(logits, logit), np.exp(_closer(np.log(precisions), np.log(precision)))
    if cautious:
        most = float(likelihood(np.array([logit]), np.array([precision]))[0])
        logit, precision = _loosest(likelihood, most, precision)
    mean = 1 / (1 + np.exp(-logit))
    return Beta(precision * mean, precision * (1 - mean))


def _loosest(
    likelihood: Callable[[Floats, Floats], Floats], most: float, precision: float
) -> tuple[float, float]:
    """Logit and the least precision whose likelihood, at its best logit, is near enough to the highest."""
    precisions = np.geomspace(_LEAST_PRECISION, precision, 8 * _GRID)
    logits = np.linspace(-_LARGEST_LOGIT, _LARGEST_LOGIT, 8 * _GRID)
    found = likelihood(logits[:, None], precisions[None, :])
    first = int((found.max(axis=0) >= most - _ONE_SIDED).argmax())
    return float(logits[found[:, first].argmax()]), float(precisions[first])


def between_units(groups: Sequence[Counts]) -> float | None:
    """Share of a trial's variance that lies between units of one group, each group having a mean of its own.

    By maximum likelihood, units weighing the same; None where no group has two units and outcomes of both
    kinds.
    """
    groups = [units for units in _telling(groups) if len(units) > 1 and _differing(units)]
    if not groups:
        return None
    _, precisions = _grid(sum(int(units[:, 1].sum()) for units in groups))
    profile = np.sum([_best(units, precisions) for units in groups], axis=0)
    return float(1 / (1 + precisions[profile.argmax()]))


def _best(units: Counts, precisions: Floats) -> Floats:
    """(p,) log likelihood of units at each precision, at the mean that suits them best."""
    successes, trials = units.sum(axis=0)
    near = np.log(successes / (trials - successes)) + np.linspace(-_NEAR, _NEAR, _GRID)
    return np.asarray(_log_likelihoods(units, near[:, None], precisions[None, :]).sum(axis=-1).max(axis=0))


def _telling(groups: Sequence[Counts]) -> list[Counts]:
    return [told for units in groups if len(told := units[units[:, 1] > 0])]


def _differing(units: Counts) -> bool:
    successes, trials = units.sum(axis=0)
    return bool(0 < successes < trials)


def _grid(trials: int) -> tuple[Floats, Floats]:
    """Logits of means, and precisions a + b, to begin with."""
    return (
        np.linspace(-_LARGEST_LOGIT, _LARGEST_LOGIT, _GRID),
        np.geomspace(_LEAST_PRECISION, trials, _GRID),
    )


def _closer(points: Floats, middle: float) -> Floats:
    """As many points round one of them, within the ends that there were."""
    half = _CLOSER * (points[-1] - points[0]) / 2
    return np.linspace(max(middle - half, points[0]), min(middle + half, points[-1]), _GRID)


def _log_likelihoods(units: Counts, logits: Floats, precisions: Floats) -> Floats:
    """(..., u) of each unit, but for the binomial coefficient, which no parameter changes."""
    means = 1 / (1 + np.exp(-logits))
    a, b = (np.asarray(precisions * share) for share in (means, 1 - means))
    successes, trials = units.T
    return (
        _log_rising(a, successes)
        + _log_rising(b, trials - successes)
        - _log_rising(np.asarray(a + b), trials)
    )


def _log_rising(start: Floats, counts: Counts) -> Floats:
    """(..., u) logarithms of Γ(start + count) / Γ(start)."""
    return _log_gamma(start[..., None] + counts) - _log_gamma(start)[..., None]


def _log_gamma(x: Floats) -> Floats:
    """log Γ(x) of positive numbers to 1e-11, by Stirling's series from x + 8 on.

    Notes
    -----
    NIST Digital Library of Mathematical Functions, 5.11.1 and 5.5.1. A table of logarithms for every count is
    a hundred times as slow where units have thousands of trials.
    """
    rising = np.log(np.prod([x + i for i in range(8)], axis=0))
    y = x + 8.0
    terms = 1 / y**2
    series = (1 / 12 - terms * (1 / 360 - terms * (1 / 1260 - terms / 1680))) / y
    return np.asarray((y - 0.5) * np.log(y) - y + np.log(2 * np.pi) / 2 + series - rising)
