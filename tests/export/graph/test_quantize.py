from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, numpy_helper

from edge.bundle.bundle import Bundle
from edge.types import U8
from export.graph import calibration, quantize
from export.graph.calibration import Ranges
from export.graph.gate import answers
from export.graph.half import half
from export.graph.saturation import saturating
from export.graph.to_tensorrt import check_for_tensorrt
from train.data.windows import Windows


@pytest.fixture(scope="module")
def ranges(graph: bytes, windows: Windows) -> Ranges:
    crops = calibration.choose_cells(windows, 1000, 32)
    return calibration.ranges(calibration.observe(graph, crops), "entropy")


def _weights(graph: bytes) -> dict[str, int]:
    """Type of the weights of each convolution."""
    model = onnx.load_from_string(graph)
    made = {node.output[0]: node for node in model.graph.node}
    kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    out = {}
    for node in model.graph.node:
        if node.op_type == "Conv":
            name = node.input[1]
            out[node.name] = kinds[made[name].input[0] if name in made else name]
    return out


def test_onnx_runtime_computes_every_layer_and_addition_with_whole_numbers(
    graph: bytes, ranges: Ranges, tmp_path: Path
) -> None:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "as-run.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(quantize.asymmetric(graph, ranges), options, providers=["CPUExecutionProvider"])
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "as-run.onnx").graph.node)
    assert kinds["QLinearConv"] == len(quantize.layers(graph))
    assert kinds["QLinearAdd"] == 3
    assert not kinds["Conv"]
    assert not kinds["Add"]
    assert not kinds["QuantizeLinear"]  # the crop goes in as the bytes it is


def test_the_crop_is_read_exactly(graph: bytes, ranges: Ranges) -> None:
    model = onnx.load_from_string(quantize.asymmetric(graph, ranges))
    known = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    first = next(n for n in model.graph.node if n.op_type == "Conv")
    into = next(n for n in model.graph.node if n.output[0] == first.input[0])
    assert float(known[into.input[1]]) == 1.0
    assert int(known[into.input[2]]) == 190
    assert "Cast" not in {n.op_type for n in model.graph.node}


@pytest.mark.parametrize("make", [quantize.asymmetric, quantize.symmetric])
def test_int8_says_nearly_what_fp32_says(
    make: object, graph: bytes, ranges: Ranges, draft: Bundle, held_crops: U8
) -> None:
    assert callable(make)
    wanted = answers(draft, graph, held_crops)
    given = answers(draft, make(graph, ranges), held_crops)
    assert np.abs(given - wanted).mean() < 0.006
    assert (given.argmax(axis=1) == wanted.argmax(axis=1)).mean() > 0.96
    assert np.abs(given - wanted).max() > 1e-4  # it is another graph


def test_onnx_runtime_computes_it_alike_on_every_processor(graph: bytes, ranges: Ranges) -> None:
    layers = quantize.layers(graph)
    assert saturating(quantize.asymmetric(graph, ranges)) == ()
    assert saturating(quantize.asymmetric(graph, ranges, bits=8)) == layers  # it would show
    assert saturating(quantize.symmetric(graph, ranges)) == layers  # TensorRT sums in 32 bits: no bit is lost


@pytest.mark.parametrize("make", [quantize.asymmetric, quantize.symmetric])
@pytest.mark.parametrize("left", [slice(0), slice(2, 9, 2)])
def test_onnx_runtime_computes_what_the_graph_says(
    make: object, left: slice, graph: bytes, ranges: Ranges, draft: Bundle, held_crops: U8
) -> None:
    assert callable(make)
    made = make(graph, ranges, quantize.layers(graph)[left])
    crops = held_crops[:200]
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # node by node
    session = ort.InferenceSession(made, options, providers=["CPUExecutionProvider"])
    wanted = session.run(["probabilities"], {"crops": crops})[0]
    given, fp32 = (answers(draft, content, crops) for content in (made, graph))
    assert np.abs(given - wanted).mean() < 0.1 * np.abs(given - fp32).mean()


@pytest.mark.parametrize("make", [quantize.asymmetric, quantize.symmetric])
def test_layers_can_be_left_in_floating_point(make: object, graph: bytes, ranges: Ranges) -> None:
    assert callable(make)
    names = quantize.layers(graph)
    for floating in (set(), {names[0]}, {names[2], names[-1]}, set(names)):
        kinds = _weights(make(graph, ranges, floating))
        assert {name for name, kind in kinds.items() if kind == TensorProto.FLOAT} == floating
        assert {kind for name, kind in kinds.items() if name not in floating} <= {TensorProto.INT8}


def test_no_layer_quantized_is_the_same_graph(
    graph: bytes, ranges: Ranges, draft: Bundle, held_crops: U8
) -> None:
    made = quantize.asymmetric(graph, ranges, quantize.layers(graph))
    np.testing.assert_array_equal(answers(draft, made, held_crops[:8]), answers(draft, graph, held_crops[:8]))


def test_tensorrt_would_take_its_graphs(graph: bytes, ranges: Ranges) -> None:
    for made in (graph, half(graph), quantize.symmetric(graph, ranges)):
        assert check_for_tensorrt(made) == []
    floating = quantize.layers(graph)[::2]
    assert check_for_tensorrt(quantize.symmetric(graph, ranges, floating)) == []


def test_tensorrt_would_not_take_the_one_for_onnx_runtime(graph: bytes, ranges: Ranges) -> None:
    assert any("zero point uint8" in line for line in check_for_tensorrt(quantize.asymmetric(graph, ranges)))


def test_fp16_holds_fp16(graph: bytes, draft: Bundle, held_crops: U8) -> None:
    made = half(graph)
    model = onnx.load_from_string(made)
    assert set(_weights(made).values()) == {TensorProto.FLOAT16}
    assert model.graph.output[0].type.tensor_type.elem_type == TensorProto.FLOAT
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.UINT8
    kinds = {t.name: t.data_type for t in model.graph.initializer}
    assert kinds["head.weight"] == TensorProto.FLOAT
    change = np.abs(answers(draft, made, held_crops) - answers(draft, graph, held_crops)).max()
    assert 0 < change < 0.01
