"""Graphs that TensorRT takes and graphs that it does not, and the command that builds an engine."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.runtimes import GraphError
from export.cli import main
from export.graph.to_tensorrt import check_for_tensorrt, convert
from tests.conftest import graph
from tests.edge.runtimes import graphs
from tests.edge.runtimes.fake_tensorrt import Machine

FLOAT, HALF, U8, INT64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT64
FOR_TENSORRT = {"classifier": {"ort-fp32": "classifier.onnx", "trt-fp32": "classifier.onnx"}}


@pytest.mark.parametrize("good", [graph(), graphs.masker(), graphs.detector(), graphs.quantized()])
def test_what_the_runtimes_are_tested_with_is_fit_for_tensorrt(good: bytes) -> None:
    assert check_for_tensorrt(good) == []


def _changed(change: Callable[[Any], None]) -> bytes:
    """The quantized graph with something wrong."""
    model = onnx.load_from_string(graphs.quantized())
    change(model.graph)
    return bytes(model.SerializeToString())


def _constant(name: str, array: Any) -> Callable[[Any], None]:
    def change(graph: Any) -> None:
        (tensor,) = [tensor for tensor in graph.initializer if tensor.name == name]
        tensor.CopyFrom(numpy_helper.from_array(np.asarray(array), name))

    return change


def _per_tensor(graph: Any) -> None:
    _constant("w_scale", np.array(0.01, np.float32))(graph)
    _constant("w_zero", np.array(0, np.int8))(graph)


def _wrong_axis(graph: Any) -> None:
    _constant("w_scale", np.full(3, 0.01, np.float32))(graph)
    _constant("w_zero", np.zeros(3, np.int8))(graph)
    _node(graph, "w_dq").attribute[0].i = 1


def _node(graph: Any, output: str) -> Any:
    (node,) = [node for node in graph.node if output in node.output]
    return node


def _float_input(graph: Any) -> None:
    _node(graph, "sums").input[0] = "unit"
    for name in ("unit_q", "unit_dq"):
        graph.node.remove(_node(graph, name))


def _quantized_bias(graph: Any) -> None:
    _node(graph, "sums").input[2] = "bias_dq"
    graph.initializer.append(numpy_helper.from_array(np.array([3, 4], np.int32), "bias_q"))
    dequantize = helper.make_node("DequantizeLinear", ["bias_q", "w_scale"], ["bias_dq"], axis=0)
    graph.node.insert(len(graph.node) - 1, dequantize)


def _two_readers(graph: Any) -> None:
    graph.node.append(helper.make_node("Cast", ["unit_q"], ["again"], to=FLOAT))
    graph.output.append(helper.make_tensor_value_info("again", FLOAT, ["n", 3, 8, 8]))


def _early_transpose(graph: Any) -> None:
    cast, transpose = graph.node[0], graph.node[1]
    transpose.input[0], transpose.output[0] = "crops", "real"
    cast.input[0], cast.output[0] = "real", "planes"
    first, second = onnx.NodeProto(), onnx.NodeProto()
    first.CopyFrom(transpose)
    second.CopyFrom(cast)
    graph.node[0].CopyFrom(first)
    graph.node[1].CopyFrom(second)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_constant("w_zero", np.ones(2, np.int8)), r"DequantizeLinear → w_dq: zero point int8 \[1\]"),
        (_constant("w_scale", np.array([0.01, 0], np.float32)), "a scale is not above 0"),
        (_constant("w_scale", np.array([0.01, np.nan], np.float32)), "a scale is not above 0"),
        (_per_tensor, r"weights \(2, 3, 3, 3\) need a scale for each channel, axis 0"),
        (_wrong_axis, "axis 0"),
        (_float_input, "Conv → sums: its weights are 8-bit, its input is not"),
        (_quantized_bias, "a quantized bias"),
        (_quantized_bias, "its bias is not a constant in float"),
        (_two_readers, "QuantizeLinear → unit_q: not followed by DequantizeLinear alone"),
        (_early_transpose, "Transpose → real: reads uint8; only a Cast to float may"),
    ],
)
def test_what_is_wrong_with_a_quantized_graph(change: Callable[[Any], None], words: str) -> None:
    problems = "\n".join(check_for_tensorrt(_changed(change)))
    assert re.search(words, problems), problems


def test_unsigned_activations() -> None:
    problems = check_for_tensorrt(graphs.quantized(symmetric=False))
    assert any("zero point uint8 [128]" in problem for problem in problems)
    assert any("does not give int8" in problem for problem in problems)


def _one(
    kind: str,
    inputs: list[graphs.Value],
    output: graphs.Value,
    *names: str,
    opset: int = 20,
    **attributes: Any,
) -> bytes:
    """A graph of one operator."""
    node = helper.make_node(kind, [*(name for name, _, _ in inputs), *names], [output[0]], **attributes)
    return graphs.build([node], inputs, [output], {name: np.zeros(1, np.float32) for name in names}, opset)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (b"no graph", "not a valid ONNX graph"),
        (_one("Relu", [("x", FLOAT, ["n", 3])], ("y", FLOAT, ["n", 3]), opset=12), "opset 12"),
        (_one("Relu", [("x", FLOAT, ["n", "m"])], ("y", FLOAT, ["n", "m"])), "x: only its first dimension"),
        (_one("Det", [("x", FLOAT, ["n", 3, 3])], ("y", FLOAT, ["n"])), "Det → y: no operator"),
        (_one("Relu", [("x", TensorProto.DOUBLE, ["n", 3])], ("y", TensorProto.DOUBLE, ["n", 3])), "float64"),
        (_one("Cast", [("x", U8, ["n"])], ("y", INT64, ["n"]), to=INT64), "reads uint8"),
        (_one("Abs", [("x", TensorProto.INT8, ["n"])], ("y", TensorProto.INT8, ["n"])), "works on int8"),
        (
            _one(
                "AveragePool", [("x", FLOAT, ["n", 1, 8, 8])], ("y", FLOAT, ["n", 1, 6, 6]),
                kernel_shape=[2, 2], dilations=[2, 2],
            ),
            "dilated pooling",
        ),
        (
            _one("ReduceMean", [("x", FLOAT, ["n", 3]), ("axes", INT64, [1])], ("y", FLOAT, ["n", 1])),
            "its axes are not constant",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_graph(bad: bytes, words: str) -> None:
    problems = check_for_tensorrt(bad)
    assert any(words in problem for problem in problems), problems


def test_float_types_do_not_mix() -> None:
    model = onnx.load_from_string(
        _one("Add", [("x", FLOAT, ["n", 3]), ("h", FLOAT, ["n", 3])], ("y", FLOAT, ["n", 3]))
    )
    model.graph.input[1].type.tensor_type.elem_type = HALF
    assert check_for_tensorrt(model.SerializeToString()) != []


def test_an_operator_of_another_domain() -> None:
    model = onnx.load_from_string(graphs.quantized())
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    _node(model.graph, "sums").domain = "com.microsoft"
    assert "com.microsoft:Conv → sums: no operator" in check_for_tensorrt(model.SerializeToString())[0]


def test_data_outside_the_graph(tmp_path: Path) -> None:
    model = onnx.load_from_string(graphs.masker())
    onnx.save(model, tmp_path / "a.onnx", save_as_external_data=True, size_threshold=0, location="w.bin")
    problems = check_for_tensorrt((tmp_path / "a.onnx").read_bytes())
    assert "w: its data lies outside the graph" in problems


@pytest.mark.parametrize(("transposed", "axis"), [(0, 1), (1, 0)])
def test_the_output_axis_of_a_fully_connected_layer(transposed: int, axis: int) -> None:
    def gemm(on: int) -> bytes:
        shape = (4, 3) if transposed else (3, 4)
        nodes = [
            helper.make_node("QuantizeLinear", ["x", "s"], ["xq"], output_dtype=TensorProto.INT8),
            helper.make_node("DequantizeLinear", ["xq", "s"], ["xd"]),
            helper.make_node("DequantizeLinear", ["w", "ws"], ["wd"], axis=on),
            helper.make_node("Gemm", ["xd", "wd"], ["y"], transB=transposed),
        ]
        constants = {"s": np.array(0.1, np.float32), "w": np.ones(shape, np.int8)}
        constants["ws"] = np.full(shape[on], 0.1, np.float32)
        return graphs.build(nodes, [("x", FLOAT, ["n", 3])], [("y", FLOAT, ["n", 4])], constants, opset=21)

    assert check_for_tensorrt(gemm(axis)) == []
    assert any(f"axis {axis}" in problem for problem in check_for_tensorrt(gemm(1 - axis)))


def test_without_tensorrt_the_command_says_what_to_install(make_bundle: Callable[..., Path]) -> None:
    with pytest.raises(GraphError, match=r"JetPack 7\.2"):
        convert(make_bundle(), "fp32", Path("unused"), print)


def test_an_engine_is_built_as_the_device_does(
    make_bundle: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Machine().install(monkeypatch)
    told: list[str] = []
    out = tmp_path / "deep" / "small.engine"
    line = convert(make_bundle(graphs=FOR_TENSORRT), None, out, told.append)
    assert line.startswith(f"{out}: fp32, ")
    assert line.endswith("only for TensorRT 10.16.1.11, GPU Imagined GPU sm_87")
    assert out.read_bytes().startswith(b"{")
    assert told[0].startswith("building the TensorRT engine for fp32")


def test_a_graph_that_would_fail_is_refused_before_the_build(
    make_bundle: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    machine.install(monkeypatch)
    path = make_bundle(graph=graphs.quantized(symmetric=False), graphs=FOR_TENSORRT)
    with pytest.raises(GraphError, match=r"would not take its graph for fp32: .*zero point"):
        convert(path, "fp32", tmp_path / "x.engine", print)
    assert machine.builds == 0


def test_the_command_says_so_too(
    make_bundle: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["tensorrt", str(make_bundle()), "--out", str(tmp_path / "x.engine")])
    assert status == 1
    assert capsys.readouterr().err.startswith("edge-export: runtime trt: ")
    assert not (tmp_path / "x.engine").exists()
