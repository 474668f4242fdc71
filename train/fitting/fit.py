"""Fit a recipe, or go on with it: the one door to every kind of model that recipes name.

A run's folder holds `settings.json` (what the result depends on) and `environment.json` (each start of the
run), of cells `data.json` (those it saw), what `train.fitting.loop` leaves, and at the end `metrics.json` and
the model. An interrupted run ends exactly like one that was not.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import nn

from train.data.dataset import Notice
from train.fitting.board import writer_class
from train.fitting.distributed import joined
from train.fitting.finish import tell_worth
from train.fitting.loop import MODEL, finished, precision_of
from train.fitting.provenance import SETTINGS, begin
from train.fitting.task import FitError, Run, task_of
from train.network.backbones import LITE
from train.network.model import build
from train.recipes.recipe import Recipe, parse


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
    left_out: Sequence[str] = (),
    tensorboard: bool = False,
    compiled: bool = False,
    notice: Notice,
    after_epoch: Callable[[int, Mapping[str, float]], None] = lambda number, figures: None,
) -> Path:
    """Train what a recipe means, or go on where an interrupted run stopped.

    Started by `torchrun`, the processes share each batch, and the first one writes and talks.

    Parameters
    ----------
    data : folder with the data sets. out : the run's folder.
    precision : 'fp32', or 'auto' for mixed precision; see `train.fitting.loop.precision_of`.
    limit : at most so many pictures of each data set, and crops of an epoch; 0 takes all.
    cache : folder where cut windows are kept between runs.
    checkpoint_s : seconds between checkpoints within an epoch; there is one after every epoch in any case.
    left_out : data sets that the recipe was changed to do without, for the record.
    tensorboard : write logs for it, too. compiled : send the network through torch.compile.
    after_epoch : see `train.fitting.task.Run`.

    Returns
    -------
    The run's folder.

    Raises
    ------
    FitError, SettingsError : too little is left to train on; `out` holds a run with other settings.
    ProcessError : the device cannot be used, or another process of the run ended.
    DataError : a data set is absent or unreadable.
    """
    if tensorboard:
        writer_class()
    recipe = _limited(recipe, limit)
    with joined(device) as process:
        chosen = precision_of(precision, process.device, depthwise=recipe.architecture.backbone == LITE)
        board = out / "tensorboard" if tensorboard else None
        run = Run(
            data, out, cache, limit, process, chosen, notice, checkpoint_s, board, compiled, after_epoch
        )
        task = task_of(recipe)(recipe, run)
        settings: dict[str, Any] = {
            "recipe": asdict(recipe),
            "limit": limit,
            "classes": recipe.classes,
            "precision": chosen,
            "processes": process.size,
        }
        if left_out:
            settings["left_out"] = list(left_out)
        process.of_leader(lambda: begin(settings, run, recipe.training.seed))
        task.gather()
        task.learn()
        if process.leads and recipe.method == "network":
            tell_worth(out, notice)
    return out


def _limited(recipe: Recipe, limit: int) -> Recipe:
    """A recipe whose epochs draw no more crops than the limit of pictures, so that a rehearsal is short."""
    if not 0 < limit < recipe.training.samples:
        return recipe
    samples = max(limit, min(recipe.training.batch, recipe.training.samples))
    return replace(recipe, training=replace(recipe.training, samples=samples))


def settings_of(run: Path) -> tuple[Recipe, dict[str, Any]]:
    """The recipe a run was made with, and its settings as they stand in the file."""
    path = run / SETTINGS
    if not path.is_file():
        raise FitError(f"run {run}: no settings.json; give the folder that edge-train fit wrote")
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return parse(settings["recipe"]), settings


def load_network(run: Path) -> tuple[nn.Module, dict[str, Any]]:
    """A finished run's network and its metrics."""
    recipe, _ = settings_of(run)
    again = FitError(f"run {run}: not finished, it has no {MODEL}; run edge-train fit again to go on")
    weights, metrics = finished(run, again)
    network = build(recipe.architecture, len(recipe.classes))
    network.load_state_dict(weights)
    return network.eval(), metrics
