"""FP32 graph → INT8 graphs with explicit quantize and dequantize (Q/DQ) nodes, one for each runtime.

Both hold weights as signed bytes, one scale a channel, and take their ranges from one calibration. They
differ because the runtimes do (ONNX Runtime: "Quantize ONNX models"; TensorRT: "Q/DQ placement
recommendations"):

- `asymmetric`, for ONNX Runtime: values between layers as unsigned bytes with a zero point, biases as 32-bit
  integers, Q/DQ round every layer and addition, so that each becomes one integer operator and a ReLU is no
  more than the clipping at 0. The crop, bytes already, goes in as it is. Weights have 7 bits: with 8, x86
  processors without VNNI compute something else (`export.graph.saturation`), and unsigned ones take twice as
  long. - `symmetric`, for TensorRT: signed bytes with zero point 0, weights of 8 bits, float biases, Q/DQ in
  front of what is quantized and on the short cut of an addition, nothing behind: TensorRT moves them where
  they fuse.

The head and the softmax always stay in floating point: they cost nothing and decide everything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from edge.types import F32
from export.graph.calibration import Ranges
from export.graph.graph import packed

SAFE_BITS = 7
"""Of a weight that ONNX Runtime computes with: as many as come out the same on every processor."""

_TINY = 1e-12  # of a scale: a channel of zeros still needs one


def layers(graph: bytes) -> tuple[str, ...]:
    """Names of the layers that can be quantized, in the graph's order."""
    return tuple(each.layer for each in layer_tensors(graph))


@dataclass(frozen=True)
class LayerTensors:
    """A layer, the tensor `into` it, and the tensor `out` of it where that goes into an addition."""

    layer: str
    into: str
    out: str | None


def layer_tensors(graph: bytes) -> tuple[LayerTensors, ...]:
    """Of every layer of an FP32 graph that can be quantized, in the graph's order."""
    nodes = onnx.load_from_string(graph).graph.node
    added = {name for node in nodes if node.op_type == "Add" for name in node.input}
    return tuple(
        LayerTensors(node.name, node.input[0], node.output[0] if node.output[0] in added else None)
        for node in nodes
        if node.op_type == "Conv"
    )


def asymmetric(
    graph: bytes, ranges: Ranges, floating: Collection[str] = (), *, bits: int = SAFE_BITS
) -> bytes:
    """The graph for ONNX Runtime (U8S8), with the layers named in `floating` left in floating point.

    Parameters
    ----------
    bits : of a weight; fewer than 8 are kept in bytes all the same.
    """
    return _Asymmetric(graph, ranges, floating, bits).done()


def symmetric(graph: bytes, ranges: Ranges, floating: Collection[str] = (), *, bits: int = 8) -> bytes:
    """The graph for TensorRT (S8S8); see `asymmetric`."""
    return _Symmetric(graph, ranges, floating, bits).done()


def weight_scales(weights: F32, bits: int) -> F32:
    """(O,) scale of each output channel of (O, I, H, W) weights: the largest one is the largest level."""
    largest = np.abs(weights).reshape(len(weights), -1).max(axis=1)
    return np.asarray(np.maximum(largest / (2 ** (bits - 1) - 1), _TINY), np.float32)


class _Quantizer(ABC):
    """Walks through the graph and puts Q/DQ nodes where a layer or an addition asks for them."""

    def __init__(self, graph: bytes, ranges: Ranges, floating: Collection[str], bits: int) -> None:
        self.model = onnx.load_from_string(graph)
        self.ranges = ranges
        self.bits = bits
        self.known = {t.name: numpy_helper.to_array(t) for t in self.model.graph.initializer}
        self.makers = {node.output[0]: node for node in self.model.graph.node}
        self.chosen = set(layers(graph)) - set(floating)
        self.nodes: list[NodeProto] = []
        self.scales: dict[str, float] = {}  # of each tensor that has been through bytes

    def done(self) -> bytes:
        """The quantized graph."""
        graph = self.model.graph
        for node in graph.node:
            self.take(node)
        needed, kept = {output.name for output in graph.output}, []
        for node in reversed(self.nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        tensors = [numpy_helper.from_array(v, name) for name, v in self.known.items() if name in needed]
        del graph.node[:]
        del graph.initializer[:]
        graph.node.extend(reversed(kept))
        graph.initializer.extend(tensors)
        onnx.checker.check_model(self.model, full_check=True)
        return packed(self.model)

    def take(self, node: NodeProto) -> None:
        """Take over one node of the FP32 graph."""
        if node.op_type == "Conv" and node.name in self.chosen:
            self.layer(node)
        elif node.op_type == "Add":
            self.addition(node)
        for i, name in enumerate(node.input):
            # whoever reads a tensor that has become bytes reads these bytes: the float one need not exist
            node.input[i] = f"{name}.real" if name in self.scales else name
        self.nodes.append(node)

    @abstractmethod
    def levels(self, name: str) -> tuple[float, NDArray[Any]]:
        """Scale and zero point of a tensor."""

    @abstractmethod
    def addition(self, node: NodeProto) -> None:
        """Round what this addition should read as bytes."""

    def layer(self, node: NodeProto) -> None:
        """Round what a convolution reads, and its weights, with one scale for each output channel."""
        self.round(node.input[0])
        name = node.input[1]
        scales = weight_scales(self.known[name], self.bits)
        top = 2 ** (self.bits - 1) - 1
        whole = np.clip(np.rint(self.known[name] / scales[:, None, None, None]), -top, top)
        node.input[1] = self.constant(name, whole.astype(np.int8), scales)

    def round(self, name: str) -> None:
        """Send a tensor through bytes, once."""
        if name not in self.scales:
            scale, zero = self.levels(name)
            given = [self.keep(f"{name}.scale", np.float32(scale)), self.keep(f"{name}.zero", zero)]
            self.add("QuantizeLinear", [name, *given], f"{name}.byte")
            self.add("DequantizeLinear", [f"{name}.byte", *given], f"{name}.real")
            self.scales[name] = float(np.float32(scale))

    def constant(self, name: str, whole: NDArray[Any], scales: F32) -> str:
        """Whole numbers with a scale for each channel, dequantized; returns the name."""
        given = [
            self.keep(f"{name}.byte", whole),
            self.keep(f"{name}.scale", scales),
            self.keep(f"{name}.zero", np.zeros(len(scales), whole.dtype)),
        ]
        self.add("DequantizeLinear", given, f"{name}.real", axis=0)
        return f"{name}.real"

    def keep(self, name: str, value: Any) -> str:
        self.known[name] = np.asarray(value)
        return name

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))


class _Asymmetric(_Quantizer):
    def levels(self, name: str) -> tuple[float, NDArray[Any]]:
        low, high = self.ranges[name]
        scale = max((high - low) / 255, _TINY)
        return scale, np.array(np.clip(round(-low / scale), 0, 255), np.uint8)

    def take(self, node: NodeProto) -> None:
        super().take(node)
        if node.op_type == "Sub":
            self.crop(node)
        elif node.op_type == "Relu" and self.whole(node.input[0].removesuffix(".real")):
            self.round(node.output[0])

    def crop(self, node: NodeProto) -> None:
        """A crop's bytes are levels of scale 1 round the grey mean: nothing is lost and nothing computed."""
        zero, name = self.known[node.input[1]], node.output[0]
        turn = self.makers[node.input[0]]
        cast = self.makers[turn.input[0]]
        reader = next(n for n in self.model.graph.node if name in n.input)
        if reader.name in self.chosen and float(zero) == int(zero) & 255:
            turned = NodeProto()
            turned.CopyFrom(turn)
            turned.input[0], turned.output[0], turned.name = cast.input[0], f"{name}.byte", f"{name}.byte"
            self.nodes.append(turned)
            given = [self.keep(f"{name}.scale", np.float32(1)), self.keep(f"{name}.zero", np.uint8(zero))]
            self.add("DequantizeLinear", [f"{name}.byte", *given], f"{name}.real")
            self.scales[name] = 1.0

    def whole(self, name: str) -> bool:
        """Whether a tensor comes out of an operator that computes with whole numbers."""
        maker = self.makers[name]
        if maker.op_type == "Add":
            return all(part.removesuffix(".real") in self.scales for part in maker.input)
        return maker.name in self.chosen

    def layer(self, node: NodeProto) -> None:
        super().layer(node)
        name = node.input[2]
        scales = self.known[node.input[1].removesuffix(".real") + ".scale"] * self.scales[node.input[0]]
        limits = np.iinfo(np.int32)
        whole = np.clip(np.rint(self.known[name] / scales), limits.min, limits.max).astype(np.int32)
        node.input[2] = self.constant(name, whole, scales.astype(np.float32))

    def addition(self, node: NodeProto) -> None:
        if all(name in self.scales or self.whole(name) for name in node.input):
            for name in node.input:
                self.round(name)


class _Symmetric(_Quantizer):
    def levels(self, name: str) -> tuple[float, NDArray[Any]]:
        low, high = self.ranges[name]
        return max(-low, high, _TINY) / 127, np.array(0, np.int8)

    def addition(self, node: NodeProto) -> None:
        short = self.makers[node.input[1]]
        if short.name in self.chosen:
            self.round(node.input[1])
