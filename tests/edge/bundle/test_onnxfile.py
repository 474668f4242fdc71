"""Graphs that would read weights from another file are told apart from those that bring their own."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edge.bundle import onnxfile
from tests.conftest import graph

QUICK = settings(max_examples=150, deadline=None, derandomize=True, database=None)


def _external(location: str = "../secrets") -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    return tensor


def _subgraph(tensor: TensorProto) -> onnx.GraphProto:
    return helper.make_graph([], "inner", [], [], [tensor])


def _initializer(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(_external())


def _constant(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["c"], value=_external()))


def _sparse(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add().values.CopyFrom(_external())


def _branch(model: onnx.ModelProto) -> None:
    empty = helper.make_graph([], "empty", [], [])
    node = helper.make_node("If", ["c"], ["y"], then_branch=_subgraph(_external()), else_branch=empty)
    model.graph.node.append(node)


def _function(model: onnx.ModelProto) -> None:
    model.functions.add(name="f", domain="d").node.append(
        helper.make_node("Constant", [], ["c"], value=_external())
    )


def _training(model: onnx.ModelProto) -> None:
    model.training_info.add().algorithm.CopyFrom(_subgraph(_external()))


def _location_alone(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL


@pytest.mark.parametrize(
    "change", [_initializer, _constant, _sparse, _branch, _function, _training, _location_alone]
)
def test_external_data_is_found_wherever_it_is(change: Callable[[onnx.ModelProto], None]) -> None:
    model = onnx.load_from_string(graph())
    change(model)
    with pytest.raises(ValueError, match="keeps weights in another file"):
        onnxfile.check(model.SerializeToString())


def test_external_data_in_a_graph_given_in_two_parts() -> None:
    """Protocol buffers put a message together that comes twice."""
    other = onnx.ModelProto()
    other.graph.initializer.append(_external())
    with pytest.raises(ValueError, match="keeps weights"):
        onnxfile.check(graph() + other.SerializeToString())


def test_own_weights_are_fine() -> None:
    model = onnx.load_from_string(graph())
    model.graph.initializer[0].data_location = TensorProto.DEFAULT
    model.graph.doc_string = "external_data location"
    onnxfile.check(model.SerializeToString())


@pytest.mark.parametrize(
    "content", [b"", b"text", b"\x00" * 40, graph()[:-10], b"\x3a\xff\xff\xff\x7f", b"ORTM" * 9]
)
def test_no_graph_at_all(content: bytes) -> None:
    with pytest.raises(ValueError, match="is not an ONNX graph"):
        onnxfile.check(content)


def test_nested_without_end() -> None:
    content = b""
    for _ in range(200):  # graph, node, attribute, graph ...
        for field in (6, 5, 1):
            content = bytes([field << 3 | 2]) + _size(len(content)) + content
    with pytest.raises(ValueError, match="nested too deeply"):
        onnxfile.check(b"\x3a" + _size(len(content)) + content)


def _size(n: int) -> bytes:
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


@QUICK
@given(st.binary(max_size=300) | st.integers(0, 400).map(lambda cut: graph()[cut:]))
def test_any_bytes(content: bytes) -> None:
    try:
        onnxfile.check(content)
    except ValueError as error:
        line = str(error)
    else:
        line = "is fine"
    assert line.startswith(("is ", "keeps "))


def test_weights_are_counted_without_shapes_and_single_values() -> None:
    # the usual graph: 3 x 11 weights; its axes are integers and its divisor a single value
    assert onnxfile.weights(graph()) == 33
    unpacked = onnx.load_from_string(graph())
    unpacked.graph.initializer.append(helper.make_tensor("half", TensorProto.FLOAT16, [5, 2], [0.0] * 10))
    assert onnxfile.weights(unpacked.SerializeToString()) == 43
