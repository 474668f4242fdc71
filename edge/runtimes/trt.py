"""TensorRT on an NVIDIA GPU, as JetPack 7.2 and later bring it to a Jetson."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import tensorrt as trt
from numpy.typing import NDArray

from edge.runtimes import GraphError, Tell, cuda
from edge.runtimes.engines import BATCHES, LOG, given, obtain
from edge.runtimes.tensors import Tensor, batch_of, blank, check_inputs

_OLDEST = (10, 16)
_DTYPES = {
    trt.DataType.BOOL: np.bool_,
    trt.DataType.UINT8: np.uint8,
    trt.DataType.INT8: np.int8,
    trt.DataType.INT32: np.int32,
    trt.DataType.INT64: np.int64,
    trt.DataType.HALF: np.float16,
    trt.DataType.FLOAT: np.float32,
}


def why_not() -> str | None:
    """What keeps TensorRT from running here, None where nothing does."""
    have = tuple(int(part) for part in trt.__version__.split(".")[:2])
    if have < _OLDEST:
        return f"TensorRT {trt.__version__} is too old; install JetPack 7.2 or later, which has 10.16"
    return cuda.why_not()


class TensorRtRuntime:
    """A graph as a TensorRT engine. See `edge.runtimes.Runtime` for what it promises.

    All memory is taken once, for the largest batch: on the GPU, and pinned on the host, so that copies
    and the graph run in one queue that the processor waits for once.
    """

    def __init__(
        self, graph: bytes, *, precision: str, threads: int, cache: Path | None = None, tell: Tell
    ) -> None:
        self.name = f"trt-{precision}"
        self.version = f"tensorrt {trt.__version__} on {cuda.gpu_name()}"
        self._engine: trt.ICudaEngine | None = obtain(graph, precision, cache, tell)
        self._context: trt.IExecutionContext | None = given(
            self._engine.create_execution_context(), "no memory for the engine"
        )
        self._inputs, self._outputs = _tensors(self._engine)
        self.bound = BATCHES[-1] if check_inputs("trt", self._inputs) else 1
        self.inputs: Mapping[str, tuple[int | None, ...]] = {
            tensor.name: tensor.shape for tensor in self._inputs
        }
        self.outputs = tuple(self._outputs)
        self._batch = 0
        self._shapes: dict[str, tuple[int, ...]] = {}
        with ExitStack() as undo:
            undo.callback(self._forget_engine)
            self._stream = cuda.Stream()
            undo.callback(self._stream.close)
            self._buffers = self._take_memory(undo)
            self._closing = undo.pop_all()

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the graph once; see `edge.runtimes.Runtime.run`."""
        if self._context is None:
            raise GraphError("runtime trt: closed")
        self._set_batch(self._context, batch_of("trt", arrays, self._inputs, self.bound))
        for tensor in self._inputs:
            array, buffer = arrays[tensor.name], self._buffers[tensor.name]
            np.copyto(buffer.view(array.shape, array.dtype), array)
            buffer.upload(array.nbytes, self._stream)
        if not self._context.execute_async_v3(self._stream.handle):
            self._stream.wait()  # the copies queued so far read memory that the next run writes
            raise GraphError(f"runtime trt: the graph failed: {LOG.last}")
        views = {}
        for name, dtype in self._outputs.items():
            views[name] = self._buffers[name].view(self._shapes[name], dtype)
            self._buffers[name].download(views[name].nbytes, self._stream)
        self._stream.wait()
        return {name: view.copy() for name, view in views.items()}

    def warm_up(self) -> None:
        """Run the smallest and the largest batch once."""
        for batch in (1, self.bound):
            self.run(blank(self._inputs, batch))

    def close(self) -> None:
        """Let go of the engine and all memory."""
        self._closing.close()

    def _forget_engine(self) -> None:
        self._context = self._engine = None

    def _set_batch(self, context: trt.IExecutionContext, batch: int) -> None:
        """Fix the shapes of the next run, which settles those of the outputs."""
        if batch == self._batch:
            return
        self._batch = 0
        for tensor in self._inputs:
            shape = tuple(batch if length is None else length for length in tensor.shape)
            if not context.set_input_shape(tensor.name, shape):
                raise GraphError(f"runtime trt: input {tensor.name} cannot be {shape}: {LOG.last}")
        self._shapes = {name: context.get_tensor_shape(name)[:] for name in self._outputs}
        self._batch = batch

    def _take_memory(self, undo: ExitStack) -> dict[str, cuda.Buffer]:
        """A buffer for every input and output at the largest batch, which its tensor then uses for ever."""
        context = given(self._context, "no engine")
        self._set_batch(context, self.bound)
        dtypes = self._outputs | {tensor.name: tensor.dtype for tensor in self._inputs}
        buffers = {}
        for name, dtype in dtypes.items():
            shape = context.get_tensor_shape(name)[:]
            if min(shape, default=1) < 0:
                raise GraphError(f"runtime trt: the size of output {name} depends on the data: {shape}")
            buffers[name] = cuda.Buffer(max(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize, 1))
            undo.callback(buffers[name].close)
            if not context.set_tensor_address(name, buffers[name].address):
                raise GraphError(f"runtime trt: {name} takes no memory: {LOG.last}")
        return buffers


def _tensors(engine: trt.ICudaEngine) -> tuple[tuple[Tensor, ...], dict[str, np.dtype[Any]]]:
    """Inputs, and the outputs' names and types, in the graph's order."""
    inputs: list[Tensor] = []
    outputs: dict[str, np.dtype[Any]] = {}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        kind = engine.get_tensor_dtype(name)
        if kind not in _DTYPES:
            raise GraphError(f"runtime trt: {name} is {kind.name}; end the graph with a Cast to float")
        dtype = np.dtype(_DTYPES[kind])
        if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT:
            shape = tuple(None if length < 0 else length for length in engine.get_tensor_shape(name)[:])
            inputs.append(Tensor(name, shape, dtype))
        else:
            outputs[name] = dtype
    return tuple(inputs), outputs
