"""Runs and bundles side by side, on the same cells: figures with intervals of their differences, and costs.

Every round of the bootstrap draws the same patients for all, so a difference's interval is far narrower than
the two figures' own (paired bootstrap: Efron and Tibshirani 1993, chapter 16).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.types import F32, Bools
from train.data.dataset import DataSet, Notice
from train.judging import estimates, speed
from train.judging.cells import Judged, judge
from train.judging.contestants import Contestant, ContestantError, contestant, warn
from train.statistics.bootstrap import ROUNDS, Draws, Figure, draw, plain
from train.statistics.metrics import Floats

SHOWN = (
    "roc_area",
    "sensitivity",
    "specificity",
    "balanced_accuracy",
    "accuracy",
    "accuracy_differential",
    "calibration_error",
)
"""Figures compared; see `train.judging.estimates.counted`."""


@dataclass(frozen=True)
class Standing:
    """One contestant on one data set, or on all.

    Attributes
    ----------
    figures : name -> value with its 95% interval. differences : the same, minus the first contestant's.
        Decisions are of the cells that each counts.
    every : the decisions of all cells, abstentions as if they were calls.
    abstained : share of cells left undecided.
    """

    figures: Mapping[str, Figure]
    every: Mapping[str, Figure]
    differences: Mapping[str, Figure]
    abstained: float

    def as_json(self) -> dict[str, Any]:
        """For a file, its figures as they are."""
        return {
            "figures": self.figures,
            "figures_all_cells": self.every,
            "difference_to_first": self.differences,
            "abstained": self.abstained,
        }


@dataclass(frozen=True)
class Agreement:
    """How far a contestant says what the first says of the same cells.

    Attributes
    ----------
    same_class : share of cells that both call the same.
    largest_difference, mean_difference : of a probability.
    """

    same_class: float
    largest_difference: float
    mean_difference: float

    @classmethod
    def of(cls, model: Contestant, said: F32, first: Contestant, wanted: F32) -> Agreement:
        """Of (n, C) probabilities of each; both name the same classes."""
        apart = np.abs(said - wanted)
        same = model.calls(said).classes == first.calls(wanted).classes
        return cls(float(same.mean()), float(apart.max()), float(apart.mean()))


@dataclass(frozen=True)
class Side:
    """One contestant.

    Attributes
    ----------
    model : the contestant. milliseconds : a cell, on one thread, all taking turns.
    agreement : with the first contestant.
    whole : on all data sets together. parts : on each.
    """

    model: Contestant
    milliseconds: float
    agreement: Agreement
    whole: Standing
    parts: Mapping[str, Standing]

    def as_json(self) -> dict[str, Any]:
        """For a file; NaN as null."""
        model = self.model
        found: dict[str, Any] = plain(
            {
                "path": str(model.path),
                "runtime": model.runtime,
                "parameters": model.parameters,
                "ms_per_cell": self.milliseconds,
                "model_bytes": model.model_bytes,
                "file_bytes": model.file_bytes,
                **self.whole.as_json(),
                "by_dataset": {name: part.as_json() for name, part in self.parts.items()},
            }
        )
        agreement = {name: round(value, 5) for name, value in asdict(self.agreement).items()}
        return found | {"agreement_with_first": agreement}


@dataclass(frozen=True)
class Comparison:
    """All contestants, in the order given."""

    sides: Sequence[Side]
    sources: Sequence[DataSet]
    split: str
    cells: int
    groups: int

    def as_json(self) -> dict[str, Any]:
        """For a file; differences are to the first contestant."""
        return {
            "dataset": ",".join(source.name for source in self.sources),
            "split": self.split,
            "cells": self.cells,
            "groups": self.groups,
            "interval": "95%, paired bootstrap by "
            + ", ".join(f"{source.groups} ({source.name})" for source in self.sources),
            "contestants": [side.as_json() for side in self.sides],
        }


def compare(
    paths: Sequence[Path],
    sources: Sequence[DataSet],
    data: Path,
    *,
    split: str = "test",
    rounds: int = ROUNDS,
    limit: int = 0,
    large: bool = False,
    notice: Notice,
) -> Comparison:
    """Judge runs and bundles on one part of data sets, each at its own operating point.

    `large` opens bundles of more than 64 MiB too.

    Raises
    ------
    ContestantError : nothing at a path, or other classes than the first's. BundleError, FitError : it cannot
        be used. DataError : a data set is absent, or has no readable cell of those classes in that part.
    """
    with ExitStack() as held:
        models = [held.enter_context(closing(contestant(path, large=large))) for path in paths]
        _same_classes(models)
        for model in models:
            warn(model, sources, split, notice)
        judged = judge(models, sources, data, split, notice, limit)
        times = _times(models, judged[0])
    draws = draw(judged[0].groups, judged[0].datasets, rounds=rounds)
    of = np.array(judged[0].datasets)
    masks = {"": of != ""} | {source.name: of == source.name for source in sources}
    standings = {name: _standings(models, judged, draws, keep) for name, keep in masks.items()}
    sides = [
        Side(
            model=model,
            milliseconds=times[i],
            agreement=Agreement.of(model, said.probabilities, models[0], judged[0].probabilities),
            whole=standings[""][i],
            parts={source.name: standings[source.name][i] for source in sources},
        )
        for i, (model, said) in enumerate(zip(models, judged, strict=True))
    ]
    groups = len(set(zip(judged[0].datasets, judged[0].groups, strict=True)))
    return Comparison(sides, sources, split, len(judged[0].cells), groups)


def _same_classes(models: Sequence[Contestant]) -> None:
    first = models[0]
    for other in models[1:]:
        if (other.classes, other.positive_indices) != (first.classes, first.positive_indices):
            raise ContestantError(
                f"{other.path}: names other classes ({', '.join(other.classes)}) than {first.path} "
                f"({', '.join(first.classes)}); they cannot be compared"
            )


def _standings(
    models: Sequence[Contestant], judged: Sequence[Judged], draws: Draws, keep: Bools
) -> list[Standing]:
    """Figures and differences of all contestants on some of the cells."""
    draws, truth = draws.of(keep), judged[0].truth[keep]
    out: list[Standing] = []
    first: dict[str, Floats] = {}
    for model, said in zip(models, judged, strict=True):
        calls = model.calls(said.probabilities[keep])
        asked = (draws, truth, calls, model.classes, model.positive_indices)
        own, every = estimates.counted(*asked), estimates.decided(*asked)
        first = first or own
        out.append(
            Standing(
                figures={name: Figure.of(own[name]) for name in SHOWN},
                differences={name: Figure.of(_minus(own[name], first[name])) for name in SHOWN},
                every={name: Figure.of(every[name]) for name in SHOWN if name in every},
                abstained=float(calls.uncertain.mean()),
            )
        )
    return out


def _minus(values: Floats, others: Floats) -> Floats:
    """Round by round; no rounds where one of the two has none, its cells being of a single group."""
    rounds = min(len(values), len(others))
    return values[:rounds] - others[:rounds]


def _times(models: Sequence[Contestant], judged: Judged) -> list[float]:
    """Milliseconds a cell of each contestant, on a few of the cells that were judged."""
    few = judged.cells[: speed.CELLS]
    crops = [np.stack([cell.crop(m.model_input) for cell in few]) for m in models]
    return speed.per_cell(models, crops)
