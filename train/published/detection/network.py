"""The detector's network: a U of residual blocks, and what is read off its maps, as the device does it.

At every second pixel of the specimen it says how likely the middle of a cell lies there, of which class that
cell is, and how far its box reaches to each side; after Zhou, Wang and Krähenbühl, Objects as Points (2019),
with distances to the sides as in Tian et al., FCOS (ICCV 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from edge.runtimes.dynamic import BEYOND
from edge.types import U8
from train.network.heat import heat_loss
from train.network.model import GREY_SPREAD
from train.recipes.detection import STRIDE, Detection

REACH_PX = 8.0
"""Distance to a side that an output of 0 stands for: about a red cell's radius."""

_RARE = -4.0  # logit of a middle before anything is learned: there are few
_SIDES = 4
_LONGEST = 4.0  # logarithm: 55 times `REACH_PX`
_NOWHERE = -1e4  # logit of a middle where there is no peak
_BOX, _CLASS = 2.0, 0.5  # weights of the parts of the loss


def _convolution(inputs: int, outputs: int, size: int, stride: int = 1) -> nn.Sequential:
    plain = nn.Conv2d(inputs, outputs, size, stride, padding=(size - 1) // 2, bias=False)
    return nn.Sequential(plain, nn.BatchNorm2d(outputs))


class Block(nn.Module):
    """Two convolutions with a short cut (He et al., CVPR 2016)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width, 3), _convolution(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class DetectionNetwork(nn.Module):
    """(n, 3, H, W) float32 grey levels -> maps (n, 5 + C, H / 2, W / 2), H and W multiples of 8.

    The maps are the logit of a cell's middle, the logarithms of the distances to the left, upper, right and
    lower side of its box by `REACH_PX`, and the logits of its class.
    """

    def __init__(self, settings: Detection, classes: int) -> None:
        super().__init__()
        narrow, middle, wide = settings.widths
        few, some, many = settings.blocks
        self.fine = self._down(3, narrow, few)
        self.middle = self._down(narrow, middle, some)
        self.wide = self._down(middle, wide, many)
        self.to_middle, self.up_middle = _convolution(wide, middle, 1), Block(middle)
        self.to_fine, self.up_fine = _convolution(middle, narrow, 1), Block(narrow)
        self.head = nn.Conv2d(narrow, 1 + _SIDES + classes, 1)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias[:1], _RARE)

    @staticmethod
    def _down(inputs: int, width: int, blocks: int) -> nn.Sequential:
        # of each 2 × 2 pixels one: nothing is lost, and it costs less than a 3 × 3 kernel
        halving = _convolution(inputs, width, 2, 2)
        return nn.Sequential(halving, nn.ReLU(), *(Block(width) for _ in range(blocks)))

    def forward(self, pixels: Tensor) -> Tensor:
        fine = self.fine((pixels - BEYOND) / GREY_SPREAD)
        middle = self.middle(fine)
        up = functional.interpolate(self.to_middle(self.wide(middle)), scale_factor=2.0)
        middle = self.up_middle(torch.relu(middle + up))
        up = functional.interpolate(self.to_fine(middle), scale_factor=2.0)
        out: Tensor = self.head(self.up_fine(torch.relu(fine + up)))
        return out


class DeviceGraph(nn.Module):
    """The network as the device runs it: (n, H, W, 3) uint8 -> boxes, scores, probabilities.

    They are (n, K, 4), (n, K) and (n, K, C) float32 as in `edge.cells.detector.Finds`: the K highest of the
    places that are higher than the eight round them, the rest with a score of 0.
    """

    def __init__(self, network: nn.Module, cells: int) -> None:
        super().__init__()
        self.network, self.cells = network, cells

    def forward(self, field: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps = self.network(field.permute(0, 3, 1, 2).float())
        middle, width = maps[:, :1], maps.shape[-1]
        peak = middle >= functional.max_pool2d(middle, 3, 1, 1)
        ranked = middle.masked_fill(~peak, _NOWHERE).flatten(1)
        scores, at = ranked.topk(self.cells, dim=1)
        told = maps[:, 1:].flatten(2)
        told = told.gather(2, at[:, None].expand(-1, told.shape[1], -1)).transpose(1, 2)
        row = torch.div(at, width, rounding_mode="floor")
        places = torch.stack([at - row * width, row], dim=2).float() * STRIDE + STRIDE / 2
        reach = told[..., :_SIDES].clamp(max=_LONGEST).exp() * REACH_PX
        boxes = torch.cat([places - reach[..., :2], places + reach[..., 2:]], dim=2)
        return boxes, scores.sigmoid(), told[..., _SIDES:].softmax(dim=2)


class Answers:
    """A network as `edge.cells.detector.Answer`, without an export."""

    def __init__(self, network: nn.Module, cells: int, device: torch.device | None = None) -> None:
        self._graph, self._device = DeviceGraph(network, cells).eval(), device or torch.device("cpu")

    @torch.inference_mode()
    def __call__(self, field: U8) -> Mapping[str, NDArray[Any]]:
        """What the graph would give; see `edge.cells.detector.Answer`."""
        found = self._graph(torch.from_numpy(field)[None].to(self._device))
        return dict(zip(OUTPUTS, (part.cpu().numpy() for part in found), strict=True))

    def close(self) -> None:
        """There is nothing to let go of."""


OUTPUTS = ("boxes", "scores", "probabilities")
"""Names of what the graph gives."""


def loss_of(maps: Tensor, wanted: Mapping[str, Tensor]) -> Tensor:
    """What the network is trained to make small: of middles, of boxes and of classes, by the cell."""
    weights = wanted["weights"]
    cells = weights.sum().clamp(min=1)
    reach = maps[:, 1 : 1 + _SIDES].clamp(max=_LONGEST).exp() * REACH_PX
    overlap = _overlap_loss(_boxes(reach), wanted["boxes"])
    wrong = functional.cross_entropy(maps[:, 1 + _SIDES :], wanted["labels"], reduction="none")
    return (
        heat_loss(maps[:, :1], wanted["heat"], wanted["known"])
        + _BOX * (overlap * weights[:, 0]).sum() / cells
        + _CLASS * (wrong * weights[:, 0]).sum() / cells
    )


def _boxes(reach: Tensor) -> Tensor:
    """(n, 4, s, s) distances to the sides of boxes -> the boxes, xyxy in pixels."""
    height, width = reach.shape[-2:]
    x = torch.arange(width, device=reach.device) * STRIDE + STRIDE / 2
    y = torch.arange(height, device=reach.device) * STRIDE + STRIDE / 2
    place = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
    return torch.cat([place - reach[:, :2], place + reach[:, 2:]], dim=1)


def _overlap_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """One minus the generalized intersection over union (Rezatofighi et al., CVPR 2019), (n, s, s)."""
    low, high = torch.maximum(found[:, :2], wanted[:, :2]), torch.minimum(found[:, 2:], wanted[:, 2:])
    shared = _product((high - low).clamp(min=0))
    union = _product(found[:, 2:] - found[:, :2]) + _product(wanted[:, 2:] - wanted[:, :2]) - shared
    low, high = torch.minimum(found[:, :2], wanted[:, :2]), torch.maximum(found[:, 2:], wanted[:, 2:])
    around = _product(high - low)
    return 1 - shared / union.clamp(min=1e-6) + (around - union) / around.clamp(min=1e-6)


def _product(sides: Tensor) -> Tensor:
    return sides[:, 0] * sides[:, 1]
