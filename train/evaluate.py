"""Evaluate a bundle on a data set with the device's own code: bundle, preprocessing, runtime, decisions."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from edge.bundle import Bundle, Manifest
from edge.classify import Classifier, decide
from edge.types import F32, I32
from train.datasets import DataError, DataSet, Notice
from train.metrics import (
    Figure,
    bootstrap,
    calibration_error,
    confusion,
    decisions,
    pr_area,
    roc_area,
    two_sided,
)
from train.windows import cut

PARTS = ("train", "validation", "test", "all")


@dataclass(frozen=True, eq=False)
class Judged:
    """What a bundle says of n labelled cells.

    Attributes
    ----------
    probabilities : (n, C) float32. truth : (n,) int32, index of the class.
    groups, files : n names each.
    """

    probabilities: F32
    truth: I32
    groups: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of a bundle on a data set.

    Attributes
    ----------
    figures : name -> value with its 95% interval; all cells, abstentions counted as called.
    decided : the same over the cells on which the classifier does not abstain.
    table : (C, C) confusion matrix, a row for what the cell is.
    abstained : share of cells the classifier leaves undecided.
    """

    bundle: Mapping[str, str]
    dataset: str
    split: str
    groups_are: str
    groups: int
    cells: Mapping[str, int]
    figures: Mapping[str, Figure]
    decided: Mapping[str, Figure]
    table: NDArray[np.int64]
    abstained: float
    judged: Judged

    def as_json(self) -> dict[str, Any]:
        """Everything but the single cells, for a file; NaN as null."""
        return {
            "bundle": dict(self.bundle),
            "dataset": self.dataset,
            "split": self.split,
            "interval": f"95%, bootstrap by {self.groups_are}",
            "groups": self.groups,
            "cells": dict(self.cells),
            "abstained": round(self.abstained, 4),
            "figures": _rounded(self.figures),
            "figures_decided": _rounded(self.decided),
            "confusion": self.table.tolist(),
        }


def judge(bundle: Bundle, source: DataSet, data: Path, split: str, notice: Notice, limit: int = 0) -> Judged:
    """Run a bundle over the cells of a data set whose class is known.

    Raises
    ------
    DataError
        Nothing readable in that part, or no class in common with the bundle.
    """
    manifest = bundle.manifest
    known = set(manifest.classes)
    pictures = [
        picture
        for picture in source.read(source.root(data), notice)
        if any(spot.label in known and split in (spot.split, "all") for spot in picture.spots)
    ]
    if 0 < limit < len(pictures):
        pictures = [pictures[round(i)] for i in np.linspace(0, len(pictures) - 1, limit)]
    classifier = Classifier(bundle)
    probabilities, truth, groups, files = [], [], [], []
    for picture in tqdm(pictures, desc=source.name, unit="picture", disable=not sys.stderr.isatty()):
        wanted = [i for i, spot in enumerate(picture.spots) if spot.label in known]
        try:
            crops = cut(picture, manifest.pitch_um, manifest.size_px)[wanted]
        except DataError as error:
            notice(str(error))
            continue
        probabilities.append(classifier.probabilities(crops))
        truth += [manifest.classes.index(picture.spots[i].label) for i in wanted]
        groups += [picture.spots[i].group for i in wanted]
        files += [picture.name] * len(wanted)
    classifier.close()
    if not truth:
        raise DataError(
            f"data set {source.name}: no readable cell of the bundle's classes in part {split!r} of {data}"
        )
    return Judged(np.concatenate(probabilities), np.asarray(truth, np.int32), tuple(groups), tuple(files))


def evaluate(
    bundle: Bundle,
    source: DataSet,
    data: Path,
    *,
    split: str = "test",
    rounds: int = 1000,
    limit: int = 0,
    notice: Notice,
) -> Evaluation:
    """Figures of a bundle on one part of a data set, with intervals by group bootstrap."""
    judged = judge(bundle, source, data, split, notice, limit)
    manifest = bundle.manifest
    uncertain = decide(judged.probabilities, manifest).uncertain
    sure = _pick(judged, ~uncertain)
    called = decide(judged.probabilities, manifest).classes
    counts = Counter(manifest.classes[i] for i in judged.truth.tolist())
    return Evaluation(
        bundle={"name": manifest.name, "version": manifest.version, "sha256": bundle.sha256},
        dataset=source.name,
        split=split,
        groups_are=source.groups,
        groups=len(set(judged.groups)),
        cells={name: counts[name] for name in manifest.classes if counts[name]},
        figures=_figures(judged, manifest, rounds),
        decided=_figures(sure, manifest, rounds) if len(sure.truth) else {},
        table=confusion(judged.truth, called, len(manifest.classes)),
        abstained=float(uncertain.mean()),
        judged=judged,
    )


def _pick(judged: Judged, keep: NDArray[np.bool_]) -> Judged:
    index = np.flatnonzero(keep)
    return Judged(
        judged.probabilities[index],
        judged.truth[index],
        tuple(judged.groups[i] for i in index),
        tuple(judged.files[i] for i in index),
    )


def _figures(judged: Judged, manifest: Manifest, rounds: int) -> dict[str, Figure]:
    columns = list(manifest.positive_indices)
    called = decide(judged.probabilities, manifest).classes
    positive = np.isin(judged.truth, columns)
    scores = judged.probabilities[:, columns].sum(axis=1)

    def measure(index: NDArray[np.int64]) -> dict[str, float]:
        truth, calls = judged.truth[index], called[index]
        table = confusion(truth, calls, len(manifest.classes))
        return {
            **decisions(table),
            **two_sided(np.isin(calls, columns), positive[index]),
            "roc_area": roc_area(scores[index], positive[index]),
            "pr_area": pr_area(scores[index], positive[index]),
            "calibration_error": calibration_error(judged.probabilities[index], truth),
        }

    return bootstrap(judged.groups, measure, rounds=rounds)


def _rounded(figures: Mapping[str, Figure]) -> dict[str, dict[str, float | None]]:
    return {
        name: {k: None if np.isnan(v) else round(v, 4) for k, v in asdict(figure).items()}
        for name, figure in figures.items()
    }


def draw(evaluation: Evaluation, bundle: Bundle, folder: Path) -> list[Path]:
    """Write the pictures of an evaluation; returns their paths."""
    from train import pictures

    folder.mkdir(parents=True, exist_ok=True)
    manifest, judged = bundle.manifest, evaluation.judged
    stem = f"{evaluation.dataset}-{evaluation.split}"
    paths = [folder / f"{stem}-{kind}.png" for kind in ("confusion", "reliability")]
    pictures.confusion_matrix(evaluation.table, manifest.classes, paths[0])
    error = evaluation.figures["calibration_error"].value
    pictures.reliability(judged.probabilities, judged.truth, error, paths[1])
    columns = list(manifest.positive_indices)
    positive = np.isin(judged.truth, columns)
    if positive.any() and not positive.all():
        paths.append(folder / f"{stem}-ranking.png")
        pictures.ranking(
            judged.probabilities[:, columns].sum(axis=1),
            positive,
            manifest.thresholds.positive,
            evaluation.figures["roc_area"],
            evaluation.figures["pr_area"],
            f"{' or '.join(manifest.positive)} against the rest, {evaluation.dataset}, {evaluation.split}",
            paths[2],
        )
    return paths
