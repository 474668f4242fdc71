"""The ruler's network as the graph that a device runs.

python -m export.ruler runs/ruler.pt --out edge/bundles/ruler.onnx
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from edge.optics.ruler import TILE_PX
from export.graph.graph import exported
from train.ruler.net import RulerNet


class _Shares(nn.Module):
    """The network, its answers as probabilities."""

    def __init__(self, network: RulerNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, tiles: Tensor) -> Tensor:
        return torch.softmax(self.network(tiles), dim=1)


def graph_of(network: RulerNet) -> bytes:
    """The ONNX file's content: `tiles`, (n, 4, 96, 96) float32, to `diameters`, (n, 1 + BINS)."""
    example = torch.ones(2, 4, TILE_PX, TILE_PX)
    free = {0: torch.export.Dim("n", min=1)}
    return exported(_Shares(network).eval(), example, free, inputs=["tiles"], outputs=["diameters"])


def main() -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m export.ruler",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("weights", type=Path, help="as python -m train.ruler wrote them")
    parser.add_argument("--out", type=Path, required=True, help="where the graph goes")
    arguments = parser.parse_args()
    network = RulerNet()
    network.load_state_dict(torch.load(arguments.weights, weights_only=True))
    arguments.out.write_bytes(graph_of(network))
    return 0


if __name__ == "__main__":
    sys.exit(main())
