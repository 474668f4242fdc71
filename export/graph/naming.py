"""What the nodes of a graph are called: a layer by its weights, any other node by the layer it comes after.

Exporters number their nodes (`node_relu_12`), and another version numbers them otherwise. These names stay as
long as the network does, and say where a node belongs: `layer1.0.conv1`, `layer1.0.conv1.relu`.
"""

from __future__ import annotations

import re
from collections import Counter

import onnx
from onnx import NodeProto

LAYERS = ("Conv", "Gemm")
"""Operators with weights; their weights are the second input."""

_NUMBERED = re.compile(r"(node_)?[A-Za-z_]*\d*[a-z]*_*\d*")  # says nothing but which one it is
_AROUND = re.compile(  # what everything is inside of, and what exporters and ONNX Runtime add
    r"^(Conv\w*Fusion_W_)?(net\.)?/?(network\.)*"
    r"|(\.weight|/(Conv|Gemm|MatMul|MatMulAddFusion|merged_input|convolution|Cast|ReadVariableOp)(:0)?)+$"
)


def name_nodes(model: onnx.ModelProto) -> None:
    """Give every node of a graph a name of its own, in place; the same graph gets the same names."""
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    source = {value.name: value.name for value in graph.input}  # of each tensor the layer it comes after
    used: Counter[str] = Counter()
    for node in graph.node:
        before = next((source[name] for name in node.input if name in source), "")
        name = f"{before}.{node.op_type.lower()}".removeprefix(".")
        if node.op_type in LAYERS and node.input[1] in weights:
            name = before = _layer(node) or name
        used[name] += 1
        node.name = name if used[name] == 1 else f"{name}.{used[name]}"
        if before:
            source |= dict.fromkeys(node.output, node.name if node.op_type in LAYERS else before)


def _layer(node: NodeProto) -> str:
    """What a layer is called: after its weights, else as it was; empty where both say nothing."""
    weight = str(node.input[1])
    if weight.endswith(".weight"):
        return _AROUND.sub("", weight)
    names = (_AROUND.sub("", told) for told in (str(node.name), weight))
    return next((name for name in names if "::" not in name and not _NUMBERED.fullmatch(name)), "")
