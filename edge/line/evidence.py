"""What counts say of a rate, valid at every look: evidence against a rate, and an interval that always holds.

A slide is looked at after every field, and scanning stops when somebody likes what is shown; a test that is
valid at one look errs several times as often then. What is here may be looked at as often as one likes: the
chance that the evidence against a true hypothesis *ever* reaches 1/α is at most α (Ville 1939), whatever the
rule to stop.

All of it takes arrays of counts, or single ones, and is worked out in logarithms.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from edge.types import F64

_STEPS = 48  # rates in a mixture: more of them change no evidence by 2%
_REACH = 1e-3  # the least rate of the mixture below, as a share of the rate tested
_LOGITS = np.linspace(-14.0, 14.0, 561)  # of the rates that an interval's ends are looked for between
_LOG_RATES, _LOG_RESTS = -np.log1p(np.exp(-_LOGITS)), -np.log1p(np.exp(_LOGITS))
_log_gamma = np.frompyfunc(math.lgamma, 1, 1)


def log_evidence_above(positives: ArrayLike, total: ArrayLike, rate: float) -> F64:
    """Log of the evidence that positives come more often than `rate`, 0 to 1.

    Likelihood ratios of rates above it to `rate` itself, mixed evenly over their logarithms. Against any rate
    up to `rate` it is a supermartingale that starts at 1 (Robbins, Ann Math Statist 1970;41:1397; Howard,
    Ramdas, McAuliffe, Sekhon, Ann Statist 2021;49:1055).
    """
    # the middle of each step, so that none is the tested rate or 1
    return _mixed(positives, total, rate, rate ** (1 - (np.arange(_STEPS) + 0.5) / _STEPS))


def log_evidence_below(positives: ArrayLike, total: ArrayLike, rate: float) -> F64:
    """Log of the evidence that positives come more rarely than `rate`: the mirror of the other."""
    below = rate * _REACH ** ((np.arange(_STEPS - 1) + 0.5) / (_STEPS - 1))
    return _mixed(positives, total, rate, np.append(below, 0.0))


def _mixed(positives: ArrayLike, total: ArrayLike, rate: float, others: F64) -> F64:
    k, n = np.broadcast_arrays(np.asarray(positives, np.float64), np.asarray(total, np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):  # a rate of 0 is out with the first positive
        gained = np.where(k[..., None] > 0, k[..., None] * np.log(others / rate), 0.0)
    gained = gained + (n - k)[..., None] * (np.log1p(-others) - np.log1p(-rate))
    top = gained.max(axis=-1)
    return cast(F64, top + np.log(np.exp(gained - top[..., None]).mean(axis=-1)))


def confidence_sequence(positives: ArrayLike, total: ArrayLike, level: float) -> tuple[F64, F64]:
    """Lower and upper ends of an interval of a rate that holds at all looks together with this confidence.

    Every rate against which the mixture of all rates, by Jeffreys' prior, has less evidence than
    1 / (1 - level) (Robbins 1970; "beta-binomial mixture" in Howard et al. 2021).
    """
    k, n = np.broadcast_arrays(np.asarray(positives, np.float64), np.asarray(total, np.float64))
    mixture = _log_beta(k + 0.5, n - k + 0.5) - math.log(math.pi)
    over = (
        k[..., None] * _LOG_RATES
        + (n - k)[..., None] * _LOG_RESTS
        - (mixture + math.log(1 - level))[..., None]
    )
    held = over > 0  # the rates that are inside, all in a row
    first, last = held.argmax(axis=-1), _LOGITS.size - 1 - held[..., ::-1].argmax(axis=-1)
    low, high = _crossing(over, first, -1), _crossing(over, last, +1)
    return np.asarray(np.where(k > 0, low, 0.0)), np.asarray(np.where(n > k, high, 1.0))


def _crossing(over: F64, inside: NDArray[np.intp], step: int) -> F64:
    """Where `over` crosses 0 between its last rate inside and the next one."""
    outside = np.clip(inside + step, 0, _LOGITS.size - 1)
    here = np.take_along_axis(over, inside[..., None], axis=-1)[..., 0]
    there = np.take_along_axis(over, outside[..., None], axis=-1)[..., 0]
    share = here / np.where(here == there, 1.0, here - there)
    logit = _LOGITS[inside] + share * (_LOGITS[outside] - _LOGITS[inside])
    return np.asarray(1 / (1 + np.exp(-logit)))


def _log_beta(a: F64, b: F64) -> F64:
    return np.asarray(_log_gamma(a) + _log_gamma(b) - _log_gamma(a + b), np.float64)


def wilson_interval(successes: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a binomial proportion.

    Parameters
    ----------
    successes, total : counts, 0 <= successes <= total, total > 0.
    level : confidence level.

    Notes
    -----
    Wilson, J Am Stat Assoc 1927;22:209-212. It keeps its coverage for small counts and proportions near 0,
    where a slide with few blasts lies. It holds at one look.
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    p = successes / total
    centre = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    low, high = max(centre - half, 0.0), min(centre + half, 1.0)
    # where none or all succeed an end is exactly 0 or 1, which rounding would miss
    return low if successes else 0.0, high if successes < total else 1.0
