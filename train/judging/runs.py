"""A finished run as something to ask about cells, on one thread."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge.bundle.bundle import Thresholds
from edge.cells.secondlook import looked
from edge.types import F32, U8
from train.fitting.fit import load_network, settings_of
from train.fitting.loop import MODEL as WEIGHTS
from train.fitting.operating_point import softmax
from train.fitting.provenance import METRICS
from train.fitting.task import FitError
from train.judging.contestants import Contestant, ContestantError
from train.network.model import DeviceGraph
from train.published.classical.fit import MODEL, logits_of
from train.published.classical.modelfile import load

Answer = Callable[[U8], F32]
Loaded = tuple[Path, int, Answer, Answer | None, dict[str, Any]]
"""The file of a model, how many numbers it learned, what it answers to crops, what its last layer reads of
them where it is a network, and the run's metrics."""


def of_run(run: Path) -> Contestant:
    """A finished run: a network in FP32 by PyTorch, a classical model as it is, on one thread.

    Raises
    ------
    FitError : not a run's folder, or not finished.
    ContestantError : its files are damaged, or it finds cells rather than naming them.
    """
    try:
        recipe, settings = settings_of(run)
        if recipe.task == "detector":
            raise ContestantError(f"run {run}: finds cells; there is no class of given cells to judge")
        if tuple(settings.get("classes", recipe.classes)) != recipe.classes:
            raise ContestantError(f"run {run}: names other classes than this program does; fit it again")
        network = recipe.method == "network"
        path, parameters, answer, features, metrics = _network(run) if network else _classical(run)
        point = metrics["operating_point"]
        thresholds = Thresholds(**{name: point[name] for name in ("positive", "confidence", "certain")})
    except (RuntimeError, ValueError, KeyError, UnpicklingError) as error:  # torch raises whatever it likes
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ContestantError(f"run {run}: its files cannot be read ({reason}); fit it again") from None
    size = path.stat().st_size
    return Contestant(
        path=run,
        name=recipe.name,
        version=metrics["finished"].replace("-", "."),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        runtime="torch-fp32" if network else "scikit-learn",
        classes=recipe.classes,
        positive=recipe.positive,
        thresholds=thresholds,
        model_input=recipe.model_input,
        parameters=parameters,
        model_bytes=size,
        file_bytes=size,
        learned_on=frozenset(recipe.shares),
        tuned_on=frozenset(recipe.deciding),
        answer=answer,
        close=lambda: None,
        features=features,
    )


def _network(run: Path) -> Loaded:
    network, metrics = load_network(run)
    recipe, _ = settings_of(run)
    graph = DeviceGraph(network, metrics["operating_point"]["temperature"]).eval()
    torch.set_num_threads(1)
    last = [layer for layer in network.modules() if isinstance(layer, nn.Linear)][-1]

    def look(crops: U8) -> dict[str, F32]:
        read: list[Tensor] = []
        hook = last.register_forward_pre_hook(lambda _layer, given: read.append(given[0]))
        with torch.inference_mode():
            try:
                said = graph(torch.from_numpy(np.ascontiguousarray(crops)))
            finally:
                hook.remove()
        told = {"probabilities": said, "features": read[0].flatten(1)}
        return {name: np.asarray(value.numpy(), np.float32) for name, value in told.items()}

    def asked(crops: U8, name: str) -> F32:
        return looked(look, crops, recipe.positive_indices, recipe.operation.second_look or None)[name]

    parameters = sum(p.numel() for p in network.parameters())
    answer, features = partial(asked, name="probabilities"), partial(asked, name="features")
    return run / WEIGHTS, parameters, answer, features, metrics


def _classical(run: Path) -> Loaded:
    path = run / MODEL
    if not path.is_file():
        raise FitError(f"run {run}: not finished, it has no {MODEL}; run edge-train fit again")
    model, metrics = load(path), json.loads((run / METRICS).read_text(encoding="utf-8"))
    temperature = metrics["operating_point"]["temperature"]

    def answer(crops: U8) -> F32:
        return np.asarray(softmax(logits_of(model.probabilities(crops)), temperature), np.float32)

    return path, model.parameters, answer, None, metrics
