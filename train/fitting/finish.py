"""The end of a run that names cells or fields: its operating point, and what is known of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from edge.types import F32, I32
from train.data.dataset import Notice
from train.data.windows import Windows, middle
from train.fitting.operating_point import choose, softmax
from train.fitting.provenance import METRICS
from train.fitting.validation import counted, figures, table_of, truth_of, typed
from train.recipes.recipe import Recipe
from train.statistics.contactsheet import contact_sheet
from train.statistics.plots import confusion_matrix
from train.statistics.worth import Worth

SAMPLES = 12
"""Cells or fields in the picture of examples."""


def conclude(
    logits: F32, recipe: Recipe, cells: Windows, data: Mapping[str, Any], out: Path
) -> dict[str, Any]:
    """Operating point and figures of a model, and pictures of what it says.

    Parameters
    ----------
    logits : (n, C) of the validation cells that choose the operating point.
    cells : all validation cells. data : what the run saw, as `train.fitting.provenance.census` tells.

    Returns
    -------
    For metrics.json. Of its `validation`, `counted` is what a device at that point would count of these
    cells, `all` the likeliest class of every one of them. `worth` is `train.statistics.worth.Worth`.
    """
    validation = typed(cells, recipe)
    truth = truth_of(validation, recipe.classes)
    confusion_matrix(table_of(logits, truth), recipe.classes, out / "confusion.png")
    _samples(logits, truth, validation, recipe, out / "samples.png")
    columns = recipe.positive_indices
    point = choose(logits, truth, validation.datasets, recipe)
    said = {
        "counted": counted(point.calls(logits, recipe), truth, columns),
        "all": figures(logits, truth, columns),
    }
    return {
        "operating_point": asdict(point),
        "validation": {
            of: {name: round(value, 5) for name, value in found.items() if not isnan(value)}
            for of, found in said.items()
        },
        "worth": worth_of(logits, validation, recipe).as_json(),
        "data": dict(data),
    }


def worth_of(logits: F32, cells: Windows, recipe: Recipe) -> Worth:
    """What a network is worth, by what it says of validation cells: (n, C) logits."""
    columns = recipe.positive_indices
    scores = softmax(logits, 1.0)[:, columns].sum(axis=1).astype(np.float32)
    truth = np.isin(cells.labels, recipe.positive)
    return Worth.of(scores, truth, cells.groups.tolist(), cells.datasets.tolist(), *kind_of(recipe))


def kind_of(recipe: Recipe) -> tuple[str, str]:
    """What a positive one is called, and what any is: 'blast' and 'cell'."""
    unit = "field" if recipe.task == "field" else "cell"
    return "blast" if recipe.positive == ("blast",) and unit == "cell" else f"positive {unit}", unit


def tell_worth(out: Path, notice: Notice) -> None:
    """Say what a finished run is worth, and where that is too little for a device to have it."""
    kept = json.loads((out / METRICS).read_text(encoding="utf-8")).get("worth")
    if kept is None:
        return
    worth = Worth.read(kept)
    notice(worth.line)
    if worth.shortcomings:
        notice(
            f"not for a device: {'; '.join(worth.shortcomings)}; edge-export refuses it without --even-so. "
            "Fit it on more data (no --limit), or longer"
        )


def _samples(logits: F32, truth: I32, cells: Windows, recipe: Recipe, path: Path) -> None:
    """Some validation cells or fields, spread evenly over the classes, with what they are called."""
    turn = [int((truth[:i] == kind).sum()) for i, kind in enumerate(truth.tolist())]
    chosen = sorted(np.lexsort((truth, np.array(turn)))[:SAMPLES].tolist(), key=lambda i: int(truth[i]))
    called, sure = logits.argmax(axis=1), softmax(logits, 1.0).max(axis=1)
    names = recipe.classes
    contact_sheet(
        list(middle(cells.pixels[chosen], recipe.model_input.size_px)),
        [(names[truth[i]], f"{names[called[i]]} {sure[i]:.2f}") for i in chosen],
        [bool(truth[i] != called[i]) for i in chosen],
        f"{recipe.name}: what it is, what it is called (red: wrongly)",
        path,
    )
