"""The end of a run: the epoch that is kept, its operating point, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge.types import F32, I32
from train.data.windows import Windows, middle
from train.fitting.checkpoint import Best, write_tensors
from train.fitting.operating_point import choose, softmax
from train.fitting.provenance import census, write_json
from train.fitting.validation import figures, logits_of, table_of, truth_of, typed
from train.network.model import build
from train.recipes.recipe import Recipe
from train.statistics.contactsheet import contact_sheet
from train.statistics.plots import confusion_matrix

SAMPLES = 12
"""Cells or fields in the picture of examples."""


def finish(
    best: Best,
    history: Sequence[Mapping[str, float]],
    recipe: Recipe,
    windows: Windows,
    device: torch.device,
    out: Path,
) -> None:
    """Choose the operating point on validation cells and write the model and what is known of it.

    Parameters
    ----------
    history : figures after each epoch.
    """
    network = build(recipe.architecture, len(recipe.classes)).to(device)
    network.load_state_dict(best.weights)
    logits = logits_of(network, typed(windows.of("validation"), recipe), recipe, device)
    found = {name: value for name, value in history[best.epoch - 1].items() if name != "loss"}
    metrics = conclude(logits, recipe, windows, out)
    metrics["validation"] |= found
    metrics |= {
        "epochs": len(history),
        "kept": {"epoch": best.epoch, "figure": None if isnan(best.figure) else best.figure},
        "history": history,
    }
    write_json(out / "metrics.json", metrics)
    write_tensors(out / "model.pt", {name: value.cpu() for name, value in best.weights.items()})


def conclude(logits: F32, recipe: Recipe, windows: Windows, out: Path) -> dict[str, Any]:
    """Operating point and figures of a model, and pictures of what it says.

    Parameters
    ----------
    logits : (n, C) of the validation cells that choose the operating point.
    """
    validation = typed(windows.of("validation"), recipe)
    truth = truth_of(validation, recipe.classes)
    confusion_matrix(table_of(logits, truth), recipe.classes, out / "confusion.png")
    _samples(logits, truth, validation, recipe, out / "samples.png")
    said = figures(logits, truth, recipe.positive_indices)
    return {
        "operating_point": asdict(choose(logits, truth, validation.datasets, recipe)),
        "validation": {"all": {name: round(value, 5) for name, value in said.items() if not isnan(value)}},
        "finished": datetime.now(UTC).date().isoformat(),
        "data": census(windows),
    }


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
