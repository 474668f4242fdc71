from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from export import bundle
from export.graph import ExportError
from train import backbones, recipe
from train.backbones import BACKBONES, Backbone, BackboneError, backbone
from train.checkpoint import start
from train.classes import CLASSES
from train.fit import fit, load_network
from train.model import Architecture, Network, build
from train.recipe import Input, Operation, Recipe, RecipeError, Training

SIZE = 32


@pytest.fixture(scope="module", autouse=True)
def _torchvision() -> None:
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")


@pytest.fixture
def resnet() -> Backbone:
    torch.manual_seed(0)
    return backbone("resnet50", 3)


@pytest.mark.parametrize("name", BACKBONES)
def test_takes_crops_and_gives_a_logit_for_each_class(name: str) -> None:
    network = backbone(name, 5).eval()
    with torch.inference_mode():
        assert network(torch.full((2, 3, SIZE, SIZE), 200.0)).shape == (2, 5)


def test_grey_levels_reach_the_network_normalised(resnet: Backbone) -> None:
    seen: list[torch.Tensor] = []
    resnet.network.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    crops = torch.tensor(backbones.MEAN).view(1, 3, 1, 1).expand(1, 3, SIZE, SIZE)
    resnet.eval()(crops + torch.tensor(backbones.SPREAD).view(1, 3, 1, 1))
    assert torch.allclose(seen[0], torch.ones(1, 3, SIZE, SIZE), atol=1e-4)


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(BackboneError, match="'resnet51': unknown; choose one of resnet50"):
        backbone("resnet51", 3)


def test_a_recipe_with_an_unknown_name_is_told() -> None:
    shares = {"deepapl": 1.0}
    operation = {"datasets": ["deepapl"]}
    table = {"name": "a", "title": "b", "shares": shares, "operation": operation}
    with pytest.raises(
        RecipeError, match=r"architecture\.backbone: 'resnet51' is unknown; choose of resnet50"
    ):
        recipe.parse({**table, "architecture": {"backbone": "resnet51"}})
    chosen = recipe.parse({**table, "architecture": {"backbone": "resnet50"}})
    assert isinstance(build(chosen.architecture, 3), Backbone)
    assert isinstance(build(recipe.parse(table).architecture, 3), Network)


def test_published_weights_are_taken_but_for_the_head(resnet: Backbone, tmp_path: Path) -> None:
    path = tmp_path / "published.pt"
    torch.save(backbone("resnet50", 10).network.state_dict(), path)
    given = torch.load(path, weights_only=True)
    taken = backbone("resnet50", 3, path).network.state_dict()
    assert taken["fc.weight"].shape == (3, 2048)
    assert torch.equal(taken["layer3.2.conv2.weight"], given["layer3.2.conv2.weight"])
    assert not torch.equal(
        resnet.network.state_dict()["layer3.2.conv2.weight"], given["layer3.2.conv2.weight"]
    )


def test_weights_that_cannot_be_taken_are_told(resnet: Backbone, tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"no weights .*gone\.pt"):
        backbone("resnet50", 3, tmp_path / "gone.pt")
    torn = tmp_path / "torn.pt"
    torn.write_bytes(b"no weights")
    with pytest.raises(BackboneError, match=r"torn.pt cannot be read"):
        backbone("resnet50", 3, torn)
    other = tmp_path / "other.pt"
    state = {key: value for key, value in resnet.network.state_dict().items() if "layer2" not in key}
    torch.save(state, other)
    with pytest.raises(BackboneError, match=r"other.pt are of another network \(layer2"):
        backbone("resnet50", 3, other)


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(BackboneError, match="torchvision, which is not installed"):
        backbone("resnet50", 3)


def test_a_recipe_trains_a_backbone_that_makes_no_bundle(
    deepapl: Callable[..., Path], tmp_path: Path
) -> None:
    """One step of `edge-train fit`: the weights move, and the run's network is the one that was asked for."""
    torch.set_num_threads(1)
    small = Recipe(
        name="rival",
        title="for tests",
        shares={"deepapl": 1.0},
        input=Input(size_px=SIZE, window_px=48),
        architecture=Architecture(backbone="resnet50"),
        training=Training(epochs=1, samples=8, batch=8),
        operation=Operation(datasets=("deepapl",)),
    )
    run = fit(small, deepapl(), tmp_path / "run", cache=tmp_path / "cache", notice=lambda _: None)
    network, metrics = load_network(run)
    assert isinstance(network, Backbone)
    assert 0 <= metrics["validation"]["deepapl_roc_area"] <= 1
    before = start(small, torch.device("cpu"), "fp32").network.state_dict()
    moved = [name for name, value in network.state_dict().items() if not torch.equal(value, before[name])]
    assert "network.conv1.weight" in moved
    assert len(network.state_dict()["network.fc.bias"]) == len(CLASSES)
    with pytest.raises(ExportError, match="backbone resnet50 is there to compare with"):
        bundle.build(run)
