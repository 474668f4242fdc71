"""A run of `train.segmentation` → the graph that `edge.cells.fcn` runs, proven to compute the same."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import fuse_conv_bn_eval

from edge.cells.fcn import EDGE, MULTIPLE, Learned, Maps
from edge.runtimes.dynamic import BEYOND, SIDES
from edge.types import U8
from export.graph.graph import ExportError, exported, packed
from train.network.model import GREY_SPREAD
from train.segmentation.fit import load_network
from train.segmentation.network import MASKS, OFFSET_PX, SegmentationNetwork

STEPS_PER_LOGIT = 24.0
"""Grey levels of a mask for one unit of its logit: 5 of them before it is clipped, far from any outline."""

PARITY_PX, PARITY_LEVELS = 1e-2, 1
"""Largest difference between PyTorch and ONNX Runtime in the way to a middle, and in a mask's grey levels."""

MEMBER = "segmenter.onnx"
"""The graph's name in a bundle."""


@dataclass(frozen=True, eq=False)
class Segmenter:
    """What a bundle holds of a segmenter.

    Attributes
    ----------
    members : name -> content of its graphs. graphs : variant -> name, as the manifest lists them.
    training : its settings and figures. find : the segmenter itself, on this machine.
    """

    members: Mapping[str, bytes]
    graphs: Mapping[str, str]
    training: Mapping[str, Any]
    find: Learned


def read(run: Path, pitch_um: float) -> Segmenter:
    """The segmenter of a finished run, for specimens of this pitch.

    Raises
    ------
    SegmenterError : the run is not finished. ExportError : the graph computes something else than the
        network, or was trained for another pitch.
    """
    network, settings, figures = load_network(run)
    if settings.pitch_um != pitch_um:
        raise ExportError(
            f"run {run}: trained at {settings.pitch_um:g} µm, the classifier at {pitch_um:g}; they must agree"
        )
    graph = to_onnx(network)
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 20, 3), np.uint8)
    parity(network, graph, np.ascontiguousarray(coarse.repeat(6, axis=0).repeat(6, axis=1)))
    training = {"settings": asdict(settings), "figures": figures}
    return Segmenter({MEMBER: graph}, {"ort-fp32": MEMBER}, training, Learned(graph))


class Folded(nn.Module):
    """(n, H, W, 3) uint8 -> masks (n, 2, h, w) uint8, and middles (n, 3, h, w) float32: logit and way."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.stem = _fused(network.stem)
        first = cast(nn.Conv2d, self.stem[0])
        assert first.bias is not None
        first.weight.data /= GREY_SPREAD
        # nothing is padded there, so that what is subtracted from every pixel goes into the bias
        first.bias.data -= BEYOND * first.weight.data.sum(dim=(1, 2, 3))
        self.down = nn.Sequential(*(_fused(layer) for layer in network.down))
        self.bottom = nn.Sequential(*(_fused(layer) for layer in network.bottom))
        self.to_middle, self.up_middle = network.to_middle, _fused(network.up_middle)
        self.to_fine, self.up_fine = network.to_fine, _fused(network.up_fine)
        self.head = network.head
        assert self.head.bias is not None
        scale = torch.tensor([STEPS_PER_LOGIT] * MASKS + [1.0, OFFSET_PX, OFFSET_PX])
        self.head.weight.data *= scale[:, None, None, None]
        self.head.bias.data *= scale
        self.head.bias.data[:MASKS] += EDGE
        self.eval()

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.stem(pixels.float().permute(0, 3, 1, 2))
        middle = self.down(fine)
        wide = self.bottom(middle)
        middle = self.up_middle(middle + functional.interpolate(self.to_middle(wide), scale_factor=2.0))
        fine = self.up_fine(fine + functional.interpolate(self.to_fine(middle), scale_factor=2.0))
        out = self.head(fine)
        return out[:, :MASKS].clamp(0, 255).to(torch.uint8), out[:, MASKS:]


def _fused(layer: nn.Module) -> nn.Sequential:
    """Convolution and normalisation in one; the ReLU after them, which may stand alone."""
    assert isinstance(layer, nn.Sequential)
    if len(layer) == 1:
        return layer
    plain, norm, _ = layer
    return nn.Sequential(fuse_conv_bn_eval(cast(nn.Conv2d, plain), cast(nn.BatchNorm2d, norm)), nn.ReLU())


def to_onnx(network: SegmentationNetwork) -> bytes:
    """The device's graph, for fields of any `height` and `width` that are multiples of 8."""
    sides = (torch.export.Dim("height_in_eights", max=4096), torch.export.Dim("width_in_eights", max=4096))
    graph = exported(
        Folded(deepcopy(network)),
        torch.zeros((1, 64, 96, 3), dtype=torch.uint8),
        {axis: MULTIPLE * side for axis, side in enumerate(sides, 1)},
        inputs=["pixels"],
        outputs=["masks", "middles"],
    )
    model = onnx.load_from_string(graph)
    # the names by which a runtime is told the size of its fields
    for axis, name in enumerate(SIDES, 1):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    for output in model.graph.output:
        for dimension in output.type.tensor_type.shape.dim[2:]:
            dimension.Clear()
    onnx.checker.check_model(model)
    return packed(model)


def parity(network: SegmentationNetwork, graph: bytes, half: U8) -> None:
    """Raise ExportError unless the graph answers like the network on a field."""
    learned = Learned(graph)
    found: Maps = learned.maps(half)
    learned.close()
    with torch.inference_mode():
        out = network(torch.from_numpy(half)[None].permute(0, 3, 1, 2).float())[0].numpy()
    levels = (out[:MASKS] * STEPS_PER_LOGIT + EDGE).clip(0, 255).astype(np.uint8).astype(int)
    off = max(int(np.abs(levels[i] - m).max()) for i, m in enumerate((found.nucleus, found.cell)))
    apart = float(np.abs(out[MASKS + 1 :] * OFFSET_PX - found.way).max())
    if off > PARITY_LEVELS or not apart <= PARITY_PX:
        raise ExportError(
            f"the segmenter's ONNX graph differs from the network by {off} grey levels and {apart:.2g} px, "
            f"more than {PARITY_LEVELS} and {PARITY_PX}"
        )
