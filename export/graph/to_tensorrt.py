"""What TensorRT asks of a graph, checked without TensorRT; and engines, built where TensorRT is.

Sources of the rules: onnx-tensorrt, docs/operators.md for TensorRT 10.15 (operators, opsets, types, zero
points, UINT8 only at the network's border); TensorRT documentation, "Working with Quantized Types" and
"Explicit Quantization" (symmetric, weights by channel, Q/DQ before both inputs of a layer) and "Strongly
Typed Networks" (types are taken from the graph, nothing is converted by itself).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edge.bundle import bundle as bundles
from edge.files import atomic
from edge.runtimes import GraphError, why_not

OPSETS = range(13, 25)
"""TensorRT 10.15 reads 9 to 24; only from 13 on can quantization be by channel."""

OPERATORS = frozenset((
    "Abs", "Add", "ArgMax", "ArgMin", "AveragePool", "BatchNormalization", "Cast", "Ceil", "Clip", "Concat",
    "Constant", "Conv", "ConvTranspose", "DepthToSpace", "DequantizeLinear", "Div", "Elu", "Equal", "Erf",
    "Exp", "Expand", "Flatten", "Floor", "Gather", "Gelu", "Gemm", "GlobalAveragePool", "GlobalMaxPool",
    "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization",
    "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual", "Log", "LogSoftmax", "MatMul", "Max",
    "MaxPool", "Mean", "Min", "Mul", "Neg", "Not", "PRelu", "Pad", "Pow", "QuantizeLinear", "Reciprocal",
    "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum", "Relu", "Reshape", "Resize", "Round", "Shape",
    "Sigmoid", "Sign", "Slice", "Softmax", "Softplus", "SpaceToDepth", "Split", "Sqrt", "Squeeze", "Sub",
    "Sum", "Tanh", "TopK", "Transpose", "Unsqueeze", "Where",
))  # fmt: skip
"""Those of TensorRT's operators that a graph from pictures to pictures or numbers may need."""

_FLOATS = {TensorProto.FLOAT: "float32", TensorProto.FLOAT16: "float16"}
_ROUNDING = ("QuantizeLinear", "DequantizeLinear")
Array = NDArray[Any]


def convert(
    bundle: Path, precision: str | None, out: Path, tell: Callable[[str], None], *, large: bool = False
) -> str:
    """Build the engine that this machine would run for a bundle, and write it as TensorRT's tools read it.

    Parameters
    ----------
    bundle : the bundle. out : file to write.
    precision : 'int8', 'fp16' or 'fp32'; None takes the first of these that the bundle calls usable.
    tell : takes lines about progress. large : open a bundle of more than 64 MiB too.

    Returns
    -------
    One line about what was written.

    Raises
    ------
    GraphError
        TensorRT or a GPU is missing, or TensorRT does not take the graph.
    BundleError
        The bundle cannot be opened or has no such graph.
    """
    opened = bundles.load(bundle, allow_unsigned=True, large=large)
    reason = why_not("trt")
    if reason is not None:
        raise GraphError(reason)
    if precision is None:
        usable = [name for name in ("int8", "fp16", "fp32") if f"trt-{name}" in opened.manifest.usable]
        precision = next((name for name in usable if f"trt-{name}" in opened.manifest.graphs), "fp32")
    graph = opened.graph(f"trt-{precision}")
    problems = check_for_tensorrt(graph)
    if problems:
        raise GraphError(f"bundle {bundle}: TensorRT would not take its graph for {precision}: {problems[0]}")
    from edge.runtimes import engines

    content = engines.build(graph, precision, None, tell)
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(out, content)
    machine = ", ".join(f"{name} {value}" for name, value in engines.machine().items())
    sha256 = hashlib.sha256(content).hexdigest()
    return f"{out}: {precision}, {len(content) / 1e6:.2f} MB, sha256 {sha256}, only for {machine}"


def check_for_tensorrt(graph: bytes) -> list[str]:
    """Why TensorRT would refuse this graph or run it slowly, a line for each; empty when all is well."""
    try:
        model = onnx.load_from_string(graph)
        outside = [t.name for t in model.graph.initializer if t.data_location == TensorProto.EXTERNAL]
        if outside:
            return [f"{name}: its data lies outside the graph" for name in outside]
        onnx.checker.check_model(model)
        model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except Exception as error:  # protobuf and onnx each have classes of their own
        return [f"not a valid ONNX graph: {str(error).strip().splitlines()[-1][:200]}"]
    return [*_Rules(model).problems()]


class _Rules:
    """A graph and what is known of its tensors."""

    def __init__(self, model: ModelProto) -> None:
        self.model, self.graph = model, model.graph
        self.known: dict[str, Array] = {t.name: numpy_helper.to_array(t) for t in self.graph.initializer}
        for node in self.graph.node:
            if node.op_type == "Constant" and any(a.name == "value" for a in node.attribute):
                self.known[node.output[0]] = numpy_helper.to_array(_attributes(node)["value"])
        values = (*self.graph.input, *self.graph.value_info, *self.graph.output)
        self.kinds = {v.name: v.type.tensor_type.elem_type for v in values}
        self.kinds |= {t.name: t.data_type for t in self.graph.initializer}
        self.makers = {name: node for node in self.graph.node for name in node.output}
        self.readers: dict[str, list[NodeProto]] = {}
        for node in self.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def problems(self) -> Iterator[str]:
        yield from self._opset()
        yield from self._border()
        for node in self.graph.node:
            if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
                yield f"{_name(node)}: no operator that TensorRT reads"
            yield from self._types(node)
            yield from self._restrictions(node)
            if node.op_type in _ROUNDING:
                yield from self._rounding(node)
            if node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
                yield from self._layer(node)

    def _opset(self) -> Iterator[str]:
        for opset in self.model.opset_import:
            if opset.domain in ("", "ai.onnx") and opset.version not in OPSETS:
                yield f"opset {opset.version}: TensorRT reads {OPSETS[0]} to {OPSETS[-1]}"

    def _border(self) -> Iterator[str]:
        """Only the batch may vary; bytes are read and written by a Cast and by nothing else."""
        outputs = {value.name for value in self.graph.output}
        for value in self.graph.input:
            if any(not length.HasField("dim_value") for length in value.type.tensor_type.shape.dim[1:]):
                yield f"{value.name}: only its first dimension, the batch, may vary"
        for name, kind in self.kinds.items():
            if kind == TensorProto.DOUBLE:
                yield f"{name}: float64, which TensorRT computes in float32"
            if kind == TensorProto.UINT8:
                yield from self._bytes(name, name in outputs)

    def _bytes(self, name: str, is_output: bool) -> Iterator[str]:
        for reader in self.readers.get(name, []):
            casts = reader.op_type == "Cast" and _attributes(reader)["to"] in _FLOATS
            if not casts and reader.op_type not in _ROUNDING:
                yield f"{_name(reader)}: reads uint8; only a Cast to float may"
        maker = self.makers.get(name)
        if (
            maker is not None
            and not (is_output and maker.op_type == "Cast")
            and maker.op_type not in _ROUNDING
        ):
            yield f"{_name(maker)}: gives uint8; only a Cast to an output may"

    def _types(self, node: NodeProto) -> Iterator[str]:
        if node.op_type == "Cast":
            return
        kinds = {self.kinds.get(name, 0) for name in node.input} & _FLOATS.keys()
        if len(kinds) > 1:
            yield f"{_name(node)}: mixes {' and '.join(sorted(_FLOATS[k] for k in kinds))} without a Cast"
        for name in (*node.input, *node.output):
            if self.kinds.get(name) == TensorProto.INT8 and node.op_type not in _ROUNDING:
                yield f"{_name(node)}: works on int8 ({name}); only between Q and DQ may it lie"

    def _restrictions(self, node: NodeProto) -> Iterator[str]:
        """Operators that are read only in part."""
        attributes = _attributes(node)
        if node.op_type in ("AveragePool", "MaxPool"):
            if any(step != 1 for step in attributes.get("dilations", [])):
                yield f"{_name(node)}: dilated pooling"
            if len(node.output) > 1:
                yield f"{_name(node)}: gives indices"
        if node.op_type.startswith("Reduce") and any(n not in self.known for n in node.input[1:] if n):
            yield f"{_name(node)}: its axes are not constant"
        if attributes.get("mode") == b"cubic" or attributes.get("antialias", 0):
            yield f"{_name(node)}: only nearest and linear, without antialiasing"

    def _rounding(self, node: NodeProto) -> Iterator[str]:
        """Scales and zero points of a Q or DQ node, and that they come in pairs."""
        scale = self.known.get(node.input[1])
        if scale is None:
            yield f"{_name(node)}: its scale is not constant"
        elif not np.all(np.isfinite(scale) & (scale > 0)):
            yield f"{_name(node)}: a scale is not above 0"
        elif scale.size > 1 and self._rounded_constant(node.input[0]) is None:
            yield f"{_name(node)}: several scales for an activation; TensorRT takes one"
        zero = self.known.get(node.input[2]) if len(node.input) > 2 and node.input[2] else None
        if zero is not None and (zero.dtype != np.int8 or zero.any()):
            yield f"{_name(node)}: zero point {zero.dtype} {np.unique(zero).tolist()}; TensorRT wants int8 0"
        elif zero is None and len(node.input) > 2 and node.input[2]:
            yield f"{_name(node)}: its zero point is not constant"
        if node.op_type == "QuantizeLinear":
            if self.kinds.get(node.output[0]) != TensorProto.INT8:
                yield f"{_name(node)}: does not give int8"
            if {reader.op_type for reader in self.readers.get(node.output[0], [])} != {"DequantizeLinear"}:
                yield f"{_name(node)}: not followed by DequantizeLinear alone"
        elif self.kinds.get(node.input[0]) != TensorProto.INT8:
            yield f"{_name(node)}: reads what is not int8 (a quantized bias? leave it in float)"

    def _rounded_constant(self, name: str) -> Array | None:
        """The constant behind a tensor, through Q and DQ; None for an activation."""
        while name not in self.known:
            maker = self.makers.get(name)
            if maker is None or maker.op_type not in _ROUNDING:
                return None
            name = maker.input[0]
        return self.known[name]

    def _layer(self, node: NodeProto) -> Iterator[str]:
        """A layer with 8-bit weights has a scale for each output channel, and an 8-bit input."""
        value, weight = (self.makers.get(name) for name in node.input[:2])
        if weight is None or weight.op_type != "DequantizeLinear":
            return
        if value is None or value.op_type != "DequantizeLinear":
            yield f"{_name(node)}: its weights are 8-bit, its input is not"
        array = self._rounded_constant(weight.output[0])
        scale = self.known.get(weight.input[1])
        if array is None or scale is None:
            return
        axis = _output_axis(node, array.ndim)
        if scale.shape != (array.shape[axis],) or _attributes(weight).get("axis", 1) % array.ndim != axis:
            yield f"{_name(node)}: its weights {array.shape} need a scale for each channel, axis {axis}"
        if len(node.input) > 2 and node.input[2] and node.input[2] not in self.known:
            yield f"{_name(node)}: its bias is not a constant in float"


def _output_axis(node: NodeProto, dimensions: int) -> int:
    """Axis of a layer's weights along which its output channels lie."""
    if node.op_type == "Conv":
        return 0
    if node.op_type == "ConvTranspose":
        return 1
    return 0 if _attributes(node).get("transB", 0) else dimensions - 1


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _name(node: NodeProto) -> str:
    where = node.name or f"→ {', '.join(node.output)}"
    return f"{node.domain + ':' if node.domain else ''}{node.op_type} {where}"
