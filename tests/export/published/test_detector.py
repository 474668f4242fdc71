"""A detector's run becomes a graph that finds the same cells on the device."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from edge.cells.detector import Detector
from edge.optics.specimen import specimen
from edge.runtimes import open_runtime
from export.graph.graph import ExportError
from export.published import detector as exporting
from train.published.detection.network import Answers, DetectionNetwork
from train.published.detection.settings import CLASSES
from train.recipes.detection import Detection
from train.recipes.recipe import Recipe

RECIPE = Recipe(
    name="tiny", title="tiny", shares={"bccd": 1.0}, task="detector", classes=CLASSES,
    positive=(), detection=Detection(widths=(8, 12, 16), cells=100),
)  # fmt: skip


def _see_cells_everywhere(network: DetectionNetwork) -> None:
    assert network.head.bias is not None
    torch.nn.init.constant_(network.head.bias[:1], 0.5)


@pytest.fixture(scope="module")
def network() -> DetectionNetwork:
    torch.manual_seed(1)
    network = DetectionNetwork(RECIPE.detection, 3)
    with torch.no_grad():
        network.head.weight.mul_(4)
    _see_cells_everywhere(network)
    network.train()
    network(torch.rand(4, 3, 64, 64) * 255)  # normalisation that has seen something
    return network.eval()


@pytest.fixture(scope="module")
def run(network: DetectionNetwork, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("detector")
    (folder / "settings.json").write_text(json.dumps({"recipe": asdict(RECIPE)}))
    (folder / "metrics.json").write_text(json.dumps({"operating_point": {"threshold": 0.3}}))
    torch.save(network.state_dict(), folder / "model.pt")
    return folder


@pytest.fixture(scope="module")
def exported(run: Path) -> exporting.Exported:
    return exporting.read(run)


def test_the_graph_finds_what_the_network_finds(
    network: DetectionNetwork, exported: exporting.Exported
) -> None:
    assert exported.threshold == exported.find.threshold == 0.3
    assert exporting.parity(network, 100, exported.graph, exporting.drawn_field()) <= 1e-4
    assert len(exported.find.finds(exporting.drawn_field())) == 100


def test_the_graph_is_the_same_every_time(network: DetectionNetwork, exported: exporting.Exported) -> None:
    assert exporting.to_onnx(network, 100) == exported.graph
    assert b"/train/" not in exported.graph


def test_the_graph_is_plain(exported: exporting.Exported) -> None:
    nodes = onnx.load_from_string(exported.graph).graph.node
    kinds = {node.op_type for node in nodes}
    assert {"MaxPool", "TopK"} <= kinds
    assert not kinds & {"NonMaxSuppression", "BatchNormalization", "Loop", "If", "NonZero"}
    assert {node.domain for node in nodes} == {""}


def test_fields_of_any_size_and_batches_are_answered(exported: exporting.Exported) -> None:
    for size in [(64, 96), (65, 97), (7, 9), (1, 1), (130, 30), (64, 96)]:
        pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        assert exported.find(specimen(pixels, 0.4, 0.4)).labels.shape == size
    runtime = open_runtime(
        "ort", exported.graph, precision="fp32", threads=1, sizes={"height": 64, "width": 72}
    )
    two = np.random.default_rng(0).integers(0, 256, (2, 64, 72, 3), np.uint8)
    both, second = runtime.run({"field": two}), runtime.run({"field": two[1:]})
    assert both["boxes"].shape == (2, 100, 4)
    assert np.allclose(both["scores"][1], second["scores"][0], atol=1e-5)


def test_another_graph_is_found_out(exported: exporting.Exported) -> None:
    torch.manual_seed(9)
    other = DetectionNetwork(RECIPE.detection, 3).eval()
    _see_cells_everywhere(other)
    with pytest.raises(ExportError, match=r"differs from the network|finds \d+ cells where the network"):
        exporting.parity(other, 100, exported.graph, exporting.drawn_field())


def test_both_ways_give_the_same_cells(network: DetectionNetwork, exported: exporting.Exported) -> None:
    view = exporting.drawn_field()
    ways = Detector(Answers(network, 100), 0.55), Detector.of(exported.graph, 0.55)
    first, second = (way(view) for way in ways)
    assert np.array_equal(first.labels, second.labels)
    assert first.probabilities is not None
    assert second.probabilities is not None
    assert np.allclose(first.probabilities, second.probabilities, atol=1e-4)
