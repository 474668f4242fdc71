"""Few patients, evened out: each class that is to be had is there to train, then to validate and to test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from train.data.classes import POSITIVE

MOST = 40
"""Patients up to which it is tried; more are even enough by counts."""

_MISSED = (10.0, 3.0, 1.0)
"""What it costs that a class is missing from training, validation, testing; from the second and third only
where so many patients have it. That of blasts counts double: without them no threshold can be chosen."""


def evened(
    parts: Mapping[str, int],
    held: Mapping[str, Counter[str]],
    shares: Sequence[float],
    fixed: Mapping[str, int],
) -> dict[str, int]:
    """Patient -> part, after whatever moves and exchanges make it better; no part loses its last patient.

    Parameters
    ----------
    parts : patient -> its part so far. held : patient -> label -> cells. shares : of the parts, 1 together.
    fixed : patients that stay.
    """
    best = dict(parts)
    if len(held) > MOST:
        return best
    cost = _cost(best, held, shares)
    while True:
        tried = [(_cost(other, held, shares), i, other) for i, other in enumerate(_others(best, fixed))]
        found = min(tried, key=lambda each: each[:2], default=(cost, 0, best))
        if found[0] >= cost - 1e-9:
            return best
        cost, _, best = found


def _others(parts: Mapping[str, int], fixed: Mapping[str, int]) -> Iterator[dict[str, int]]:
    free = sorted(group for group in parts if group not in fixed)
    many = Counter(parts.values())
    for i, group in enumerate(free):
        if many[parts[group]] > 1:
            yield from ({**parts, group: part} for part in many if part != parts[group])
        for other in free[i + 1 :]:
            if parts[other] != parts[group]:
                yield {**parts, group: parts[other], other: parts[group]}


def _cost(parts: Mapping[str, int], held: Mapping[str, Counter[str]], shares: Sequence[float]) -> float:
    """How far the parts are from their shares of every class, and what they miss."""
    filled: list[Counter[str]] = [Counter() for _ in shares]
    holders: Counter[str] = Counter()
    for group, part in parts.items():
        filled[part].update(held[group])
        holders.update(held[group].keys())
    whole = sum(filled, Counter())
    used = set(parts.values())
    cost = 0.0
    for label, total in whole.items():
        weight = 2.0 if label in POSITIVE else 1.0
        for part, share in enumerate(shares):
            count = filled[part][label]
            cost += (count / total - share) ** 2 / share / len(whole)
            if not count and part in used and holders[label] > part:
                cost += weight * _MISSED[part]
    return cost
