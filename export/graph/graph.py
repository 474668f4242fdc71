"""PyTorch network → ONNX graph: the same bytes from the same weights, and proven to compute the same."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from edge.runtimes import open_runtime
from edge.types import F32, U8, LeukoscopeError
from export.graph.folded import Folded
from export.graph.naming import name_nodes
from train.network.lite import Lite
from train.network.model import DeviceGraph, Network

OPSET = 20
PARITY = 1e-4
"""Largest difference in any probability between its own framework and ONNX Runtime that passes."""


class ExportError(LeukoscopeError):
    """The run cannot become a bundle. Says what differs and by how much."""


def deployed(network: nn.Module, temperature: float) -> nn.Module:
    """A run's network as the device computes it: ours folded to convolutions, any other nearly as it is."""
    if isinstance(network, Network | Lite):
        return Folded(network, temperature)
    return DeviceGraph(with_means(network), temperature)


class _Mean(nn.Module):
    """(n, C, H, W) → (n, C, 1, 1), the mean of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3), keepdim=True)


def with_means(network: nn.Module) -> nn.Module:
    """A copy whose poolings to one pixel are means: the exporter writes strides for them, which no TensorRT
    reads."""
    copied = copy.deepcopy(network)
    for name, layer in list(copied.named_modules()):
        if name and isinstance(layer, nn.AdaptiveAvgPool2d) and layer.output_size in (1, (1, 1)):
            copied.set_submodule(name, _Mean())
    return copied


def to_onnx(network: nn.Module, size_px: int) -> bytes:
    """The device's graph: `crops` (n, size_px, size_px, 3) uint8 → `probabilities` (n, C) float32, and of a
    network of ours `features` (n, F) float32, what its last layer reads.

    It is simplified twice over: `export.graph.folded` leaves only convolutions, and the exporter's optimiser
    (of onnxscript) folds constants and removes what has no effect. It stays plain ONNX, which TensorRT reads
    too. A layer's node is named after the layer ('stages.0.first'), any other after the layer
    that it follows.

    Parameters
    ----------
    network : what `deployed` gives.
    """
    network = network.eval()
    example = torch.zeros((2, size_px, size_px, 3), dtype=torch.uint8)
    free = {0: torch.export.Dim("n")}
    outputs = ["probabilities", "features"] if isinstance(network, Folded) else ["probabilities"]
    return exported(network, example, free, inputs=["crops"], outputs=outputs)


def exported(
    network: nn.Module, example: Tensor, free: Mapping[int, Any], *, inputs: list[str], outputs: list[str]
) -> bytes:
    """The ONNX file's content of a network with one input.

    Parameters
    ----------
    free : axis of the input that may vary -> what is known of it (`torch.export.Dim`).
    """
    with _quiet():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            dynamic_shapes=(dict(free),),
            input_names=inputs,
            output_names=outputs,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model = program.model_proto
    _strip(model)
    name_nodes(model)
    onnx.checker.check_model(model, full_check=True)
    return packed(model)


def packed(model: onnx.ModelProto) -> bytes:
    """The ONNX file's content; the same for the same model."""
    content: bytes = model.SerializeToString(deterministic=True)
    return content


Reference = Callable[[U8], F32]
"""(n, S, S, 3) uint8 crops → (n, C) float32 probabilities, by the framework that a network came from."""


def by_torch(network: nn.Module, temperature: float) -> Reference:
    """What PyTorch says of crops by a run's network."""
    whole = DeviceGraph(network, temperature).eval()

    def said(crops: U8) -> F32:
        with torch.inference_mode():
            found: F32 = whole(torch.from_numpy(crops)).numpy()
        return found

    return said


def parity(reference: Reference, graph: bytes, crops: U8) -> float:
    """Largest difference in probability between the network in its own framework and the exported graph.

    Raises
    ------
    ExportError
        When it is above `PARITY`.
    """
    difference = float(np.abs(reference(crops) - answers(graph, crops)).max())
    if not difference <= PARITY:
        raise ExportError(f"the ONNX graph differs from the network by {difference:.2g}, more than {PARITY}")
    return difference


def answers(graph: bytes, crops: U8) -> F32:
    """(n, C) float32 probabilities of (n, S, S, 3) uint8 crops by ONNX Runtime, whatever the precision."""
    runtime = open_runtime("ort", graph, precision="any", threads=1)
    parts = [
        runtime.run({"crops": crops[i : i + runtime.bound]})["probabilities"]
        for i in range(0, len(crops), runtime.bound)
    ]
    runtime.close()
    return np.concatenate(parts)


def _strip(model: onnx.ModelProto) -> None:
    """Take out what depends on the exporting machine: source paths, stack traces, versions."""
    model.producer_version = ""
    model.doc_string = ""
    graph = model.graph
    graph.doc_string = ""
    del model.metadata_props[:]
    del graph.metadata_props[:]
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    ordered = sorted(graph.initializer, key=lambda tensor: str(tensor.name))
    del graph.initializer[:]
    graph.initializer.extend(ordered)
    # shapes in between can be inferred again, and their symbols are numbered by the exporter's mood
    del graph.value_info[:]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter reports every step it takes; only its errors matter here."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
