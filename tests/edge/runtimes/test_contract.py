"""What every runtime promises. A new kind joins by its name in RUNTIMES."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from edge.runtimes import GraphError, Runtime, open_runtime
from tests.conftest import CLASSES, graph

RUNTIMES = ["ort", "auto"]


@pytest.fixture(params=RUNTIMES)
def runtime(request: pytest.FixtureRequest) -> Iterator[Runtime]:
    opened = open_runtime(request.param, graph(), precision="fp32", threads=1)
    yield opened
    opened.close()


def _crops(n: int) -> np.ndarray:
    return np.random.default_rng(n).integers(0, 256, (n, 96, 96, 3)).astype(np.uint8)


def test_names_and_shapes(runtime: Runtime) -> None:
    assert runtime.name.endswith("-fp32")
    assert dict(runtime.inputs) == {"crops": (None, 96, 96, 3)}
    assert runtime.outputs == ("probabilities",)


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_batches_of_any_size_agree_with_one_by_one(runtime: Runtime, n: int) -> None:
    crops = _crops(n)
    together = runtime.run({"crops": crops})["probabilities"]
    assert together.shape == (n, len(CLASSES))
    assert together.dtype == np.float32
    one_by_one = [runtime.run({"crops": crops[i : i + 1]})["probabilities"] for i in range(n)]
    np.testing.assert_allclose(together, np.concatenate(one_by_one), atol=1e-5)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "crops is missing"),
        ({"crops": _crops(1).astype(np.float32)}, "float32"),
        ({"crops": _crops(1)[:, :50]}, "50"),
        ({"crops": _crops(1)[0]}, "crops is"),
    ],
)
def test_wrong_input_is_named(runtime: Runtime, arrays: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(GraphError, match=words):
        runtime.run(arrays)


def test_closing_twice_is_fine_and_running_then_is_not(runtime: Runtime) -> None:
    runtime.close()
    runtime.close()
    with pytest.raises(GraphError, match="closed"):
        runtime.run({"crops": _crops(1)})


def test_a_graph_that_does_not_load() -> None:
    with pytest.raises(GraphError, match="does not load"):
        open_runtime("ort", b"no graph", precision="fp32", threads=1)


def test_an_unknown_kind() -> None:
    with pytest.raises(GraphError, match="not one of"):
        open_runtime("abacus", graph(), precision="fp32", threads=1)
