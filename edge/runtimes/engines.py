"""TensorRT engines: built on the machine that runs them, kept, and built again when anything differs.

An engine is tied to the graph, to the TensorRT that built it and to the GPU it was built on. Only what
TensorRT 10.16 (JetPack 7.2) and 11.4 both have is used here; `tests/edge/runtimes/test_tensorrt_types.py`
checks that. Precision is in the graph: float16 tensors, or explicit quantization with Q/DQ nodes.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from pathlib import Path
from typing import SupportsInt, TypeVar

import tensorrt as trt

from edge.files import cachefile
from edge.runtimes import GraphError, Tell
from edge.runtimes.cuda import gpu_name

BATCHES = (1, 8, 32)
"""Smallest, usual and largest batch of a run: what an engine is tuned for."""

_WORKSPACE_BYTES = 256 * 1024 * 1024  # a Jetson's GPU shares its memory with everything else
_REPORT_S = 5.0
T = TypeVar("T")


class Log(trt.ILogger):
    """Keeps the last error, so that a failure can be told in one line; prints nothing."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self.last = "TensorRT does not say why"

    def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
        """Take a line of TensorRT's."""
        if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
            self.last = msg.strip().split("\n")[0][:200]


LOG = Log()
"""TensorRT takes one logger for a process, which must outlive everything else of it."""


def given(thing: T | None, what: str) -> T:
    """What TensorRT made. It says None where its own type hints promise an object."""
    if thing is None:
        raise GraphError(f"runtime trt: {what}: {LOG.last}")
    return thing


def obtain(graph: bytes, precision: str, cache: Path | None, tell: Tell) -> trt.ICudaEngine:
    """The engine for this graph on this machine: the one kept in `cache` if it fits, else a new one.

    Raises
    ------
    GraphError : TensorRT cannot build or load it.
    """
    runtime = trt.Runtime(LOG)
    kept = None if cache is None else cache / f"{hashlib.sha256(graph).hexdigest()[:16]}-{precision}.engine"
    made_for = _made_for(graph, precision)
    if kept is not None:
        try:
            engine = runtime.deserialize_cuda_engine(cachefile.read(kept, made_for))
            return given(engine, "the kept engine does not load")
        except FileNotFoundError:
            pass
        except cachefile.StaleError as error:
            tell(f"engine {kept.name} {error}; it is built again")
        except GraphError as error:
            tell(f"engine {kept.name}: {error}; it is built again")
    content = build(graph, precision, cache, tell)
    if kept is not None:
        try:
            cachefile.write(kept, made_for, content)
        except OSError as error:
            tell(
                f"engine {kept}: not kept ({error.strerror or error}); it runs from memory and is built "
                "again at the next start: free some space"
            )
    return given(runtime.deserialize_cuda_engine(content), "the new engine does not load")


def build(graph: bytes, precision: str, cache: Path | None, tell: Tell) -> bytes:
    """Build an engine; takes minutes on a small machine.

    Parameters
    ----------
    graph : the ONNX file's content. precision : what it computes in, for the lines told.
    cache : folder of the timing cache, which makes a second build faster. tell : takes progress.

    Raises
    ------
    GraphError : TensorRT cannot read or build the graph.
    """
    started = time.monotonic()
    tell(f"building the TensorRT engine for {precision} on {gpu_name()}: takes minutes, once")
    try:
        builder = trt.Builder(LOG)
    except (TypeError, RuntimeError):  # what the bindings raise where TensorRT makes no object
        raise GraphError(f"runtime trt: TensorRT does not start: {LOG.last}") from None
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, LOG)
    if not parser.parse(graph):
        why = parser.get_error(0).desc() if parser.num_errors else LOG.last
        raise GraphError(f"runtime trt: TensorRT does not take the graph: {why}")
    progress = BuildMonitor(precision, tell)
    config = _config(builder, network, progress)
    timing = None if cache is None else cache / "timing.cache"
    _load_timings(config, timing)
    content = builder.build_serialized_network(network, config)
    if progress.failure is not None:
        raise progress.failure
    engine = bytes(given(content, "TensorRT cannot build the engine"))
    _keep_timings(config, timing)
    tell(f"the engine for {precision} is built, in {time.monotonic() - started:.0f} s")
    return engine


def _config(
    builder: trt.Builder, network: trt.INetworkDefinition, progress: BuildMonitor
) -> trt.IBuilderConfig:
    """Settings and the batches of a build."""
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, _WORKSPACE_BYTES)
    config.clear_flag(trt.BuilderFlag.TF32)  # FP32 is what every other precision is measured against
    config.progress_monitor = progress
    profile = builder.create_optimization_profile()
    varies = False
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        batch, *fixed = tensor.shape[:] or (1,)
        if -1 in fixed:
            raise GraphError(
                f"runtime trt: input {tensor.name} is {(batch, *fixed)}: only its first dimension, the "
                "batch, may vary; export the graph with the others fixed"
            )
        if batch == -1:
            varies = True
            profile.set_shape(tensor.name, *(trt.Dims([n, *fixed]) for n in BATCHES))
    if varies:
        config.add_optimization_profile(profile)
    return config


class BuildMonitor(trt.IProgressMonitor):
    """Tells how far a build is, every few seconds. TensorRT calls it from threads of its own."""

    def __init__(self, precision: str, tell: Tell) -> None:
        trt.IProgressMonitor.__init__(self)
        self.failure: BaseException | None = None
        self._precision, self._tell = precision, tell
        self._phases: dict[str, tuple[str | None, int, int]] = {}  # name -> parent, steps, steps done
        self._started = self._told = time.monotonic()
        self._lock = threading.Lock()

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: SupportsInt) -> None:
        """A phase begins, inside another or (None) by itself."""
        with self._lock:
            self._phases[phase_name] = (parent_phase, int(num_steps), 0)

    def phase_finish(self, phase_name: str) -> None:
        """A phase is over."""
        with self._lock:
            self._phases.pop(phase_name, None)

    def step_complete(self, phase_name: str, step: SupportsInt) -> bool:
        """A step of the innermost phase is done; False ends the build."""
        try:
            with self._lock:
                parent, steps, _ = self._phases.get(phase_name, (None, 1, 0))
                self._phases[phase_name] = (parent, steps, int(step) + 1)
                now = time.monotonic()
                if now - self._told >= _REPORT_S:
                    self._told = now
                    self._tell(
                        f"building the engine for {self._precision}: {100 * self._share():.0f}%, "
                        f"{now - self._started:.0f} s"
                    )
        except BaseException as error:  # Ctrl-C too: nothing may be raised through TensorRT
            self.failure = error
        return self.failure is None

    def _share(self, parent: str | None = None) -> float:
        """How much of the phases inside `parent` is done, 0 to 1."""
        inside = [(name, phase) for name, phase in self._phases.items() if (phase[0] or None) == parent]
        shares = [(done + self._share(name)) / max(steps, 1) for name, (_, steps, done) in inside]
        return min(max(shares, default=0.0), 1.0)


def _made_for(graph: bytes, precision: str) -> dict[str, str]:
    return {
        "graph": hashlib.sha256(graph).hexdigest(),
        "precision": precision,
        "batches": "/".join(map(str, BATCHES)),
    } | machine()


def machine() -> dict[str, str]:
    """What an engine is tied to, beside its graph."""
    return {"TensorRT": trt.__version__, "GPU": gpu_name()}


def _load_timings(config: trt.IBuilderConfig, path: Path | None) -> None:
    """Give the builder what it measured before; without a fitting file it starts with nothing."""
    known = b""
    if path is not None:
        with contextlib.suppress(FileNotFoundError, cachefile.StaleError):
            known = cachefile.read(path, machine())
    config.set_timing_cache(config.create_timing_cache(known), False)


def _keep_timings(config: trt.IBuilderConfig, path: Path | None) -> None:
    if path is not None:
        with contextlib.suppress(OSError):  # only time is lost, and a full disk is told of beside the engine
            cachefile.write(path, machine(), bytes(config.get_timing_cache().serialize()))
