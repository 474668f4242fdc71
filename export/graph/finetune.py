"""Quantization-aware fine-tuning: the network learns to give FP32's answers through rounded layers.

Weights and what the layers read are rounded while it learns, as the INT8 graphs will round them; gradients
pass the rounding as if it were not there (straight-through estimator: Bengio et al., arXiv:1308.3432; fake
quantization: Jacob et al., CVPR 2018). The teacher is the FP32 network itself, so no label is asked again.
"""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from math import cos, pi

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from export.graph.calibration import Ranges
from export.graph.folded import Folded
from export.graph.quantize import SAFE_BITS, LayerTensors
from train.data.bar import Bar
from train.data.windows import Windows
from train.fitting.sampling import ahead, crops_of, weights
from train.recipes.recipe import Recipe

_TRAVEL = 1.0  # levels of its rounding that a weight may move in all: enough to choose another, not to drift


def finetune(
    teacher: Folded,
    tensors: Collection[LayerTensors],
    ranges: Ranges,
    windows: Windows,
    recipe: Recipe,
    *,
    epochs: int = 1,
    bits: int = SAFE_BITS,
) -> Folded:
    """A copy of the network that has got used to layers of bytes.

    Parameters
    ----------
    tensors : of the layers to round, what they read and write; see `export.graph.quantize.layer_tensors`.
    ranges : what the tensors are rounded in, and must be rounded in afterwards.
    windows : training cells; `recipe` says how they are drawn and augmented, and how many make an epoch.
    bits : of a weight; those of the coarser of the two graphs, for who copes with it copes with both.
    """
    student = rounded(teacher, tensors, ranges, bits)
    settings = recipe.training
    rng = np.random.default_rng([settings.seed, 1])
    random = torch.Generator().manual_seed(settings.seed)
    drawn = rng.choice(len(windows), epochs * settings.samples, p=weights(windows, recipe))
    batches = np.array_split(drawn, max(round(len(drawn) / settings.batch), 1))
    rate = _TRAVEL * _level(student, bits) / len(batches)
    optimiser = torch.optim.Adam(student.parameters(), rate)
    crops_ahead = ahead(lambda _, batch: crops_of(windows, batch, recipe, random), batches)
    steps = Bar(crops_ahead, "fine-tuning", "batch", total=len(batches), leave=False)
    for step, (_, crops) in enumerate(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * 0.5 * (1 + cos(pi * step / len(batches)))
        with torch.no_grad():
            wanted = functional.log_softmax(teacher.logits(crops), dim=1)
        given = functional.log_softmax(student.logits(crops), dim=1)
        loss = functional.kl_div(given, wanted, log_target=True, reduction="batchmean")
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        steps.set_postfix(loss=f"{float(loss.detach()):.4f}")
    return plain(student)


def rounded(network: Folded, tensors: Collection[LayerTensors], ranges: Ranges, bits: int) -> Folded:
    """A copy whose layers read and hold rounded values; it computes nearly what the INT8 graph does."""
    student = deepcopy(network)
    for each in tensors:
        layer = student.get_submodule(each.layer)
        parametrize.register_parametrization(layer, "weight", _Weights(bits), unsafe=True)
        into = _levels(ranges[each.into])
        for reader in (layer, *_beside(student, each.layer)):
            reader.register_forward_pre_hook(lambda _, inputs, into=into: _round(inputs[0], into))
        if each.out is not None:
            out = _levels(ranges[each.out])
            layer.register_forward_hook(lambda _, inputs, output, out=out: _round(output, out))
    return student


def _beside(student: Folded, layer: str) -> tuple[nn.Identity, ...]:
    """The short cut that adds what a block's first layer reads: in the graphs both read the same bytes."""
    name, _, place = layer.rpartition(".")
    short = getattr(student.get_submodule(name), "short", None)
    return (short,) if place in ("first", "expand") and isinstance(short, nn.Identity) else ()


def plain(student: Folded) -> Folded:
    """The network without the rounding, its weights as they were learned."""
    bare = deepcopy(student)
    for module in bare.modules():
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
        module._forward_pre_hooks.clear()
        module._forward_hooks.clear()
    return bare


class _Weights(nn.Module):
    """Weights rounded to `bits`, one scale for each output channel."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.top = 2 ** (bits - 1) - 1

    def forward(self, weight: Tensor) -> Tensor:
        scales = (weight.detach().abs().amax(dim=(1, 2, 3)) / self.top).clamp(min=1e-12)
        zeros = torch.zeros(len(scales), dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, scales, zeros, 0, -self.top, self.top)


def _level(student: Folded, bits: int) -> float:
    """Mean distance between two levels of the rounded weights."""
    steps = [
        module.weight.detach().abs().amax(dim=(1, 2, 3)) / (2 ** (bits - 1) - 1)
        for module in student.modules()
        if parametrize.is_parametrized(module, "weight") and isinstance(module.weight, Tensor)
    ]
    return float(torch.cat(steps).mean())


def _levels(limits: tuple[float, float]) -> float:
    """The coarser scale of the two graphs, the symmetric one: who copes with it copes with both."""
    return max(-limits[0], limits[1], 1e-12) / 127


def _round(values: Tensor, scale: float) -> Tensor:
    return torch.fake_quantize_per_tensor_affine(values, scale, 0, -128, 127)
