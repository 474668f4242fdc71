from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from export.graph.saturation import saturating

SCALES = np.array([0.5, 0.25], np.float32)


def _graph(whole: NDArray[Any]) -> bytes:
    """One convolution of bytes by (2, 2, 1, 1) whole weights."""
    known = {
        "scale": np.float32(0.1),
        "zero": np.uint8(3),
        "whole": whole,
        "scales": SCALES,
        "zeros": np.zeros(2, whole.dtype),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["x.byte"]),
        helper.make_node("DequantizeLinear", ["x.byte", "scale", "zero"], ["x.real"]),
        helper.make_node("DequantizeLinear", ["whole", "scales", "zeros"], ["weights"], axis=0),
        helper.make_node("Conv", ["x.real", "weights"], ["y"], name="layer"),
    ]
    shape = [1, 2, 4, 4]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in "xy"]
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in known.items()]
    graph = helper.make_graph(nodes, "one", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    return content


def _weights(*values: int, kind: type = np.int8) -> NDArray[Any]:
    return np.array(values, kind).reshape(2, 2, 1, 1)


@pytest.mark.parametrize(
    ("weights", "found"),
    [
        (_weights(64, 64, -64, -64), ()),
        (_weights(1, 2, 65, 3), ("layer",)),
        (_weights(1, 2, 3, -65), ("layer",)),
        (_weights(0, 0, 0, -128), ("layer",)),
        (_weights(255, 255, 255, 255, kind=np.uint8), ()),
    ],
)
def test_two_products_stay_within_16_bits_or_the_layer_is_named(
    weights: NDArray[Any], found: tuple[str, ...]
) -> None:
    assert saturating(_graph(weights)) == found


def test_the_limit_is_that_of_16_bits() -> None:
    assert 2 * 255 * 64 <= 2**15 - 1 < 2 * 255 * 65
