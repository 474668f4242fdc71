"""What a network sees in a cell: its features before the head, as input to something else."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from edge.types import F32, I32, U8
from train.data.augment import augment
from train.data.bar import followed
from train.network.backbones import head_of
from train.network.model import begin, build
from train.published.classical import Arrays, Settings

_AT_ONCE = 64
_WEIGHT_DECAY = 0.05


@dataclass(frozen=True, eq=False)
class Pooled:
    """A network without its head: (n, S, S, 3) uint8 RGB -> (n, F) float32."""

    body: nn.Module

    @classmethod
    def fit(cls, crops: U8, truth: I32, classes: int, settings: Settings, *, seed: int) -> Self:
        """Train the recipe's network on labelled crops; one with frozen published weights stays as it is.

        Raises
        ------
        BackboneError : the published weights that the recipe asks for are not to be had.
        """
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = build(settings.architecture, classes)
            begin(network, settings.architecture, crops)
            if not settings.architecture.frozen:
                _train(network, crops, truth, settings, seed)
        return cls(_headless(network))

    def features(self, crops: U8) -> F32:
        """(n, S, S, 3) uint8 RGB -> (n, F) float32."""
        with torch.inference_mode():
            parts = [
                self.body(torch.from_numpy(crops[first : first + _AT_ONCE]).permute(0, 3, 1, 2).float())
                for first in range(0, len(crops), _AT_ONCE)
            ]
        return np.asarray(torch.cat(parts).numpy(), np.float32)

    def arrays(self) -> Arrays:
        """Its weights, by name."""
        return {name: weights.numpy() for name, weights in self.body.state_dict().items()}

    @classmethod
    def of(cls, settings: Settings, arrays: Arrays) -> Self:
        """The same again; RuntimeError where the arrays are of another network."""
        body = _headless(build(settings.architecture, 2))
        body.load_state_dict({name: torch.tensor(weights) for name, weights in arrays.items()})
        return cls(body)


def _headless(network: nn.Module) -> nn.Module:
    network.set_submodule(head_of(network), nn.Identity())
    return network.eval().requires_grad_(False)


def _train(network: nn.Module, crops: U8, truth: I32, settings: Settings, seed: int) -> None:
    """AdamW with a falling rate and the classes evened out, on crops that are changed each time."""
    random = torch.Generator().manual_seed(seed)
    windows, answers = torch.from_numpy(np.ascontiguousarray(crops)), torch.from_numpy(truth).long()
    rarity = 1 / torch.bincount(answers).clamp(min=1).double()
    size, steps = crops.shape[1], max(len(crops) * settings.epochs // settings.batch, 1)
    learning = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, settings.learning_rate, weight_decay=_WEIGHT_DECAY)
    network.train()
    for step in followed(range(steps), "network", "step"):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * 0.5 * (1 + cos(pi * step / steps))
        drawn = torch.multinomial(rarity[answers], settings.batch, replacement=True, generator=random)
        x = augment(windows[drawn], settings.augmentation, size, settings.pitch_um, random)
        loss = functional.cross_entropy(network(x), answers[drawn])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
