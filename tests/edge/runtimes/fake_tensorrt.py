"""Stand-ins for `tensorrt` and `cuda.bindings.runtime`: our own code runs on them, nothing of NVIDIA's does.

They know only the calls that `edge.runtimes` makes and compute the graph by ONNX Runtime, so they prove that
buffers, engine files and errors are handled right, not that TensorRT takes a graph or what it answers; that
needs a GPU (`pytest -m gpu`). They are strict where a mistake would be silent on the real ones: copies
outside of memory that was taken fail, work queued on a stream is done only when the stream is waited for,
and an engine opens only on the version and GPU that built it.
"""

from __future__ import annotations

import ctypes
import enum
import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

import edge.runtimes
from tests.edge.runtimes.fake_cuda import Gpu, cudart, module

_ORT_DTYPES = {"tensor(uint8)": "UINT8", "tensor(float)": "FLOAT", "tensor(int64)": "INT64"}
_OURS = ("trt", "engines", "cuda")


class Machine(Gpu):
    """A pretended machine: its GPU and its TensorRT.

    Attributes
    ----------
    version : of TensorRT. builds : how many engines were built.
    """

    def __init__(self, gpu: str = "Imagined GPU", version: str = "10.16.1.11") -> None:
        super().__init__(gpu)
        self.version = version
        self.builds = 0

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make this the machine that `edge.runtimes` finds, until the test is over."""
        runtime = cudart(self)
        bindings = module("cuda.bindings", runtime=runtime)
        modules = {
            "tensorrt": _tensorrt(self),
            "cuda": module("cuda", bindings=bindings),
            "cuda.bindings": bindings,
            "cuda.bindings.runtime": runtime,
        }
        for name, fake in modules.items():
            monkeypatch.setitem(sys.modules, name, fake)
        for name in _OURS:  # imported again on these modules, and again on the real ones afterwards
            for holder, key in ((sys.modules, f"edge.runtimes.{name}"), (edge.runtimes.__dict__, name)):
                monkeypatch.setitem(holder, key, None)
                del holder[key]


class _Logger:
    ERROR, INTERNAL_ERROR, WARNING = "error", "internal error", "warning"
    Severity = str

    def log(self, severity: str, msg: str) -> None: ...


class _Monitor:
    pass


class _Config:
    def __init__(self) -> None:
        self.progress_monitor: Any = None
        self.profile: dict[str, tuple[Any, ...]] = {}
        self.timings = b""

    def set_memory_pool_limit(self, pool: Any, size: int) -> None: ...

    def clear_flag(self, flag: Any) -> None: ...

    def add_optimization_profile(self, profile: Any) -> int:
        self.profile = profile.shapes
        return 0

    def create_timing_cache(self, known: bytes) -> Any:
        return SimpleNamespace(serialize=lambda: known or b"timings")

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        self.cache = cache
        return True

    def get_timing_cache(self) -> Any:
        return self.cache


class _Parser:
    def __init__(self, network: Any, logger: Any) -> None:
        self.network, self.num_errors = network, 0

    def parse(self, graph: bytes) -> bool:
        try:
            session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
        except Exception as error:
            self.num_errors, self._words = 1, str(error).split("\n")[0]
            return False
        self.network.graph = graph
        self.network.inputs = session.get_inputs()
        self.network.num_inputs = len(self.network.inputs)
        return True

    def get_error(self, index: int) -> Any:
        return SimpleNamespace(desc=lambda: self._words)


class _Network(SimpleNamespace):
    def get_input(self, index: int) -> Any:
        node = self.inputs[index]
        return SimpleNamespace(name=node.name, shape=_dims(node.shape))


def _dims(shape: Any) -> tuple[int, ...]:
    return tuple(n if isinstance(n, int) else -1 for n in shape)


class _Engine:
    """An ONNX graph behind addresses."""

    def __init__(
        self, machine: Machine, graph: bytes, profile: dict[str, list[list[int]]], dtypes: Any
    ) -> None:
        self.machine, self.profile, self.dtypes = machine, profile, dtypes
        self.session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
        self.ins, self.outs = self.session.get_inputs(), self.session.get_outputs()
        self.nodes = {node.name: node for node in [*self.ins, *self.outs]}
        self.num_io_tensors = len(self.nodes)

    def get_tensor_name(self, index: int) -> str:
        return list(self.nodes)[index]

    def get_tensor_mode(self, name: str) -> str:
        return "in" if name in [node.name for node in self.ins] else "out"

    def get_tensor_dtype(self, name: str) -> Any:
        return self.dtypes[_ORT_DTYPES[self.nodes[name].type]]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return _dims(self.nodes[name].shape)

    def create_execution_context(self) -> _Context:
        return _Context(self)


class _Context:
    def __init__(self, engine: _Engine) -> None:
        self.engine = engine
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        smallest, _, largest = self.engine.profile.get(name, [list(shape)] * 3)
        fits = all(a <= n <= b for a, n, b in zip(smallest, shape, largest, strict=True))
        if fits:
            self.shapes[name] = tuple(shape)
        return fits

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        if name in self.shapes:
            return self.shapes[name]
        zeros = {n: np.zeros(shape, self._dtype(n)) for n, shape in self.shapes.items()}
        (given,) = self.engine.session.run([name], zeros)
        return tuple(given.shape)

    def set_tensor_address(self, name: str, address: int) -> bool:
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        shapes = dict(self.shapes)
        self.engine.machine.streams[stream].append(lambda: self._execute(shapes))
        return True

    def _execute(self, shapes: dict[str, tuple[int, ...]]) -> None:
        arrays = {}
        for name, shape in shapes.items():
            dtype = self._dtype(name)
            size = int(np.prod(shape)) * dtype.itemsize
            self.engine.machine.check(self.addresses[name], size)
            content = ctypes.string_at(self.addresses[name], size)
            arrays[name] = np.frombuffer(content, dtype).reshape(shape)
        names = [node.name for node in self.engine.outs]
        for name, result in zip(names, self.engine.session.run(names, arrays), strict=True):
            self.engine.machine.check(self.addresses[name], result.nbytes)
            ctypes.memmove(self.addresses[name], np.ascontiguousarray(result).ctypes.data, result.nbytes)

    def _dtype(self, name: str) -> np.dtype[Any]:
        kinds = {"UINT8": np.uint8, "FLOAT": np.float32, "INT64": np.int64}
        return np.dtype(kinds[_ORT_DTYPES[self.engine.nodes[name].type]])


class _Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[Any, ...]] = {}

    def set_shape(self, name: str, smallest: Any, usual: Any, largest: Any) -> None:
        self.shapes[name] = (smallest, usual, largest)


def _tensorrt(machine: Machine) -> ModuleType:
    dtypes = enum.Enum("DataType", ["BOOL", "UINT8", "INT8", "INT32", "INT64", "HALF", "FLOAT"])
    flags = enum.IntEnum("NetworkDefinitionCreationFlag", {"STRONGLY_TYPED": 1})

    class Builder:
        def __init__(self, logger: Any) -> None:
            pass

        def create_network(self, wanted: int) -> _Network:
            assert wanted == 1 << flags.STRONGLY_TYPED
            return _Network()

        create_builder_config = staticmethod(_Config)
        create_optimization_profile = staticmethod(_Profile)

        def build_serialized_network(self, network: _Network, config: _Config) -> bytes | None:
            machine.builds += 1
            monitor = config.progress_monitor
            monitor.phase_start("Building", None, 2)
            for step in range(2):
                if not monitor.step_complete("Building", step):
                    return None
            monitor.phase_finish("Building")
            header = {"version": machine.version, "gpu": machine.gpu, "profile": config.profile}
            return json.dumps(header).encode() + b"\n" + network.graph

    class Runtime:
        def __init__(self, logger: Any) -> None:
            self.logger = logger

        def deserialize_cuda_engine(self, content: bytes) -> _Engine | None:
            head, _, graph = content.partition(b"\n")
            header = json.loads(head)
            if (header["version"], header["gpu"]) != (machine.version, machine.gpu):
                self.logger.log(_Logger.ERROR, "Version tag does not match")
                return None
            return _Engine(machine, graph, header["profile"], dtypes)

    return module(
        "tensorrt",
        __version__=machine.version,
        ILogger=_Logger,
        IProgressMonitor=_Monitor,
        IBuilderConfig=_Config,
        INetworkDefinition=_Network,
        Builder=Builder,
        Runtime=Runtime,
        OnnxParser=_Parser,
        DataType=dtypes,
        NetworkDefinitionCreationFlag=flags,
        BuilderFlag=enum.Enum("BuilderFlag", ["TF32"]),
        MemoryPoolType=enum.Enum("MemoryPoolType", ["WORKSPACE"]),
        TensorIOMode=SimpleNamespace(INPUT="in", OUTPUT="out"),
        Dims=list,
    )
