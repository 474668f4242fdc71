"""Checkpoints: the state of a run between two epochs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from train.classes import CLASSES
from train.model import Network
from train.recipe import Recipe, Training

_NAME = "checkpoint.pt"


@dataclass
class State:
    """What a checkpoint holds.

    Attributes
    ----------
    network : as the optimiser left it. average : the running average of its weights, which is kept.
    epoch : epochs done. history : figures after each.
    """

    network: Network
    average: Network
    optimiser: torch.optim.AdamW
    epoch: int
    history: list[dict[str, float]]


def start(recipe: Recipe, device: str) -> State:
    """A run that has not begun."""
    torch.manual_seed(recipe.training.seed)
    network = Network(recipe.architecture, len(CLASSES)).to(device)
    average = Network(recipe.architecture, len(CLASSES)).to(device)
    average.load_state_dict(network.state_dict())
    return State(network, average, _optimiser(network, recipe.training), 0, [])


def _optimiser(network: nn.Module, settings: Training) -> torch.optim.AdamW:
    flat = [p for p in network.parameters() if p.ndim < 2]
    deep = [p for p in network.parameters() if p.ndim >= 2]
    kinds: list[dict[str, Any]] = [
        {"params": deep, "weight_decay": settings.weight_decay},
        {"params": flat, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(kinds, lr=settings.learning_rate)


def resume(recipe: Recipe, out: Path, device: str) -> State | None:
    """Where the run in this folder stopped, None if it never got through an epoch."""
    path = out / _NAME
    if not path.is_file():
        return None
    kept = torch.load(path, map_location=device, weights_only=True)
    state = start(recipe, device)
    state.network.load_state_dict(kept["network"])
    state.average.load_state_dict(kept["average"])
    state.optimiser.load_state_dict(kept["optimiser"])
    state.epoch, state.history = kept["epoch"], kept["history"]
    return state


def save(state: State, out: Path) -> None:
    """Keep the state; what was kept before stays whole until then."""
    partial = out / "checkpoint.part"
    torch.save(
        {
            "network": state.network.state_dict(),
            "average": state.average.state_dict(),
            "optimiser": state.optimiser.state_dict(),
            "epoch": state.epoch,
            "history": state.history,
        },
        partial,
    )
    partial.replace(out / _NAME)
