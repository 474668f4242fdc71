"""The segmenter trains, goes on after an interruption to the same end, and says what it cannot do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from train.data.augment import varied
from train.fitting import loop
from train.fitting.checkpoint import RunState
from train.fitting.provenance import SettingsError
from train.segmentation.fit import fit, load_network
from train.segmentation.network import SegmentationNetwork, loss_of, outlines
from train.segmentation.settings import SegmenterError, Settings

TINY = Settings(
    shares={"simulated": 1.0}, widths=(4, 4, 4), epochs=2, steps=2, patches_px=(32,), pixels=2048, limit=5
)


def _quiet(line: str) -> None:
    """Nobody listens."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scenes")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Path:
    return fit(TINY, Path("."), tmp_path_factory.mktemp("run"), cache=cache, notice=_quiet)


def test_a_run_leaves_everything_behind(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {
        "settings.json",
        "history.json",
        "curves.png",
        "checkpoint.pt",
        "model.pt",
        "metrics.json",
    } <= names
    network, settings, figures = load_network(run)
    assert settings == TINY
    assert figures["epochs"] == 2
    assert not network.training


def test_an_interrupted_run_ends_the_same(
    run: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = loop._step

    def interrupted(state: RunState, *rest: object) -> float:
        if (state.epoch, state.step) == (1, 1):
            raise KeyboardInterrupt
        return step(state, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fit(TINY, Path("."), tmp_path, cache=cache, notice=_quiet)
    with pytest.raises(SegmenterError, match="not finished"):
        load_network(tmp_path)
    monkeypatch.undo()
    fit(TINY, Path("."), tmp_path, cache=cache, notice=_quiet)
    whole, halves = (torch.load(r / "model.pt", weights_only=True) for r in (run, tmp_path))
    assert all(torch.equal(whole[name], halves[name]) for name in whole)
    assert json.loads((run / "history.json").read_text()) == json.loads(
        (tmp_path / "history.json").read_text()
    )


def test_other_settings_are_refused(run: Path, cache: Path) -> None:
    with pytest.raises(SettingsError, match=r"was started with other settings \(epochs 2, now 3\)"):
        fit(replace(TINY, epochs=3), Path("."), run, cache=cache, notice=_quiet)


def test_training_learns_where_cells_are(cache: Path, tmp_path: Path) -> None:
    settings = replace(TINY, widths=(8, 8, 8), stain=0.05, noise=1.0, steps=60, learning_rate=1e-2)
    out = fit(settings, Path("."), tmp_path, cache=cache, notice=_quiet)
    first, second = (epoch["loss"] for epoch in json.loads((out / "history.json").read_text()))
    assert second < 0.7 * first


def test_unknown_sources_and_sizes_are_named() -> None:
    with pytest.raises(SegmenterError, match=r"shares\.moon: no such source"):
        Settings(shares={"moon": 1.0})
    with pytest.raises(SegmenterError, match="--without moon"):
        Settings().without(["moon"])
    with pytest.raises(SegmenterError, match="30 is not a multiple of 8"):
        Settings(patches_px=(30,))
    assert "chula" not in Settings().without(["chula"]).shares


def test_light_and_stain_change_but_nothing_beyond_a_scene_does() -> None:
    pixels = np.full((2, 16, 16, 3), 100, np.uint8)
    pixels[:, :4] = 190
    seen = varied(pixels, Settings(), np.random.default_rng(0)).numpy()
    assert (seen[:, :, :4] == 190).all()
    assert abs(seen[:, :, 4:] - 100).max() > 2


def test_a_right_answer_costs_less_than_a_wrong_one() -> None:
    mask = torch.zeros(1, 2, 16, 16)
    mask[:, :, 4:12, 4:12] = 1
    ones, few = torch.ones(1, 1, 16, 16), torch.ones(1, 1, 8, 8)
    heat = torch.zeros(1, 1, 8, 8)
    heat[..., 4, 4] = 1
    wanted = {
        "masks": mask, "masks_known": ones, "heat": heat, "heat_known": few,
        "offsets": torch.zeros(1, 2, 8, 8), "offsets_known": few,
    }  # fmt: skip
    right = torch.zeros(1, 5, 8, 8)
    right[:, :2] = torch.nn.functional.avg_pool2d(mask, 2) * 12 - 6
    right[:, 2] = heat[:, 0] * 12 - 6
    wrong = -right
    shifted = right.clone()
    shifted[:, 3:] = 1
    costs = [float(loss_of(maps, wanted)) for maps in (right, shifted, wrong)]
    assert costs[0] < costs[1] < costs[2]
    assert outlines(right).shape == (1, 2, 16, 16)


def test_the_network_takes_any_multiple_of_eight() -> None:
    assert SegmentationNetwork((4, 4, 4))(torch.zeros(1, 3, 40, 64)).shape == (1, 5, 20, 32)
