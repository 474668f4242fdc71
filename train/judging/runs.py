"""A finished run as something to ask about cells, on one thread."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge.types import F32, U8
from train.fitting.fit import load_network, settings_of
from train.fitting.loop import MODEL as WEIGHTS
from train.fitting.operating_point import softmax
from train.fitting.provenance import METRICS
from train.fitting.task import FitError
from train.network.model import DeviceGraph
from train.published.classical.fit import MODEL, logits_of
from train.published.classical.modelfile import load


@dataclass(frozen=True, eq=False)
class Model:
    """What a finished run can say.

    Attributes
    ----------
    path : the file that holds it. runtime : what computes. parameters : numbers that it learned.
    answer : (n, S, S, 3) uint8 RGB crops → (n, C) float32 calibrated probabilities.
    """

    path: Path
    runtime: str
    parameters: int
    answer: Callable[[U8], F32]


def load_model(run: Path) -> tuple[Model, dict[str, Any]]:
    """The model of a finished run, and its metrics."""
    recipe, _ = settings_of(run)
    if recipe.method != "network":
        return _load_classical(run)
    network, metrics = load_network(run)
    graph = DeviceGraph(network, metrics["operating_point"]["temperature"]).eval()
    torch.set_num_threads(1)

    def answer(crops: U8) -> F32:
        with torch.inference_mode():
            return np.asarray(graph(torch.from_numpy(np.ascontiguousarray(crops))).numpy(), np.float32)

    count = sum(p.numel() for p in network.parameters())
    return Model(run / WEIGHTS, "torch-fp32", count, answer), metrics


def _load_classical(run: Path) -> tuple[Model, dict[str, Any]]:
    path = run / MODEL
    if not path.is_file():
        raise FitError(f"run {run}: not finished, it has no {MODEL}; run edge-train fit again")
    model = load(path)
    metrics: dict[str, Any] = json.loads((run / METRICS).read_text())
    temperature = metrics["operating_point"]["temperature"]

    def answer(crops: U8) -> F32:
        return np.asarray(softmax(logits_of(model.probabilities(crops)), temperature), np.float32)

    return Model(path, "scikit-learn", model.parameters, answer), metrics
