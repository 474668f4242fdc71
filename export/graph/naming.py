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

_NUMBERED = re.compile(r"(node_)?[A-Za-z_]*\d*[a-z]*_?\d*")  # says nothing but which one it is
_AROUND = re.compile(r"^(net\.)?/?(network\.)*|/(Conv|Gemm|MatMul)$")  # what everything is inside of


def name_nodes(model: onnx.ModelProto) -> None:
    """Give every node of a graph a name of its own, in place; the same graph gets the same names."""
    graph = model.graph
    weights = {tensor.name for tensor in graph.initializer}
    source = {value.name: value.name for value in graph.input}  # of each tensor the layer it comes after
    used: Counter[str] = Counter()
    for node in graph.node:
        before = next((source[name] for name in node.input if name in source), "")
        if node.op_type in LAYERS and node.input[1] in weights:
            name = before = _layer(node)
        else:
            name = f"{before}.{node.op_type.lower()}".removeprefix(".")
        used[name] += 1
        node.name = name if used[name] == 1 else f"{name}.{used[name]}"
        if before:
            source |= dict.fromkeys(node.output, node.name if node.op_type in LAYERS else before)


def _layer(node: NodeProto) -> str:
    """What a layer is called: after its weights, else as it was."""
    weight = str(node.input[1])
    told = (weight if weight.endswith(".weight") else "", str(node.name), weight)
    for name in told:
        if "::" not in name and not _NUMBERED.fullmatch(name):
            return _AROUND.sub("", name.removesuffix(".weight"))
    return node.op_type.lower()
