"""CUDA memory and its traffic, by `cuda.bindings` of NVIDIA's cuda-python.

Only imported where that module is installed; it imports without a GPU, and then every call reports an error.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from cuda.bindings import runtime as cudart
from numpy.typing import NDArray

from edge.runtimes import GraphError
from edge.types import U8


class CudaError(GraphError):
    """CUDA refused a call. Says which and why."""


def why_not() -> str | None:
    """What keeps CUDA from working here, None where a GPU answers."""
    error, count = cudart.cudaGetDeviceCount()
    if error == cudart.cudaError_t.cudaSuccess and count:
        return None
    if error == cudart.cudaError_t.cudaErrorInsufficientDriver:
        return "no NVIDIA driver, or one older than this CUDA; on a Jetson it comes with JetPack 7.2 or later"
    return f"no NVIDIA GPU answers ({error.name})"


def gpu_name() -> str:
    """The GPU in use and its generation ('Orin sm_87'): what an engine is tied to."""
    properties = _checked("asking for the GPU", cudart.cudaGetDeviceProperties(0))
    name = properties.name.decode() if isinstance(properties.name, bytes) else str(properties.name)
    return f"{name.strip(chr(0) + ' ')} sm_{properties.major}{properties.minor}"


class Stream:
    """A queue of work on the GPU; `handle` is its address."""

    def __init__(self) -> None:
        self._stream = _checked("making a stream", cudart.cudaStreamCreate())
        self.handle = int(self._stream)

    def wait(self) -> None:
        """Until everything queued is done."""
        _checked("running the graph", cudart.cudaStreamSynchronize(self._stream))

    def close(self) -> None:
        """Give the stream back. Closing twice does nothing."""
        if self.handle:
            self.handle = 0
            cudart.cudaStreamDestroy(self._stream)


class Buffer:
    """`size` bytes on the GPU and their twin on the host, which is pinned, so that copies need not wait.

    Attributes
    ----------
    address : of the GPU's memory.
    host : (size,) uint8 view of the pinned twin.
    """

    def __init__(self, size: int) -> None:
        self._pinned = _checked(
            f"pinning {size} bytes", cudart.cudaHostAlloc(size, cudart.cudaHostAllocDefault)
        )
        try:
            self.address = int(_checked(f"taking {size} bytes of GPU memory", cudart.cudaMalloc(size)))
        except CudaError:
            cudart.cudaFreeHost(self._pinned)
            raise
        memory = (ctypes.c_uint8 * size).from_address(self._pinned)
        self.host: U8 = np.ctypeslib.as_array(memory)

    def view(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """The beginning of the pinned twin as an array; it changes with the next run."""
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        return self.host[:size].view(dtype).reshape(shape)

    def upload(self, size: int, stream: Stream) -> None:
        """Queue the copy of the first `size` bytes from the host to the GPU."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        copied = cudart.cudaMemcpyAsync(self.address, self._pinned, size, kind, stream.handle)
        _checked("copying to the GPU", copied)

    def download(self, size: int, stream: Stream) -> None:
        """Queue the copy of the first `size` bytes from the GPU to the host."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        copied = cudart.cudaMemcpyAsync(self._pinned, self.address, size, kind, stream.handle)
        _checked("copying from the GPU", copied)

    def close(self) -> None:
        """Give both memories back; arrays that view the pinned one are then void. Twice does nothing."""
        if self.address:
            cudart.cudaFree(self.address)
            cudart.cudaFreeHost(self._pinned)
            self.address = 0
            self.host = np.zeros(0, np.uint8)


def _checked(doing: str, result: tuple[Any, ...]) -> Any:
    """What a call gave. Every call of the bindings gives its error first; raises CudaError for one."""
    error, *given = result
    if error != cudart.cudaError_t.cudaSuccess:
        _, words = cudart.cudaGetErrorString(error)
        reason = words.decode() if isinstance(words, bytes) else str(words)
        raise CudaError(f"runtime trt: {doing}: {reason} ({error.name})")
    return given[0] if given else None
