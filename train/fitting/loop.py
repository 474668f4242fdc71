"""The training loop: batches → loss → gradients → weights → their running average, epoch by epoch.

Whatever is trained is trained here; what it is, a `train.fitting.task.NetworkTask` says. An interrupted run
goes on from its checkpoint and ends exactly like one that was not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import cos, isfinite, isnan, pi
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from torch import Tensor, nn

from edge.machine import allocator
from edge.types import LeukoscopeError
from train.fitting.board import Board
from train.fitting.checkpoint import Best, RunState, kept, resume, save, start, write_tensors
from train.fitting.progress import RunProgress
from train.fitting.provenance import METRICS, write_json, write_metrics, write_table
from train.fitting.task import Batch, FitError, NetworkTask, Plan, Precision, Run
from train.statistics.plots import curves

MODEL = "model.pt"
"""The weights of a finished run; they are written last."""

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def finished(run: Path, unfinished: LeukoscopeError) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights and the metrics that a run ended with; raises `unfinished` where it has not."""
    if not (run / MODEL).is_file():
        raise unfinished
    weights: dict[str, Tensor] = torch.load(run / MODEL, map_location="cpu", weights_only=True)
    return weights, json.loads((run / METRICS).read_text(encoding="utf-8"))


def precision_of(wanted: str, device: torch.device, *, depthwise: bool = False) -> Precision:
    """What convolutions are computed in: `fp32` as asked for, else what the device multiplies fastest.

    Parameters
    ----------
    depthwise : most of them are; processors do these slower in half precision.
    """
    if wanted == "fp32" or device.type not in ("cpu", "cuda") or (depthwise and device.type == "cpu"):
        return "fp32"
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "fp16"
    return "bf16"


def train(task: NetworkTask, run: Run) -> None:
    """Train a task's network, or go on where an interrupted run stopped, and write down what came of it.

    The folder gets `checkpoint.pt`, `history.json`, `metrics.csv` and `curves.png`, renewed as it goes, and
    at the end `metrics.json` and `model.pt`.

    Raises
    ------
    FitError : the loss is no number any more, or the checkpoint is another program's.
    """
    process = run.process
    allocator.keep_memory()
    state = start(task, process.device, run.precision)
    process.synchronise(state.network)
    checkpoint = process.of_leader(lambda: kept(run.out))
    if checkpoint is not None:
        resume(state, checkpoint, process.device)
    if run.compiled:
        state.network.compile()
    _epochs(task, run, state)
    if process.leads and state.best is not None:
        _finish(task, run, state, state.best)


def _epochs(task: NetworkTask, run: Run, state: RunState) -> None:
    """The epochs that are left."""
    plan, process = task.plan, run.process
    done = state.epoch * plan.steps + state.step
    progress = RunProgress(plan, done, run.notice, silent=not process.leads)
    board = Board(run.board if process.leads else None, done)
    saved = monotonic()
    if process.leads:
        for number, figures in enumerate(state.history, start=1):
            run.after_epoch(number, figures)

    def after_step() -> None:
        nonlocal saved
        mean_loss = state.loss * plan.steps / (state.step * plan.samples)
        progress.step(mean_loss)
        board.step(state.epoch * plan.steps + state.step, {"loss": mean_loss})
        if process.leads and monotonic() - saved >= run.checkpoint_s:
            save(state, run.out)
            saved = monotonic()

    while state.epoch < plan.epochs and not _exhausted(state, plan.patience):
        loss = _epoch(task, run, state, after_step)
        if not isfinite(loss):
            raise FitError(f"epoch {state.epoch + 1}: the loss is {loss}; lower training.learning_rate")
        found = process.of_leader(lambda: task.validate(state.average))
        _close(state, {"loss": loss, **found}, task.watched(found))
        if process.leads:
            save(state, run.out)
            _keep_figures(run, plan, state)
            board.epoch(state.epoch, state.history[-1])
            run.after_epoch(state.epoch, state.history[-1])
        progress.epoch(state.epoch, state.history[-1])
    progress.close(_early(state, plan.epochs))
    board.close()


def _keep_figures(run: Run, plan: Plan, state: RunState) -> None:
    """Figures of the epochs so far: for programs, for a spreadsheet, and as a picture."""
    write_json(run.out / "history.json", state.history)
    rows = [
        {"epoch": number, "crops": number * plan.samples, **figures}
        for number, figures in enumerate(state.history, 1)
    ]
    write_table(run.out / "metrics.csv", rows)
    curves(state.history, run.out / "curves.png")


def _epoch(task: NetworkTask, run: Run, state: RunState, after_step: Callable[[], None]) -> float:
    """The steps that are left of an epoch; returns the mean loss of all of it.

    Parameters
    ----------
    after_step : called when a step is done and `state` may be saved.
    """
    plan = task.plan
    state.network.train()
    for batch in task.batches(state.epoch, state.step):
        done = state.epoch * plan.steps + state.step
        for group in state.optimiser.param_groups:
            group["lr"] = learning_rate(plan, done)
        torch.manual_seed(batch.seed)
        loss = _step(state, batch, task, run)
        # early on the average must forget the random start
        follow(state.average, state.network, min(plan.average_decay, (done + 1) / (done + 11)))
        state.step += 1
        state.loss += loss * batch.size
        after_step()
    return state.loss / plan.samples


def _step(state: RunState, batch: Batch, task: NetworkTask, run: Run) -> float:
    """One step of the optimiser; returns the loss of the whole batch."""
    process, precision = run.process, run.precision
    pixels = batch.pixels.to(process.device, non_blocking=True)
    wanted = {name: value.to(process.device, non_blocking=True) for name, value in batch.wanted.items()}
    with torch.autocast(process.device.type, _TYPES[precision], enabled=precision != "fp32"):
        answers = state.network(pixels)
    loss = task.loss(answers.float(), wanted) * batch.share
    state.optimiser.zero_grad()
    state.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    loss = loss.detach()
    if process.size > 1:
        process.add_up([loss, *_gradients(state.network), *_statistics(state.network, batch.share)])
    state.scaler.unscale_(state.optimiser)
    nn.utils.clip_grad_norm_(state.network.parameters(), task.plan.clip)
    state.scaler.step(state.optimiser)
    state.scaler.update()
    return float(loss)


def _gradients(network: nn.Module) -> list[Tensor]:
    return [p.grad for p in network.parameters() if p.grad is not None]


def _statistics(network: nn.Module, share: float) -> list[Tensor]:
    """Running statistics of the normalisation, weighted: their sum over the processes is their mean."""
    return [buffer.mul_(share) for buffer in network.buffers() if buffer.dtype.is_floating_point]


def learning_rate(plan: Plan, step: int) -> float:
    """Learning rate: a linear warm-up, then half a cosine down to nothing."""
    steps, warm = plan.epochs * plan.steps, plan.warm_up
    if step < warm:
        return plan.learning_rate * (step + 1) / warm
    return plan.learning_rate * 0.5 * (1 + cos(pi * (step - warm) / max(steps - warm, 1)))


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, decay: float) -> None:
    """Move the running average towards the network, normalisation statistics included."""
    current = network.state_dict()
    for name, held in average.state_dict().items():
        if held.dtype.is_floating_point:
            held.lerp_(current[name], 1 - decay)
        else:
            held.copy_(current[name])


def _close(state: RunState, found: dict[str, float], figure: float) -> None:
    """Close an epoch, and keep its weights if none was better before."""
    state.epoch, state.step, state.loss = state.epoch + 1, 0, 0.0
    state.history.append(found)
    # written so that without a figure to compare, NaN, the last epoch is kept
    if state.best is None or not figure <= state.best.figure:
        weights = {name: value.clone() for name, value in state.average.state_dict().items()}
        state.best = Best(state.epoch, figure, weights)


def _exhausted(state: RunState, patience: int) -> bool:
    return 0 < patience <= state.epoch - (state.best.epoch if state.best else 0)


def _early(state: RunState, epochs: int) -> str:
    """What to say of a run that stopped before its last epoch."""
    if state.best is None or state.epoch == epochs:
        return ""
    return f"stopped after epoch {state.epoch} of {epochs}: none was better since epoch {state.best.epoch}"


def _finish(task: NetworkTask, run: Run, state: RunState, best: Best) -> None:
    """Write the weights that are kept and what is known of them."""
    network = task.network().to(run.process.device)
    network.load_state_dict(best.weights)
    found = {name: value for name, value in state.history[best.epoch - 1].items() if name != "loss"}
    metrics = task.finish(network.eval(), found) | {
        "epochs": len(state.history),
        "kept": {"epoch": best.epoch, "figure": None if isnan(best.figure) else best.figure},
        "history": state.history,
    }
    write_metrics(metrics, run.out)
    write_tensors(run.out / MODEL, {name: value.cpu() for name, value in best.weights.items()})
