"""The network as the device computes it: convolutions with biases, and nothing that can be worked out before.

Folded away: batch normalisation and the division of the grey levels (into the convolutions), the mean over
2 × 2 pixels before a 1 × 1 convolution (one 2 × 2 convolution), the temperature (into the head). What is left
is what quantization and TensorRT handle best, and it computes the same within rounding. Only a normalisation
by the crop's own mean and spread stays: nobody knows those before.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
from torch import Tensor, nn

from train.network import lite
from train.network.lite import Convolution, Inverted, Lite
from train.network.model import GREY_MEAN, GREY_SPREAD, Block, CropNorm, Network


class FoldedBlock(nn.Module):
    """Two convolutions with a short cut: `train.network.model.Block` without its normalisation."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.first = _convolution(block.first, block.first_norm)
        self.second = _convolution(block.second, block.second_norm)
        self.short: nn.Module = nn.Identity()
        if isinstance(block.short, nn.Sequential):
            pooling, narrow, norm = block.short
            self.short = _convolution(cast(nn.Conv2d, narrow), cast(nn.BatchNorm2d, norm))
            if isinstance(pooling, nn.AvgPool2d):
                self.short = _with_mean(self.short, cast(int, pooling.kernel_size))

    def forward(self, x: Tensor) -> Tensor:
        # the short cut comes second: `export.graph.quantize` relies on it
        return torch.relu(self.second(torch.relu(self.first(x))) + self.short(x))


class FoldedInverted(nn.Module):
    """Three convolutions, perhaps with a short cut: `train.network.lite.Inverted` without normalisation."""

    def __init__(self, block: Inverted) -> None:
        super().__init__()
        self.expand = _of_lite(block.expand) if isinstance(block.expand, Convolution) else None
        self.depthwise, self.project = _of_lite(block.depthwise), _of_lite(block.project)
        self.short = nn.Identity() if block.short else None

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else torch.relu(self.expand(x))
        y = self.project(torch.relu(self.depthwise(y)))
        # the short cut comes second: `export.graph.quantize` relies on it
        out: Tensor = y if self.short is None else y + self.short(x)
        return out


class Folded(nn.Module):
    """(n, S, S, 3) uint8 RGB -> (n, C) float32 calibrated probabilities, (n, F) float32 features.

    The features are what the head reads: with them a site can fit a head of its own, without the network.
    """

    def __init__(self, network: Network | Lite, temperature: float) -> None:
        super().__init__()
        if isinstance(network, Lite):
            self.middle = lite.GREY_MIDDLE
            self.stem, self.stages = _stages_of_lite(network)
        else:
            self.middle = GREY_MEAN
            self.stem, self.stages = _stages(network)
        self.head = nn.Linear(network.head.in_features, network.head.out_features)
        self.head.weight.data = network.head.weight.data / temperature
        self.head.bias.data = network.head.bias.data / temperature
        self.eval()

    def logits(self, crops: Tensor) -> Tensor:
        """(n, 3, S, S) float32 grey levels -> (n, C) float32, divided by the temperature."""
        out: Tensor = self.head(self.features(crops))
        return out

    def features(self, crops: Tensor) -> Tensor:
        """(n, 3, S, S) float32 grey levels -> (n, F) float32, means of the last stage's channels."""
        out: Tensor = self.stages(self.stem(crops - self.middle)).mean(dim=(2, 3))
        return out

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        # cast first: TensorRT lets unsigned bytes into nothing else (NVIDIA/TensorRT#3985)
        features = self.features(crops.float().permute(0, 3, 1, 2))
        return torch.softmax(self.head(features), dim=1), features


def _stages(network: Network) -> tuple[nn.Sequential, nn.Sequential]:
    first, first_norm, _, second, second_norm, _ = network.stem
    norm: nn.Module = nn.Identity()
    if isinstance(first_norm, CropNorm):
        into, norm = _partly(cast(nn.Conv2d, first), first_norm), _OwnNorm(first_norm.own)
    else:
        into = _convolution(cast(nn.Conv2d, first), cast(nn.BatchNorm2d, first_norm))
    into.weight.data /= GREY_SPREAD
    narrow = _convolution(cast(nn.Conv2d, second), cast(nn.BatchNorm2d, second_norm))
    stem = nn.Sequential(into, norm, nn.ReLU(), narrow, nn.ReLU())
    return stem, nn.Sequential(*(FoldedBlock(cast(Block, block)) for block in network.stages))


def _stages_of_lite(network: Lite) -> tuple[nn.Sequential, nn.Sequential]:
    into = _of_lite(network.stem)
    into.weight.data /= lite.GREY_SPREAD
    blocks = (FoldedInverted(cast(Inverted, block)) for block in network.blocks)
    return nn.Sequential(into, nn.ReLU()), nn.Sequential(*blocks)


def _of_lite(layers: Convolution) -> nn.Conv2d:
    return _convolution(cast(nn.Conv2d, layers[0]), cast(nn.BatchNorm2d, layers[1]))


class _OwnNorm(nn.Module):
    """What `train.network.model.CropNorm` does to the channels that it normalises by the crop itself."""

    def __init__(self, norm: nn.InstanceNorm2d) -> None:
        super().__init__()
        self.norm = copy.deepcopy(norm)

    def forward(self, x: Tensor) -> Tensor:
        channels = self.norm.num_features
        own: Tensor = self.norm(x[:, :channels])
        return own if channels == x.shape[1] else torch.cat([own, x[:, channels:]], dim=1)


def _partly(plain: nn.Conv2d, norm: CropNorm) -> nn.Conv2d:
    """A convolution with what can be folded into it of the normalisation after it."""
    out = copy.deepcopy(plain)
    out.bias = nn.Parameter(torch.zeros(out.out_channels))
    if norm.others is not None:
        some = slice(norm.own.num_features, None)
        narrow = copy.deepcopy(plain)
        narrow.weight, narrow.out_channels = nn.Parameter(plain.weight.data[some]), norm.others.num_features
        folded = _convolution(narrow, norm.others)
        assert folded.bias is not None
        out.weight.data[some], out.bias.data[some] = folded.weight.data, folded.bias.data
    return out


def _convolution(plain: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """A convolution and the normalisation after it, in one."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    out = nn.Conv2d(
        plain.in_channels,
        plain.out_channels,
        cast(tuple[int, int], plain.kernel_size),
        cast(tuple[int, int], plain.stride),
        cast(tuple[int, int], plain.padding),
        groups=plain.groups,
    )
    gain = norm.weight.data / torch.sqrt(norm.running_var + norm.eps)
    out.weight.data = plain.weight.data * gain[:, None, None, None]
    out.bias = nn.Parameter(norm.bias.data - norm.running_mean * gain)
    return out


def _with_mean(narrow: nn.Conv2d, size: int) -> nn.Conv2d:
    """A 1 × 1 convolution and the mean over `size` × `size` pixels before it, in one."""
    out = nn.Conv2d(narrow.in_channels, narrow.out_channels, size, size)
    out.weight.data = (narrow.weight.data / size**2).repeat(1, 1, size, size)
    out.bias = narrow.bias
    return out
