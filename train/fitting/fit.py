"""Fit a recipe: windows → augmented crops → network, with checkpoints that a run resumes from.

A run's folder holds `settings.json` (what the result depends on), `environment.json` (each start of the run)
and `data.json` (the cells it saw); `checkpoint.pt` and `curves.png`, renewed as it goes; and at the end
`confusion.png`, `metrics.json` and `model.pt`. An interrupted run ends exactly like one that was not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from torch import nn

from edge.types import F32, U8, LeukoscopeError
from train.data.dataset import Notice
from train.data.registry import dataset
from train.data.windows import Windows, cached
from train.fitting.checkpoint import Best, Precision, State, kept, resume, save, start
from train.fitting.distributed import Process, joined
from train.fitting.epoch import precision_of, steps_of, train_epoch
from train.fitting.finish import finish
from train.fitting.operating_point import softmax
from train.fitting.progress import Progress
from train.fitting.provenance import SETTINGS, add_environment, write_data, write_settings
from train.fitting.sampling import understood
from train.fitting.validation import typed, validate, watched
from train.network.backbones import weights_file
from train.network.model import DeviceGraph, build
from train.recipes.recipe import Recipe, parse
from train.statistics.plots import curves


class FitError(LeukoscopeError):
    """The run cannot be started, or not go on, or is not finished. Says what to change."""


def fit(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    device: str = "cpu",
    precision: str = "auto",
    limit: int = 0,
    cache: Path,
    checkpoint_s: float = 600.0,
    notice: Notice,
) -> Path:
    """Train a recipe's network, or go on where an interrupted run stopped.

    Started by `torchrun`, the processes share each batch, and the first one writes and talks.

    Parameters
    ----------
    data : folder with the data sets. out : the run's folder.
    precision : 'fp32', or 'auto' for mixed precision; see `train.fitting.epoch.precision_of`.
    limit : at most so many pictures of each data set; 0 takes all.
    cache : folder where cut windows are kept between runs.
    checkpoint_s : seconds between checkpoints within an epoch; there is one after every epoch in any case.

    Returns
    -------
    The run's folder.

    Raises
    ------
    FitError, SettingsError : too little is left to train on; `out` holds a run with other settings.
    ProcessError : the device cannot be used, or another process of the run ended.
    DataError : a data set is absent or unreadable.
    """
    if recipe.task == "detector":
        from train.published.detection.fit import fit as fit_detector

        return fit_detector(recipe, data, out, device=device, precision=precision, limit=limit, notice=notice)
    with joined(device) as process:
        chosen = precision_of(precision, process.device)
        process.of_leader(lambda: _begin(recipe, limit, chosen, process, out))
        windows = process.in_turn(lambda: gather(recipe, data, limit, cache, notice))
        _check(recipe, windows, data, process, notice)
        if process.leads:
            write_data(recipe, data, limit, windows, out)
        if recipe.method != "network":
            from train.published.classical.fit import fit as fit_classical

            process.of_leader(lambda: fit_classical(recipe, windows, out, notice))
            return out
        state = start(recipe, windows.of("train").pixels, process.device, chosen)
        process.synchronise(state.network)
        checkpoint = process.of_leader(lambda: kept(out))
        if checkpoint is not None:
            resume(state, checkpoint, process.device)
        run = _Run(recipe, windows, process, chosen, out, checkpoint_s)
        run.train(state, notice)
        if process.leads and state.best is not None:
            finish(state.best, state.history, recipe, windows, process.device, out)
    return out


def settings_of(run: Path) -> tuple[Recipe, dict[str, Any]]:
    """The recipe a run was made with, and its settings as they stand in the file."""
    path = run / SETTINGS
    if not path.is_file():
        raise FitError(f"run {run}: no settings.json; give the folder that edge-train fit wrote")
    settings: dict[str, Any] = json.loads(path.read_text())
    return parse(settings["recipe"]), settings


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
    """A finished run as something to ask, on one thread, and its metrics."""
    recipe, _ = settings_of(run)
    if recipe.method != "network":
        return _load_classical(run, recipe)
    network, metrics = load_network(run)
    graph = DeviceGraph(network, metrics["operating_point"]["temperature"]).eval()
    torch.set_num_threads(1)

    def answer(crops: U8) -> F32:
        with torch.inference_mode():
            return np.asarray(graph(torch.from_numpy(np.ascontiguousarray(crops))).numpy(), np.float32)

    count = sum(p.numel() for p in network.parameters())
    return Model(run / "model.pt", "torch-fp32", count, answer), metrics


def _load_classical(run: Path, recipe: Recipe) -> tuple[Model, dict[str, Any]]:
    from train.published.classical.fit import MODEL, logits_of
    from train.published.classical.modelfile import load

    path = run / MODEL
    if not path.is_file():
        raise FitError(f"run {run}: not finished, it has no {MODEL}; run edge-train fit again")
    model = load(path)
    metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    temperature = metrics["operating_point"]["temperature"]

    def answer(crops: U8) -> F32:
        return np.asarray(softmax(logits_of(model.probabilities(crops)), temperature), np.float32)

    return Model(path, "scikit-learn", model.parameters, answer), metrics


def load_network(run: Path) -> tuple[nn.Module, dict[str, Any]]:
    """A finished run's network and its metrics."""
    recipe, _ = settings_of(run)
    path = run / "model.pt"
    if not path.is_file():
        raise FitError(f"run {run}: not finished, it has no model.pt; run edge-train fit again to go on")
    network = build(recipe.architecture, len(recipe.classes))
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return network.eval(), metrics


def gather(recipe: Recipe, data: Path, limit: int, cache: Path, notice: Notice) -> Windows:
    """Windows of every data set of a recipe, test parts excepted; see `train.data.windows.cached`."""
    parts = []
    for name in recipe.shares:
        part = cached(dataset(name), data, recipe.window, notice, limit, cache)
        parts.append(understood(part, recipe, notice))
    return Windows.join(parts)


def _begin(recipe: Recipe, limit: int, precision: Precision, process: Process, out: Path) -> None:
    given = recipe.architecture
    if given.weights:
        weights_file(given.backbone, given.weights)
    out.mkdir(parents=True, exist_ok=True)
    write_settings(recipe, limit, precision, process.size, out)
    add_environment(process, precision, out)


def _check(recipe: Recipe, windows: Windows, data: Path, process: Process, notice: Notice) -> None:
    """Refuse what cannot end well before it takes hours."""
    training = windows.of("train")
    if not len(training):
        raise FitError(f"data {data}: no cell falls into the training part; raise --limit")
    there = set(training.labels.tolist()) & set(recipe.classes)
    for name in recipe.classes:
        if name not in there:
            notice(f"class {name}: no training cell is labelled so in {data}")
    if recipe.positive and not there & set(recipe.positive):
        raise FitError(f"data {data}: no training cell of {', '.join(recipe.positive)}; nothing to learn")
    if len(there) < 2:
        raise FitError(f"data {data}: training cells of one class only, {', '.join(there) or 'none'}")
    if not len(typed(windows.of("validation"), recipe)):
        raise FitError(f"data {data}: no validation cell to choose the operating point on; raise --limit")
    smallest = recipe.training.samples // steps_of(recipe.training)
    if smallest < process.size:
        raise FitError(
            f"training.batch: {smallest} crops are too few for {process.size} processes; start fewer of them"
        )


@dataclass(frozen=True, eq=False)
class _Run:
    """What does not change while a run's state does; see `fit`."""

    recipe: Recipe
    windows: Windows
    process: Process
    precision: Precision
    out: Path
    checkpoint_s: float

    def train(self, state: State, notice: Notice) -> None:
        """The epochs that are left."""
        settings, process = self.recipe.training, self.process
        training, validation = self.windows.of("train"), self.windows.of("validation")
        steps = steps_of(settings)
        done = state.epoch * steps + state.step
        progress = Progress(settings.epochs, steps, done, notice, silent=not process.leads)
        saved = monotonic()

        def after_step() -> None:
            nonlocal saved
            progress.step(state.loss * steps / (state.step * settings.samples))
            if process.leads and monotonic() - saved >= self.checkpoint_s:
                save(state, self.out)
                saved = monotonic()

        while state.epoch < settings.epochs and not _exhausted(state, settings.patience):
            loss = train_epoch(state, self.recipe, training, process, self.precision, after_step)
            if not isfinite(loss):
                raise FitError(f"epoch {state.epoch + 1}: the loss is {loss}; lower training.learning_rate")
            found = process.of_leader(
                lambda: validate(state.average, self.recipe, validation, process.device)
            )
            _judge(state, {"loss": loss, **found}, settings.watch)
            if process.leads:
                save(state, self.out)
                curves(state.history, self.out / "curves.png")
            progress.epoch(state.epoch, state.history[-1])
        progress.close(_early(state, settings.epochs))


def _judge(state: State, found: dict[str, float], watch: tuple[str, ...]) -> None:
    """Close an epoch, and keep its weights if none was better before."""
    state.epoch, state.step, state.loss = state.epoch + 1, 0, 0.0
    state.history.append(found)
    figure = watched(found, watch)
    # written so that without a figure to compare, NaN, the last epoch is kept
    if state.best is None or not figure <= state.best.figure:
        weights = {name: value.clone() for name, value in state.average.state_dict().items()}
        state.best = Best(state.epoch, figure, weights)


def _exhausted(state: State, patience: int) -> bool:
    return 0 < patience <= state.epoch - (state.best.epoch if state.best else 0)


def _early(state: State, epochs: int) -> str:
    """What to say of a run that stopped before its last epoch."""
    if state.best is None or state.epoch == epochs:
        return ""
    return f"stopped after epoch {state.epoch} of {epochs}: none was better since epoch {state.best.epoch}"
