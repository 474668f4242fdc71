"""A laboratory's network: small, with what ours have not, and what a person writes of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from tests.export.conftest import LABELS, SIZE, MadeOnce
from train.data.windows import Windows, middle

Describe = Callable[..., Path]

LEVELS = "scale = 255\nmean = [0.5, 0.4, 0.45]\ndeviation = [0.25, 0.2, 0.3]"
POINT = "temperature = 1.3\npositive = 0.4\nconfidence = 0.2\ncertain = 0.9"


class Lab(nn.Module):
    """(n, 3, 32, 32) → (n, 4) logits: ReLU6, hard swish, squeeze and excitation, pooling, concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.wide = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish())
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Hardsigmoid())
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16))
        self.head = nn.Linear(16, len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.wide(x)
        x = self.pool(torch.cat([x, y * self.gate(y)], dim=1))
        logits: Tensor = self.head(functional.relu(self.last(x) + x).mean(dim=(2, 3)))
        return logits


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The current folder, whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


@pytest.fixture
def describe(tmp_path: Path) -> Describe:
    """Writes a description: `describe(network=lines, operation=lines, ...)`."""

    def write(
        gives: str = "logits",
        network: str = LEVELS,
        operation: str = POINT,
        more: str = "",
        size_px: int = SIZE,
        classes: tuple[str, ...] = LABELS,
    ) -> Path:
        path = tmp_path / "lab.toml"
        path.write_text(
            f'name = "lab"\ntitle = "cells of a laboratory"\nversion = "2026.12.1"\nlicence = "CC BY 4.0"\n'
            f'classes = {list(classes)}\npositive = ["{classes[0]}"]\n[input]\npitch_um = 0.25\n'
            f'size_px = {size_px}\n[network]\ngives = "{gives}"\n{network}\n'
            f"[operation]\n{operation}\n{more}\n"
        )
        return path

    return write


@pytest.fixture(scope="session")
def lab(windows: Windows, made_once: MadeOnce) -> Lab:
    """The network, having learned to tell blobs apart from levels as `LEVELS` has them."""

    def make(folder: Path) -> None:
        torch.manual_seed(0)
        network, training = Lab(), windows.of("train")
        pictures = np.ascontiguousarray(middle(training.pixels, SIZE)) / 255.0
        levels = (pictures - (0.5, 0.4, 0.45)) / (0.25, 0.2, 0.3)
        crops = torch.from_numpy(levels).permute(0, 3, 1, 2).float()
        truth = torch.tensor([LABELS.index(label) for label in training.labels.tolist()])
        optimiser = torch.optim.Adam(network.parameters(), 5e-3)
        for _ in range(3):
            for batch in torch.split(torch.randperm(len(crops)), 64):
                loss = functional.cross_entropy(network(crops[batch]), truth[batch])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
        torch.save(network.state_dict(), folder / "lab.pt")

    network = Lab()
    network.load_state_dict(torch.load(made_once("lab", make) / "lab.pt", weights_only=True))
    return network.eval()


def tiny(
    shape: tuple[Any, ...] = ("n", 3, SIZE, SIZE),
    *,
    classes: int = len(LABELS),
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
    weights: np.ndarray | None = None,
) -> onnx.ModelProto:
    """A graph from nobody's framework: one convolution, the mean, logits; `shape` says how pictures come."""
    rng = np.random.default_rng(0)
    channels = next((n for n in (shape[1], shape[-1]) if n in (1, 3)), 3)
    kernel = rng.normal(0, 0.5, (classes, channels, 3, 3)).astype(np.float32) if weights is None else weights
    nodes, entry = [], "crops"  # a name that ours has too
    if kind != TensorProto.FLOAT:
        nodes.append(helper.make_node("Cast", [entry], ["real"], to=TensorProto.FLOAT))
        entry = "real"
    if shape[-1] == 3:
        nodes.append(helper.make_node("Transpose", [entry], ["turned"], perm=[0, 3, 1, 2]))
        entry = "turned"
    nodes += [
        helper.make_node("Conv", [entry, "kernel"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["means"]),
        helper.make_node("Flatten", ["means"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("crops", kind, shape)],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [shape[0], classes])],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[onnx.ModelProto], Path]:
    """Writes a graph to a file."""

    def save(model: onnx.ModelProto) -> Path:
        path = tmp_path / "lab.onnx"
        path.write_bytes(model.SerializeToString())
        return path

    return save
