"""Fitting the ruler's network: one loop, one core, twenty minutes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.optics.ruler import BINS, BINS_PER_OCTAVE, SMALLEST_PX
from edge.types import U8
from train.ruler.net import RulerNet
from train.ruler.samples import Laboratory, batch, smears

_BATCH = 32
_RATE = 6e-3
_SOFT = 0.75  # bins: neighbouring diameters are nearly right
_SMEARS = 1000
_TOLD_EVERY = 100


@dataclass(frozen=True)
class Progress:
    """How far the fit is: steps, mean loss of the last hundred, and their median error as a share."""

    step: int
    loss: float
    error: float


def fit(
    laboratories: Mapping[str, Laboratory],
    negatives: Sequence[Sequence[U8]],
    steps: int,
    seed: int = 0,
    tell: Callable[[Progress], None] | None = None,
) -> RulerNet:
    """A network that tells these laboratories' red cells, whatever the scale; the same for the same seed."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    network = RulerNet()
    drawn = smears(rng, _SMEARS)
    optimiser = torch.optim.AdamW(network.parameters(), _RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, _RATE, total_steps=steps, pct_start=0.1)
    recent: list[tuple[float, float]] = []
    for step in range(1, steps + 1):
        tiles, diameters = map(torch.from_numpy, batch(rng, laboratories, negatives, drawn, _BATCH))
        logits = network(tiles)
        loss = functional.cross_entropy(logits, targets(diameters))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        recent.append((loss.item(), _error(logits.detach(), diameters)))
        if tell and (step % _TOLD_EVERY == 0 or step == steps):
            mean_loss, error = np.mean(recent, axis=0).tolist()
            tell(Progress(step, mean_loss, error))
            recent.clear()
    return network.eval()


def targets(diameters: Tensor) -> Tensor:
    """(n, 1 + BINS) probabilities of (n,) diameters in pixels, negative for nothing.

    Neighbouring bins have their shares of a normal distribution; the first and the last have all beyond.
    """
    shown = (diameters > 0).float()[:, None]
    edges = torch.arange(BINS - 1) + 0.5
    below = 0.5 * (1 + torch.erf((edges - _bins(diameters)[:, None]) / (_SOFT * 2**0.5)))
    steps = torch.cat([torch.zeros_like(shown), below, torch.ones_like(shown)], dim=1)
    return torch.cat([1 - shown, shown * steps.diff(dim=1)], dim=1)


def _bins(diameters: Tensor) -> Tensor:
    """Where in the network's bins diameters lie; outside of them, too."""
    bins: Tensor = torch.log2(diameters.clamp(min=1.0) / SMALLEST_PX) * BINS_PER_OCTAVE
    return bins


def _error(logits: Tensor, diameters: Tensor) -> float:
    """Median relative error of the diameters that are shown."""
    shown = diameters > 0
    bins = _bins(diameters[shown]).clamp(0, BINS - 1)
    off = (logits[shown, 1:].argmax(dim=1) - bins).abs().median()
    return float(2 ** (off / BINS_PER_OCTAVE) - 1)
