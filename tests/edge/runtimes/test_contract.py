"""What every runtime promises. A new kind joins by its name in KINDS.

`trt` runs where there is an NVIDIA GPU with TensorRT (`-m gpu`). `imagined` is the same code on stand-ins
for NVIDIA's modules: it proves our handling of buffers and engines, nothing about TensorRT.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.runtimes import GraphError, Runtime, open_runtime, why_not
from tests.conftest import CLASSES, graph
from tests.edge.runtimes import graphs
from tests.edge.runtimes.fake_tensorrt import Machine

KINDS = ["ort", "imagined", pytest.param("trt", marks=pytest.mark.gpu)]
Open = Callable[..., Runtime]
Array = np.ndarray[Any, Any]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "imagined":
        Machine().install(monkeypatch)
        return "trt"
    reason = why_not(request.param)
    if reason is not None:
        pytest.skip(reason)
    return str(request.param)


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where engines are kept: on a real GPU each takes a while to build."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture
def start(request: pytest.FixtureRequest, kind: str, engines: Path) -> Iterator[Open]:
    """Opens a graph on the runtime; what was opened is closed in the end."""
    opened: list[Runtime] = []
    cache = engines / request.node.callspec.params["kind"]

    def start(content: bytes, precision: str = "fp32", threads: int = 1) -> Runtime:
        opened.append(open_runtime(kind, content, precision=precision, threads=threads, cache=cache))
        return opened[-1]

    yield start
    for runtime in opened:
        runtime.close()


def _crops(n: int) -> Array:
    return np.random.default_rng(n).integers(0, 256, (n, 96, 96, 3)).astype(np.uint8)


def test_names_shapes_and_version(start: Open, kind: str) -> None:
    runtime = start(graph(), precision="int8")
    assert runtime.name == f"{kind}-int8"
    assert dict(runtime.inputs) == {"crops": (None, 96, 96, 3)}
    assert runtime.outputs == ("probabilities",)
    assert runtime.bound >= 8
    assert runtime.version.split()[0] in ("onnxruntime", "tensorrt")


def test_batches_up_to_the_bound_agree_with_one_by_one(start: Open) -> None:
    runtime = start(graph())
    for n in (1, 2, 7, runtime.bound, 3):
        crops = _crops(n)
        together = runtime.run({"crops": crops})["probabilities"]
        assert together.shape == (n, len(CLASSES))
        assert together.dtype == np.float32
        one_by_one = [runtime.run({"crops": crops[i : i + 1]})["probabilities"] for i in range(n)]
        np.testing.assert_allclose(together, np.concatenate(one_by_one), atol=1e-5)


def test_a_batch_too_large_or_empty(start: Open) -> None:
    runtime = start(graph())
    for n in (0, runtime.bound + 1):
        with pytest.raises(GraphError, match=f"a batch of {n}; one run takes 1 to {runtime.bound}"):
            runtime.run({"crops": np.zeros((n, 96, 96, 3), np.uint8)})


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "crops is missing"),
        ({"crops": _crops(1), "frames": _crops(1)}, "no input frames, it takes crops"),
        ({"crops": _crops(1).astype(np.float32)}, r"float32, the graph takes \(n, 96, 96, 3\) uint8"),
        ({"crops": _crops(1)[:, :50]}, "50"),
        ({"crops": _crops(1)[0]}, "crops is"),
    ],
)
def test_wrong_input_is_named(start: Open, arrays: dict[str, Array], words: str) -> None:
    with pytest.raises(GraphError, match=words):
        start(graph()).run(arrays)


def test_a_picture_comes_out_beside_its_mask(start: Open) -> None:
    runtime = start(graphs.masker())
    frames = np.random.default_rng(0).integers(0, 256, (3, 24, 32, 3)).astype(np.uint8)
    given = runtime.run({"frames": frames})
    assert runtime.outputs == ("mask", "image")
    assert given["mask"].shape == (3, 1, 24, 32)
    assert given["mask"].dtype == np.float32
    assert given["image"].shape == (3, 24, 32, 3)
    assert given["image"].dtype == np.uint8
    masked = np.floor(frames * given["mask"].transpose(0, 2, 3, 1))
    assert np.abs(masked - given["image"]).max() <= 1


def test_several_inputs_and_outputs_of_several_types(start: Open) -> None:
    runtime = start(graphs.detector())
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (4, 16, 16, 3)).astype(np.uint8)
    gains = rng.normal(1, 0.1, (4, 3)).astype(np.float32)
    given = runtime.run({"gains": gains, "frames": frames})
    assert given["boxes"].shape == (4, 5, 4)
    assert given["best"].shape == (4,)
    assert given["best"].dtype == np.int64
    assert given["best"].tolist() == given["boxes"].reshape(4, 20).argmax(axis=1).tolist()
    with pytest.raises(GraphError, match="batches of different sizes: frames 4, gains 3"):
        runtime.run({"frames": frames, "gains": gains[:3]})


def test_a_graph_for_one_batch_size_takes_only_that(start: Open) -> None:
    runtime = start(graphs.masker(batch=2))
    assert runtime.inputs["frames"] == (2, 24, 32, 3)
    assert runtime.bound == 1
    runtime.warm_up()
    assert runtime.run({"frames": np.zeros((2, 24, 32, 3), np.uint8)})["mask"].shape == (2, 1, 24, 32)
    with pytest.raises(GraphError, match=r"\(2, 24, 32, 3\)"):
        runtime.run({"frames": np.zeros((1, 24, 32, 3), np.uint8)})


def test_only_the_batch_may_vary(start: Open) -> None:
    with pytest.raises(GraphError, match=r"frames is .* only its first dimension"):
        start(
            graphs.build(
                [graphs.helper.make_node("Cast", ["frames"], ["real"], to=graphs.FLOAT)],
                [("frames", graphs.U8, ["n", "height", 32])],
                [("real", graphs.FLOAT, ["n", "height", 32])],
                {},
            )
        )


@pytest.mark.parametrize("symmetric", [True, False])
def test_quantized_arithmetic_is_the_same_everywhere(start: Open, kind: str, symmetric: bool) -> None:
    if kind == "trt" and not symmetric:
        pytest.skip("TensorRT takes only symmetric quantization")
    crops = np.random.default_rng(3).integers(0, 256, (5, 8, 8, 3)).astype(np.uint8)
    given = start(graphs.quantized(symmetric), precision="int8").run({"crops": crops})["sums"]
    # every value is a whole number of activation steps, so the sums are exact but for float rounding
    unit = np.pad(
        (crops.transpose(0, 3, 1, 2).astype(np.float64) - 128) / 64, [(0, 0), (0, 0), (1, 1), (1, 1)]
    )
    unit = np.minimum(unit, 127 * float(graphs.ACTIVATION_SCALE))
    weights = graphs.quantized_weights() * graphs.WEIGHT_SCALES[:, None, None, None].astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(unit, (3, 3), (2, 3))
    want = np.einsum("nchwij,ocij->nohw", windows, weights) + np.array([0.5, -0.5])[:, None, None]
    np.testing.assert_allclose(given, want, atol=1e-3)


def test_the_same_answer_every_time_and_the_answer_is_the_callers(start: Open) -> None:
    runtime = start(graph())
    first = runtime.run({"crops": _crops(9)})["probabilities"]
    kept = first.copy()
    runtime.run({"crops": _crops(5)})
    runtime.warm_up()
    np.testing.assert_array_equal(first, kept)
    np.testing.assert_array_equal(runtime.run({"crops": _crops(9)})["probabilities"], kept)
    first[:] = 0


def test_arrays_need_not_lie_in_one_piece(start: Open) -> None:
    runtime = start(graph())
    crops = _crops(8)
    mirrored = runtime.run({"crops": crops[::2, :, ::-1]})["probabilities"]
    copied = runtime.run({"crops": np.ascontiguousarray(crops[::2, :, ::-1])})["probabilities"]
    np.testing.assert_array_equal(mirrored, copied)


def test_another_thread_may_run_it_and_threads_change_no_answer(start: Open) -> None:
    one, two = start(graph(), threads=1), start(graph(), threads=2)
    answers: list[Array] = []
    worker = threading.Thread(target=lambda: answers.append(two.run({"crops": _crops(8)})["probabilities"]))
    worker.start()
    worker.join()
    np.testing.assert_allclose(answers[0], one.run({"crops": _crops(8)})["probabilities"], atol=1e-6)


def test_closing_twice_is_fine_and_running_then_is_not(start: Open) -> None:
    runtime = start(graph())
    runtime.close()
    runtime.close()
    with pytest.raises(GraphError, match="closed"):
        runtime.run({"crops": _crops(1)})


def test_a_graph_that_does_not_load(start: Open) -> None:
    with pytest.raises(GraphError, match="graph"):
        start(b"no graph")
