"""A detector's figures on fields with boxes, with intervals; found by the device's own code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.cells.detector import Detector, Finds
from edge.types import F32, Bools
from train.data.bar import followed
from train.data.dataset import Notice, Split
from train.published.detection.boxes import Scene, scenes
from train.published.detection.matching import OVERLAP, Matches, match
from train.published.detection.settings import DetectionError
from train.statistics.bootstrap import Draws, Figure, draw
from train.statistics.metrics import Floats, by_score, ratio

MEAN = "mean"
"""What stands for all classes: the mean over those of which there is a cell."""

_SHOWN = ("precision", "recall", "f1", "average_precision", "average_precision_with_edge")


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` finds.

    Attributes
    ----------
    sources, split : what was read. fields : how many.
    threshold : least confidence of a find for precision, recall and F1.
    cells : class -> how many are asked for: those that the field's edge does not cut.
    figures : class or `MEAN` -> figure by name. `average_precision_with_edge` is of all boxes, cut or not, as
        others count.
    """

    sources: tuple[str, ...]
    split: Split
    fields: int
    threshold: float
    cells: Mapping[str, int]
    figures: Mapping[str, Mapping[str, Figure]]

    def as_json(self) -> dict[str, Any]:
        """For `json.dumps`; a figure that does not exist is null."""
        figures = {
            kind: {name: _plain(asdict(figure)) for name, figure in named.items()}
            for kind, named in self.figures.items()
        }
        return {
            "task": "detector",
            "datasets": list(self.sources),
            "split": self.split,
            "fields": self.fields,
            "overlap": OVERLAP,
            "threshold": self.threshold,
            "cells": dict(self.cells),
            "figures": figures,
        }

    def lines(self) -> Iterator[str]:
        """The same in words."""
        where = ", ".join(self.sources)
        yield f"{where}, {self.split}: {sum(self.cells.values())} cells in {self.fields} fields"
        yield f"found at an overlap of {OVERLAP:g} and a confidence of {self.threshold:.3f}"
        yield "intervals: 95%, bootstrap by field; what the field's edge cuts counts in the last column only"
        yield f"{'':<12}{'cells':>6}  " + "".join(f"{name.replace('_', ' '):<28}" for name in _SHOWN).rstrip()
        for kind, named in self.figures.items():
            count = self.cells.get(kind, sum(self.cells.values()))
            row = "".join(f"{named[name]!s:<28}" for name in _SHOWN)
            yield f"{kind:<12}{count:>6}  {row}".rstrip()


def _plain(figure: Mapping[str, float]) -> dict[str, float | None]:
    return {key: None if np.isnan(value) else value for key, value in figure.items()}


def evaluate(
    detector: Detector,
    classes: Sequence[str],
    pitch_um: float,
    sources: Sequence[str],
    data: Path,
    *,
    split: Split = "test",
    limit: int = 0,
    notice: Notice = print,
) -> Evaluation:
    """Judge a detector.

    Parameters
    ----------
    classes, pitch_um : of the detector.
    sources : names of data sets. split : their part. limit : at most so many fields of each; 0 for all.

    Raises
    ------
    DetectionError : a data set has no boxes, or no field in this part. DataError : it is not there.
    GraphError : the detector's graph cannot be run.
    """
    listed: list[Scene] = []
    for name in sources:
        part = scenes(name, data, split, classes, pitch_um, notice, limit)
        if not part:
            raise DetectionError(f"data set {name}: no field in part {split}; choose another --split")
        listed += part
    return judged(found_in(detector, listed), listed, classes, detector.threshold, sources, split)


def found_in(detector: Detector, listed: Sequence[Scene]) -> list[Finds]:
    """What a detector finds in each field, however unlikely."""
    return [detector.finds(scene.view) for scene in followed(listed, "fields", "field", leave=False)]


def judged(
    found: Sequence[Finds],
    listed: Sequence[Scene],
    classes: Sequence[str],
    threshold: float,
    sources: Sequence[str],
    split: Split,
) -> Evaluation:
    """The figures of finds in fields."""
    draws = draw([scene.name for scene in listed], [scene.source for scene in listed])
    inner, whole = (match(found, listed, len(classes), edge=edge) for edge in (False, True))
    drawn = {name: _of_class(inner, draws, i, threshold) for i, name in enumerate(classes)}
    for i, name in enumerate(classes):
        drawn[name]["average_precision_with_edge"] = average_precisions(whole, draws, i)
    with np.errstate(invalid="ignore"):
        mean = {name: _mean([drawn[kind][name] for kind in classes]) for name in _SHOWN}
    return Evaluation(
        sources=tuple(sources),
        split=split,
        fields=len(listed),
        threshold=threshold,
        cells=dict(zip(classes, inner.asked.sum(axis=0).tolist(), strict=True)),
        figures={
            kind: {name: Figure.of(values) for name, values in named.items()}
            for kind, named in {**drawn, MEAN: mean}.items()
        },
    )


def _of_class(matches: Matches, draws: Draws, kind: int, threshold: float) -> dict[str, Floats]:
    """(R + 1,) of each figure of a class."""
    of_find, scores, right = _finds(matches, draws, kind)
    kept = scores >= threshold
    sums = of_find.sums(np.stack([kept & right, kept], axis=1).astype(float))
    asked = _asked(matches, draws, kind)
    return {
        "precision": ratio(sums[:, 0], sums[:, 1]),
        "recall": ratio(sums[:, 0], asked),
        "f1": ratio(2 * sums[:, 0], sums[:, 1] + asked),
        "average_precision": average_precisions(matches, draws, kind),
    }


def average_precisions(matches: Matches, draws: Draws, kind: int) -> Floats:
    """(R + 1,) areas under the curve of precision over recall of a class, NaN where no cell is asked for.

    Precision is the highest at this recall or beyond, as PASCAL VOC takes it since 2010 (Everingham et al.,
    IJCV 2015).

    Parameters
    ----------
    draws : of the fields.
    """
    of_find, scores, right = _finds(matches, draws, kind)
    areas = [np.zeros(0)]
    for gained, lost in by_score(of_find, scores, right):
        true = np.cumsum(gained, axis=1)
        precision = true / np.maximum(true + np.cumsum(lost, axis=1), 1)
        highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        areas.append((gained * highest).sum(axis=1, dtype=float))
    return ratio(np.concatenate(areas), _asked(matches, draws, kind))


def _finds(matches: Matches, draws: Draws, kind: int) -> tuple[Draws, F32, Bools]:
    """The rounds, the confidences, and which are right, of the finds of a class that count."""
    chosen = (matches.called == kind) & matches.counts
    of_find = replace(draws, which=draws.which[matches.field[chosen]])
    return of_find, matches.confidence[chosen], matches.right[chosen]


def _asked(matches: Matches, draws: Draws, kind: int) -> Floats:
    return draws.sums(matches.asked[:, kind : kind + 1].astype(float))[:, 0]


def _mean(parts: Sequence[Floats]) -> Floats:
    """Mean over the classes that have a value, round by round."""
    values = np.stack(parts)
    there = ~np.isnan(values)
    return ratio(np.where(there, values, 0).sum(axis=0), there.sum(axis=0))


def best_threshold(matches: Matches, classes: int) -> float:
    """The least confidence at which the mean F1 of the classes is highest."""
    order = np.argsort(-matches.confidence, kind="stable")
    order = order[matches.counts[order]]
    if not len(order):
        return 0.5
    total = np.zeros(len(order))
    for kind in range(classes):
        own = matches.called[order] == kind
        asked = matches.asked[:, kind].sum()
        if asked:
            total += 2 * np.cumsum(own & matches.right[order]) / (np.cumsum(own) + asked)
    at = int(np.argmax(total))
    # half way to what comes next, so that rounding decides nothing
    following = matches.confidence[order[min(at + 1, len(order) - 1)]]
    return float((matches.confidence[order[at]] + following) / 2)
