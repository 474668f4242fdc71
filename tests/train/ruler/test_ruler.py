"""What the ruler's network learns from is what it says it is, and it learns from it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from edge.optics.ruler import BINS, BINS_PER_OCTAVE, SMALLEST_PX, TILE_PX
from edge.runtimes import open_runtime
from export.ruler import graph_of
from train.ruler import drawn, fit, samples
from train.ruler.net import RulerNet
from train.ruler.samples import NOTHING, Laboratory

BRIGHT = np.full((300, 400, 3), 230, np.uint8)


@pytest.fixture
def laboratories() -> dict[str, Laboratory]:
    rng = np.random.default_rng(0)
    return {"drawn": Laboratory([drawn.smear(rng, 256, 40.0) for _ in range(2)], 7.5 / 40)}


def test_tiles_are_what_the_device_gives_the_network(laboratories: dict[str, Laboratory]) -> None:
    rng = np.random.default_rng(1)
    tiles, diameters = samples.batch(rng, laboratories, [[BRIGHT]], samples.smears(rng, 3), 64)
    assert tiles.shape == (64, 4, TILE_PX, TILE_PX)
    assert tiles.dtype == diameters.dtype == np.float32
    assert np.isfinite(tiles).all()
    seen = tiles[:, 3]
    assert set(np.unique(seen)) == {0, 1}
    assert not tiles[:, :3][np.repeat(seen[:, None] == 0, 3, axis=1)].any()
    shown = diameters[diameters != NOTHING]
    assert 30 < len(shown) < 62
    assert 3.5 < shown.min() < 12 < 20 < shown.max() < 75


def test_the_same_seed_gives_the_same_tiles(laboratories: dict[str, Laboratory]) -> None:
    first, second = (
        samples.batch(rng, laboratories, [[BRIGHT]], samples.smears(rng, 2), 6)
        for rng in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_diameters_beyond_the_range_lie_in_its_last_bins() -> None:
    wanted = torch.tensor([NOTHING, SMALLEST_PX / 2, SMALLEST_PX, 2 * SMALLEST_PX, 100.0])
    targets = fit.targets(wanted)
    assert targets.sum(dim=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert targets.argmax(dim=1).tolist() == [0, 1, 1, 1 + BINS_PER_OCTAVE, BINS]


def test_it_learns(laboratories: dict[str, Laboratory], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit, "_SMEARS", 4)
    monkeypatch.setattr(fit, "_BATCH", 8)
    monkeypatch.setattr(fit, "_TOLD_EVERY", 4)
    told: list[fit.Progress] = []
    fit.fit(laboratories, [[BRIGHT]], 16, tell=told.append)
    assert [progress.step for progress in told] == [4, 8, 12, 16]
    assert told[-1].loss < told[0].loss


def test_the_graph_says_what_the_network_says() -> None:
    network = RulerNet().eval()
    runtime = open_runtime("ort", graph_of(network), precision="fp32", threads=1)
    tiles = np.random.default_rng(0).normal(size=(3, 4, TILE_PX, TILE_PX)).astype(np.float32)
    tiles[:, 3] = 1
    shares = runtime.run({"tiles": tiles})["diameters"]
    with torch.no_grad():
        wanted = torch.softmax(network(torch.from_numpy(tiles)), dim=1).numpy()
    assert shares.shape == (3, 1 + BINS)
    assert shares == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("kind", [drawn.round_things, drawn.texture])
def test_pictures_of_anything_else(kind: object) -> None:
    picture = kind(np.random.default_rng(0), TILE_PX)  # type: ignore[operator]
    assert picture.shape == (TILE_PX, TILE_PX, 3)
    assert picture.dtype == np.uint8
