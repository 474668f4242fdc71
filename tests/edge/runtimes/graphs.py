"""Small graphs of several shapes and types: a detector, a picture beside its mask, a quantized one.

Each is what TensorRT takes too (`tests/export/graph/test_to_tensorrt.py` holds them to it).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto, checker, helper, numpy_helper

__all__ = ["FLOAT", "INT64", "U8", "build", "detector", "helper", "masker", "quantized"]

Value = tuple[str, int, Sequence[Any]]
U8, FLOAT, INT64 = TensorProto.UINT8, TensorProto.FLOAT, TensorProto.INT64


def build(
    nodes: Sequence[NodeProto],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    constants: dict[str, np.ndarray[Any, Any]],
    opset: int = 20,
) -> bytes:
    """An ONNX file."""
    model = helper.make_model(
        helper.make_graph(
            list(nodes),
            "small",
            [helper.make_tensor_value_info(*value) for value in inputs],
            [helper.make_tensor_value_info(*value) for value in outputs],
            [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=10,
    )
    checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _random(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(0, 0.5, shape).astype(np.float32)


def masker(batch: int | str = "n") -> bytes:
    """`frames` (n, 24, 32, 3) uint8 → `mask` (n, 1, 24, 32) float32 and `image` (n, 24, 32, 3) uint8."""
    nodes = [
        helper.make_node("Cast", ["frames"], ["real"], to=FLOAT),
        helper.make_node("Transpose", ["real"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Div", ["planes", "full"], ["unit"]),
        helper.make_node("Conv", ["unit", "w"], ["score"], pads=[1, 1, 1, 1]),
        helper.make_node("Sigmoid", ["score"], ["mask"]),
        helper.make_node("Mul", ["planes", "mask"], ["masked"]),
        helper.make_node("Floor", ["masked"], ["whole"]),
        helper.make_node("Transpose", ["whole"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("Cast", ["last"], ["image"], to=U8),
    ]
    return build(
        nodes,
        [("frames", U8, [batch, 24, 32, 3])],
        [("mask", FLOAT, [batch, 1, 24, 32]), ("image", U8, [batch, 24, 32, 3])],
        {"full": np.array(255, np.float32), "w": _random(1, 3, 3, 3)},
    )


def detector() -> bytes:
    """`frames` (n, 16, 16, 3) uint8 and `gains` (n, 3) float32 → `boxes` (n, 5, 4), `best` (n,) int64."""
    nodes = [
        helper.make_node("Cast", ["frames"], ["real"], to=FLOAT),
        helper.make_node("ReduceMean", ["real", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "gains"], ["gained"]),
        helper.make_node("MatMul", ["gained", "w"], ["flat"]),
        helper.make_node("Reshape", ["flat", "five_boxes"], ["boxes"]),
        helper.make_node("ArgMax", ["flat"], ["best"], axis=1, keepdims=0),
    ]
    return build(
        nodes,
        [("frames", U8, ["n", 16, 16, 3]), ("gains", FLOAT, ["n", 3])],
        [("boxes", FLOAT, ["n", 5, 4]), ("best", INT64, ["n"])],
        {"axes": np.array([1, 2]), "w": _random(3, 20), "five_boxes": np.array([-1, 5, 4])},
    )


ACTIVATION_SCALE = np.float32(1 / 64)
WEIGHT_SCALES = np.array([0.01, 0.02], np.float32)


def quantized(symmetric: bool = True) -> bytes:
    """A convolution with Q/DQ around its input and weights: `crops` (n, 8, 8, 3) → `sums` (n, 2, 8, 8).

    Symmetric is int8 with zero points 0, as TensorRT wants it; otherwise activations are uint8 around 128.
    """
    zero = np.array(0, np.int8) if symmetric else np.array(128, np.uint8)
    nodes = [
        helper.make_node("Cast", ["crops"], ["real"], to=FLOAT),
        helper.make_node("Transpose", ["real"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Sub", ["planes", "middle"], ["centred"]),
        helper.make_node("Div", ["centred", "spread"], ["unit"]),
        helper.make_node("QuantizeLinear", ["unit", "scale", "zero"], ["unit_q"]),
        helper.make_node("DequantizeLinear", ["unit_q", "scale", "zero"], ["unit_dq"]),
        helper.make_node("DequantizeLinear", ["w", "w_scale", "w_zero"], ["w_dq"], axis=0),
        helper.make_node("Conv", ["unit_dq", "w_dq", "bias"], ["sums"], pads=[1, 1, 1, 1]),
    ]
    return build(
        nodes,
        [("crops", U8, ["n", 8, 8, 3])],
        [("sums", FLOAT, ["n", 2, 8, 8])],
        {
            "middle": np.array(128, np.float32),
            "spread": np.array(64, np.float32),
            "scale": np.asarray(ACTIVATION_SCALE),
            "zero": zero,
            "w": quantized_weights(),
            "w_scale": WEIGHT_SCALES,
            "w_zero": np.zeros(2, np.int8),
            "bias": np.array([0.5, -0.5], np.float32),
        },
    )


def quantized_weights() -> np.ndarray[Any, Any]:
    """(2, 3, 3, 3) int8."""
    return np.random.default_rng(1).integers(-127, 128, (2, 3, 3, 3)).astype(np.int8)
