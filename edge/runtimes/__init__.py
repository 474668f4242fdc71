"""Runtimes: named arrays into a graph, named arrays out. One protocol, one file a kind.

A runtime knows nothing of models: `edge.cells.classify` gives the names their meaning. A new kind is one file
with a class that keeps `Runtime`'s promises, one line in `KINDS`, and a row in the contract suite
(`tests/edge/runtimes/test_contract.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from edge.types import LeukoscopeError

Tell = Callable[[str], None]
"""Takes one line for the user, such as how far the building of an engine is."""


@dataclass(frozen=True)
class Kind:
    """Where a kind of runtime is and what it stands on.

    Attributes
    ----------
    runtime : 'module:Class'. Only the chosen one is imported.
    needs : module -> what to do where it is missing.
    probe : 'module:function' that says what else is missing (a GPU), None for nothing.
    """

    runtime: str
    needs: Mapping[str, str]
    probe: str | None = None


KINDS: Mapping[str, Kind] = {
    "ort": Kind("edge.runtimes.ort:OnnxRuntime", {"onnxruntime": "install it with: pip install onnxruntime"}),
    "trt": Kind(
        "edge.runtimes.trt:TensorRtRuntime",
        {
            "tensorrt": "it comes with JetPack 7.2 or later: sudo apt install python3-libnvinfer, "
            "and a virtual environment made with --system-site-packages",
            "cuda.bindings": "install it with: pip install 'leukoscope[trt]'",
        },
        "edge.runtimes.trt:why_not",
    ),
}


class GraphError(LeukoscopeError):
    """The runtime cannot be had or cannot run this graph. Says what to install or what did not fit."""


class Runtime(Protocol):
    """A loaded graph.

    The first dimension of an input is the batch and may vary from run to run; the others are fixed.
    One thread at a time may use a runtime.

    Attributes
    ----------
    name : kind and precision, as the JSON and the records show it ('ort-fp32').
    version : of the library that computes, and the GPU where one does ('onnxruntime 1.31.1'): answers may
        change with it.
    inputs : name -> shape, None for a batch of any size.
    outputs : names, in the graph's order.
    bound : the largest batch of one run.
    """

    name: str
    version: str
    inputs: Mapping[str, tuple[int | None, ...]]
    outputs: tuple[str, ...]
    bound: int

    def run(self, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Run the graph once; the arrays given back are the caller's own.

        Raises GraphError for a missing or unknown name, a wrong shape or dtype, an empty batch and one
        larger than `bound`.
        """

    def warm_up(self) -> None:
        """Run the smallest and the largest batch once, so that no later run pays for being the first."""

    def close(self) -> None:
        """Let go of memory and device. Closing twice does nothing."""


def why_not(kind: str) -> str | None:
    """Why this kind of runtime does not work on this machine, in one line with what to do; None if it does.

    Looks for the modules first and imports nothing where one is missing.

    Raises
    ------
    GraphError : unknown kind.
    """
    known = _known(kind)
    for module, remedy in known.needs.items():
        try:
            found = find_spec(module) is not None
        except ModuleNotFoundError:  # the package around it is missing
            found = False
        if not found:
            return f"runtime {kind}: no Python module {module}; {remedy}"
    if known.probe is None:
        return None
    try:
        why: str | None = _load(known.probe)()
    except (ImportError, OSError) as error:  # a library behind the module is missing or too old
        why = str(error)
    return why and f"runtime {kind}: {why}"


def open_runtime(
    kind: str,
    graph: bytes,
    *,
    precision: str,
    threads: int,
    cache: Path | None = None,
    tell: Tell | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Runtime:
    """Load an ONNX graph on the runtime of this kind.

    Parameters
    ----------
    kind : a key of `KINDS`.
    graph : the ONNX file's content.
    precision : what the graph computes in ('fp32', 'fp16', 'int8'); part of the runtime's name.
    threads : threads for one graph run.
    cache : folder for what takes long to make (engines); None keeps nothing.
    tell : takes lines about long work; None for nobody listening.
    sizes : lengths of dimensions that the graph leaves open, by the names that it gives them; of
        'ort' alone.

    Raises
    ------
    GraphError : unknown kind, not installed, or the graph does not load.
    """
    known = _known(kind)
    reason = why_not(kind)
    if reason is not None:
        raise GraphError(f"{reason}, or choose another with --runtime")
    try:
        runtime_class = _load(known.runtime)
    except (ImportError, OSError) as error:
        raise GraphError(f"runtime {kind}: {error}; choose another with --runtime") from None
    more = {"sizes": sizes} if sizes else {}
    runtime: Runtime = runtime_class(
        graph, precision=precision, threads=threads, cache=cache, tell=tell or (lambda line: None), **more
    )
    return runtime


def _known(kind: str) -> Kind:
    if kind not in KINDS:
        raise GraphError(f"runtime {kind}: not one of {', '.join(KINDS)}; choose with --runtime")
    return KINDS[kind]


def _load(name: str) -> Any:
    module, attribute = name.split(":")
    return getattr(import_module(module), attribute)
