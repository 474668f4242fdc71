"""The well-known networks: their head, their grey levels, what is frozen, where their weights come from."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch

from edge.bundle import bundle as device
from edge.cells.classify import Classifier
from edge.types import U8
from export.bundle.bundle import Options, build
from export.graph import quantize
from train.data.classes import CLASSES
from train.fitting.fit import fit, load_network
from train.judging.runs import of_run
from train.network import backbones, model
from train.network.backbones import BACKBONES, LEAST_PX, STORED, Backbone, BackboneError
from train.network.model import Architecture, Network
from train.recipes import recipe
from train.recipes.recipe import Input, Operation, Recipe, RecipeError, Training

pytestmark = pytest.mark.published  # only their recipes name a backbone

SIZE = 32
LEVELS = np.random.default_rng(0).normal((200, 150, 180), (9, 30, 20), (40, SIZE, SIZE, 3))
WINDOWS: U8 = np.clip(np.round(LEVELS), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module", autouse=True)
def _torchvision() -> None:
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    torch.set_num_threads(1)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a network of the same make as resnet50, quick to compute."""
    kind = backbones.torchvision().models.resnet
    narrow = type("Narrow", (kind.Bottleneck,), {"expansion": 1})
    monkeypatch.setitem(
        BACKBONES,
        "resnet50",
        lambda classes: kind.ResNet(narrow, [1, 1, 1, 1], num_classes=classes, width_per_group=16),
    )
    torch.manual_seed(0)
    return "resnet50"


def _recipe(**architecture: object) -> Recipe:
    return Recipe(
        name="rival",
        title="for tests",
        shares={"deepapl": 1.0},
        input=Input(size_px=SIZE, window_px=48),
        architecture=Architecture(backbone="resnet50", **architecture),  # type: ignore[arg-type]
        training=Training(epochs=1, samples=8, batch=4),
        operation=Operation(datasets=("deepapl",)),
    )


def _begun(chosen: Recipe) -> torch.nn.Module:
    """The network as a run begins with it."""
    torch.manual_seed(chosen.training.seed)
    network = model.build(chosen.architecture, len(chosen.classes))
    model.begin(network, chosen.architecture, WINDOWS)
    return network


def _states_equal(one: Backbone, other: Backbone, inside: str) -> dict[str, bool]:
    """Name of each number below `inside` -> whether it is the same in both."""
    others = other.state_dict()
    return {k: torch.equal(v, others[k]) for k, v in one.state_dict().items() if k.startswith(inside)}


@pytest.mark.parametrize("name", BACKBONES)
def test_takes_crops_and_gives_a_logit_for_each_class(name: str) -> None:
    network = Backbone(name, 5, hidden=7, dropout=0.5).eval()
    size = LEAST_PX.get(name, SIZE)
    with torch.inference_mode():
        assert network(torch.full((2, 3, size, size), 200.0)).shape == (2, 5)
    assert set(LEAST_PX) <= set(BACKBONES)


@pytest.mark.parametrize("name", LEAST_PX)
def test_a_picture_too_small_for_a_network_is_told_with_the_recipe(name: str) -> None:
    least = LEAST_PX[name]
    values = {"name": "a", "title": "b", "shares": {"deepapl": 1.0}, "architecture": {"backbone": name}}
    assert recipe.parse({**values, "input": {"size_px": least, "window_px": 0}}).input.size_px == least
    with pytest.raises(
        RecipeError, match=rf"input\.size_px: {least - 1} is too small for {name}, .* {least} px"
    ):
        recipe.parse({**values, "input": {"size_px": least - 1, "window_px": 0}})
    with torch.inference_mode(), pytest.raises(RuntimeError):  # the table says no more than is true
        Backbone(name, 2).eval()(torch.zeros(2, 3, least - 1, least - 1))


def test_grey_levels_reach_the_network_normalised(small: str) -> None:
    network = Backbone(small, 3)
    seen: list[torch.Tensor] = []
    network.network.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    crops = torch.tensor(backbones.MEAN).view(1, 3, 1, 1).expand(1, 3, SIZE, SIZE)
    network.eval()(crops + torch.tensor(backbones.SPREAD).view(1, 3, 1, 1))
    assert torch.allclose(seen[0], torch.ones(1, 3, SIZE, SIZE), atol=1e-4)


def test_own_levels_are_those_of_the_training_windows(small: str) -> None:
    published = Architecture(backbone=small)
    for architecture, own in ((published, False), (replace(published, levels="own"), True)):
        network = _begun(replace(_recipe(), architecture=architecture))
        assert isinstance(network, Backbone)
        means, spreads = network.mean.flatten().numpy(), network.spread.flatten().numpy()
        wanted = WINDOWS.reshape(-1, 3).astype(float)
        assert np.allclose(means, wanted.mean(axis=0), atol=0.01) is own
        assert np.allclose(spreads, wanted.std(axis=0), atol=0.01) is own
    flat = Backbone(small, 3)
    flat.measure(np.full((3, 8, 8, 3), 77, np.uint8))
    assert (flat.spread == 1).all()  # nothing to divide by


def test_hidden_units_lie_before_the_answer(small: str) -> None:
    plain, deep = Backbone(small, 3), Backbone(small, 3, hidden=256, dropout=0.5)
    assert plain.state_dict()["network.fc.1.weight"].shape == (3, 512)
    kinds = [type(layer).__name__ for layer in deep.network.get_submodule("fc").children()]
    assert kinds == ["Linear", "ReLU", "Dropout", "Linear"]
    assert deep.state_dict()["network.fc.0.weight"].shape == (256, 512)
    assert deep.state_dict()["network.fc.3.weight"].shape == (3, 256)


@pytest.mark.parametrize("key", ["weights", "frozen", "hidden"])
def test_what_only_a_backbone_has_needs_one(key: str) -> None:
    table = {"name": "a", "title": "b", "shares": {"deepapl": 1.0}}
    value = {"weights": STORED, "frozen": True, "hidden": 8}[key]
    with pytest.raises(RecipeError, match=f"architecture.*{key}.*only a backbone"):
        recipe.parse({**table, "architecture": {key: value}})


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    with pytest.raises(BackboneError, match=r"'resnet51' is unknown; nearest are resnet50, .*timm/"):
        Backbone("resnet51", 3)


def test_a_recipe_with_an_unknown_name_is_told() -> None:
    table = {"name": "a", "title": "b", "shares": {"deepapl": 1.0}}
    with pytest.raises(
        RecipeError, match=r"architecture\.backbone: 'resnet51' is unknown; nearest are resnet50"
    ):
        recipe.parse({**table, "architecture": {"backbone": "resnet51"}})
    chosen = recipe.parse({**table, "architecture": {"backbone": "resnet34"}})
    assert isinstance(model.build(chosen.architecture, 3), Backbone)
    assert isinstance(model.build(recipe.parse(table).architecture, 3), Network)


def test_published_weights_are_taken_but_for_the_head(small: str, tmp_path: Path) -> None:
    path = tmp_path / "published.pt"
    torch.save(BACKBONES[small](10).state_dict(), path)
    given = torch.load(path, weights_only=True)
    taken, untouched = Backbone(small, 3, hidden=4), Backbone(small, 3, hidden=4)
    taken.take(str(path))
    kept = {k: v for k, v in given.items() if not k.startswith("fc.")}
    for key, value in kept.items():
        assert torch.equal(taken.state_dict()[f"network.{key}"], value), key
    assert not torch.equal(untouched.state_dict()["network.conv1.weight"], given["conv1.weight"])
    assert taken.state_dict()["network.fc.3.weight"].shape == (3, 4)


def test_weights_that_cannot_be_taken_are_told(small: str, tmp_path: Path) -> None:
    network = Backbone(small, 3)
    with pytest.raises(BackboneError, match=r"backbone resnet50: no weights .*gone\.pt"):
        network.take(str(tmp_path / "gone.pt"))
    torn = tmp_path / "torn.pt"
    torn.write_bytes(b"no weights")
    with pytest.raises(BackboneError, match=r"torn.pt cannot be read"):
        network.take(str(torn))
    other = tmp_path / "other.pt"
    torch.save({k: v for k, v in BACKBONES[small](10).state_dict().items() if "layer2" not in k}, other)
    with pytest.raises(BackboneError, match=r"other.pt are of another network \(layer2"):
        network.take(str(other))


def test_stored_weights_that_are_here_need_no_network(
    small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("went online"))
    here = tmp_path / "hub" / "checkpoints" / "resnet50-11ad3fa6.pth"
    here.parent.mkdir(parents=True)
    given = BACKBONES[small](1000)
    torch.save(given.state_dict(), here)
    network = _begun(_recipe(weights=STORED, hidden=8))
    assert torch.equal(
        network.state_dict()["network.layer4.0.conv2.weight"], given.state_dict()["layer4.0.conv2.weight"]
    )


def test_any_network_of_torchvision_and_timm_has_a_name(tmp_path: Path) -> None:
    plain = Backbone("mobilenet_v3_small", 5).eval()
    with torch.inference_mode():
        assert plain(torch.zeros(2, 3, SIZE, SIZE)).shape == (2, 5)
    with pytest.raises(BackboneError, match="squeezenet1_0: its head is no linear layer"):
        Backbone("squeezenet1_0", 5)
    with pytest.raises(BackboneError, match=r"vit_b_32: takes no pictures of 32 × 32 px .*input\.size_px"):
        Backbone("vit_b_32", 5).eval()(torch.zeros(2, 3, SIZE, SIZE))


def test_timm_by_its_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("timm") is None:
        pytest.skip("timm is not installed")
    name = "timm/mobilenetv3_small_050"
    network = Backbone(name, 5, hidden=4).eval()
    with torch.inference_mode():
        assert network(torch.zeros(2, 3, SIZE, SIZE)).shape == (2, 5)
    assert Backbone("timm/mobilenetv2_035.untrained", 2).mean.numel() == 3
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def fetched(address: str, path: str, progress: bool) -> None:
        assert address.startswith("https://huggingface.co/timm/mobilenetv3_small_050")
        save_file(backbones.untrained(name, 1000).state_dict(), path)

    from safetensors.torch import save_file

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetched)
    network.take(STORED)
    with pytest.raises(BackboneError, match="'timm/mobilenetv3_smal' is unknown; nearest are timm/mobilenet"):
        Backbone("timm/mobilenetv3_smal", 5)
    monkeypatch.setattr("train.network.makers.find_spec", lambda _: None)
    backbones.timms.cache_clear()
    with pytest.raises(BackboneError, match=r"need timm, which is not installed.*leukoscope\[published\]"):
        Backbone(name, 5)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (URLError(OSError("Name or service not known")), "Name or service not known"),
        (OSError("no route"), "no route"),
    ],
)
def test_stored_weights_without_a_network_name_the_file_to_copy(
    error: Exception, reason: str, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(BackboneError) as told:
        Backbone(small, 3).take(STORED)
    line = str(told.value)
    assert "\n" not in line
    assert line.startswith("backbone resnet50: its stored weights are not here")
    assert reason in line
    folder = tmp_path / "hub" / "checkpoints"
    assert f"copy resnet50-11ad3fa6.pth to {folder}" in line
    assert "--set architecture.weights=FILE" in line
    assert not list(folder.iterdir())


def test_what_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(BackboneError, match=r"torchvision, which is not installed.*leukoscope\[published\]"):
        Backbone("resnet50", 3)


@pytest.mark.parametrize("frozen", [True, False])
def test_what_is_frozen_keeps_its_weights_and_statistics_while_the_head_learns(
    frozen: bool, small: str, deepapl: Callable[..., Path], tmp_path: Path
) -> None:
    chosen = _recipe(frozen=frozen, hidden=8, dropout=0.2)
    run = fit(chosen, deepapl(20, 1), tmp_path / "run", cache=tmp_path / "cache", notice=lambda _: None)
    network, metrics = load_network(run)
    assert isinstance(network, Backbone)
    assert 0 <= metrics["validation"]["deepapl_roc_area"] <= 1
    before = _begun(chosen)
    assert isinstance(before, Backbone)
    same = _states_equal(network, before, "network.")
    head = {name: kept for name, kept in same.items() if name.startswith("network.fc.")}
    body = {name: kept for name, kept in same.items() if name not in head}
    assert len(head) == 4
    assert not any(head.values())
    assert body["network.conv1.weight"] is frozen
    assert body["network.bn1.running_mean"] is frozen
    assert all(body.values()) is frozen
    modes = {name: layer.training for name, layer in network.train().named_modules()}
    assert modes["network.fc"] is modes["network.fc.2"] is True
    assert modes["network.bn1"] is not frozen


@pytest.mark.usefixtures("translated_once")
def test_a_backbone_becomes_a_bundle_in_every_precision(
    small: str, deepapl: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("export.graph.calibration.FEWEST", 10)
    data = deepapl(patients=20, each=1)
    run = fit(_recipe(), data, tmp_path / "run", cache=tmp_path / "cache", notice=lambda _: None)
    torch_model = of_run(run)
    path = tmp_path / "rival.bundle"
    options = Options(int8=True, data=data, cache=tmp_path / "cache", even_so=True)
    path.write_bytes(build(run, options, notice=lambda _: None).content)
    opened = device.load(path, allow_unsigned=True)
    assert {"ort-fp32", "trt-fp32"} <= set(opened.manifest.graphs)
    assert set(opened.manifest.everything["precisions"]) == {"trt-fp16", "ort-int8", "trt-int8"}
    assert {"layer1.0.conv1", "layer4.0.downsample.0"} <= set(quantize.layers(opened.graph()))
    assert opened.manifest.classes == CLASSES
    classifier = Classifier(opened)
    crops = WINDOWS[:3]
    np.testing.assert_allclose(classifier.probabilities(crops), torch_model.answer(crops), atol=1e-4)
    classifier.close()
