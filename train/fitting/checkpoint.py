"""Checkpoints: the state of a run between two steps, on disk whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from edge.files import atomic
from edge.types import U8
from train.network.model import begin, build
from train.recipes.recipe import Recipe, Training

Precision = Literal["fp32", "bf16", "fp16"]

_NAME = "checkpoint.pt"


@dataclass(frozen=True, eq=False)
class Best:
    """The epoch that is kept so far: its number from 1, the figure that it was chosen by, its weights."""

    epoch: int
    figure: float
    weights: Mapping[str, Tensor]


@dataclass
class State:
    """What a checkpoint holds.

    Attributes
    ----------
    network : as the optimiser left it. average : the running average of its weights, which is kept.
    scaler : of the loss, in FP16; idle otherwise.
    epoch, step : epochs done, and steps done of the next one. loss : sum over the crops of those steps.
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


def start(recipe: Recipe, pixels: U8, device: torch.device, precision: Precision) -> State:
    """A run that has not begun. `pixels` : (n, S, S, 3), of its training windows."""
    torch.manual_seed(recipe.training.seed)
    network = build(recipe.architecture, len(recipe.classes))
    begin(network, recipe.architecture, pixels)
    network = network.to(device)
    average = build(recipe.architecture, len(recipe.classes)).to(device)
    average.load_state_dict(network.state_dict())
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    return State(network, average, optimiser_of(network, recipe.training), scaler)


def optimiser_of(network: nn.Module, settings: Training) -> torch.optim.AdamW:
    flat = [p for p in network.parameters() if p.ndim < 2 and p.requires_grad]
    deep = [p for p in network.parameters() if p.ndim >= 2 and p.requires_grad]
    kinds: list[dict[str, Any]] = [
        {"params": deep, "weight_decay": settings.weight_decay},
        {"params": flat, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(kinds, lr=settings.learning_rate)


def kept(out: Path) -> bytes | None:
    """The checkpoint in a run's folder, None if there is none yet. What a kill left half written goes."""
    for torn in out.glob(f".{_NAME}.*.part"):
        torn.unlink()
    path = out / _NAME
    return path.read_bytes() if path.is_file() else None


def resume(state: State, checkpoint: bytes, device: torch.device) -> None:
    """Put a run that has not begun where the checkpoint was written."""
    found = torch.load(BytesIO(checkpoint), map_location=device, weights_only=True)
    for name in ("network", "average", "optimiser", "scaler"):
        getattr(state, name).load_state_dict(found[name])
    for name in ("epoch", "step", "loss", "history"):
        setattr(state, name, found[name])
    state.best = Best(**found["best"]) if found["best"] else None


def save(state: State, out: Path) -> None:
    """Keep the state; what was kept before stays whole until then."""
    content: dict[str, Any] = {
        name: getattr(state, name).state_dict() for name in ("network", "average", "optimiser", "scaler")
    }
    content |= {name: getattr(state, name) for name in ("epoch", "step", "loss", "history")}
    best = state.best
    content["best"] = best and {"epoch": best.epoch, "figure": best.figure, "weights": dict(best.weights)}
    write_tensors(out / _NAME, content)


def write_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """`torch.save`, all of it or nothing."""
    stream = BytesIO()
    torch.save(content, stream)
    atomic.write(path, stream.getvalue(), 0o644)
