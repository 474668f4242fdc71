"""The folded network computes what the network computes, however its stem is normalised."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from export.graph.folded import Folded
from export.graph.graph import by_torch, parity, to_onnx
from export.graph.quantize import layer_tensors
from train.network.lite import Lite
from train.network.model import Architecture, Network

SIZE = 32


def _network(stem_norm: str) -> Network:
    torch.manual_seed(0)
    architecture = Architecture(stem=6, widths=(8, 8, 8), blocks=(1, 1, 1), stem_norm=stem_norm)  # type: ignore[arg-type]
    network = Network(architecture, 5)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, nn.BatchNorm2d | nn.InstanceNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.3)
    return network.eval()


@pytest.mark.parametrize("stem_norm", ["batch", "crop", "both"])
def test_folding_changes_nothing(stem_norm: str) -> None:
    network = _network(stem_norm)
    crops = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    folded = Folded(network, 0.8)
    with torch.inference_mode():
        wanted = torch.softmax(network(torch.from_numpy(crops).permute(0, 3, 1, 2).float()) / 0.8, dim=1)
        assert torch.allclose(folded(torch.from_numpy(crops))[0], wanted, atol=1e-5)
    assert parity(by_torch(network, 0.8), to_onnx(folded, SIZE), crops) < 1e-5
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())


def test_a_stem_that_normalises_the_crop_does_not_see_how_strong_the_stain_is() -> None:
    rng = np.random.default_rng(1)
    crop = torch.from_numpy(rng.uniform(0, 100, (1, 3, SIZE, SIZE)).astype(np.float32))
    strong, weak = 60 + crop, 60 + crop * 0.4
    changes = {}
    for stem_norm in ("batch", "both", "crop"):
        network = _network(stem_norm)
        with torch.inference_mode():
            changes[stem_norm] = float((network.stem[:2](strong) - network.stem[:2](weak)).abs().mean())
    assert changes["crop"] < 0.25 * changes["batch"]
    assert changes["crop"] < changes["both"] < changes["batch"]


@pytest.mark.parametrize("width", [0.5, 1.0])
def test_a_cut_efficientnet_folds_too(width: float) -> None:
    torch.manual_seed(0)
    network = Lite(11, blocks=4, width=width)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
    crops = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)
    folded = Folded(network.eval(), 0.8)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    graph = to_onnx(folded, SIZE)
    assert parity(by_torch(network, 0.8), graph, crops) < 1e-5
    assert [each.layer for each in layer_tensors(graph)][:3] == [
        "stem.0", "stages.0.depthwise", "stages.0.project",
    ]  # fmt: skip
