"""The classifier: a small residual convolutional network, and the graph that the device runs.

Plain 3×3 convolutions rather than depthwise ones: simple to train on few cores, and batch normalisation
folds into them on export.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.types import U8
from train.network.backbones import LITE, Backbone, unknown, weights_file
from train.network.lite import BLOCKS, Lite

GREY_MEAN, GREY_SPREAD = 190.0, 60.0
"""What a crop's grey levels are shifted and divided by: about zero mean and unit spread. The mean is a whole
grey level, so that an 8-bit crop is its own quantization, with this as the zero point."""


@dataclass(frozen=True)
class Architecture:
    """Shape of the network.

    Attributes
    ----------
    stem : channels of the first convolution, at half of the input's size.
    widths : channels of the three stages, at a quarter, an eighth and a sixteenth of the input's size.
    blocks : residual blocks in each stage.
    dropout : share of the pooled features dropped while training.
    stem_norm : what normalises the first convolution's output: 'batch'; 'crop', the crop's own mean and
        spread in each channel (instance normalisation: Ulyanov et al. 2016), by which the strength and hue of
        a laboratory's stain drop out before anything is learned from them; or 'both', half of the channels
        each (Pan et al., ECCV 2018), so that what is dark and what is pale can still be told.
    backbone : instead of stem, widths and blocks, a well-known network by its name, torchvision's or, with
        `timm/` before it, timm's; see `train.network.backbones`.
    depth : blocks of an EfficientNet-Lite0 that are kept, from its input on; see `train.network.lite`.
    width : share of the channels inside its blocks that are kept.
    weights : what a backbone begins with: a file, 'stored' for the weights that its makers published, or
        nothing.
    frozen : only a backbone's head learns.
    hidden : units of a layer with ReLU before a backbone's answer; 0 for none.
    levels : what a backbone's grey levels are normalised by: the mean and deviation that published weights
        expect, or those of the training cells' own.
    """

    stem: int = 16
    widths: tuple[int, int, int] = (32, 64, 128)
    blocks: tuple[int, int, int] = (1, 1, 2)
    dropout: float = 0.2
    stem_norm: Literal["batch", "crop", "both"] = "batch"
    backbone: str = ""
    depth: int = BLOCKS
    width: float = 1.0
    weights: str = ""
    frozen: bool = False
    hidden: int = 0
    levels: Literal["published", "own"] = "published"

    def __post_init__(self) -> None:
        for key in ("weights", "frozen", "hidden"):
            if getattr(self, key) and not self.backbone:
                raise ValueError(f"{key}: {getattr(self, key)!r}, but only a backbone has it; name one")
        if self.backbone and (why := unknown(self.backbone)):
            raise ValueError(f"backbone: {why}")
        if not 1 <= self.depth <= BLOCKS:
            raise ValueError(f"depth: {self.depth} is not within 1 to {BLOCKS}")


class Block(nn.Module):
    """Two 3×3 convolutions with a short cut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.second_norm.weight)  # a block starts as its short cut: steadier first steps
        self.short: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.short = nn.Sequential(
                nn.AvgPool2d(stride) if stride != 1 else nn.Identity(),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.first_norm(self.first(x)))
        y = self.second_norm(self.second(y))
        out: Tensor = functional.relu(y + self.short(x))
        return out


class CropNorm(nn.Module):
    """Normalises the first `own` channels by the crop's own mean and spread, the others over the batch."""

    def __init__(self, own: int, others: int) -> None:
        super().__init__()
        self.own = nn.InstanceNorm2d(own, affine=True)
        self.others = nn.BatchNorm2d(others) if others else None

    def forward(self, x: Tensor) -> Tensor:
        channels = self.own.num_features
        own: Tensor = self.own(x[:, :channels])
        return own if self.others is None else torch.cat([own, self.others(x[:, channels:])], dim=1)


def _stem_norm(architecture: Architecture) -> nn.Module:
    channels = architecture.stem
    if architecture.stem_norm == "batch":
        return nn.BatchNorm2d(channels)
    return (
        CropNorm(channels, 0)
        if architecture.stem_norm == "crop"
        else CropNorm(channels // 2, channels - channels // 2)
    )


class Network(nn.Module):
    """(n, 3, S, S) float32 in grey levels 0 to 255 -> (n, C) float32 logits."""

    def __init__(self, architecture: Architecture, classes: int) -> None:
        super().__init__()
        w = architecture.widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, architecture.stem, 3, 2, padding=1, bias=False),
            _stem_norm(architecture),
            nn.ReLU(),
            nn.Conv2d(architecture.stem, w[0], 3, 2, padding=1, bias=False),
            nn.BatchNorm2d(w[0]),
            nn.ReLU(),
        )
        layers: list[nn.Module] = []
        inputs = w[0]
        for stage, (width, count) in enumerate(zip(w, architecture.blocks, strict=True)):
            for index in range(count):
                layers.append(Block(inputs, width, 2 if stage and index == 0 else 1))
                inputs = width
        self.stages = nn.Sequential(*layers)
        self.dropout = nn.Dropout(architecture.dropout)
        self.head = nn.Linear(inputs, classes)

    def forward(self, crops: Tensor) -> Tensor:
        x = self.stages(self.stem((crops - GREY_MEAN) / GREY_SPREAD))
        logits: Tensor = self.head(self.dropout(x.mean(dim=(2, 3))))
        return logits


def build(architecture: Architecture, classes: int) -> nn.Module:
    """The untrained network of an architecture; everything that needs one gets it here.

    Raises
    ------
    BackboneError : its backbone needs what is not installed; see `train.network.backbones`.
    """
    if architecture.backbone == LITE:
        return Lite(
            classes, blocks=architecture.depth, width=architecture.width, dropout=architecture.dropout
        )
    if architecture.backbone:
        given = architecture
        return Backbone(
            given.backbone, classes, hidden=given.hidden, dropout=given.dropout, frozen=given.frozen
        )
    return Network(architecture, classes)


def begin(network: nn.Module, architecture: Architecture, pixels: U8) -> None:
    """What a network starts from beside chance: published weights, the levels of (n, S, S, 3) windows.

    Raises
    ------
    BackboneError : the weights are not to be had.
    """
    if isinstance(network, Lite) and architecture.weights:
        network.take(weights_file(LITE, architecture.weights))
    if isinstance(network, Backbone):
        if architecture.weights:
            network.take(architecture.weights)
        if architecture.levels == "own":
            network.measure(pixels)


class DeviceGraph(nn.Module):
    """What the device runs: (n, S, S, 3) uint8 RGB -> (n, C) float32 calibrated probabilities."""

    def __init__(self, network: nn.Module, temperature: float) -> None:
        super().__init__()
        self.network = network
        self.temperature = temperature

    def forward(self, crops: Tensor) -> Tensor:
        x = crops.float().permute(0, 3, 1, 2)  # cast first: TensorRT lets unsigned bytes into nothing else
        return torch.softmax(self.network(x) / self.temperature, dim=1)
