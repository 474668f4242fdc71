"""Pictures of a run and of an evaluation, as PNG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib import pyplot
from numpy.typing import NDArray

from edge.types import F32, I32, Bools
from train.metrics import Figure, precision_recall, roc

_INK = "#24425c"


def curves(history: Sequence[Mapping[str, float]], path: Path) -> None:
    """Loss and validation figures over the epochs."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    epochs = range(1, len(history) + 1)
    left.plot(epochs, [h["loss"] for h in history], color=_INK)
    left.set(xlabel="epoch", ylabel="training loss")
    for name in (key for key in history[-1] if key != "loss"):
        right.plot(epochs, [h.get(name, float("nan")) for h in history], label=name.replace("_", " "))
    right.set(xlabel="epoch", ylabel="validation")
    if len(history[-1]) > 1:
        right.legend(fontsize=8)
    figure.savefig(path, dpi=100, metadata={"Software": None})
    pyplot.close(figure)


def confusion_matrix(table: NDArray[np.int64], names: Sequence[str], path: Path) -> None:
    """Counts, shaded by the share of the row."""
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure, axes = pyplot.subplots(figsize=(8, 7), layout="constrained")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="called", ylabel="is")
    for row, column in zip(*np.nonzero(table), strict=True):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, str(table[row, column]), ha="center", va="center", color=colour, fontsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def ranking(
    scores: F32, truth: Bools, threshold: float, roc_area: Figure, pr_area: Figure, title: str, path: Path
) -> None:
    """ROC and precision-recall curves with the operating point."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    figure.suptitle(title)
    called = scores >= threshold
    left.plot(*roc(scores, truth), color=_INK)
    left.plot([0, 1], [0, 1], ":", color="grey")
    left.plot(called[~truth].mean(), called[truth].mean(), "o", color="#b3261e", label="operating point")
    left.set(xlabel="1 - specificity", ylabel="sensitivity", title=_with_interval("ROC area", roc_area))
    left.legend(loc="lower right")
    right.plot(*precision_recall(scores, truth), color=_INK)
    right.axhline(float(truth.mean()), ls=":", color="grey")
    right.set(xlabel="sensitivity", ylabel="PPV", ylim=(0, 1.02), title=_with_interval("PR area", pr_area))
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def reliability(probabilities: F32, truth: I32, error: float, path: Path) -> None:
    """How often the likeliest class is right, against how sure the classifier was."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    edges = np.linspace(0, 1, 11)
    which = np.clip(np.digitize(confidence, edges) - 1, 0, 9)
    full = [b for b in range(10) if (which == b).any()]
    figure, axes = pyplot.subplots(figsize=(5, 4.6), layout="constrained")
    axes.plot([0, 1], [0, 1], ":", color="grey")
    points = [(confidence[which == b].mean(), right[which == b].mean()) for b in full]
    axes.plot([p[0] for p in points], [p[1] for p in points], "o-", color=_INK)
    axes.set(xlabel="confidence", ylabel="share right", title=f"calibration error {error:.3f}", xlim=(0, 1))
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _with_interval(name: str, figure: Figure) -> str:
    return f"{name} {figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
