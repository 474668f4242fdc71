"""What a network makes of the validation cells, and which epoch is the better one for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from edge.cells.classify import Calls
from edge.cells.secondlook import mirrored
from edge.types import F32, I32, U8
from train.data.windows import Windows, middle
from train.fitting.operating_point import softmax
from train.recipes.recipe import Recipe
from train.statistics.metrics import confusion, decisions, roc_area, two_sided


@torch.inference_mode()
def logits_of(network: nn.Module, windows: Windows, recipe: Recipe, device: torch.device) -> F32:
    """(n, C) logits of the windows' middles, as the device would cut them and look at them."""
    network.eval()
    crops = middle(windows.pixels, recipe.input.size_px)
    if not len(crops):
        return np.zeros((0, len(recipe.classes)), np.float32)
    logits = _asked(network, crops, device)
    if least := recipe.operation.second_look:
        again = softmax(logits, 1.0)[:, recipe.positive_indices].sum(axis=1) >= least
        if again.any():
            poses = [_asked(network, pose, device) for pose in mirrored(crops[again])]
            logits[again] = np.mean([logits[again], *poses], axis=0)
    return logits


def _asked(network: nn.Module, crops: U8, device: torch.device) -> F32:
    parts = []
    for first in range(0, len(crops), 128):
        batch = torch.from_numpy(np.ascontiguousarray(crops[first : first + 128])).to(device)
        parts.append(network(batch.permute(0, 3, 1, 2).float()).float().cpu().numpy())
    return np.concatenate(parts)


def typed(windows: Windows, recipe: Recipe, names: Sequence[str] = ()) -> Windows:
    """The cells of these data sets whose label is one class; of those that choose the operating point."""
    inside = np.isin(windows.datasets, names or recipe.deciding)
    return windows.pick(inside & np.isin(windows.labels, recipe.classes))


def truth_of(windows: Windows, classes: Sequence[str]) -> I32:
    """(n,) index of the class of windows whose label is one."""
    return np.array([classes.index(label) for label in windows.labels.tolist()], np.int32)


def table_of(logits: F32, truth: I32) -> NDArray[np.int64]:
    """(C, C) confusion matrix of the likeliest classes."""
    return confusion(truth, logits.argmax(axis=1).astype(np.int32), logits.shape[1])


def figures(logits: F32, truth: I32, columns: Sequence[int]) -> dict[str, float]:
    """ROC area of the positive `columns` against the rest (NaN without both), accuracy, balanced accuracy."""
    columns = list(columns)
    scores = softmax(logits, 1.0)[:, columns].sum(axis=1).astype(np.float32)
    return {"roc_area": roc_area(scores, np.isin(truth, columns)), **decisions(table_of(logits, truth))}


def counted(calls: Calls, truth: I32, columns: Sequence[int]) -> dict[str, float]:
    """What a device's count of these cells is worth, and the share that it leaves out.

    Returns
    -------
    sensitivity and specificity of the positive `columns`, accuracy and balanced accuracy, of the cells on
    which the classifier does not abstain (NaN without any); abstained, of all.
    """
    sure = ~calls.uncertain
    truth, called = truth[sure], calls.classes[sure]
    sides = two_sided(np.isin(called, columns), np.isin(truth, columns))
    return {
        **{name: sides[name] for name in ("sensitivity", "specificity")},
        **decisions(confusion(truth, called, calls.probabilities.shape[1])),
        "abstained": float(calls.uncertain.mean()),
    }


def validate(
    network: nn.Module, recipe: Recipe, validation: Windows, device: torch.device
) -> dict[str, float]:
    """Figures by data set: ROC area where there are blasts, balanced accuracy of the likeliest class."""
    out = {}
    for name in recipe.shares:
        part = typed(validation, recipe, (name,))
        if len(part):
            logits, truth = logits_of(network, part, recipe, device), truth_of(part, recipe.classes)
            for key, value in figures(logits, truth, recipe.positive_indices).items():
                if not np.isnan(value) and key != "accuracy":
                    out[f"{name}_{key}"] = round(value, 5)
    return out


def watched(found: Mapping[str, float], watch: Sequence[str]) -> float:
    """The figure that epochs are compared by; `Training.watch` names it. NaN where there is none."""
    means = []
    for name in watch:
        values = [value for key, value in found.items() if key == name or key.endswith(f"_{name}")]
        if values:
            means.append(sum(values) / len(values))
    return sum(means) / len(means) if means else float("nan")
