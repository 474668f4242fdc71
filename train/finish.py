"""The end of a run: the epoch that is kept, its operating point, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from math import isnan
from pathlib import Path

import torch

from train.checkpoint import Best, write_tensors
from train.classes import CLASSES
from train.model import build
from train.operation import choose
from train.pictures import confusion_matrix
from train.provenance import census, write_json
from train.recipe import Recipe
from train.validation import figures, logits_of, table_of, truth_of, typed
from train.windows import Windows


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
    network = build(recipe.architecture, len(CLASSES)).to(device)
    network.load_state_dict(best.weights)
    validation = typed(windows.of("validation"), recipe.operation.datasets)
    logits = logits_of(network, validation, recipe, device)
    truth = truth_of(validation)
    confusion_matrix(table_of(logits, truth), CLASSES, out / "confusion.png")
    metrics = {
        "operating_point": asdict(choose(logits, truth, validation.datasets, recipe.operation)),
        "validation": {
            "all": {name: round(value, 5) for name, value in figures(logits, truth).items()},
            **{name: value for name, value in history[best.epoch - 1].items() if name != "loss"},
        },
        "epochs": len(history),
        "kept": {"epoch": best.epoch, "figure": None if isnan(best.figure) else best.figure},
        "history": history,
        "finished": datetime.now(UTC).date().isoformat(),
        "data": census(windows),
    }
    write_json(out / "metrics.json", metrics)
    write_tensors(out / "model.pt", {name: value.cpu() for name, value in best.weights.items()})
