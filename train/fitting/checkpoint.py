"""Checkpoints: the state of a run between two steps, on disk whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edge.files import atomic
from train.fitting.task import FitError, NetworkTask, Plan, Precision

_NAME = "checkpoint.pt"
_PARTS = ("network", "average", "optimiser", "scaler")
_NUMBERS = ("epoch", "step", "loss", "history")
_CONTENT = {*_PARTS, *_NUMBERS, "best"}


@dataclass(frozen=True, eq=False)
class Best:
    """The epoch that is kept so far: its number from 1, the figure that it was chosen by, its weights."""

    epoch: int
    figure: float
    weights: Mapping[str, Tensor]


@dataclass
class RunState:
    """What a checkpoint holds.

    Attributes
    ----------
    network : as the optimiser left it. average : the running average of its weights, which is kept.
    scaler : of the loss, in FP16; idle otherwise.
    epoch, step : epochs done, and steps done of the next one. loss : sum over those steps, times their sizes.
    history : figures after each epoch. best : None before the first.
    """

    network: nn.Module
    average: nn.Module
    optimiser: torch.optim.AdamW
    scaler: torch.amp.GradScaler
    epoch: int = 0
    step: int = 0
    loss: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    best: Best | None = None


def start(task: NetworkTask, device: torch.device, precision: Precision) -> RunState:
    """A run that has not begun."""
    torch.manual_seed(task.plan.seed)
    network = task.network()
    task.begin(network)
    network = _laid_out(network, device)
    average = _laid_out(task.network(), device)
    average.load_state_dict(network.state_dict())
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    return RunState(network, average, _optimiser(network, task.plan), scaler)


def _laid_out(network: nn.Module, device: torch.device) -> nn.Module:
    """A network on its device, where a GPU is with its channels last, as its tensor cores want them."""
    layout = torch.channels_last if device.type == "cuda" else torch.preserve_format
    return network.to(device, memory_format=layout)  # type: ignore[call-overload, no-any-return]


def _optimiser(network: nn.Module, plan: Plan) -> torch.optim.AdamW:
    learning = [p for p in network.parameters() if p.requires_grad]
    kinds: list[dict[str, Any]] = [
        {"params": [p for p in learning if p.ndim >= 2], "weight_decay": plan.weight_decay},
        {"params": [p for p in learning if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(kinds, lr=plan.learning_rate)


def kept(out: Path) -> bytes | None:
    """The checkpoint in a run's folder, None if there is none yet. What a kill left half written goes."""
    for torn in out.glob(f".{_NAME}.*.part"):
        torn.unlink()
    path = out / _NAME
    return path.read_bytes() if path.is_file() else None


def resume(state: RunState, checkpoint: bytes, device: torch.device) -> None:
    """Put a run that has not begun where the checkpoint was written.

    Raises
    ------
    FitError : the checkpoint is another program's.
    """
    found = torch.load(BytesIO(checkpoint), map_location=device, weights_only=True)
    if missing := _CONTENT - found.keys():
        raise FitError(f"{_NAME}: has no {min(missing)}, as of an older program; remove it to begin anew")
    for name in _PARTS:
        getattr(state, name).load_state_dict(found[name])
    for name in _NUMBERS:
        setattr(state, name, found[name])
    state.best = Best(**found["best"]) if found["best"] else None


def save(state: RunState, out: Path) -> None:
    """Keep the state; what was kept before stays whole until then."""
    content: dict[str, Any] = {name: getattr(state, name).state_dict() for name in _PARTS}
    content |= {name: getattr(state, name) for name in _NUMBERS}
    best = state.best
    content["best"] = best and {"epoch": best.epoch, "figure": best.figure, "weights": dict(best.weights)}
    write_tensors(out / _NAME, content)


def write_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """`torch.save`, all of it or nothing."""
    stream = BytesIO()
    torch.save(content, stream)
    atomic.write(path, stream.getvalue(), 0o644)
