"""Finished runs of an untrained network that left laboratories out, and what their bundle says of itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from train.data.classes import CLASSES
from train.network.model import Architecture, build
from train.recipes import recipe as recipes
from train.recipes.recipe import Recipe, Training

POINT = {"temperature": 1.3, "calibration_error": 0.02, "positive": 0.3, "confidence": 0.1, "certain": 0.9}

RECIPE = Recipe(
    name="small",
    title="for tests",
    shares={"deepapl": 0.5, "pbc": 0.3, "cnmc": 0.2},
    architecture=Architecture(stem=4, widths=(8, 8, 8), blocks=(1, 1, 1)),
    training=Training(epochs=2, seed=1),
)

TRAINED = json.loads(json.dumps({"recipe": asdict(RECIPE)}))
"""The manifest's table `training` of the bundle that they stand for."""


def left_out(folder: Path, *names: str, recipe: Recipe = RECIPE, **settings: Any) -> Path:
    """A finished run without these data sets, in a folder of their names."""
    left = recipes.without(recipe, names)
    run = folder / "-".join(names or ("home",))
    run.mkdir(parents=True)
    about = {"recipe": asdict(left), "limit": 0, "classes": CLASSES} | settings
    (run / "settings.json").write_text(json.dumps(about | ({"left_out": names} if names else {})))
    (run / "metrics.json").write_text(json.dumps({"operating_point": POINT, "finished": "2026-01-31"}))
    torch.manual_seed(0)
    network = build(left.architecture, len(CLASSES))
    with torch.no_grad():
        network.head.weight.mul_(100)  # answers differ from cell to cell
    torch.save(network.state_dict(), run / "model.pt")
    return run


def all_left_out(folder: Path, names: Sequence[str] = tuple(RECIPE.shares)) -> Path:
    """A folder with a run without each of them."""
    for name in names:
        left_out(folder, name)
    return folder


def longer(epochs: int) -> Recipe:
    """The same recipe for more epochs."""
    return replace(RECIPE, training=replace(RECIPE.training, epochs=epochs))
