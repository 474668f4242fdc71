"""Fit a recipe: windows → augmented crops → network, with checkpoints that a run resumes from.

A run's folder holds `settings.json` (what it ran with), `checkpoint.pt` (after every epoch), `curves.png`,
and at the end `model.pt` and `metrics.json`. Everything random in an epoch comes from the seed and the
epoch's number, so an interrupted run ends exactly like one that was not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from edge.types import F32, I32, LeukoscopeError
from train.checkpoint import State, resume, save, start
from train.classes import CLASSES, POSITIVE
from train.datasets import Notice, dataset
from train.metrics import confusion, decisions, roc_area
from train.model import Network
from train.operation import OperatingPoint, choose, softmax
from train.pictures import curves
from train.recipe import Recipe, Training, parse
from train.sampling import ahead, crops_of, targets, weights
from train.windows import Windows, cached, middle


class FitError(LeukoscopeError):
    """The run cannot be started, or not be resumed. Says what to change."""


def fit(
    recipe: Recipe, data: Path, out: Path, *, device: str = "cpu", limit: int = 0, cache: Path, notice: Notice
) -> Path:
    """Train a recipe's network, or go on where an interrupted run stopped.

    Parameters
    ----------
    data : folder with the data sets. out : the run's folder.
    limit : at most so many pictures of each data set; 0 takes all.
    cache : folder where cut windows are kept between runs.

    Returns
    -------
    The run's folder.

    Raises
    ------
    FitError : `out` holds a run with other settings, or too little is left to train on.
    DataError : a data set is absent or unreadable.
    """
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # builds without CUDA fail an assertion
        reason = str(error).splitlines()[0]
        raise FitError(f"device {device}: cannot be used ({reason}); try --device cpu") from None
    out.mkdir(parents=True, exist_ok=True)
    _write_settings(recipe, limit, out)
    windows = gather(recipe, data, limit, cache, notice)
    training, validation = windows.of("train"), windows.of("validation")
    state = resume(recipe, out, device) or start(recipe, device)
    if not len(training):
        raise FitError(f"data {data}: no cell falls into the training part; raise --limit")
    bar = tqdm(
        range(state.epoch, recipe.training.epochs),
        desc="epochs",
        unit="epoch",
        disable=not sys.stderr.isatty(),
    )
    for epoch in bar:
        loss = _epoch(state, recipe, training, epoch, device)
        figures = {"loss": loss, **_validate(state.average, recipe, validation, device)}
        state.history.append(figures)
        state.epoch = epoch + 1
        save(state, out)
        curves(state.history, out / "curves.png")
        bar.set_postfix(figures)
        if bar.disable:
            notice(f"epoch {epoch + 1}: " + ", ".join(f"{k} {v:.4f}" for k, v in figures.items()))
    _finish(state, recipe, windows, out, device)
    return out


def settings_of(run: Path) -> tuple[Recipe, dict[str, Any]]:
    """The recipe a run was made with, and its settings as they stand in the file."""
    path = run / "settings.json"
    if not path.is_file():
        raise FitError(f"run {run}: no settings.json; give the folder that edge-train fit wrote")
    settings: dict[str, Any] = json.loads(path.read_text())
    return parse(settings["recipe"]), settings


def load_network(run: Path) -> tuple[Network, dict[str, Any]]:
    """A finished run's network and its metrics."""
    recipe, _ = settings_of(run)
    path = run / "model.pt"
    if not path.is_file():
        raise FitError(f"run {run}: not finished, it has no model.pt; run edge-train fit again to go on")
    network = Network(recipe.architecture, len(CLASSES))
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    metrics: dict[str, Any] = json.loads((run / "metrics.json").read_text())
    return network.eval(), metrics


def _write_settings(recipe: Recipe, limit: int, out: Path) -> None:
    """Write what the run depends on; refuse to mix two runs in one folder. Epochs may be raised later."""
    path = out / "settings.json"
    settings = json.loads(json.dumps({"recipe": asdict(recipe), "limit": limit, "classes": CLASSES}))
    if path.is_file():
        before = json.loads(path.read_text())
        if {k: before.get(k) for k in settings} != settings:
            raise FitError(f"run {out}: was started with other settings; choose another --out or remove it")
        return
    path.write_text(json.dumps(settings, indent=1) + "\n")


def gather(recipe: Recipe, data: Path, limit: int, cache: Path, notice: Notice) -> Windows:
    """Windows of every data set of a recipe, test parts excepted; see `train.windows.cached`."""
    parts = []
    for name in recipe.shares:
        part = cached(
            dataset(name), data, recipe.input.pitch_um, recipe.input.window_px, notice, limit, cache
        )
        parts.append(part)
    return Windows.join(parts)


def loss_of(logits: Tensor, admits: Tensor, smoothing: float) -> Tensor:
    """Negative log of the probability of the admitted classes together, with label smoothing."""
    logs = functional.log_softmax(logits, dim=1)
    right = torch.logsumexp(logs.masked_fill(~admits, float("-inf")), dim=1)
    return -((1 - smoothing) * right + smoothing * logs.mean(dim=1)).mean()


def _epoch(state: State, recipe: Recipe, windows: Windows, epoch: int, device: str) -> float:
    """One pass of `samples` crops; returns the mean loss."""
    settings = recipe.training
    rng = np.random.default_rng([settings.seed, epoch])
    random = torch.Generator().manual_seed(settings.seed * 100_003 + epoch)
    torch.manual_seed(settings.seed * 100_019 + epoch)  # dropout
    drawn = rng.choice(len(windows), size=settings.samples, p=weights(windows, recipe))
    admits = targets(windows)
    batches = np.array_split(drawn, max(round(settings.samples / settings.batch), 1))
    total = 0.0
    state.network.train()
    crops_ahead = ahead(lambda batch: crops_of(windows, batch, recipe, random), batches)
    hidden = not sys.stderr.isatty()
    bar = tqdm(crops_ahead, desc=f"epoch {epoch + 1}", total=len(batches), leave=False, disable=hidden)
    for step, (batch, crops) in enumerate(bar):
        rate = _rate(settings, epoch * len(batches) + step, settings.epochs * len(batches))
        for group in state.optimiser.param_groups:
            group["lr"] = rate
        crops = crops.to(device, memory_format=torch.channels_last)
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            logits = state.network(crops).float()
        loss = loss_of(logits, admits[batch].to(device), settings.label_smoothing)
        state.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
        state.optimiser.step()
        # early on the average must forget the random start
        done = epoch * len(batches) + step + 1
        _follow(state.average, state.network, min(settings.average_decay, done / (done + 10)))
        total += float(loss.detach()) * len(batch)
    return total / settings.samples


def _rate(settings: Training, step: int, steps: int) -> float:
    """Learning rate: a linear warm-up, then half a cosine down to nothing."""
    warm = max(round(settings.warm_up * steps), 1)
    if step < warm:
        return settings.learning_rate * (step + 1) / warm
    return settings.learning_rate * 0.5 * (1 + cos(pi * (step - warm) / max(steps - warm, 1)))


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the running average towards the network, normalisation statistics included."""
    current = network.state_dict()
    for name, kept in average.state_dict().items():
        if kept.dtype.is_floating_point:
            kept.lerp_(current[name], 1 - decay)
        else:
            kept.copy_(current[name])


@torch.inference_mode()
def logits_of(network: Network, windows: Windows, recipe: Recipe, device: str) -> F32:
    """(n, C) logits of the windows' middles, as the device would cut them."""
    network.eval()
    crops = middle(windows.pixels, recipe.input.size_px)
    parts = []
    for first in range(0, len(crops), 128):
        batch = torch.from_numpy(np.ascontiguousarray(crops[first : first + 128])).to(device)
        parts.append(network(batch.permute(0, 3, 1, 2).float()).float().cpu().numpy())
    return np.concatenate(parts) if parts else np.zeros((0, len(CLASSES)), np.float32)


def typed(windows: Windows, names: tuple[str, ...]) -> Windows:
    """The cells of these data sets whose label is one class."""
    return windows.pick(np.isin(windows.datasets, names) & np.isin(windows.labels, CLASSES))


def truth_of(windows: Windows) -> I32:
    """(n,) index of the class of windows whose label is one."""
    return np.array([CLASSES.index(label) for label in windows.labels.tolist()], np.int32)


def _figures(logits: F32, truth: I32) -> dict[str, float]:
    positive = np.isin(truth, [CLASSES.index(c) for c in POSITIVE])
    columns = [CLASSES.index(c) for c in POSITIVE]
    scores = softmax(logits, 1.0)[:, columns].sum(axis=1).astype(np.float32)
    table = confusion(truth, logits.argmax(axis=1).astype(np.int32), len(CLASSES))
    return {"roc_area": roc_area(scores, positive), **decisions(table)}


def _validate(network: Network, recipe: Recipe, validation: Windows, device: str) -> dict[str, float]:
    """Figures by data set: the ROC area where there are blasts, balanced accuracy elsewhere."""
    out = {}
    for name in recipe.shares:
        part = typed(validation, (name,))
        if len(part):
            for key, value in _figures(logits_of(network, part, recipe, device), truth_of(part)).items():
                if not np.isnan(value) and key != "accuracy":
                    out[f"{name}_{key}"] = round(value, 5)
    return out


def _finish(state: State, recipe: Recipe, windows: Windows, out: Path, device: str) -> None:
    """Choose the operating point and write the model and what is known of it."""
    validation = typed(windows.of("validation"), recipe.operation.datasets)
    if not len(validation):
        raise FitError("no validation cell to choose the operating point on; raise --limit")
    logits = logits_of(state.average, validation, recipe, device)
    truth = truth_of(validation)
    point: OperatingPoint = choose(logits, truth, recipe.operation)
    metrics: Mapping[str, Any] = {
        "operating_point": asdict(point),
        "validation": {
            "all": {k: round(v, 5) for k, v in _figures(logits, truth).items()},
            **_validate(state.average, recipe, windows.of("validation"), device),
        },
        "epochs": state.epoch,
        "finished": datetime.now(UTC).date().isoformat(),
        "data": _census(windows),
    }
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    torch.save({k: v.cpu() for k, v in state.average.state_dict().items()}, out / "model.pt")


def _census(windows: Windows) -> dict[str, Any]:
    """Cells and groups by data set and part, and the names of the groups kept from training."""
    out: dict[str, Any] = {}
    for name in dict.fromkeys(windows.datasets.tolist()):
        part = windows.pick(windows.datasets == name)
        out[name] = {}
        for split in dict.fromkeys(part.splits.tolist()):
            inside = part.of(split)
            labels, counts = np.unique(inside.labels, return_counts=True)
            out[name][split] = {
                "cells": dict(zip(labels.tolist(), counts.tolist(), strict=True)),
                "groups": sorted(set(inside.groups.tolist())),
            }
    return out
