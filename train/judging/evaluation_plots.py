"""The plots of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edge.types import F32, Bools
from train.judging import plots
from train.judging.evaluate import Evaluation, Part
from train.statistics.bootstrap import Figure
from train.statistics.contactsheet import contact_sheet
from train.statistics.plots import confusion_matrix

_OF_CLASS = {"recall": "recall", "precision": "precision", "f1": "F1", "roc_area": "ROC area"}
_OF_DATASET = {
    "roc_area": "ROC area",
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "accuracy_differential": "accuracy",
    "calibration_error": "calibration error",
}


def draw(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write everything that can be drawn of an evaluation, as DATASET-SPLIT-KIND.png; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    model, whole = evaluation.model, evaluation.whole
    stem = f"{evaluation.dataset.replace(',', '+').replace('/', '_')}-{evaluation.split}"
    about = f"{model.name} {model.version} on {evaluation.dataset}, {evaluation.split}"
    positive = " or ".join(model.positive)
    written = []

    def path(kind: str) -> Path:
        written.append(folder / f"{stem}-{kind}.png")
        return written[-1]

    if whole.table.any():
        confusion_matrix(whole.table, model.classes, path("confusion"), f"{about}, cells counted")
    kinds = {
        "likeliest class": (whole.likeliest, whole.figures["calibration_error"]),
        positive: (whole.positive, whole.figures["calibration_error_positive"]),
    }
    plots.reliability(kinds, about, path("reliability"))
    at = (whole.abstained, model.thresholds.confidence)
    plots.abstention(whole.curve, at, about, path("abstention"))
    rows = {f"{name} ({whole.cells[name]})": found for name, found in whole.classes.items()}
    plots.intervals(rows, _OF_CLASS, about, path("classes"))
    if ranked := _ranked(evaluation):
        title = f"{positive} against the rest: {about}"
        plots.ranking(ranked, model.thresholds.positive, title, path("ranking"))
    if len(evaluation.parts) > 1:
        every = {name: part.figures for name, part in evaluation.parts.items()} | {"all": whole.figures}
        plots.intervals(every, _OF_DATASET, about, path("datasets"))
    if evaluation.mistakes:
        _mistakes(evaluation, about, path("mistakes"))
    return written


def _ranked(evaluation: Evaluation) -> Mapping[str, tuple[F32, Bools, Figure, Figure]]:
    """Scores and truth of every part that has cells on both sides, and of all where there are several."""
    columns = list(evaluation.model.positive_indices)

    def curve(part: Part) -> tuple[F32, Bools, Figure, Figure]:
        scores = part.judged.probabilities[:, columns].sum(axis=1)
        truth = np.isin(part.judged.truth, columns)
        return scores, truth, part.figures["roc_area"], part.figures["pr_area"]

    parts = dict(evaluation.parts)
    if len(parts) > 1:
        parts["all"] = evaluation.whole
    return {name: curve(part) for name, part in parts.items() if not np.isnan(part.figures["roc_area"].value)}


def _mistakes(evaluation: Evaluation, about: str, path: Path) -> None:
    """The contact sheet, in the order of the JSON's `mistakes`."""
    model, positive = evaluation.model, evaluation.model.positive
    contact_sheet(
        [m.cell.crop(model.model_input) for m in evaluation.mistakes],
        [(m.truth, f"{m.called} {m.confidence:.2f}") for m in evaluation.mistakes],
        [(m.truth in positive) != (m.called in positive) for m in evaluation.mistakes],
        f"the {len(evaluation.mistakes)} surest mistakes of {about}: what it is, what it was called\n"
        f"(red: {' or '.join(positive)} missed or called wrongly; numbers as in the JSON)",
        path,
    )
