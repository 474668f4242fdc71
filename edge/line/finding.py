"""Tally → blast fraction with its interval, stop rule, finding in words."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from edge.bundle.bundle import FindingRule, Manifest
from edge.types import I32, Bools, Finding, FindingKind, Tally

_FURTHEST = 2000  # leukocytes: beyond this a count by eye would not decide either


def wilson_interval(successes: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a binomial proportion.

    Parameters
    ----------
    successes, total : counts, 0 <= successes <= total, total > 0.
    level : confidence level.

    Notes
    -----
    Wilson, J Am Stat Assoc 1927;22:209-212. It keeps its coverage for small counts and proportions near 0,
    where a slide with few blasts lies.
    """
    z = NormalDist().inv_cdf(0.5 + level / 2)
    p = successes / total
    centre = (p + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * math.sqrt(p * (1 - p) / total + z * z / (4 * total * total))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def in_differential(classes: I32, manifest: Manifest) -> Bools:
    """(n,) class indices → (n,) bool: leukocytes, the differential's denominator."""
    leukocytes = [manifest.classes.index(name) for name in manifest.leukocytes]
    return np.isin(classes, leukocytes)


def count(tally: Tally, manifest: Manifest, classes: I32, certain: Bools) -> Tally:
    """The tally with these cells added.

    Parameters
    ----------
    classes, certain : (n,) decisions for cells that are whole, sure and were not counted before.
    """
    counts = dict(tally.counts)
    for i in classes:
        counts[manifest.classes[i]] += 1
    positive = np.isin(classes, manifest.positive_indices)
    return replace(
        tally,
        counts=counts,
        leukocytes=tally.leukocytes + int(in_differential(classes, manifest).sum()),
        positives=tally.positives + int(positive.sum()),
        certain_positives=tally.certain_positives + int((positive & certain).sum()),
    )


def judge(tally: Tally, rule: FindingRule) -> Finding:
    """The finding that the tally supports under the bundle's rule, in the words of what it counts."""
    unit, sign = tally.unit, tally.sign
    n, k, limit = tally.leukocytes, tally.positives, rule.refer_fraction
    told = bool(n and sign)
    fraction = k / n if told else None
    interval = wilson_interval(k, n, rule.interval_level) if told else None
    low, high = interval or (0.0, 1.0)
    counted = f"{_many(k, sign)} among {_many(n, unit)}"

    def finding(kind: FindingKind, reason: str, needed: int | None = None) -> Finding:
        return Finding(kind, reason, fraction, interval, rule.interval_level, needed)

    if low > limit:
        return finding(
            "refer", f"{counted}: clearly more than {limit:.0%}. Refer the patient; keep the slide."
        )
    if tally.certain_positives >= rule.certain_cells and n < rule.certain_within:
        return finding(
            "refer",
            f"{tally.certain_positives} certain {sign}s in only {_many(n, unit)}. "
            "Refer the patient; keep the slide.",
        )
    if high < limit:
        return finding(
            "no-blasts-seen",
            f"{counted}: clearly fewer than {limit:.0%}. "
            "This does not rule out leukemia; refer if the patient is ill.",
        )
    if tally.rejected > rule.rejected_fraction * tally.frames:
        return finding(
            "not-readable",
            f"{tally.rejected} of {tally.frames} fields could not be read. "
            "Check focus, light and the smear, then start again.",
        )
    if not sign:
        return finding("keep-scanning", "This model finds and counts cells; it does not tell blasts apart.")
    needed = cells_needed(k, n, rule)
    more = f"{needed} more" if needed is not None else "many more"
    few = "fields" if unit == "field" else "cells"
    return finding("keep-scanning", f"Too few {few} to say: about {more} {unit}s are needed.", needed)


def _many(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")


def cells_needed(positives: int, total: int, rule: FindingRule) -> int | None:
    """How many more leukocytes decide, if the blast fraction stays as it is; None beyond reach."""
    fraction = positives / total if total else 0.0

    def decided(n: int) -> bool:
        low, high = wilson_interval(round(fraction * n), n, rule.interval_level)
        return low > rule.refer_fraction or high < rule.refer_fraction

    low, high = total + 1, _FURTHEST
    if not decided(high):
        return None
    while low < high:  # decided() holds from some n on, but for rounding
        middle = (low + high) // 2
        low, high = (low, middle) if decided(middle) else (middle + 1, high)
    return low - total
