"""A finished run with untrained weights: all that export needs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from train.classes import CLASSES
from train.model import Architecture, Network
from train.recipe import Recipe


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    recipe = Recipe(
        name="untrained",
        title="for tests",
        shares={"deepapl": 1.0, "pbc": 1.0},
        architecture=Architecture(stem=4, widths=(8, 8, 8), blocks=(1, 1, 1)),
    )
    settings = {"recipe": asdict(recipe), "limit": 0, "classes": CLASSES}
    (folder / "settings.json").write_text(json.dumps(settings))
    torch.manual_seed(0)
    network = Network(recipe.architecture, len(CLASSES))
    with torch.no_grad():
        network.head.weight.mul_(400)  # far from uniform, so that a wrong graph would show
    torch.save(network.state_dict(), folder / "model.pt")
    part = {"cells": {"blast": 2}, "groups": ["Patient_01"]}
    point = {
        "temperature": 1.3,
        "calibration_error": 0.02,
        "positive": 0.4,
        "confidence": 0.2,
        "certain": 0.9,
    }
    metrics = {
        "operating_point": point,
        "validation": {"all": {"roc_area": 0.5}, "deepapl_roc_area": 0.5},
        "epochs": 1,
        "finished": "2026-01-31",
        "data": {name: {"train": part, "validation": part} for name in recipe.shares},
    }
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder


@pytest.fixture(scope="session")
def built(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from export.bundle import build

    path = tmp_path_factory.mktemp("built") / "untrained.bundle"
    path.write_bytes(build(run))
    return path
