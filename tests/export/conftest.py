"""Finished runs that cost nothing: one untrained, one that learned to tell drawn blobs apart."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from edge.bundle import bundle
from edge.bundle.bundle import Bundle
from edge.types import U8
from export.bundle import golden
from export.bundle.archive import pack
from export.bundle.manifest import manifest_of
from export.graph.folded import Folded
from export.graph.graph import to_onnx
from export.graph.precisions import Precisions
from train.data.classes import CLASSES
from train.data.windows import Windows, middle
from train.network.model import Architecture, Network
from train.recipes.recipe import Input, Operation, Recipe, Training

MadeOnce = Callable[[str, Callable[[Path], object]], Path]

SIZE, WINDOW = 32, 40
WORTH = {
    "sign": "blast", "unit": "cell",
    "positives": {"cells": 40, "groups": 4}, "others": {"cells": 300, "groups": 9},
    "roc_area": {"value": 0.9, "low": 0.8, "high": 0.95}, "interval": "95%, by cells",
}  # fmt: skip
"""Of a run that is good enough for a device."""

LABELS = ("blast", "lymphocyte", "neutrophil", "artefact")


draw_fields, draw_fields_once = golden.draw_fields, cache(golden.draw_fields)


@pytest.fixture(scope="module", autouse=True)
def _golden_fields_once(translated_once: None) -> Iterator[None]:
    """The fields of golden cases, the same for every bundle of a kind, are drawn once in a worker."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(golden, "draw_fields", draw_fields_once)
        yield


@pytest.fixture
def drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a test of whether they come out alike."""
    monkeypatch.setattr(golden, "draw_fields", draw_fields)


def _save(folder: Path, recipe: Recipe, network: Network) -> Path:
    settings = {"recipe": asdict(recipe), "limit": 0, "classes": CLASSES}
    (folder / "settings.json").write_text(json.dumps(settings))
    torch.save(network.state_dict(), folder / "model.pt")
    (folder / "metrics.json").write_text(json.dumps(_metrics(recipe)))
    return folder


def _metrics(recipe: Recipe) -> dict[str, object]:
    part = {"cells": {"blast": 2}, "groups": ["Patient_01"]}
    point = {
        "temperature": 1.3,
        "calibration_error": 0.02,
        "positive": 0.4,
        "confidence": 0.2,
        "certain": 0.9,
    }
    return {
        "operating_point": point,
        "validation": {
            "counted": {"sensitivity": 0.75, "abstained": 0.02},
            "all": {"roc_area": 0.5},
            "deepapl_roc_area": 0.5,
        },
        "worth": WORTH,
        "epochs": 1,
        "finished": "2026-01-31",
        "data": {name: {"train": part, "validation": part} for name in recipe.shares},
    }


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe(
        name="untrained",
        title="for tests",
        shares={"deepapl": 1.0, "pbc": 1.0},
        architecture=Architecture(stem=4, widths=(8, 8, 8), blocks=(1, 1, 1)),
    )
    torch.manual_seed(0)
    network = Network(recipe.architecture, len(CLASSES))
    with torch.no_grad():
        network.head.weight.mul_(400)  # far from uniform, so that a wrong graph would show
    return _save(tmp_path_factory.mktemp("run"), recipe, network)


@pytest.fixture(scope="session")
def built(run: Path, made_once: MadeOnce) -> Path:
    from export.bundle.bundle import build

    name = "untrained.bundle"
    return made_once("built", lambda folder: (folder / name).write_bytes(build(run).content)) / name


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return Recipe(
        name="blobs",
        title="for tests",
        shares={"deepapl": 1.0, "pbc": 0.5},
        input=Input(size_px=SIZE, window_px=WINDOW),
        architecture=Architecture(stem=8, widths=(8, 16, 16), blocks=(1, 1, 1), dropout=0.0),
        training=Training(epochs=1, samples=1500, batch=32),
        operation=Operation(datasets=("deepapl",)),
    )


def blobs(count: int, seed: int) -> tuple[U8, list[str]]:
    """Windows with a round nucleus whose size and colour tell its class, nearly."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, len(LABELS), count)
    y, x = np.mgrid[:WINDOW, :WINDOW] - WINDOW / 2
    away = np.hypot(x, y)[None, :, :, None]
    radius = (5 + 2.5 * (kinds % 2) + rng.normal(0, 0.8, count))[:, None, None, None]
    colour = np.where((kinds < 2)[:, None], (120.0, 60.0, 150.0), (190.0, 90.0, 120.0))
    colour = colour + rng.normal(0, 14, (count, 3))
    picture = np.where(away < radius, colour[:, None, None, :], 215.0)
    noisy = picture + rng.normal(0, 10, picture.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), [LABELS[k] for k in kinds]


@pytest.fixture(scope="session")
def windows() -> Windows:
    pixels, labels = blobs(2400, 0)
    parts = np.where(np.arange(2400) < 1500, "train", "validation")
    sets = np.where(np.arange(2400) % 4 < 3, "deepapl", "pbc")
    return Windows(
        pixels=pixels,
        masks=np.zeros(pixels.shape[:3], np.uint8),
        labels=np.array(labels),
        groups=np.full(2400, "g"),
        splits=parts,
        files=np.full(2400, "f"),
        datasets=sets,
    )


@pytest.fixture(scope="session")
def network(recipe: Recipe, windows: Windows, made_once: MadeOnce) -> Network:
    def make(folder: Path) -> None:
        torch.save(_trained(recipe, windows).state_dict(), folder / "model.pt")

    network = Network(recipe.architecture, len(CLASSES))
    network.load_state_dict(torch.load(made_once("blobs", make) / "model.pt", weights_only=True))
    return network.eval()


def _trained(recipe: Recipe, windows: Windows) -> Network:
    torch.manual_seed(0)
    network = Network(recipe.architecture, len(CLASSES))
    training = windows.of("train")
    crops = torch.from_numpy(np.ascontiguousarray(middle(training.pixels, SIZE))).permute(0, 3, 1, 2).float()
    truth = torch.tensor([CLASSES.index(label) for label in training.labels.tolist()])
    optimiser = torch.optim.Adam(network.parameters(), 5e-3)
    network.train()
    for _ in range(3):
        for batch in torch.split(torch.randperm(len(crops)), 64):
            loss = functional.cross_entropy(network(crops[batch]), truth[batch])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return network


@pytest.fixture(scope="session")
def blob_run(network: Network, recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save(tmp_path_factory.mktemp("blobs"), recipe, network)


@pytest.fixture(scope="session")
def folded(network: Network) -> Folded:
    return Folded(network, 1.3)


@pytest.fixture(scope="session")
def graph(folded: Folded, made_once: MadeOnce) -> bytes:
    name = "blobs.onnx"
    made = made_once("graph", lambda folder: (folder / name).write_bytes(to_onnx(folded, SIZE)))
    return (made / name).read_bytes()


@pytest.fixture(scope="session")
def draft(recipe: Recipe, graph: bytes) -> Bundle:
    metrics = _metrics(recipe) | {"test": [], "parity": {}}
    content = pack(
        manifest_of(recipe, metrics, Precisions({"ort-fp32": graph}, {})), {"classifier.onnx": graph}
    )
    return bundle.opened(Path("draft"), content, allow_unsigned=True)


@pytest.fixture(scope="session")
def held_crops(windows: Windows) -> U8:
    return np.ascontiguousarray(middle(windows.of("validation").pixels, SIZE))
