"""FP32 graph → INT8 graphs with explicit quantize and dequantize (Q/DQ) nodes, one for each runtime.

Both hold weights as signed bytes, one scale a channel, and take their ranges from one calibration. They
differ because the runtimes do (ONNX Runtime: "Quantize ONNX models"; TensorRT: "Q/DQ placement
recommendations"):

- `asymmetric`, for ONNX Runtime: values between layers as unsigned bytes with a zero point, biases as 32-bit
  integers, Q/DQ round every layer and addition, so that each becomes one integer operator and a ReLU is no
  more than the clipping at 0. The crop, bytes already, goes in as it is. Weights have 7 bits: with 8, x86
  processors without VNNI compute something else (`export.graph.saturation`), and unsigned ones take twice as
  long.
- `symmetric`, for TensorRT: signed bytes with zero point 0, weights of 8 bits, float biases, Q/DQ in
  front of what is quantized and on the short cut of an addition, nothing behind: TensorRT moves them where
  they fuse.

Layers are two-dimensional convolutions whose weights stand in the graph. What lies between them may be
anything: whoever computes with real numbers reads what came out of bytes. The head and the softmax always
stay in floating point: they cost nothing and decide everything.
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
_CLIPPED = ("Relu", "Clip")  # nothing to compute where what comes out is bytes
_COMPUTED = frozenset((
    "AveragePool", "BatchNormalization", "Concat", "Div", "Elu", "Erf", "Gelu", "HardSigmoid", "HardSwish",
    "LayerNormalization", "LeakyRelu", "MaxPool", "Mul", "PRelu", "Sigmoid", "Softplus", "Tanh", "Transpose",
))  # fmt: skip
"""Operators that read a layer as real numbers: it writes bytes all the same, and so stays one integer one."""


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
    model = onnx.load_from_string(graph).graph
    shapes = {tensor.name: len(tensor.dims) for tensor in model.initializer}
    added = {name for node in model.node if node.op_type == "Add" for name in node.input}
    return tuple(
        LayerTensors(node.name, node.input[0], node.output[0] if node.output[0] in added else None)
        for node in model.node
        if node.op_type == "Conv" and shapes.get(node.input[1]) == 4 and _bias_is_known(node, shapes)
    )


def _bias_is_known(node: NodeProto, known: Collection[str]) -> bool:
    """Whether a layer's bias stands in the graph, or it has none."""
    return len(node.input) < 3 or not node.input[2] or node.input[2] in known


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
        self.makers = {name: node for node in self.model.graph.node for name in node.output}
        self._part()
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

    def _part(self) -> None:
        """Give layers that share weights or a bias their own: each is rounded by scales of its own."""
        taken: set[str] = set()
        for node in self.model.graph.node:
            for i, name in enumerate(node.input if node.op_type == "Conv" else ()):
                if i and name in taken:
                    node.input[i] = self.keep(
                        f"{node.name}.{'weight' if i == 1 else 'bias'}", self.known[name]
                    )
                taken |= {name} & self.known.keys()

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
    def __init__(self, graph: bytes, ranges: Ranges, floating: Collection[str], bits: int) -> None:
        super().__init__(graph, ranges, floating, bits)
        self.readers: dict[str, set[str]] = {}  # operators that read a tensor
        for node in self.model.graph.node:
            for name in node.input:
                self.readers.setdefault(name, set()).add(node.op_type)

    def levels(self, name: str) -> tuple[float, NDArray[Any]]:
        low, high = self.ranges[name]
        scale = max((high - low) / 255, _TINY)
        return scale, np.array(np.clip(round(-low / scale), 0, 255), np.uint8)

    def take(self, node: NodeProto) -> None:
        super().take(node)
        if node.op_type == "Sub":
            self.crop(node)
        clipped = node.op_type in _CLIPPED and self.whole(node.input[0].removesuffix(".real"))
        if clipped or (node.name in self.chosen and self.readers.get(node.output[0], set()) & _COMPUTED):
            self.round(node.output[0])

    def crop(self, node: NodeProto) -> None:
        """A crop's bytes are levels of scale 1 round the grey mean: nothing is lost and nothing computed."""
        zero, name = self.known.get(node.input[1]), node.output[0]
        turn = self.makers.get(node.input[0])
        cast = self.makers.get(turn.input[0]) if turn is not None else None
        readers = [n for n in self.model.graph.node if name in n.input]
        if turn is None or cast is None or zero is None or zero.size != 1:
            return
        if (turn.op_type, cast.op_type, list(cast.input)) != ("Transpose", "Cast", ["crops"]):
            return
        if {n.name for n in readers} <= self.chosen and float(zero) == int(zero) & 255:
            turned = NodeProto()
            turned.CopyFrom(turn)
            turned.input[0], turned.output[0], turned.name = cast.input[0], f"{name}.byte", f"{name}.byte"
            self.nodes.append(turned)
            given = [self.keep(f"{name}.scale", np.float32(1)), self.keep(f"{name}.zero", np.uint8(zero))]
            self.add("DequantizeLinear", [f"{name}.byte", *given], f"{name}.real")
            self.scales[name] = 1.0

    def whole(self, name: str) -> bool:
        """Whether a tensor comes out of an operator that computes with whole numbers."""
        maker = self.makers.get(name)
        if maker is None:
            return False
        if maker.op_type == "Add":
            return all(part.removesuffix(".real") in self.scales for part in maker.input)
        return maker.name in self.chosen

    def layer(self, node: NodeProto) -> None:
        super().layer(node)
        if len(node.input) < 3 or not node.input[2]:
            return
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
        short = self.makers.get(node.input[1])
        if short is not None and short.name in self.chosen:
            self.round(node.input[1])
