from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from train import fit
from train.classes import CLASSES
from train.fit import FitError, loss_of
from train.model import Architecture
from train.recipe import Input, Operation, Recipe, Training

SMALL = Recipe(
    name="small",
    title="for tests",
    shares={"deepapl": 1.0},
    input=Input(size_px=32, window_px=48),
    architecture=Architecture(stem=4, widths=(4, 8, 8), blocks=(1, 1, 1)),
    training=Training(epochs=2, samples=48, batch=16),
    operation=Operation(datasets=("deepapl",)),
)


def _fit(recipe: Recipe, data: Path, out: Path) -> Path:
    return fit.fit(recipe, data, out, cache=data.parent / "cache", notice=lambda _: None)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_an_interrupted_run_ends_like_one_that_was_not(deepapl: Callable[..., Path], tmp_path: Path) -> None:
    data = deepapl()
    whole = _fit(SMALL, data, tmp_path / "whole")

    class PowerCutError(Exception):
        pass

    calls = []

    def stop_after_the_first(message: str) -> None:
        calls.append(message)
        raise PowerCutError

    with pytest.raises(PowerCutError):
        fit.fit(SMALL, data, tmp_path / "broken", cache=data.parent / "cache", notice=stop_after_the_first)
    assert not (tmp_path / "broken" / "model.pt").exists()
    with pytest.raises(FitError, match="not finished"):
        fit.load_network(tmp_path / "broken")
    resumed = _fit(SMALL, data, tmp_path / "broken")

    one, _ = fit.load_network(whole)
    other, metrics = fit.load_network(resumed)
    for name, value in one.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name
    assert len(json.loads((whole / "metrics.json").read_text())["data"]["deepapl"]["train"]["groups"]) > 10
    assert 0 < metrics["operating_point"]["positive"] < 1
    assert (whole / "curves.png").stat().st_size > 1000


def test_the_loss_falls(deepapl: Callable[..., Path], tmp_path: Path) -> None:
    told: list[str] = []
    recipe = replace(SMALL, training=replace(SMALL.training, epochs=3, samples=96))
    fit.fit(recipe, deepapl(), tmp_path / "run", cache=tmp_path / "cache", notice=told.append)
    losses = [float(line.split("loss ")[1].split(",")[0]) for line in told]
    assert losses[-1] < losses[0] - 0.1


def test_a_folder_holds_one_run(deepapl: Callable[..., Path], tmp_path: Path) -> None:
    data = deepapl()
    _fit(replace(SMALL, training=replace(SMALL.training, epochs=1)), data, tmp_path / "run")
    with pytest.raises(FitError, match="other settings"):
        _fit(replace(SMALL, training=replace(SMALL.training, seed=9)), data, tmp_path / "run")
    with pytest.raises(FitError, match=r"settings\.json"):
        fit.load_network(tmp_path / "nothing")


def test_partial_labels_ask_for_no_one_class() -> None:
    logits = torch.zeros((1, len(CLASSES)))
    logits[0, 0] = 8.0
    only_first = torch.zeros((1, len(CLASSES)), dtype=torch.bool)
    only_first[0, 0] = True
    first_three = only_first.clone()
    first_three[0, :3] = True
    other = torch.zeros_like(only_first)
    other[0, 5] = True
    assert loss_of(logits, first_three, 0.0) < loss_of(logits, only_first, 0.0) < 0.01
    assert loss_of(logits, other, 0.0) > 7
    uniform = torch.zeros((1, len(CLASSES)))
    expected = -torch.log(torch.tensor(3 / len(CLASSES)))
    assert torch.isclose(loss_of(uniform, first_three, 0.0), expected)


def test_a_device_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FitError, match="device nope"):
        fit.fit(SMALL, tmp_path, tmp_path / "run", device="nope", cache=tmp_path, notice=print)
