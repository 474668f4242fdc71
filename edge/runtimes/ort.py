"""ONNX Runtime on the processor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edge.runtimes import GraphError

_DTYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32, "tensor(int64)": np.int64}


class OnnxRuntime:
    """A graph on ONNX Runtime's CPU provider.

    Threads never spin: a spinning pool doubles the latency of whatever else runs on a small device. The
    memory arena is off, so that a field with many cells does not keep its memory for ever.
    """

    def __init__(self, graph: bytes, *, precision: str, threads: int) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session: ort.InferenceSession | None = ort.InferenceSession(
                graph, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises classes of its own for every kind of bad graph
            raise GraphError(f"runtime ort: the graph does not load ({_first_line(error)})") from None
        self.name = f"ort-{precision}"
        nodes = self._session.get_inputs()
        self.inputs: Mapping[str, tuple[int | None, ...]] = {
            node.name: tuple(n if isinstance(n, int) else None for n in node.shape) for node in nodes
        }
        self._dtypes = {node.name: _DTYPES.get(node.type) for node in nodes}
        self.outputs = tuple(node.name for node in self._session.get_outputs())

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the graph once; see `edge.runtimes.Runtime.run`."""
        if self._session is None:
            raise GraphError("runtime ort: closed")
        for name, shape in self.inputs.items():
            if name not in arrays:
                raise GraphError(f"runtime ort: input {name} is missing")
            array = arrays[name]
            fits = array.ndim == len(shape) and all(
                want in (None, have) for want, have in zip(shape, array.shape, strict=True)
            )
            if not fits or array.dtype != self._dtypes[name]:
                raise GraphError(
                    f"runtime ort: input {name} is {array.shape} {array.dtype}, the graph takes {shape}"
                )
        try:
            results = self._session.run(None, dict(arrays))
        except Exception as error:  # see above
            raise GraphError(f"runtime ort: the graph failed ({_first_line(error)})") from None
        return dict(zip(self.outputs, results, strict=True))

    def close(self) -> None:
        """Let go of the session."""
        self._session = None


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]
