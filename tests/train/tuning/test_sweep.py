"""Sweeps: trials are runs that can be taken up again, and the best of them is a recipe."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.fitting.test_fit import SMALL, TOML
from train import cli
from train.data.dataset import DataError
from train.recipes import recipe as recipes
from train.recipes.recipe import Recipe
from train.tuning import schedule
from train.tuning.plan import Plan, SweepError
from train.tuning.results import ranked
from train.tuning.space import Space, Values
from train.tuning.sweep import sweep
from train.tuning.trials import Order, Outcome, mark, outcome, work

METRIC = ("deepapl_balanced_accuracy",)
SPACE = '"training.learning_rate" = {grid = [1e-3, 2e-3]}\n'
SETTINGS = {"training.learning_rate": 1e-3}


class StoppedError(Exception):
    pass


def _order(data: Path, out: Path, metric: tuple[str, ...] = METRIC) -> Order:
    recipe: dict[str, Any] = json.loads(json.dumps(asdict(SMALL)))
    return Order(recipe, metric, data, out, limit=0, device="cpu", threads=1)


def test_a_trial_that_was_stopped_goes_on_and_tells_what_it_told(
    deepapl: Callable[..., Path], tmp_path: Path
) -> None:
    order = _order(deepapl(20, 1), tmp_path / "out")
    told: list[tuple[int, float]] = []

    def stop(epoch: int, figure: float) -> None:
        told.append((epoch, figure))
        raise StoppedError

    with pytest.raises(StoppedError):
        work(order, "001", SETTINGS, stop)
    half = outcome(order, "001", SETTINGS)
    assert (half.state, half.epochs, half.figure) == ("failed", 1, told[0][1])
    again: list[tuple[int, float]] = []
    work(order, "001", SETTINGS, lambda *one: again.append(one))
    assert [epoch for epoch, _ in again] == [1, 2]
    assert again[0] == told[0]
    whole = outcome(order, "001", SETTINGS)
    assert (whole.state, whole.epochs, whole.why) == ("finished", 2, "")
    assert whole.epoch is not None
    assert whole.figure == again[whole.epoch - 1][1]
    assert whole.minutes > half.minutes
    once_more: list[tuple[int, float]] = []
    before = (tmp_path / "out/trials/001/model.pt").stat().st_mtime_ns
    work(order, "001", SETTINGS, lambda *one: once_more.append(one))
    assert once_more == again
    assert (tmp_path / "out/trials/001/model.pt").stat().st_mtime_ns == before


def test_what_makes_a_trial_fail_is_written_down(deepapl: Callable[..., Path], tmp_path: Path) -> None:
    order = _order(deepapl(20, 1), tmp_path / "out", ("pbc_roc_area",))
    work(order, "001", SETTINGS, lambda *_: None)
    found = outcome(order, "001", SETTINGS)
    assert found.state == "failed"
    assert "it has deepapl_roc_area, deepapl_balanced_accuracy" in found.why


def test_a_trial_that_others_left_behind_stays_where_it_is(tmp_path: Path) -> None:
    order = _order(tmp_path, tmp_path)
    folder = tmp_path / "trials" / "001"
    folder.mkdir(parents=True)
    (folder / "history.json").write_text(json.dumps([{"loss": 2.0, METRIC[0]: f} for f in (0.5, 0.4)]))
    mark(folder, "stopped")
    told: list[tuple[int, float]] = []
    work(order, "001", SETTINGS, lambda *one: told.append(one))
    assert told == [(1, 0.5), (2, 0.4)]
    assert outcome(order, "001", SETTINGS) == Outcome("001", SETTINGS, "stopped", 0.5, 1, 2, 0.0)


def test_trials_that_came_to_an_end_stand_before_the_others() -> None:
    def one(name: str, state: Any, figure: float | None) -> Outcome:
        return Outcome(name, {}, state, figure, None, 0, 0.0)

    given = [one("1", "finished", 0.7), one("2", "stopped", 0.9), one("3", "failed", None)]
    given += [one("4", "finished", 0.8), one("5", "finished", 0.8)]
    assert [found.name for found in ranked(given)] == ["4", "5", "1", "2", "3"]


def _plan(tmp_path: Path, recipe: Recipe = SMALL, **changes: Any) -> Plan:
    space = Space({"training.learning_rate": Values("grid", (1e-3, 2e-3))})
    return Plan(**{"recipe": recipe, "space": space, "data": tmp_path, "out": tmp_path / "out"} | changes)


def test_what_no_trial_could_do_is_refused(
    deepapl: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "check", lambda: None)
    with pytest.raises(DataError, match="deepapl"):
        sweep(_plan(tmp_path), print)
    data = deepapl(2, 1)
    with pytest.raises(SweepError, match="--metric loss: is no validation figure; choose"):
        sweep(_plan(tmp_path, data=data, metric="loss"), print)
    with pytest.raises(SweepError, match="without epochs"):
        sweep(_plan(tmp_path, recipes.load("fcm-svm"), data=data), print)
    with pytest.raises(SweepError, match="has 'data' in it"):
        sweep(_plan(tmp_path, data=data, out=tmp_path), print)
    assert not (tmp_path / "out").exists()


def test_without_ray_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(schedule, "find_spec", lambda name: None if name == "ray" else find(name))
    recipe, space = tmp_path / "small.toml", tmp_path / "space.toml"
    recipe.write_text(TOML)
    space.write_text(SPACE)
    words = ["sweep", recipe, "--space", space, "--data", tmp_path, "--out", tmp_path / "out"]
    assert cli.main([*map(str, words)]) == 1
    assert "pip install 'leukoscope[tune]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_sweep_ends_with_a_table_and_the_best_as_a_recipe(
    deepapl: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray")
    data = deepapl(20, 1)
    recipe, space, out = tmp_path / "small.toml", tmp_path / "space.toml", tmp_path / "out"
    recipe.write_text(TOML)
    space.write_text(SPACE)
    words = [
        *("sweep", recipe, "--space", space, "--data", data, "--out", out, "--epochs", 1),
        "--at-once",
        2,
    ]
    assert cli.main([*map(str, words)]) == 0
    said = capsys.readouterr().out
    with (out / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["trial"] for row in rows) == ["001", "002"]
    assert {row["training.learning_rate"] for row in rows} == {"0.001", "0.002"}
    assert [row["state"] for row in rows] == ["finished"] * 2
    assert float(rows[0]["figure"]) >= float(rows[1]["figure"])
    best = recipes.load(str(out / "best.toml"))
    assert best.training.learning_rate == float(rows[0]["training.learning_rate"])
    assert "flatters it" in said
    assert "flatters it" in (out / "best.toml").read_text()
    assert len(list((out / "cache").iterdir())) == 1  # one for all trials
    run = torch.load(out / "trials" / rows[0]["trial"] / "model.pt", weights_only=True)
    assert run
    seen = json.loads((out / "data.json").read_text())["datasets"]["deepapl"]["parts"]
    assert "test" not in seen
    assert cli.main([*map(str, words)]) == 0  # nothing is left to do
    assert capsys.readouterr().out == said
    space.write_text(SPACE.replace("2e-3", "3e-3"))
    assert cli.main([*map(str, words)]) == 1
    assert "was started with other settings (space.training.learning_rate.grid" in capsys.readouterr().err
