"""ONNX Runtime on the processor."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edge.runtimes import GraphError, Tell
from edge.runtimes.tensors import Tensor, batch_of, blank, check_inputs

_LARGEST_BATCH = 12  # 16 took 5 MB more, for the same time a cell; of most fields all cells are one batch
_DTYPES = {
    "tensor(bool)": np.bool_,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(float16)": np.float16,
    "tensor(float)": np.float32,
}


class OnnxRuntime:
    """A graph on ONNX Runtime's CPU provider. See `edge.runtimes.Runtime` for what it promises.

    The graph says what is rounded: left to itself, ONNX Runtime quantizes a layer that stayed in floating
    point where its neighbours are quantized, with one scale for all its weights.

    Threads never spin: a spinning pool doubles the latency of whatever else runs on a small device.

    Activations come from ONNX Runtime's arena, which keeps them for the next run: taken from the C library
    and given back each time (`edge.machine.allocator`), a run would spend a fifth to a third of its time on
    page faults. The arena grows to what the largest batch needs, so it is the bound on batches that bounds
    memory; all graphs have one arena together, since they run one after the other. No memory pattern is
    planned: it is no faster, and keeps a plan and a block for every batch size.
    """

    version = f"onnxruntime {ort.__version__}"

    def __init__(
        self,
        graph: bytes,
        *,
        precision: str,
        threads: int,
        cache: Path | None = None,
        tell: Tell,
        sizes: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        options = ort.SessionOptions()
        for name, length in sizes.items():
            options.add_free_dimension_override_by_name(name, length)
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        _make_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
        try:
            self._session: ort.InferenceSession | None = ort.InferenceSession(
                graph,
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=["WeightBiasQuantization"],
            )
        except Exception as error:  # ONNX Runtime raises classes of its own for every kind of bad graph
            raise GraphError(f"runtime ort: the graph does not load ({_first_line(error)})") from None
        self.name = f"ort-{precision}"
        self._inputs = tuple(_tensor(node) for node in self._session.get_inputs())
        self.bound = _LARGEST_BATCH if check_inputs("ort", self._inputs) else 1
        self.inputs: Mapping[str, tuple[int | None, ...]] = {
            tensor.name: tensor.shape for tensor in self._inputs
        }
        self.outputs = tuple(node.name for node in self._session.get_outputs())

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the graph once; see `edge.runtimes.Runtime.run`."""
        if self._session is None:
            raise GraphError("runtime ort: closed")
        batch_of("ort", arrays, self._inputs, self.bound)
        try:
            results = self._session.run(None, dict(arrays))
        except Exception as error:  # see above
            raise GraphError(f"runtime ort: the graph failed ({_first_line(error)})") from None
        return dict(zip(self.outputs, results, strict=True))

    def warm_up(self) -> None:
        """Run the smallest and the largest batch once."""
        for batch in (1, self.bound):
            self.run(blank(self._inputs, batch))

    def close(self) -> None:
        """Let go of the session and its arena."""
        self._session = None


@cache
def _make_arena() -> None:
    """Make the arena that all graphs of this process share."""
    kind, place = ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, ort.OrtMemType.DEFAULT
    # numbers below 0 and a bound of 0 leave it to ONNX Runtime
    usual = {"max_mem": 0, "arena_extend_strategy": -1, "initial_chunk_size_bytes": -1}
    ort.create_and_register_allocator(
        ort.OrtMemoryInfo("Cpu", kind, 0, place), ort.OrtArenaCfg(usual | {"max_dead_bytes_per_chunk": -1})
    )


def _tensor(node: Any) -> Tensor:
    if node.type not in _DTYPES:
        raise GraphError(f"runtime ort: input {node.name} is a {node.type}; one of {', '.join(_DTYPES)} runs")
    shape = tuple(n if isinstance(n, int) else None for n in node.shape)
    return Tensor(node.name, shape, np.dtype(_DTYPES[node.type]))


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
