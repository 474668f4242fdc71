from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.train.fitting.test_fit import SMALL as FEW_STEPS
from train.fitting import board, fit, progress
from train.fitting.progress import RunProgress
from train.fitting.task import FitError, Plan
from train.recipes.recipe import Training

SMALL = replace(FEW_STEPS, training=Training(epochs=2, samples=640, batch=16))


def _plan(**settings: float) -> Plan:
    return replace(Plan.of(Training(epochs=2, samples=640, batch=16), clip=1.0), **settings)  # type: ignore[arg-type]


def test_a_run_says_what_it_will_cost() -> None:
    said: list[str] = []
    told = RunProgress(_plan(), 0, said.append, silent=False)
    assert said == ["2 epochs of 40 steps, 1,280 crops in all"]
    for _ in range(20):
        told.step(0.5)
    assert len(said) == 2
    assert "ms a crop: about 0 s, until " in said[1]
    told.epoch(1, {"loss": 0.5})
    assert said[2] == "epoch 1 of 2: loss 0.5000, 0 s left"
    told.close("stopped")
    assert said[-1] == "stopped"


def test_one_that_goes_on_says_from_where() -> None:
    said: list[str] = []
    RunProgress(_plan(), 45, said.append, silent=False)
    assert said == ["2 epochs of 40 steps, 1,280 crops in all; 45 of the steps are done"]
    RunProgress(_plan(samples=40), 0, said.append, silent=True)  # another process talks
    assert len(said) == 1


def test_a_limit_bounds_pictures_and_crops_and_figures_stand_in_a_table(
    deepapl: Callable[..., Path], tmp_path: Path
) -> None:
    said: list[str] = []
    out = tmp_path / "run"
    fit.fit(SMALL, deepapl(), out, limit=60, cache=tmp_path / "cache", tensorboard=True, notice=said.append)
    assert "2 epochs of 4 steps, 120 crops in all" in said
    recipe, settings = fit.settings_of(out)
    assert (recipe.training.samples, settings["limit"]) == (60, 60)
    with (out / "metrics.csv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    history = json.loads((out / "history.json").read_text())
    assert [(row["epoch"], row["crops"]) for row in rows] == [("1", "60"), ("2", "120")]
    assert [float(row["loss"]) for row in rows] == [figures["loss"] for figures in history]
    (start,) = json.loads((out / "environment.json").read_text())
    assert start["seed"] == 1
    assert {"python", "torch", "numpy", "onnxruntime"} <= start["versions"].keys()
    assert list((out / "tensorboard").glob("events*"))


def test_without_tensorboard_nothing_is_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise FitError("--tensorboard: TensorBoard is not installed")

    monkeypatch.setattr(fit, "writer_class", absent)
    with pytest.raises(FitError, match="not installed"):
        fit.fit(SMALL, tmp_path, tmp_path / "run", cache=tmp_path, tensorboard=True, notice=pytest.fail)
    assert not (tmp_path / "run").exists()
    board.Board(None).step(10, {"loss": 1.0})
    assert progress._minutes(89) == "89 s"
    assert progress._minutes(600) == "10 min"
