"""FP32 graph → FP16 graph: real 16-bit tensors, as a strongly typed TensorRT network wants them.

The crop stays bytes. What comes after the last addition (mean, head, softmax) stays in FP32: a few thousand
multiplications on which the decision hangs.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.graph.graph import packed


def half(graph: bytes) -> bytes:
    """The same graph with its convolutions in FP16; input and output as before."""
    model = onnx.load_from_string(graph)
    nodes = list(model.graph.node)
    last = max(i for i, node in enumerate(nodes) if node.op_type in ("Conv", "Add", "Relu"))
    narrow = {name for node in nodes[: last + 1] for name in node.input}
    for tensor in model.graph.initializer:
        if tensor.name in narrow and tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    for node in nodes[: last + 1]:
        if node.op_type == "Cast":
            node.attribute[0].i = TensorProto.FLOAT16
    features = nodes[last].output[0]
    wide = helper.make_node("Cast", [features], [f"{features}.wide"], name="wide", to=TensorProto.FLOAT)
    for node in nodes[last + 1 :]:
        for i, name in enumerate(node.input):
            node.input[i] = f"{features}.wide" if name == features else name
    del model.graph.node[:]
    model.graph.node.extend([*nodes[: last + 1], wide, *nodes[last + 1 :]])
    onnx.checker.check_model(model, full_check=True)
    return packed(model)
