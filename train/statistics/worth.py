"""What a run is worth on its validation cells, and whether that is enough for a device to have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan, sqrt
from typing import Any

import numpy as np

from edge.types import F32, Bools
from train.statistics.bootstrap import Figure, draw, plain
from train.statistics.metrics import roc_area, roc_areas

ENOUGH = 30
"""Positive cells, and others: of fewer, even half of them missed may be chance (by convention)."""

CHANCE = 0.5
"""ROC area of a network that knows nothing."""

MANY_GROUPS = 10
"""With positives, and with others: of fewer, intervals by drawing groups are far too narrow, or none
(Cameron, Gelbach and Miller, Review of Economics and Statistics 2008;90:414)."""

BY_GROUP = "95% by groups, drawn with replacement"
BY_CELL = "95% by cells, as if each were of another group: there are few groups"


@dataclass(frozen=True)
class Side:
    """How many cells, or fields, and of how many groups."""

    cells: int
    groups: int


@dataclass(frozen=True)
class Worth:
    """What a run is worth.

    Attributes
    ----------
    sign : what a positive one is called: 'blast', 'positive cell'. unit : 'cell' or 'field'.
    positives, others : validation cells of either kind.
    roc_area : of the positive classes against the rest. interval : how its interval was found.
    """

    sign: str
    unit: str
    positives: Side
    others: Side
    roc_area: Figure
    interval: str

    @classmethod
    def of(
        cls,
        scores: F32,
        truth: Bools,
        groups: Sequence[str],
        strata: Sequence[str],
        sign: str = "blast",
        unit: str = "cell",
    ) -> Worth:
        """Of n cells: probability of the positive classes, whether each is of one, group and data set."""
        pairs = np.array([f"{stratum}/{group}" for stratum, group in zip(strata, groups, strict=True)])
        positives, others = (Side(int(part.sum()), len(set(pairs[part]))) for part in (truth, ~truth))
        if min(positives.groups, others.groups) >= MANY_GROUPS:
            area = Figure.of(roc_areas(draw(groups, strata), scores, truth))
            return cls(sign, unit, positives, others, area, BY_GROUP)
        area = by_cells(roc_area(scores, truth), positives.cells, others.cells)
        return cls(sign, unit, positives, others, area, BY_CELL)

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Worth:
        """As `as_json` wrote it; raises KeyError or TypeError for anything else."""
        positives, others = Side(**kept["positives"]), Side(**kept["others"])
        ends = {name: float("nan") if end is None else end for name, end in kept["roc_area"].items()}
        return cls(kept["sign"], kept["unit"], positives, others, Figure(**ends), kept["interval"])

    def as_json(self) -> dict[str, Any]:
        """For `metrics.json`; a figure that does not exist is null."""
        found: dict[str, Any] = plain(self)
        return found

    @property
    def line(self) -> str:
        """In words."""
        return (
            f"validation: {_many(self.positives, self.sign)}, {_many(self.others, f'other {self.unit}')}; "
            f"ROC area {self.roc_area}, {self.interval}"
        )

    @property
    def shortcomings(self) -> tuple[str, ...]:
        """Why no device should have it, a short text each; none for a good one."""
        few = [
            f"{_counted(side.cells, kind)} among its validation {self.unit}s, {ENOUGH} are wanted"
            for side, kind in ((self.positives, self.sign), (self.others, f"other {self.unit}"))
            if side.cells < ENOUGH
        ]
        if isnan(self.roc_area.value) or self.roc_area.ends[0] > CHANCE:
            return tuple(few)
        no_better = f"ROC area {self.roc_area} on its validation {self.unit}s, not surely better than chance"
        return (*few, no_better)


def by_cells(area: float, positives: int, others: int) -> Figure:
    """A ROC area with its 95% interval by the numbers of cells alone.

    Hanley and McNeil, Radiology 1982;143:29.
    """
    if isnan(area) or not positives or not others:
        return Figure(area, float("nan"), float("nan"))
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (positives - 1) * (q1 - area**2) + (others - 1) * (q2 - area**2)
    reach = 1.96 * sqrt(max(spread, 0.0) / (positives * others))
    return Figure(area, max(area - reach, 0.0), min(area + reach, 1.0))


def _many(side: Side, kind: str) -> str:
    return f"{_counted(side.cells, kind)} of {_counted(side.groups, 'group')}"


def _counted(number: int, kind: str) -> str:
    return f"{number} {kind}{'s' * (number != 1)}"
