from __future__ import annotations

import onnx
import pytest
from onnx import TensorProto, helper

from export.graph.naming import name_nodes


def _named(weights: list[str], names: list[str]) -> list[str]:
    """Names of a chain of convolutions, each with a ReLU behind it."""
    nodes, tensor = [], "crops"
    for i, (weight, name) in enumerate(zip(weights, names, strict=True)):
        nodes.append(helper.make_node("Conv", [tensor, weight], [f"c{i}"], name=name))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"], name=f"node_relu_{i}"))
        tensor = f"r{i}"
    tensors = [helper.make_tensor(w, TensorProto.FLOAT, [1], [1.0]) for w in dict.fromkeys(weights)]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in ("crops", tensor)]
    model: onnx.ModelProto = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors))
    name_nodes(model)
    return [node.name for node in model.graph.node]


@pytest.mark.parametrize(
    ("weight", "name", "wanted"),
    [
        ("stem.0.weight", "node_conv2d", "stem.0"),
        ("network.network.layer1.0.conv1.weight", "node_conv2d_3", "layer1.0.conv1"),
        ("net.onnx::Conv_497", "/layer1/layer1.0/conv1/Conv", "layer1/layer1.0/conv1"),
        ("ConvMulFusion_W_net.lab/conv2d_1/convolution/merged_input:0", "Conv__39", "lab/conv2d_1"),
        ("net.const_fold_opt__98", "", "crops.conv"),
        ("onnx::Conv_497", "Conv_12", "crops.conv"),
    ],
)
def test_a_layer_is_called_by_its_weights(weight: str, name: str, wanted: str) -> None:
    assert _named([weight], [name]) == [wanted, f"{wanted}.relu"]


def test_no_name_is_given_twice() -> None:
    assert _named(["a.weight", "a.weight"], ["", ""]) == ["a", "a.relu", "a.2", "a.2.relu"]
