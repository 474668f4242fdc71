"""Intervals by drawing whole groups (patients, slides, blocks of files) with replacement.

Cells of one patient are alike, so drawing cells one by one would make intervals far too narrow (cluster
bootstrap: Davison and Hinkley 1997, section 3.8). All rounds are drawn at once, as how often each group
comes up; whatever is a sum over cells is then one matrix product.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.types import Bools

Floats = NDArray[np.float64]

ROUNDS = 1000


@dataclass(frozen=True)
class Figure:
    """A figure with the ends of its 95% interval; NaN where there is none."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, drawn: Floats) -> Figure:
        """From (R + 1,) values, the first of the data as they are: percentiles of those that exist."""
        kept = drawn[1:][~np.isnan(drawn[1:])]
        low, high = np.percentile(kept, [2.5, 97.5]) if len(kept) else (float("nan"), float("nan"))
        return cls(float(drawn[0]), float(low), float(high))

    @property
    def ends(self) -> tuple[float, float]:
        """Of the interval; without one the value itself, twice."""
        return (self.value, self.value) if np.isnan(self.low) else (self.low, self.high)

    def __str__(self) -> str:
        if np.isnan(self.value):
            return "-"
        interval = "no interval" if np.isnan(self.low) else f"{self.low:.3f} to {self.high:.3f}"
        return f"{self.value:.3f} ({interval})"


@dataclass(frozen=True, eq=False)
class Draws:
    """How often each group was drawn, round by round.

    Attributes
    ----------
    counts : (R + 1, G) float64; the first row has every group once: the data as they are.
    which : (n,) int64, the group of each cell.
    """

    counts: Floats
    which: NDArray[np.int64]

    def of(self, keep: Bools) -> Draws:
        """The same rounds, of some of the cells only; of a single group there are none."""
        which = self.which[keep]
        alone = not len(which) or bool((which == which[0]).all())
        return replace(self, counts=self.counts[:1] if alone else self.counts, which=which)

    def sums(self, values: NDArray[np.floating]) -> Floats:
        """(n, K) values of the cells -> (R + 1, K), summed over the cells drawn."""
        by_group = np.zeros((self.counts.shape[1], values.shape[1]))
        np.add.at(by_group, self.which, values)
        return self.counts @ by_group

    def tables(self, rows: NDArray[np.integer], columns: NDArray[np.integer], size: int) -> Floats:
        """(R + 1, size, size), how many of the cells drawn have this row and this column."""
        groups = self.counts.shape[1]
        cell = (self.which * size + rows) * size + columns
        by_group = np.bincount(cell, minlength=groups * size * size).reshape(groups, size * size)
        return (self.counts @ by_group).reshape(-1, size, size)


def draw(
    groups: Sequence[str], strata: Sequence[str] | None = None, *, rounds: int = ROUNDS, seed: int = 0
) -> Draws:
    """Draw groups with replacement, as many as there are.

    Parameters
    ----------
    groups : n group names, one a cell.
    strata : n names of data sets. Groups are drawn within each, so every round has as many of each as there
        are; and a data set's rounds do not depend on which others are there.
    """
    strata = strata if strata is not None else [""] * len(groups)
    pairs = sorted(set(zip(strata, groups, strict=True)))
    index = {pair: i for i, pair in enumerate(pairs)}
    of_group = np.array([stratum for stratum, _ in pairs])
    counts = np.ones((rounds + 1, len(pairs)))
    for stratum in dict.fromkeys(strata):
        inside = np.flatnonzero(of_group == stratum)
        rng = np.random.default_rng([seed, zlib.crc32(stratum.encode())])
        drawn = (
            rng.integers(len(inside), size=(rounds, len(inside))) + len(inside) * np.arange(rounds)[:, None]
        )
        counts[1:, inside] = np.bincount(drawn.ravel(), minlength=rounds * len(inside)).reshape(rounds, -1)
    which = np.array([index[pair] for pair in zip(strata, groups, strict=True)], np.int64)
    return Draws(counts, which).of(np.ones(len(which), np.bool_))


def undrawn(cells: int) -> Draws:
    """No rounds: the data as they are, of so many cells."""
    return Draws(np.ones((1, 1)), np.zeros(cells, np.int64))


def plain(value: Any) -> Any:
    """For JSON: dataclasses as mappings, four decimals, NaN as null."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return None if np.isnan(value) else round(value, 4)
    return value
