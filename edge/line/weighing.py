"""What counts mean where it is known how often the model errs: positive, clear of blasts, how many blasts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from edge.bundle.manifest import FindingRule
from edge.bundle.operation import ErrorRates, Spread
from edge.line.evidence import confidence_sequence, log_evidence_above, log_evidence_below
from edge.types import F64, I32, Bools, Positive, Tally

_LOOKS = np.concatenate([np.arange(10, 400, 10), np.arange(400, 1000, 50), np.arange(1000, 2001, 100)])
"""Leukocytes at which it is tried whether so many would decide; beyond, a count by eye would not either."""


def reached(positives: I32, totals: I32, rule: FindingRule, rates: ErrorRates) -> Positive | None:
    """The strongest positive finding that the counts reach at any of these looks.

    Parameters
    ----------
    positives, totals : (n,) positive cells, and leukocytes, at each look.

    Notes
    -----
    'read-film' where the counts are `above`; 'refer' where the corrected fraction's lower end also lies above
    `rule.refer_fraction`.
    """
    strong = above(positives, totals, rule, rates)
    if not strong.any():
        return None
    k, n = positives[strong], totals[strong]
    called, _ = confidence_sequence(k, n, rule.interval_level)
    low = corrected_ends(called, called, rates)[0]
    return "refer" if (low > rule.refer_fraction).any() else "read-film"


def above(positives: ArrayLike, totals: ArrayLike, rule: FindingRule, rates: ErrorRates) -> Bools:
    """(n,) bool: whether blasts are called more often than false ones on a slide can be.

    The evidence against `rates.false_blasts.high` reaches 1 / `rule.alpha`, from `rule.least_positives` on.
    """
    evidence = log_evidence_above(positives, totals, _proper(rates.false_blasts.high))
    return np.asarray((evidence >= -math.log(rule.alpha)) & (np.asarray(positives) >= rule.least_positives))


def clear(
    positives: ArrayLike, totals: ArrayLike, rule: FindingRule, rates: ErrorRates, *, reviewed: bool = False
) -> Bools:
    """(n,) bool: whether counts rule out that `rule.missed_fraction` of the leukocytes are blasts.

    Of a slide with so many, positives come at least as often as the least sensitivity finds them, by a person
    who may overlook one too where cells were `reviewed`.
    """
    seen = rates.sensitivity.low * (rule.reader_sensitivity if reviewed else 1.0)
    evidence = log_evidence_below(positives, totals, _proper(rule.missed_fraction * seen))
    least = np.where(np.asarray(positives) > 0, rule.least_cells_with_candidates, rule.least_cells)
    return np.asarray((evidence >= -math.log(rule.alpha)) & (np.asarray(totals) >= least))


def corrected_ends(low: F64, high: F64, rates: ErrorRates) -> tuple[F64, F64]:
    """Ends of the true blast fraction from those of the fraction called, by the worst that the rates allow.

    Rogan and Gladen, Am J Epidemiol 1978;107:71-76, at the corners of sensitivity and false blasts as they
    differ between slides and laboratories; where a network tells nothing apart the answer is everything.
    """
    blasts, false = rates.sensitivity, rates.false_blasts
    return (
        _rogan_gladen(np.asarray(low), blasts.high, false.high, 0.0),
        _rogan_gladen(np.asarray(high), blasts.low, false.low, 1.0),
    )


def looked_at(tally: Tally) -> float:
    """The share of what the machine called positive that people have looked at, 0 to 1."""
    looked = tally.overruled + tally.positives - tally.candidates
    return looked / (looked + tally.candidates) if looked else 0.0


def fixed_sample_interval(tally: Tally, rule: FindingRule, rates: ErrorRates) -> tuple[float, float]:
    """Interval of the true blast fraction of a finished slide: narrower, but it holds at one look only.

    Lang and Reiczigel, Prev Vet Med 2014;113:13-22: Rogan and Gladen's fraction with the variances of the
    count, the sensitivity and the specificity added. Theirs come from so many cells; here from the spread
    between slides, which a rate measured on as many cells would have.
    """
    rates = _as_reviewed(rates, looked_at(tally), rule)
    z = NormalDist().inv_cdf(0.5 + rule.interval_level / 2)
    size = tally.leukocytes + z * z
    called = (tally.positives + z * z / 2) / size
    found, found_by = _measured(rates.sensitivity, z)
    right, right_by = _measured(_of_others(rates.false_blasts), z)
    telling = found + right - 1
    if telling <= 0:
        return 0.0, 1.0
    blasts = (called + right - 1) / telling
    spread_found, spread_right = found * (1 - found) / found_by, right * (1 - right) / right_by
    shift = 2 * z * z * (blasts * spread_found - (1 - blasts) * spread_right)
    variance = called * (1 - called) / size + blasts**2 * spread_found + (1 - blasts) ** 2 * spread_right
    half = z * math.sqrt(variance) / telling
    low, high = np.clip((blasts + shift - half, blasts + shift + half), 0.0, 1.0).tolist()
    return low, high


def _measured(rate: Spread, z: float) -> tuple[float, float]:
    """A rate as if it had been measured on so many cells, one right and one wrong added to them."""
    deviation = max((rate.high - rate.low) / (2 * z), 1e-4)
    middle = min(max(rate.mean, 1e-3), 1 - 1e-3)
    cells = max(middle * (1 - middle) / deviation**2 - 1, 0.0) + 2
    return (rate.mean * (cells - 2) + 1) / cells, cells


def _of_others(rate: Spread) -> Spread:
    return Spread(1 - rate.mean, 1 - rate.high, 1 - rate.low)


def _rogan_gladen(called: F64, sensitivity: float, false: float, otherwise: float) -> F64:
    if sensitivity <= false:
        return np.full(called.shape, otherwise)
    return np.clip((called - false) / (sensitivity - false), 0.0, 1.0)


def _proper(rate: float) -> float:
    """A rate that likelihood ratios can be taken to."""
    return min(max(rate, 1e-4), 0.99)


@dataclass(frozen=True)
class Weight:
    """What counts mean where it is known how often the model errs.

    Attributes
    ----------
    fraction, interval : of blasts among the leukocytes, corrected; the interval holds at every look. None
        where the model's errors leave every fraction possible.
    clear : the counts rule out the lowest fraction that must not be missed.
    more : how many more leukocytes would decide, if positives come as often as so far; None beyond reach.
    """

    fraction: float | None
    interval: tuple[float, float] | None
    clear: bool
    more: int | None


@lru_cache(maxsize=64)  # most frames add no cell, and the last one is asked for twice
def weighed(k: int, n: int, reviewed: float, rule: FindingRule, rates: ErrorRates) -> Weight:
    """What `k` positives among `n` leukocytes, at least one, mean.

    `reviewed` is the share of what the machine called positive that people have looked at.
    """
    now = _as_reviewed(rates, reviewed, rule)
    low, high = confidence_sequence(k, n, rule.interval_level)
    ends = [float(end) for end in corrected_ends(low, high, now)]
    best = float(_rogan_gladen(np.asarray(k / n), now.sensitivity.mean, now.false_blasts.mean, 0.0))
    looks = np.append(_LOOKS[n < _LOOKS], n)
    then = np.round(looks * k / n)
    ruled_out = clear(then, looks, rule, rates, reviewed=reviewed > 0)
    decided = ruled_out | above(then, looks, rule, rates)
    more = int(looks[decided.argmax()]) - n if decided[:-1].any() else None
    if ends == [0.0, 1.0] or now.sensitivity.mean <= now.false_blasts.mean:
        return Weight(None, None, bool(ruled_out[-1]), more)
    return Weight(min(max(best, ends[0]), ends[1]), (ends[0], ends[1]), bool(ruled_out[-1]), more)


def _as_reviewed(rates: ErrorRates, share: float, rule: FindingRule) -> ErrorRates:
    """The rates where people have looked at this share of the positives: what is false falls out there."""

    def mixed(machine: float, person: float) -> float:
        return machine * ((1 - share) + share * person)

    def spread(of: Spread, person: float) -> Spread:
        return Spread(mixed(of.mean, person), mixed(of.low, person), mixed(of.high, person))

    return replace(
        rates,
        sensitivity=spread(rates.sensitivity, rule.reader_sensitivity),
        false_blasts=spread(rates.false_blasts, 1 - rule.reader_specificity),
    )
