"""Sums that leave 16 bits: what ONNX Runtime makes of 8-bit weights on x86 processors without VNNI.

Those multiply unsigned bytes by signed weights and add the products up in pairs, in 16 signed bits, cut off
at the ends (VPMADDUBSW; oneDNN, "Nuances of int8 computations"; ONNX Runtime, "Quantize ONNX models", on
reduced ranges). VNNI, NEON and TensorRT add in 32 bits. Which weights become neighbours is the kernel's
affair, so any two of a layer must fit: 2 × 255 × 64 does, whatever the values between the layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

_LARGEST = np.iinfo(np.int16).max // (2 * np.iinfo(np.uint8).max)


def saturating(graph: bytes) -> tuple[str, ...]:
    """Names of the layers with signed bytes for weights of which two products could leave 16 bits."""
    model = onnx.load_from_string(graph).graph
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.initializer}
    large = {
        node.output[0]
        for node in model.node
        if node.op_type == "DequantizeLinear" and _too_large(known.get(node.input[0]))
    }
    return tuple(node.name for node in model.node if large.intersection(node.input))


def _too_large(whole: NDArray[Any] | None) -> bool:
    if whole is None or whole.dtype != np.int8:
        return False
    return int(np.abs(whole.astype(np.int16)).max(initial=0)) > _LARGEST
