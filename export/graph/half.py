"""FP32 graph → FP16 graph: real 16-bit tensors, as a strongly typed TensorRT network wants them.

The crop stays bytes. What comes after the last addition (mean, head, softmax) stays in FP32: a few thousand
multiplications on which the decision hangs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from export.graph.graph import ExportError, packed


def half(graph: bytes) -> bytes:
    """The same graph with its convolutions in FP16; input and output as before.

    Raises
    ------
    ExportError : it has none, or an operator before the last one that does not work in FP16.
    """
    model = onnx.load_from_string(graph)
    nodes = list(model.graph.node)
    last = max((i for i, node in enumerate(nodes) if node.op_type in ("Conv", "Add", "Relu")), default=-1)
    before, after = nodes[: last + 1], nodes[last + 1 :]
    if not any(node.op_type == "Conv" for node in before):
        raise ExportError("FP16: the graph has no convolution")
    _narrow(model, before, {name for node in after for name in node.input})
    wide = list(_widened(model, before, after, nodes[last].output[0]))
    del model.graph.node[:]
    model.graph.node.extend([*before, *wide, *after])
    try:
        onnx.checker.check_model(model, full_check=True)
    except Exception as error:  # onnx has classes of its own for each kind of fault
        raise ExportError(f"FP16: {str(error).strip().splitlines()[-1][:200]}") from None
    return packed(model)


def _narrow(model: onnx.ModelProto, nodes: Sequence[NodeProto], elsewhere: Collection[str]) -> None:
    """Make constants that they read, and casts among them, 16 bits wide; copies where others read them."""
    read = {name for node in nodes for name in node.input}
    for tensor in list(model.graph.initializer):
        if tensor.name in read and tensor.data_type == TensorProto.FLOAT:
            values = numpy_helper.to_array(tensor)
            largest = np.finfo(np.float16).max
            name = f"{tensor.name}.half" if tensor.name in elsewhere else tensor.name
            made = numpy_helper.from_array(values.clip(-largest, largest).astype(np.float16), name)
            if name == tensor.name:
                tensor.CopyFrom(made)
                continue
            model.graph.initializer.append(made)
            for node in nodes:
                node.input[:] = [name if each == tensor.name else each for each in node.input]
    for node in nodes:
        for attribute in node.attribute if node.op_type == "Cast" else ():
            if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16


def _widened(
    model: onnx.ModelProto, before: Sequence[NodeProto], after: Sequence[NodeProto], features: str
) -> Iterator[NodeProto]:
    """Casts of what crosses from the nodes in FP16 to those after them, which read them from then on."""
    kinds = {v.name: v.type.tensor_type.elem_type for v in _inferred(model)}
    made = {name for node in before for name in node.output}
    crossing = dict.fromkeys(name for node in after for name in node.input if name in made)
    for name in crossing:
        if name != features and kinds.get(name) not in (TensorProto.FLOAT, TensorProto.FLOAT16):
            continue
        told = "wide" if name == features else f"{name}.wide"
        yield helper.make_node("Cast", [name], [f"{name}.wide"], name=told, to=TensorProto.FLOAT)
        for node in after:
            node.input[:] = [f"{name}.wide" if each == name else each for each in node.input]


def _inferred(model: onnx.ModelProto) -> Sequence[Any]:
    known: Sequence[Any] = onnx.shape_inference.infer_shapes(model).graph.value_info
    return known
