"""A run of `train.published.detection` → the graph of `edge.cells.detector`, proven to compute the same."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
import torch
from torch import nn
from torch.nn.utils import fuse_conv_bn_eval

from edge.cells.detector import INPUT, LEAST, MULTIPLE, Detector, Finds
from edge.optics.specimen import BACKGROUND, Specimen
from edge.runtimes.dynamic import SIDES
from export.graph.graph import PARITY, ExportError, exported, packed
from train.published.detection.fit import load
from train.published.detection.network import OUTPUTS, Answers, DetectionNetwork, DeviceGraph
from train.recipes.recipe import Recipe

MEMBER = "detector.onnx"
"""The graph's name in a bundle."""

PARITY_PX = 1e-2
"""Largest difference between PyTorch and ONNX Runtime in any side of a box that passes."""

_LIKELY = 0.01  # a find below it is none, and which of a thousand such comes first says nothing


@dataclass(frozen=True, eq=False)
class Exported:
    """What a bundle holds of a detector.

    Attributes
    ----------
    graph : the ONNX file's content. threshold : least confidence of a find.
    recipe, metrics : of the run.
    find : the detector itself, on this machine.
    """

    graph: bytes
    threshold: float
    recipe: Recipe
    metrics: Mapping[str, Any]
    find: Detector


def read(run: Path) -> Exported:
    """The detector of a finished run.

    Raises
    ------
    DetectionError : the run is not finished. ExportError : the graph computes something else than the
        network.
    """
    network, recipe, metrics = load(run)
    cells = recipe.detection.cells
    graph = to_onnx(network, cells)
    threshold = metrics["operating_point"]["threshold"]
    parity(network, cells, graph, drawn_field())
    return Exported(graph, threshold, recipe, metrics, Detector.of(graph, threshold))


def to_onnx(network: DetectionNetwork, cells: int) -> bytes:
    """The device's graph: `field` (n, height, width, 3) uint8 → `boxes`, `scores`, `probabilities`.

    Sides may be any multiples of 8 that give `cells` places. Batch normalisation is folded away; peaks and
    the choice of the highest are plain operators (MaxPool, Where, TopK, GatherElements).
    """
    sides = (
        torch.export.Dim("height_in_eights", min=8, max=4096),
        torch.export.Dim("width_in_eights", min=8, max=4096),
    )
    graph = exported(
        DeviceGraph(_folded(network), cells).eval(),
        torch.zeros((2, LEAST, LEAST + MULTIPLE, 3), dtype=torch.uint8),
        {0: torch.export.Dim("n"), **{axis: MULTIPLE * side for axis, side in enumerate(sides, 1)}},
        inputs=[INPUT],
        outputs=list(OUTPUTS),
    )
    model = onnx.load_from_string(graph)
    # the names by which a runtime is told the size of its fields
    for axis, name in enumerate(SIDES, 1):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = name
    onnx.checker.check_model(model)
    return packed(model)


def _folded(network: DetectionNetwork) -> nn.Module:
    """A copy of the network with its normalisations inside its convolutions."""
    copy = deepcopy(network).eval()
    for module in list(copy.modules()):
        if isinstance(module, nn.Sequential):
            _fold(module)
    return copy


def _fold(layers: nn.Sequential) -> None:
    for i, (first, second) in enumerate(zip(list(layers), list(layers)[1:], strict=False)):
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
            layers[i], layers[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()


def drawn_field() -> Specimen:
    """A field of discs in the colours of nuclei and red cells, large and small, on clear glass."""
    rng = np.random.default_rng(0)
    pixels = np.full((136, 184, 3), BACKGROUND, np.uint8)
    for colour, radius, count in (((205, 140, 150), 9, 30), ((110, 70, 160), 15, 3), ((150, 110, 170), 3, 8)):
        for x, y in rng.integers(0, (184, 136), (count, 2)).tolist():
            cv2.circle(pixels, (x, y), radius, colour, -1, cv2.LINE_AA)
    noisy = pixels + rng.normal(0, 4, pixels.shape)
    return Specimen(noisy.clip(0, 255).astype(np.uint8), 0.4, 1.0, np.full(3, BACKGROUND, np.float32), 0.5)


def parity(network: DetectionNetwork, cells: int, graph: bytes, view: Specimen) -> float:
    """Largest difference in a score or a probability between PyTorch and the graph on a field.

    Raises
    ------
    ExportError : it is above `PARITY`, a side of a box is off by more than `PARITY_PX`, or other cells are
        found.
    """
    both = Detector(Answers(network, cells), 0.0), Detector.of(graph, 0.0)
    wanted, found = (_likely(detector, view) for detector in both)
    if len(wanted) != len(found):
        raise ExportError(
            f"the detector's ONNX graph finds {len(found)} cells where the network finds {len(wanted)}"
        )
    parts = (wanted.scores - found.scores, wanted.probabilities - found.probabilities)
    difference = max(float(np.abs(part).max(initial=0.0)) for part in parts)
    apart = float(np.abs(wanted.boxes - found.boxes).max(initial=0.0))
    if not difference <= PARITY or not apart <= PARITY_PX:
        raise ExportError(
            f"the detector's ONNX graph differs from the network by {difference:.2g} in probability and "
            f"{apart:.2g} px, more than {PARITY} and {PARITY_PX}"
        )
    return difference


def _likely(detector: Detector, view: Specimen) -> Finds:
    found = detector.finds(view)
    detector.close()
    return found.pick(found.scores >= _LIKELY)
