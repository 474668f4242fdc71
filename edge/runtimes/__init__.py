"""Runtimes: named arrays into a graph, named arrays out. One protocol, one file a kind.

A runtime knows nothing of models: `edge.classify` gives the names their meaning. A new kind is one file
with a class that keeps `Runtime`'s promises, one line in `KINDS`, and a row in the contract suite
(`tests/edge/runtimes/test_contract.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, Protocol

from numpy.typing import NDArray

from edge.types import LeukoscopeError

KINDS: Mapping[str, str] = {"ort": "edge.runtimes.ort:OnnxRuntime"}
"""Name of a kind -> module and class. Only the chosen one is imported."""


class GraphError(LeukoscopeError):
    """The runtime cannot be had or cannot run this graph. Says what to install or what did not fit."""


class Runtime(Protocol):
    """A loaded graph.

    Attributes
    ----------
    name : kind and precision, as the JSON and the records show it ('ort-fp32').
    inputs : name -> shape, None where any size goes.
    outputs : names, in the graph's order.
    """

    name: str
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: tuple[str, ...]

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the graph once. Raises GraphError for a missing name, a wrong shape or dtype."""

    def close(self) -> None:
        """Let go of memory and device. Closing twice does nothing."""


def open_runtime(kind: str, graph: bytes, *, precision: str, threads: int) -> Runtime:
    """Load an ONNX graph on the runtime of this kind.

    Parameters
    ----------
    kind : 'auto' or a key of `KINDS`.
    graph : the ONNX file's content.
    precision : what the graph computes in, for the name only.
    threads : threads for one graph run.

    Raises
    ------
    GraphError : unknown kind, not installed, or the graph does not load.
    """
    name = "ort" if kind == "auto" else kind
    if name not in KINDS:
        raise GraphError(
            f"runtime {kind}: not one of those in this version ({', '.join(KINDS)}); choose with --runtime"
        )
    module, cls = KINDS[name].split(":")
    try:
        runtime_class = getattr(import_module(module), cls)
    except ImportError as error:
        raise GraphError(f"runtime {name}: {error}; install it or choose another with --runtime") from None
    runtime: Runtime = runtime_class(graph, precision=precision, threads=threads)
    return runtime
