"""ONNX graphs of the networks that `benchmarks/peers.py` compares with; untrained, for weights take no time.

    python benchmarks/peer_graphs.py CACHE

The detectors are those of the package `ultralytics`, batch normalisation folded and their heads as they are
exported; the classifiers those of `torchvision`, with our number of classes. `CACHE/graphs.json` says of each
its size, or why it could not be made. A graph that is there already is kept.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from train.network.backbones import torchvision

CLASSES = 11
OPSET = 20


@dataclass(frozen=True)
class Peer:
    """A network, its input size, whether its batch may vary, and the figures its authors publish."""

    make: Callable[[], nn.Module]
    size_px: int
    batches: bool
    published: str


def _classifier(name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        network: nn.Module = torchvision().models.get_model(name, weights=None, num_classes=CLASSES)
        return network

    return make


def _detector(name: str) -> Callable[[], nn.Module]:
    def make() -> nn.Module:
        torchvision()  # by ultralytics too
        from ultralytics.nn.tasks import DetectionModel

        network = DetectionModel(f"{name}.yaml", ch=3, nc=80, verbose=False).eval().fuse(verbose=False)
        head = network.model[-1]
        head.export, head.format = True, "onnx"
        fused: nn.Module = network
        return fused

    return make


PEERS = {
    "yolo11n": Peer(_detector("yolo11n"), 640, False, "2.6 M, 6.5 GFLOPs"),
    "yolo26n": Peer(_detector("yolo26n"), 640, False, "2.4 M, 5.4 GFLOPs"),
    "resnet50": Peer(_classifier("resnet50"), 224, True, "25.6 M, 8.2 GFLOPs"),
    "densenet169": Peer(_classifier("densenet169"), 224, True, "14.1 M, 6.7 GFLOPs"),
    "convnext_tiny": Peer(_classifier("convnext_tiny"), 299, True, "28.6 M, 8.9 GFLOPs (at 224 px)"),
}
"""Published by Ultralytics (80 classes) and torchvision (1,000 classes; twice its multiply-adds)."""


def export(peer: Peer, path: Path) -> dict[str, Any]:
    """Write the graph; what it is."""
    torch.manual_seed(0)
    network = peer.make().eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    example = torch.zeros((2 if peer.batches else 1, 3, peer.size_px, peer.size_px))
    shapes = ({0: torch.export.Dim("n")},) if peer.batches else None
    with FlopCounterMode(display=False) as counter:
        network(example[:1])
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (example,), str(path), dynamo=True, opset_version=OPSET, dynamic_shapes=shapes,
            external_data=False, verbose=False,
        )  # fmt: skip
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return {
        "size_px": peer.size_px,
        "batches": peer.batches,
        "parameters_m": round(parameters / 1e6, 2),
        "gflops": round(counter.get_total_flops() / 1e9, 2),
        "published": peer.published,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cache", type=Path, help="folder for the graphs")
    cache = parser.parse_args().cache
    cache.mkdir(parents=True, exist_ok=True)
    # ultralytics would write into the user's settings, and install what it misses
    os.environ |= {"YOLO_CONFIG_DIR": str(cache / "ultralytics"), "YOLO_AUTOINSTALL": "false"}
    (cache / "ultralytics").mkdir(exist_ok=True)
    listing = cache / "graphs.json"
    known = json.loads(listing.read_text(encoding="utf-8")) if listing.exists() else {}
    for name, peer in PEERS.items():
        path = cache / f"{name}.onnx"
        if path.exists() and "gflops" in known.get(name, {}):
            continue
        try:
            known[name] = export(peer, path)
        except Exception as error:  # whatever keeps one peer away must not keep the others
            known[name] = {"missing": f"{type(error).__name__}: {error}".splitlines()[0][:160]}
            path.unlink(missing_ok=True)
        listing.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
