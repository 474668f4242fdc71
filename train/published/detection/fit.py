"""Training of a detector: fields with boxes, epochs, checkpoint, and the weights that are kept.

A run's folder holds what `train.fitting.fit` leaves: `settings.json`, `environment.json`, `checkpoint.pt`,
`curves.png`, and when it is finished `model.pt` and `metrics.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge.cells.detector import Detector
from train.data.augment import varied
from train.data.dataset import Notice
from train.fitting.checkpoint import Best, Precision, State, kept, optimiser_of, resume, save, write_tensors
from train.fitting.distributed import Process, joined
from train.fitting.epoch import follow, learning_rate, precision_of, steps_of
from train.fitting.progress import Progress
from train.fitting.provenance import SETTINGS, add_environment, write_json, write_settings
from train.published.detection.boxes import Scene, scenes
from train.published.detection.evaluate import average_precisions, best_threshold, found_in, judged
from train.published.detection.matching import match
from train.published.detection.network import Answers, Network, loss_of
from train.published.detection.patches import Batch, batch
from train.published.detection.settings import CLASSES, DetectionError
from train.recipes.recipe import Recipe, parse
from train.statistics.bootstrap import Draws
from train.statistics.plots import curves

WATCHED = "mean_average_precision"
"""The validation figure that says which epoch is kept."""

_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}

Sources = Mapping[str, Sequence[Scene]]


def fit(
    recipe: Recipe,
    data: Path,
    out: Path,
    *,
    device: str = "cpu",
    precision: str = "auto",
    limit: int = 0,
    notice: Notice = print,
) -> Path:
    """Train, or go on where a run in this folder stopped; returns the folder.

    Parameters
    ----------
    data : folder of the data sets. out : folder of the run.
    device : as PyTorch names it. precision : 'auto' or 'fp32', see `train.fitting.epoch.precision_of`.
    limit : at most so many fields of each data set and part; 0 for all.

    Raises
    ------
    DetectionError : the recipe's classes or data sets have no boxes, or too little is left to train on.
    SettingsError : the folder holds a run with other settings. DataError : a data set is absent.
    ProcessError : the device cannot be used.
    """
    if unknown := [name for name in recipe.classes if name not in CLASSES]:
        raise DetectionError(f"classes: {unknown[0]!r} has no boxes; choose of {', '.join(CLASSES)}")
    with joined(device) as process:
        if process.size > 1:
            raise DetectionError(f"{process.size} processes: a detector is trained by one; start it alone")
        chosen = precision_of(precision, process.device)
        out.mkdir(parents=True, exist_ok=True)
        write_settings(recipe, limit, chosen, 1, out)
        add_environment(process, chosen, out)
        train, validation = _gathered(recipe, data, limit, notice)
        state = _start(recipe, process.device, chosen)
        checkpoint = kept(out)
        if checkpoint is not None:
            resume(state, checkpoint, process.device)
        _train(state, recipe, train, validation, process, chosen, out, notice)
        _finish(state, recipe, train, validation, process, out)
    return out


def load(run: Path) -> tuple[Network, Recipe, dict[str, Any]]:
    """The network of a finished run, its recipe and its metrics.

    Raises
    ------
    DetectionError : the run is not finished.
    """
    if not (run / "metrics.json").is_file():
        raise DetectionError(f"run {run}: not finished; run edge-train fit again to go on")
    recipe = parse(json.loads((run / SETTINGS).read_text())["recipe"])
    network = Network(recipe.detection, len(recipe.classes))
    network.load_state_dict(torch.load(run / "model.pt", map_location="cpu", weights_only=True))
    metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return network.eval(), recipe, metrics


def detector_of(run: Path) -> tuple[Detector, Recipe]:
    """A finished run as the device's detector, computed by PyTorch, and its recipe."""
    network, recipe, metrics = load(run)
    return Detector(Answers(network, recipe.detection.cells), metrics["operating_point"]["threshold"]), recipe


def _gathered(recipe: Recipe, data: Path, limit: int, notice: Notice) -> tuple[Sources, list[Scene]]:
    """Training fields by data set, and all validation fields."""

    def part(name: str, split: Any) -> list[Scene]:
        return scenes(name, data, split, recipe.classes, recipe.input.pitch_um, notice, limit)

    train = {name: part(name, "train") for name in recipe.shares}
    validation = [scene for name in recipe.shares for scene in part(name, "validation")]
    if empty := [name for name, listed in train.items() if not listed]:
        raise DetectionError(f"data set {empty[0]}: no training field in {data}; raise --limit")
    if not validation:
        raise DetectionError(f"data {data}: no validation field; name a data set that has some in the shares")
    return train, validation


def _start(recipe: Recipe, device: torch.device, precision: Precision) -> State:
    torch.manual_seed(recipe.training.seed)
    network, average = (Network(recipe.detection, len(recipe.classes)).to(device) for _ in range(2))
    average.load_state_dict(network.state_dict())
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    return State(network, average, optimiser_of(network, recipe.training), scaler)


def _train(
    state: State,
    recipe: Recipe,
    train: Sources,
    validation: Sequence[Scene],
    process: Process,
    precision: Precision,
    out: Path,
    notice: Notice,
) -> None:
    """The epochs that are left."""
    settings = recipe.training
    steps = steps_of(settings)
    progress = Progress(settings.epochs, steps, state.epoch * steps, notice, silent=False)
    while state.epoch < settings.epochs:
        state.loss, state.step = 0.0, 0
        while state.step < steps:
            state.loss += _step(state, recipe, train, process, precision)
            state.step += 1
            progress.step(state.loss / state.step)
        loss = state.loss / steps
        if not isfinite(loss):
            raise DetectionError(f"epoch {state.epoch + 1}: the loss is {loss}; lower training.learning_rate")
        found = _validated(state.average, recipe, validation, process)
        state.epoch, state.step, state.loss = state.epoch + 1, 0, 0.0
        state.history.append({"loss": loss, **found})
        if state.best is None or not found[WATCHED] <= state.best.figure:
            weights = {name: value.clone() for name, value in state.average.state_dict().items()}
            state.best = Best(state.epoch, found[WATCHED], weights)
        save(state, out)
        curves(state.history, out / "curves.png")
        progress.epoch(state.epoch, state.history[-1])
    progress.close()


def _step(state: State, recipe: Recipe, train: Sources, process: Process, precision: Precision) -> float:
    """One step of the optimiser; returns the loss. All that is random comes from its number."""
    settings, device = recipe.training, process.device
    rng = np.random.default_rng([settings.seed, state.epoch, state.step])
    shown = batch(_drawn(recipe, train, rng), recipe.detection, rng)
    pixels = varied(shown.pixels, recipe.detection, rng).to(device, memory_format=torch.channels_last)
    done = state.epoch * steps_of(settings) + state.step
    for group in state.optimiser.param_groups:
        group["lr"] = learning_rate(settings, done)
    state.network.train()
    with nullcontext() if precision == "fp32" else torch.autocast(device.type, _TYPES[precision]):
        maps = state.network(pixels)
    loss = loss_of(maps.float(), _tensors(shown, device))
    state.optimiser.zero_grad()
    state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    state.scaler.unscale_(state.optimiser)
    nn.utils.clip_grad_norm_(state.network.parameters(), 2.0)
    state.scaler.step(state.optimiser)
    state.scaler.update()
    # early on the average must forget the random start
    follow(state.average, state.network, min(settings.average_decay, (done + 1) / (done + 11)))
    return float(loss.detach())


def _drawn(recipe: Recipe, train: Sources, rng: np.random.Generator) -> list[Scene]:
    names, shares = list(recipe.shares), np.array(list(recipe.shares.values()), float)
    chosen = rng.choice(len(names), recipe.training.batch, p=shares / shares.sum()).tolist()
    return [train[names[i]][int(rng.integers(len(train[names[i]])))] for i in chosen]


def _tensors(shown: Batch, device: torch.device) -> dict[str, Tensor]:
    """The targets of a batch."""
    return {
        name: torch.from_numpy(value).to(device) for name, value in vars(shown).items() if name != "pixels"
    }


def _detector(network: nn.Module, recipe: Recipe, process: Process, threshold: float = 0.0) -> Detector:
    network.eval()
    return Detector(Answers(network, recipe.detection.cells, process.device), threshold)


def _validated(
    network: nn.Module, recipe: Recipe, validation: Sequence[Scene], process: Process
) -> dict[str, float]:
    """Average precision of the classes and its mean."""
    found = found_in(_detector(network, recipe, process), validation)
    matches = match(found, validation, len(recipe.classes), edge=False)
    alone = Draws(np.ones((1, len(validation))), np.arange(len(validation)))
    areas = {name: float(average_precisions(matches, alone, i)[0]) for i, name in enumerate(recipe.classes)}
    return {WATCHED: float(np.nanmean(list(areas.values()))), **areas}


def _finish(
    state: State,
    recipe: Recipe,
    train: Sources,
    validation: Sequence[Scene],
    process: Process,
    out: Path,
) -> None:
    """Choose the threshold on the validation fields, and write the model and what is known of it."""
    best = state.best
    assert best is not None
    network = Network(recipe.detection, len(recipe.classes)).to(process.device)
    network.load_state_dict(best.weights)
    found = found_in(_detector(network, recipe, process), validation)
    classes = recipe.classes
    threshold = best_threshold(match(found, validation, len(classes), edge=False), len(classes))
    figures = judged(found, validation, classes, threshold, tuple(recipe.shares), "validation")
    metrics = {
        "operating_point": {"threshold": threshold},
        "validation": figures.as_json(),
        "epochs": len(state.history),
        "kept": {"epoch": best.epoch, "figure": best.figure},
        "history": state.history,
        "finished": datetime.now(UTC).date().isoformat(),
        "data": {
            name: {
                "train": len(listed),
                "validation": sum(scene.source == name for scene in validation),
            }
            for name, listed in train.items()
        },
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    write_tensors(out / "model.pt", {name: value.cpu() for name, value in best.weights.items()})
    write_json(out / "metrics.json", metrics)
