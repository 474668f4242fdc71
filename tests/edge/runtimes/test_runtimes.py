"""Choosing a runtime, saying what is missing, and memory that does not grow."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import edge.runtimes
from edge.runtimes import GraphError, Kind, open_runtime, why_not
from tests.conftest import ROOT, graph
from tests.edge.runtimes.fake_tensorrt import Machine
from tests.edge.runtimes.graphs import FLOAT, U8, build, helper


def test_an_unknown_kind() -> None:
    with pytest.raises(GraphError, match="abacus: not one of ort, trt"):
        open_runtime("abacus", graph(), precision="fp32", threads=1)


def test_onnx_runtime_works_here_and_asking_imports_nothing() -> None:
    code = (
        "import sys; from edge.runtimes import why_not; print(why_not('ort'), 'onnxruntime' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "False"]


def test_onnx_runtime_leaves_in_floating_point_what_the_graph_does() -> None:
    """A layer between two roundings; by one scale for both its weights the smaller would become 0."""
    nodes = [
        helper.make_node("DequantizeLinear", ["crops", "one", "zero"], ["x"]),
        helper.make_node("Conv", ["x", "weights", "biases"], ["y"]),
        helper.make_node("Relu", ["y"], ["z"]),
        helper.make_node("QuantizeLinear", ["z", "half", "zero"], ["z.byte"]),
        helper.make_node("DequantizeLinear", ["z.byte", "half", "zero"], ["out"]),
    ]
    constants = {
        "one": np.float32(1),
        "half": np.float32(0.5),
        "zero": np.uint8(0),
        "weights": np.array([100, 0.3], np.float32).reshape(2, 1, 1, 1),
        "biases": np.zeros(2, np.float32),
    }
    made = build(nodes, [("crops", U8, ["n", 1, 16, 16])], [("out", FLOAT, ["n", 2, 16, 16])], constants)
    runtime = open_runtime("ort", made, precision="int8", threads=1)
    levels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    found = runtime.run({"crops": levels})["out"][0, 1].ravel()
    runtime.close()
    np.testing.assert_array_equal(found, np.rint(np.arange(256) * 0.6) / 2)


@pytest.mark.parametrize(
    ("absent", "remedy"),
    [
        ("tensorrt", "sudo apt install python3-libnvinfer"),
        ("cuda.bindings", r"pip install 'leukoscope\[trt\]'"),
    ],
)
def test_what_is_missing_and_what_to_install(
    monkeypatch: pytest.MonkeyPatch, absent: str, remedy: str
) -> None:
    Machine().install(monkeypatch)
    really = edge.runtimes.find_spec
    monkeypatch.setattr(edge.runtimes, "find_spec", lambda name: None if name == absent else really(name))
    with pytest.raises(GraphError, match=f"runtime trt: no Python module {absent}; .*{remedy}"):
        open_runtime("trt", graph(), precision="fp32", threads=1)


def test_an_old_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    Machine(version="10.3.0").install(monkeypatch)
    assert why_not("trt") == (
        "runtime trt: TensorRT 10.3.0 is too old; install JetPack 7.2 or later, which has 10.16"
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("cudaErrorInsufficientDriver", "no NVIDIA driver"),
        ("cudaErrorMemoryAllocation", "no NVIDIA GPU answers"),
    ],
)
def test_no_gpu(monkeypatch: pytest.MonkeyPatch, answer: str, words: str) -> None:
    Machine().install(monkeypatch)
    cudart = sys.modules["cuda.bindings.runtime"]
    monkeypatch.setattr(cudart, "cudaGetDeviceCount", lambda: (cudart.cudaError_t[answer], None))
    assert words in (why_not("trt") or "")


def test_a_library_missing_behind_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = Kind("edge.runtimes.ort:OnnxRuntime", {}, "no_such_module:why_not")
    monkeypatch.setattr(edge.runtimes, "KINDS", {"trt": kind})
    assert why_not("trt") == "runtime trt: No module named 'no_such_module'"


def test_memory_does_not_grow_with_changing_batches() -> None:
    psutil = pytest.importorskip("psutil")
    memory = psutil.Process().memory_info
    runtime = open_runtime("ort", _convolutions(), precision="fp32", threads=1)
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (runtime.bound, 96, 96, 3)).astype(np.uint8)
    runtime.warm_up()
    for turn in range(1500):
        if turn == 300:
            before = memory().rss
        runtime.run({"crops": crops[: rng.integers(1, runtime.bound + 1)]})
    runtime.close()
    assert memory().rss - before < 4e6


def _convolutions() -> bytes:
    from tests.edge.runtimes import graphs

    helper = graphs.helper
    return graphs.build(
        [
            helper.make_node("Cast", ["crops"], ["real"], to=graphs.FLOAT),
            helper.make_node("Transpose", ["real"], ["planes"], perm=[0, 3, 1, 2]),
            helper.make_node("Conv", ["planes", "w"], ["half"], strides=[4, 4]),
            helper.make_node("Relu", ["half"], ["positive"]),
            helper.make_node("ReduceMean", ["positive", "axes"], ["means"], keepdims=0),
        ],
        [("crops", graphs.U8, ["n", 96, 96, 3])],
        [("means", graphs.FLOAT, ["n", 8])],
        {"w": np.ones((8, 3, 4, 4), np.float32), "axes": np.array([2, 3])},
    )


def test_an_input_type_that_nothing_here_gives() -> None:
    from edge.runtimes.ort import _tensor

    with pytest.raises(GraphError, match=r"names is a tensor\(string\)"):
        _tensor(SimpleNamespace(name="names", type="tensor(string)", shape=[1]))
