"""Evaluate a bundle on data sets with the device's own code: bundle, preprocessing, runtime, decisions.

A run's folder is judged alike, but for the runtime.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.cells.classify import decide
from edge.types import Bools
from train.data.dataset import DataSet, Notice
from train.judging import estimates
from train.judging.cells import Cell, Judged, judge
from train.judging.contestants import Contestant, warn
from train.judging.estimates import DIFFERENTIAL, Bin, Undecided
from train.statistics.bootstrap import ROUNDS, Draws, Figure, draw, plain
from train.statistics.metrics import BINS, Floats, confusion

MISTAKES = 48
"""How many of the most confident ones are told."""


@dataclass(frozen=True, eq=False)
class Part:
    """Figures on one data set, or on several together.

    Attributes
    ----------
    figures : name -> value with its 95% interval; see `train.judging.estimates.counted`: decisions of the
        cells that a device counts, those on which the classifier does not abstain.
    every : the decisions of all cells, abstentions as if they were calls.
    classes : class -> recall, precision, f1 of the cells counted, share abstained, roc_area.
    called_positive : class that is not positive -> share of its cells that are called and counted so.
    table : (C, C) confusion matrix of the cells counted, a row for what the cell is. table_of_all : of all.
    abstained : share of cells the classifier leaves undecided.
    likeliest, positive : reliability diagrams of the likeliest class and of the positive side.
    curve : what is left when it abstains more or less often.
    """

    groups: int
    cells: Mapping[str, int]
    figures: Mapping[str, Figure]
    every: Mapping[str, Figure]
    classes: Mapping[str, Mapping[str, Figure]]
    called_positive: Mapping[str, Figure]
    table: NDArray[np.int64]
    table_of_all: NDArray[np.int64]
    abstained: float
    likeliest: Sequence[Bin]
    positive: Sequence[Bin]
    curve: Sequence[Undecided]
    judged: Judged

    def as_json(self) -> dict[str, Any]:
        """Everything but the single cells, for a file; NaN as null."""
        table: dict[str, Any] = {
            "groups": self.groups,
            "cells": self.cells,
            "abstained": self.abstained,
            "figures": self.figures,
            "figures_all_cells": self.every,
            "confusion": self.table.tolist(),
            "confusion_all_cells": self.table_of_all.tolist(),
            "classes": self.classes,
            "called_positive": {
                name: {"called": share, "counted": share} for name, share in self.called_positive.items()
            },
            "calibration": {"bins": BINS, "likeliest_class": self.likeliest, "positive": self.positive},
            "abstention": self.curve,
        }
        return {name: plain(value) for name, value in table.items()}


@dataclass(frozen=True)
class Mistake:
    """A cell called another class than it is; `confidence` is the probability of what it was called."""

    cell: Cell
    truth: str
    called: str
    confidence: float
    uncertain: bool

    def as_json(self) -> dict[str, Any]:
        """Without the picture."""
        return {
            "dataset": self.cell.dataset,
            "file": self.cell.picture.name,
            "centre_px": self.cell.picture.spots[0].centre_px,
            "group": self.cell.group,
            "truth": self.truth,
            "called": self.called,
            "confidence": round(self.confidence, 4),
            "uncertain": self.uncertain,
        }


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of a bundle on data sets.

    Attributes
    ----------
    sources : the data sets. whole : all of them together. parts : each alone, by name.
    mistakes : the most confident ones, worst first.
    """

    model: Contestant
    sources: Sequence[DataSet]
    split: str
    whole: Part
    parts: Mapping[str, Part]
    mistakes: Sequence[Mistake]

    @property
    def dataset(self) -> str:
        return ",".join(source.name for source in self.sources)

    @property
    def drawn_by(self) -> str:
        """What the bootstrap draws, in words."""
        if len(self.sources) == 1:
            return self.sources[0].groups
        return ", ".join(f"{s.groups} ({s.name})" for s in self.sources) + ", within each data set"

    def as_json(self) -> dict[str, Any]:
        """For a file. What stands beside `by_dataset` is of all data sets together."""
        return {
            "bundle": {name: getattr(self.model, name) for name in ("name", "version", "sha256")},
            "dataset": self.dataset,
            "split": self.split,
            "interval": f"95%, bootstrap by {self.drawn_by}",
            "operating_point": asdict(self.model.thresholds),
            "positive": list(self.model.positive),
            "differential": [list(part) for part in DIFFERENTIAL],
            **self.whole.as_json(),
            "by_dataset": {
                source.name: {
                    "laboratory": source.laboratory,
                    "groups_are": source.groups,
                    **self.parts[source.name].as_json(),
                }
                for source in self.sources
            },
            "mistakes": [mistake.as_json() for mistake in self.mistakes],
        }


def evaluate(
    model: Contestant,
    sources: Sequence[DataSet],
    data: Path,
    *,
    split: str = "test",
    rounds: int = ROUNDS,
    limit: int = 0,
    notice: Notice,
) -> Evaluation:
    """Figures of a bundle or run on one part of data sets, with intervals by group bootstrap.

    Its operating point is applied as it is; nothing is chosen here.

    Raises
    ------
    DataError
        A data set is absent, or has no readable cell of the bundle's classes in that part.
    """
    with closing(model):
        warn(model, sources, split, notice)
        (judged,) = judge([model], sources, data, split, notice, limit)
    draws = draw(judged.groups, judged.datasets, rounds=rounds)
    of = np.array(judged.datasets)
    parts = {s.name: _part(judged, draws, model, of == s.name) for s in sources}
    several = len(sources) > 1
    return Evaluation(
        model=model,
        sources=sources,
        split=split,
        whole=_part(judged, draws, model, of != "") if several else parts[sources[0].name],
        parts=parts,
        mistakes=_mistakes(judged, model),
    )


def _part(judged: Judged, draws: Draws, model: Contestant, keep: Bools) -> Part:
    """The figures of some of the cells."""
    judged, draws = judged.pick(keep), draws.of(keep)
    truth, calls = judged.truth, decide(judged.probabilities, model)
    classes, positive = model.classes, model.positive_indices
    sure = ~calls.uncertain
    scores = np.minimum(judged.probabilities[:, list(positive)].sum(axis=1), 1)
    right = judged.probabilities.argmax(axis=1) == truth
    counts = Counter(classes[i] for i in truth.tolist())

    def uncertain(confidence: float) -> Bools:
        limits = replace(model.thresholds, confidence=confidence)
        return decide(judged.probabilities, replace(model, thresholds=limits)).uncertain

    return Part(
        groups=len(set(zip(judged.datasets, judged.groups, strict=True))),
        cells={name: counts[name] for name in classes if counts[name]},
        figures=_with_intervals(estimates.counted(draws, truth, calls, classes, positive)),
        every=_with_intervals(estimates.decided(draws, truth, calls, classes, positive)),
        classes=_nested(estimates.by_class(draws, truth, calls, classes)),
        called_positive=_with_intervals(estimates.called_positive(draws, truth, calls, classes, positive)),
        table=confusion(truth[sure], calls.classes[sure], len(classes)),
        table_of_all=confusion(truth, calls.classes, len(classes)),
        abstained=float(calls.uncertain.mean()),
        likeliest=estimates.reliability(draws, judged.probabilities.max(axis=1), right),
        positive=estimates.reliability(draws, scores, np.isin(truth, positive)),
        curve=estimates.abstention(draws, truth, calls, uncertain, positive),
        judged=judged,
    )


def _with_intervals(drawn: Mapping[str, Floats]) -> dict[str, Figure]:
    return {name: Figure.of(values) for name, values in drawn.items()}


def _nested(drawn: Mapping[str, Mapping[str, Floats]]) -> dict[str, dict[str, Figure]]:
    return {name: _with_intervals(inner) for name, inner in drawn.items()}


def _mistakes(judged: Judged, model: Contestant) -> list[Mistake]:
    """The wrong calls, the surest first."""
    calls = decide(judged.probabilities, model)
    positive = list(model.positive_indices)
    of_called = judged.probabilities[np.arange(len(judged.truth)), calls.classes]
    together = judged.probabilities[:, positive].sum(axis=1)
    confidence = np.where(np.isin(calls.classes, positive), together, of_called)
    wrong = np.flatnonzero(calls.classes != judged.truth)
    return [
        Mistake(
            cell=judged.cells[i],
            truth=model.classes[judged.truth[i]],
            called=model.classes[calls.classes[i]],
            confidence=float(confidence[i]),
            uncertain=bool(calls.uncertain[i]),
        )
        for i in wrong[np.argsort(-confidence[wrong], kind="stable")][:MISTAKES].tolist()
    ]
