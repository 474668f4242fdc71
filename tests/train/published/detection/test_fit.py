"""A detector trains, goes on after an interruption to the same end, and says what it cannot do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge.cells.detector import Detector
from tests.train.published.detection.conftest import make
from train.fitting import loop
from train.fitting.checkpoint import RunState
from train.fitting.fit import fit as fit_recipe
from train.fitting.provenance import SettingsError
from train.published.detection.boxes import scenes
from train.published.detection.evaluate import evaluate
from train.published.detection.fit import detector_of, load
from train.published.detection.network import Answers, DetectionNetwork, DeviceGraph, loss_of
from train.published.detection.settings import CLASSES, DetectionError
from train.recipes.detection import Detection
from train.recipes.recipe import Input, Recipe, RecipeError, Training, parse

DETECTION = Detection(widths=(8, 8, 8), blocks=(0, 0, 1), cells=64, patch_px=64, stain=0.05, noise=1.0)
TINY = Recipe(
    name="tiny",
    title="discs",
    shares={"bccd": 1.0},
    task="detector",
    classes=CLASSES,
    leukocytes=("leukocyte",),
    positive=(),
    input=Input(pitch_um=0.4),
    detection=DETECTION,
    training=Training(epochs=2, samples=4, batch=2, watch=()),
)


def _quiet(line: str) -> None:
    """Nobody listens."""


def fit(recipe: Recipe, data: Path, out: Path) -> Path:
    return fit_recipe(recipe, data, out, cache=out, notice=_quiet)


@pytest.fixture(scope="module")
def run(bccd: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fit(TINY, bccd, tmp_path_factory.mktemp("run"))


def test_a_run_leaves_everything_behind(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    expected = {
        "settings.json",
        "environment.json",
        "curves.png",
        "checkpoint.pt",
        "model.pt",
        "metrics.json",
    }
    assert expected <= names
    network, recipe, metrics = load(run)
    assert recipe == TINY
    assert not network.training
    assert metrics["data"] == {"bccd": {"train": 3, "validation": 2}}
    assert metrics["epochs"] == len(metrics["history"]) == 2
    assert 0 <= metrics["operating_point"]["threshold"] <= 1
    json.dumps(metrics, allow_nan=False)


def test_an_interrupted_run_ends_the_same(
    run: Path, bccd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = loop._step

    def interrupted(state: RunState, *rest: object) -> float:
        if (state.epoch, state.step) == (1, 1):
            raise KeyboardInterrupt
        return step(state, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(TINY, bccd, tmp_path)
    with pytest.raises(DetectionError, match="not finished"):
        load(tmp_path)
    monkeypatch.undo()
    fit(TINY, bccd, tmp_path)
    whole, halves = (torch.load(r / "model.pt", weights_only=True) for r in (run, tmp_path))
    assert all(torch.equal(whole[name], halves[name]) for name in whole)
    assert load(run)[2]["history"] == load(tmp_path)[2]["history"]


def test_a_finished_run_is_judged_by_the_device_s_code(run: Path, bccd: Path) -> None:
    detector, recipe = detector_of(run)
    assert isinstance(detector, Detector)
    found = evaluate(detector, recipe.classes, recipe.input.pitch_um, ["bccd"], bccd, split="validation")
    assert found.as_json() == load(run)[2]["validation"]


def test_training_finds_the_discs(bccd: Path, tmp_path: Path) -> None:
    settings = Training(epochs=2, samples=160, batch=4, learning_rate=1e-2, average_decay=0.95, watch=())
    recipe = replace(TINY, training=settings, detection=replace(DETECTION, widths=(12, 16, 16)))
    detector, _ = detector_of(fit(recipe, bccd, tmp_path))
    figures = evaluate(detector, CLASSES, 0.4, ["bccd"], bccd).figures
    for kind in ("leukocyte", "red-cell"):
        assert figures[kind]["average_precision"].value > 0.5


def test_other_settings_are_refused(run: Path, bccd: Path) -> None:
    with pytest.raises(SettingsError, match="other settings"):
        fit(replace(TINY, detection=replace(DETECTION, cells=32)), bccd, run)


def test_what_cannot_be_learned_is_named(bccd: Path, tmp_path: Path) -> None:
    with pytest.raises(DetectionError, match="classes: 'blast' has no boxes"):
        fit(replace(TINY, classes=("blast", "leukocyte")), bccd, tmp_path / "a")
    with pytest.raises(DetectionError, match="data set pbc: its fields have no box for every cell"):
        fit(replace(TINY, shares={"pbc": 1.0}), bccd, tmp_path / "b")
    part = make(tmp_path / "data", {"train": (1,), "test": (2,)})
    with pytest.raises(DetectionError, match="no validation field"):
        fit(TINY, part, tmp_path / "c")


def test_a_recipe_with_an_unknown_key_or_value_is_refused() -> None:
    about = {"name": "x", "title": "x", "shares": {"bccd": 1.0}, "task": "detector"}
    table: dict[str, object] = {**about, "classes": list(CLASSES), "positive": []}
    assert parse({**table, "detection": {"cells": 100}}).detection.cells == 100
    with pytest.raises(RecipeError, match="unknown key 'anchors'"):
        parse({**table, "detection": {"anchors": 3}})
    with pytest.raises(RecipeError, match=r"detection\.patch_px is 50"):
        parse({**table, "detection": {"patch_px": 50}})


def test_the_highest_peaks_come_first_and_carry_their_box() -> None:
    maps = torch.full((1, 8, 32, 32), -3.0)
    for row, column, logit in ((10, 20, 4.0), (10, 21, 3.0), (25, 3, 2.0)):
        maps[0, 0, row, column] = logit
    maps[0, 1:5, 10, 20] = torch.log(torch.tensor([1.0, 2.0, 3.0, 4.0]) / 8)
    maps[0, 5:, 10, 20] = torch.tensor([0.0, 50.0, 0.0])

    class Fixed(torch.nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return maps

    boxes, scores, told = DeviceGraph(Fixed(), 8)(torch.zeros(1, 64, 64, 3, dtype=torch.uint8))
    assert boxes[0, 0].tolist() == pytest.approx([41 - 1, 21 - 2, 41 + 3, 21 + 4])
    assert told[0, 0].tolist() == pytest.approx([0, 1, 0])
    assert scores[0, :2].tolist() == pytest.approx([1 / (1 + np.exp(-4)), 1 / (1 + np.exp(-2))])
    neighbour = (boxes[0, :, :2] - torch.tensor([43.0 - 8, 21.0 - 8])).abs().sum(dim=1) < 1e-3
    assert not (neighbour & (scores[0] > 0.9)).any()


def test_a_right_answer_costs_less_than_a_wrong_one(bccd: Path) -> None:
    from train.published.detection.patches import batch

    listed = scenes("bccd", bccd, "train", CLASSES, 0.4, pytest.fail)
    shown = batch(listed, DETECTION, np.random.default_rng(0))
    wanted = {name: torch.from_numpy(value) for name, value in vars(shown).items() if name != "pixels"}
    places = torch.arange(32) * 2.0 + 1
    x, y = places.expand(3, 32, 32), places[:, None].expand(3, 32, 32)
    near = wanted["boxes"]
    reach = torch.stack([x - near[:, 0], y - near[:, 1], near[:, 2] - x, near[:, 3] - y], dim=1)
    sides = torch.log(reach.clamp(min=1e-3) / 8)
    named = torch.nn.functional.one_hot(wanted["labels"], 3).permute(0, 3, 1, 2) * 12.0
    right = torch.cat([wanted["heat"].clamp(1e-4, 1 - 1e-4).logit(), sides, named], dim=1)
    larger, confused, blind = right.clone(), right.clone(), right.clone()
    larger[:, 1:5] += 0.7
    confused[:, 5:] = named.roll(1, dims=1)
    blind[:, :1] = -6
    best = float(loss_of(right, wanted))
    for worse in (larger, confused, blind):
        assert float(loss_of(worse, wanted)) > best + 0.3


def test_the_network_takes_any_multiple_of_eight() -> None:
    network = DetectionNetwork(DETECTION, 3).eval()
    assert network(torch.zeros(1, 3, 40, 64)).shape == (1, 8, 20, 32)
    found = Answers(network, 16)(np.zeros((64, 72, 3), np.uint8))
    assert {name: part.shape for name, part in found.items()} == {
        "boxes": (1, 16, 4),
        "scores": (1, 16),
        "probabilities": (1, 16, 3),
    }
    assert np.allclose(found["probabilities"].sum(axis=2), 1)
