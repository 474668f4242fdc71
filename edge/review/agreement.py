"""How far two readers of one slide agree, beyond what chance would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """Two readers on the cells that both named.

    Attributes
    ----------
    readers : their initials.
    both : how many cells both named.
    kappa : Cohen's, -1 to 1; None where it means nothing.
    differing : cell, what the first called it, what the second did.
    """

    readers: tuple[str, str]
    both: int
    kappa: float | None
    differing: tuple[tuple[int, str, str], ...]

    @classmethod
    def of(cls, readers: tuple[str, str], one: Mapping[int, str], other: Mapping[int, str]) -> Agreement:
        """From what each of them called which cells."""
        both = sorted(one.keys() & other.keys())
        return cls(
            readers=readers,
            both=len(both),
            kappa=kappa([(one[cell], other[cell]) for cell in both]),
            differing=tuple((cell, one[cell], other[cell]) for cell in both if one[cell] != other[cell]),
        )


def kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Cohen's kappa of what two readers called the same cells, cell by cell.

    κ = (p_o − p_e) / (1 − p_e), where p_o is the share of cells that they call the same, and p_e the share
    that they would by chance, each calling classes as often as before. None without cells, and where both
    call every cell the same class, so that chance explains everything.

    Notes
    -----
    Cohen, Educ Psychol Meas 1960;20:37-46.
    """
    n = len(pairs)
    one, other = Counter(first for first, _ in pairs), Counter(second for _, second in pairs)
    by_chance = sum(one[name] * other[name] for name in one)
    if by_chance == n * n:
        return None
    same = sum(first == second for first, second in pairs)
    return (same * n - by_chance) / (n * n - by_chance)
