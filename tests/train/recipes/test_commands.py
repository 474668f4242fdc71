"""Every recipe that ships, on small data: read, trained, judged, put on the device, by the commands alone.

The networks are those of the recipes, but for the large ones, whose place a small one of the same make takes
(`tests.train.network.test_backbones` builds each as it is).
"""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

import edge.cli
import export.cli
import train.cli
from export.bundle import golden
from tests.train.conftest import draw
from tests.train.layouts import LAYOUTS
from train.data.registry import dataset
from train.data.sets import oddities, simulated
from train.network import lite
from train.network.backbones import BACKBONES, LEAST_PX, LITE, torchvision
from train.recipes import recipe
from train.recipes.recipe import Recipe

SMALLEST = 32

drawn_once = cache(golden.draw_fields)  # the same for every bundle that is shown the same

RECIPES = [
    pytest.param(name, marks=[pytest.mark.published] if "published" in folder else [])
    for title, folder in recipe.GROUPS.items()
    for name in recipe.group(title)
]


def _plain(values: Any) -> Any:
    """As a run's settings have it."""
    return json.loads(json.dumps(values))


@pytest.mark.parametrize("name", recipe.names())
def test_every_recipe_is_read_and_written(name: str) -> None:
    found = recipe.load(name)
    assert found.name == name
    assert recipe.parse(_plain(asdict(found))) == found
    assert set(found.deciding) <= set(found.shares)
    assert found.title


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_is_drawn_as_its_reader_wants_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _few_without_files(monkeypatch)
    LAYOUTS[name](tmp_path)
    source = dataset(name)
    told: list[str] = []
    parts: dict[str, set[str]] = {}
    for picture in source.read(source.root(tmp_path), told.append):
        for spot in (picture.opened()[1] if picture.look else picture).spots:
            parts.setdefault(spot.split, set()).add(spot.label)
    assert len(parts["train"]) >= 2 or name == "oddities"
    if name not in ("chula", "simulated", "oddities"):
        assert set(parts) == {"train", "validation", "test"} - ({"test"} if name == "zheng-1" else set())
    assert not [line for line in told if "red cells" not in line and "absent" not in line]


def _few_without_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw less of what needs no files."""
    monkeypatch.setattr(simulated, "FIRST_SEED", 1003)  # a slide to train on
    monkeypatch.setattr(simulated, "SLIDES", 1)
    monkeypatch.setattr(simulated, "_CELLS_HARD", 2)
    monkeypatch.setattr(simulated, "_CELLS_PER_CLASS", 1)
    monkeypatch.setattr(oddities, "COUNT", 8)


def _small_networks() -> dict[str, Callable[[int], torch.nn.Module]]:
    """Networks of the make of the large ones: a block a stage and few channels."""
    models = torchvision().models
    convnext, densenet, inception, resnet, vgg = (
        getattr(models, name) for name in ("convnext", "densenet", "inception", "resnet", "vgg")
    )
    narrow = type("Narrow", (resnet.Bottleneck,), {"expansion": 1})
    blocks = [convnext.CNBlockConfig(16, 32, 1), convnext.CNBlockConfig(32, None, 1)]

    def narrow_vgg(classes: int) -> torch.nn.Module:
        layers = vgg.make_layers([8, "M", 16, "M", 16, "M", 16, "M", 512, "M"])
        network: torch.nn.Module = vgg.VGG(layers, num_classes=classes)
        network.classifier[0], network.classifier[3] = torch.nn.Linear(25088, 8), torch.nn.Linear(8, 8)
        network.classifier[6] = torch.nn.Linear(8, classes)
        return network

    def thin(outputs: int, stride: int = 1) -> Callable[..., torch.nn.Module]:
        """What stands for a block of the Inception, whatever its settings."""
        return lambda inputs, *_, **__: torch.nn.Sequential(
            inception.BasicConv2d(inputs, 8, kernel_size=1),
            inception.BasicConv2d(8, outputs, kernel_size=3, padding=1, stride=stride),
        )

    def thin_inception(classes: int) -> torch.nn.Module:
        a = lambda inputs, pool_features: thin(224 + pool_features)(inputs)  # noqa: E731
        kinds = [inception.BasicConv2d, a, thin(768, 2), thin(768), thin(1280, 2), thin(2048), None]
        network: torch.nn.Module = inception.Inception3(
            classes, aux_logits=False, init_weights=False, inception_blocks=kinds
        )
        return network

    def thin_googlenet(classes: int) -> torch.nn.Module:
        """As many channels come out of each of its blocks."""

        def block(inputs: int, first: int, _: int, third: int, __: int, fifth: int, pooled: int) -> Any:
            return inception.BasicConv2d(inputs, first + third + fifth + pooled, kernel_size=1)

        network: torch.nn.Module = models.GoogLeNet(
            classes, aux_logits=False, init_weights=False, blocks=[inception.BasicConv2d, block, None]
        )
        return network

    return {
        "resnet34": lambda classes: resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], num_classes=classes),
        **dict.fromkeys(
            ("resnet50", "resnet101", "resnet152"),
            lambda classes: resnet.ResNet(narrow, [1, 1, 1, 1], num_classes=classes, width_per_group=16),
        ),
        "densenet169": lambda classes: densenet.DenseNet(8, (1, 1, 1, 1), 16, num_classes=classes),
        "convnext_tiny": lambda classes: convnext.ConvNeXt(blocks, num_classes=classes),
        "googlenet": thin_googlenet,
        "inception_v3": thin_inception,
        **dict.fromkeys(("vgg16", "vgg19"), narrow_vgg),
    }


@pytest.fixture
def _networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, translated_once: None) -> None:
    """Small networks where the true ones are large, an own folder for weights; nothing goes online."""
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed")
    monkeypatch.setattr(golden, "_FRAMES_SEARCHED", 4)
    monkeypatch.setattr(golden, "draw_fields", drawn_once)
    for name, network in _small_networks().items():
        monkeypatch.setitem(BACKBONES, name, network)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *_, **__: pytest.fail("went online"))


def _store_weights(name: str) -> None:
    """Weights of a network, where torchvision's stored ones would lie."""
    address = torchvision().models.get_model_weights(name).DEFAULT.url
    path = Path(torch.hub.get_dir()) / "checkpoints" / Path(address).name
    path.parent.mkdir(parents=True)
    torch.save(BACKBONES[name](1000).state_dict(), path)


def _quick(found: Recipe) -> list[str]:
    """One step of two small pictures: the settings of `edge-train fit` for it."""
    settings: dict[str, Any] = {"training.samples": 2, "training.batch": 2}
    size = max(SMALLEST, LEAST_PX.get(found.architecture.backbone, 0))
    model_input = found.model_input
    if found.task == "detector":
        # sixty quick steps: its bundle holds cells that it found for sure, so it must find some
        settings |= {"detection.patch_px": 48, "detection.widths": [12, 16, 24]}
        settings |= {"training.samples": 480, "training.batch": 8}
        settings |= {"training.learning_rate": 5e-3, "training.average_decay": 0.9}
    elif found.method != "network":
        settings |= {"training.epochs": 1}
    elif model_input.plain:
        settings |= {"input.size_px": size, "input.window_px": size + 8, "input.cut_px": 0}
    else:
        steps = [re.sub(r"(resize|centre-crop):\d+", rf"\1:{size}", step) for step in model_input.steps]
        cut = 2 * size if steps != list(model_input.steps) else size
        settings |= {"input.steps": steps, "input.size_px": size, "input.cut_px": cut}
    return [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]


@pytest.mark.usefixtures("_networks")
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_trained_judged_and_put_on_the_device(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = recipe.load(name)
    _few_without_files(monkeypatch)
    data, run, sets = tmp_path / "data", tmp_path / "run", list(dict.fromkeys(found.shares))
    for layout in dict.fromkeys(LAYOUTS[key.partition("@")[0]] for key in sets):
        layout(data)
    if found.architecture.backbone == LITE:  # its weights are a package's
        pytest.importorskip(lite.PACKAGE)
    elif found.architecture.weights == "stored":
        _store_weights(found.architecture.backbone)

    def command(main: Callable[[list[str]], int], *arguments: object) -> str:
        """A command's standard output; it must end well."""
        assert main([str(argument) for argument in arguments]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    fit = ("fit", "--recipe", name, "--data", data, "--out", run, "--epochs", 1, *_quick(found))
    command(train.cli.main, *fit)
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["operating_point"]

    judged = ("--dataset", sets[0].removesuffix("@all"), "--data", data, "--json", "-")
    first = json.loads(command(train.cli.main, "evaluate", "--bundle", run, *judged))
    assert first["split"] == "test"
    if found.method != "network":
        assert export.cli.main(["bundle", "--run", str(run), "--out", str(tmp_path / "x.bundle")]) == 1
        assert "is no network, and the device runs nothing else" in capsys.readouterr().err
        return

    bundle = tmp_path / "model.bundle"
    assert export.cli.main(["bundle", "--run", str(run), "--out", str(bundle)]) == 1
    assert "; fit it on more data" in capsys.readouterr().err
    command(export.cli.main, "bundle", "--run", run, "--out", bundle, "--even-so")
    second = json.loads(command(train.cli.main, "evaluate", "--bundle", bundle, *judged))
    if found.task != "detector":
        assert second["cells"] == first["cells"]
        accuracies = [figures["figures"]["accuracy"]["value"] for figures in (first, second)]
        assert accuracies[0] == pytest.approx(accuracies[1])

    for number in range(2):
        draw(tmp_path / "pictures" / f"{number}.png", (120, 60, 160), number, 240)
    flags = ["--single-cell", "--independent"] if found.task == "cell" else ["--independent"]
    pictures = ("--camera", tmp_path / "pictures", "--um-per-px", 0.1, "--no-records")
    told = command(
        edge.cli.main, "--bundle", bundle, "--allow-unsigned", "--headless", "--json", "-", *flags, *pictures
    )
    lines = [json.loads(line) for line in told.splitlines()]
    kinds = [line["kind"] for line in lines]
    assert kinds == [*["start", "reading", "finding"] * 2, "files"]
    readings = [line for line in lines if line["kind"] == "reading"]
    assert lines[0]["bundle"]["classes"] == list(found.classes)
    assert lines[0]["bundle"]["caveats"][0].startswith("exported even so: ")
    if found.task == "field":
        assert [cell["box_px"] for reading in readings for cell in reading["cells"]] == [[0, 0, 240, 240]] * 2
    elif found.task == "cell":
        assert [len(reading["cells"]) for reading in readings] == [1, 1]
    for reading in readings:
        for cell in reading["cells"]:
            assert list(cell["probabilities"]) == list(found.classes)
            assert sum(cell["probabilities"].values()) == pytest.approx(1, abs=1e-5)
