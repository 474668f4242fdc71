"""The segmenter's network: a U of plain convolutions on grids of 1, 2 and 4 µm.

Small enough that a field of 1080 lines takes a few milliseconds on two cores; everything in it fuses to
convolutions with biases, additions and nearest upsampling (see `export.graph.segmenter`). Outlines are finer
than its finest grid: its maps are meant to be interpolated, and the loss sees them so.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.runtimes.dynamic import BEYOND
from train.network.heat import heat_loss
from train.network.model import GREY_SPREAD

OFFSET_PX = 8.0  # that an output of 1 stands for
MASKS = 2
_RARE = -4.0  # logit of a middle before anything is learned: there are few


def _halving(inputs: int, outputs: int) -> nn.Sequential:
    """Of each 2 × 2 pixels one: nothing is lost, and it costs a quarter of a 4 × 4 kernel."""
    return _finished(nn.Conv2d(inputs, outputs, 2, 2, bias=False))


def _layer(width: int, dilation: int = 1) -> nn.Sequential:
    return _finished(nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False))


def _finished(plain: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(plain, nn.BatchNorm2d(plain.out_channels), nn.ReLU())


class SegmentationNetwork(nn.Module):
    """(n, 3, H, W) float32 grey levels -> maps (n, 5, H / 2, W / 2), H and W multiples of 8.

    The maps are the logits of nucleus, cell and a cell's middle, and the way to the middle, x and y, in
    pixels of the maps divided by `OFFSET_PX`.

    Parameters
    ----------
    widths : channels at half, a quarter and an eighth of the size.
    fine : a convolution at half the size after everything has come together there.
    """

    def __init__(self, widths: tuple[int, int, int], fine: bool = True) -> None:
        super().__init__()
        narrow, middle, wide = widths
        self.stem = _halving(3, narrow)
        self.down = nn.Sequential(_halving(narrow, middle), _layer(middle))
        self.bottom = nn.Sequential(_halving(middle, wide), _layer(wide), _layer(wide, dilation=2))
        self.to_middle = nn.Conv2d(wide, middle, 1)
        self.up_middle = _layer(middle)
        self.to_fine = nn.Conv2d(middle, narrow, 1)
        self.up_fine = _layer(narrow) if fine else nn.Sequential(nn.ReLU())
        self.head = nn.Conv2d(narrow, MASKS + 3, 1)
        assert self.head.bias is not None
        nn.init.constant_(self.head.bias[MASKS : MASKS + 1], _RARE)

    def forward(self, pixels: Tensor) -> Tensor:
        fine = self.stem((pixels - BEYOND) / GREY_SPREAD)
        middle = self.down(fine)
        wide = self.bottom(middle)
        middle = self.up_middle(middle + functional.interpolate(self.to_middle(wide), scale_factor=2.0))
        fine = self.up_fine(fine + functional.interpolate(self.to_fine(middle), scale_factor=2.0))
        out: Tensor = self.head(fine)
        return out


def outlines(maps: Tensor) -> Tensor:
    """(n, 2, H, W) logits of nucleus and cell at the size of the input."""
    return functional.interpolate(maps[:, :MASKS], scale_factor=2.0, mode="bilinear", align_corners=False)


def loss_of(maps: Tensor, wanted: Mapping[str, Tensor]) -> Tensor:
    """What the network is trained to make small: of outlines, of middles, and of the way to them."""
    heat, offsets = maps[:, MASKS : MASKS + 1], maps[:, MASKS + 1 :] * OFFSET_PX
    return (
        _of_masks(outlines(maps), wanted["masks"], wanted["masks_known"])
        + 0.5 * heat_loss(heat, wanted["heat"], wanted["heat_known"])
        + 0.1 * _of_offsets(offsets, wanted["offsets"], wanted["offsets_known"])
    )


def _of_masks(logits: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy plus one minus the Dice coefficient of the batch."""
    entropy = functional.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * known
    shares = torch.sigmoid(logits) * known
    truth = wanted * known
    overlap = 2 * (shares * truth).sum(dim=(0, 2, 3)) + 1
    dice = overlap / (shares.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3)) + 1)
    return 2 * entropy.sum() / (known.sum() * MASKS + 1) + (1 - dice).mean()


def _of_offsets(offsets: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """Mean distance along the axes, pixels."""
    return ((offsets - wanted).abs() * known).sum() / (2 * known.sum() + 1)
