"""CUDA memory on a real GPU; TensorRT need not be there."""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np
import pytest

from edge.runtimes import GraphError

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _gpu() -> None:
    if find_spec("cuda") is None:
        pytest.skip("no Python module cuda.bindings; install it with: pip install cuda-bindings")
    from edge.runtimes import cuda

    reason = cuda.why_not()
    if reason is not None:
        pytest.skip(reason)


def test_what_goes_up_comes_down() -> None:
    from edge.runtimes.cuda import Buffer, Stream

    stream, buffer = Stream(), Buffer(3 * 96 * 96)
    sent = np.random.default_rng(0).integers(0, 256, (3, 96, 96)).astype(np.uint8)
    view = buffer.view(sent.shape, sent.dtype)
    np.copyto(view, sent)
    buffer.upload(sent.nbytes, stream)
    stream.wait()
    view[:] = 0
    buffer.download(96 * 96, stream)
    stream.wait()
    np.testing.assert_array_equal(view[0], sent[0])
    assert not view[1:].any()
    for thing in (buffer, stream):
        thing.close()
        thing.close()


def test_the_gpu_has_a_name_and_a_generation() -> None:
    from edge.runtimes.cuda import gpu_name

    assert "sm_" in gpu_name()
    assert gpu_name() == gpu_name().strip()


def test_too_much_memory_is_told_and_the_rest_still_works() -> None:
    from edge.runtimes.cuda import Buffer

    with pytest.raises(GraphError, match=r"runtime trt: .* bytes"):
        Buffer(1 << 50)
    Buffer(16).close()


def test_thousands_of_buffers_leave_nothing_behind() -> None:
    from cuda.bindings import runtime as cudart

    from edge.runtimes.cuda import Buffer

    Buffer(1 << 20).close()
    _, before, _ = cudart.cudaMemGetInfo()
    for _ in range(2000):
        Buffer(1 << 20).close()
    _, after, _ = cudart.cudaMemGetInfo()
    assert before - after < 16 << 20
