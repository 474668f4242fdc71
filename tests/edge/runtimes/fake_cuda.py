"""A stand-in for `cuda.bindings.runtime`, strict where a mistake would be silent; see `fake_tensorrt`."""

from __future__ import annotations

import ctypes
import enum
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any


class Gpu:
    """A pretended GPU: the memory that is taken and the work that is queued.

    Attributes
    ----------
    memory : address -> bytes that are taken there. streams : handle -> work not yet done.
    out_of_memory_after : so many further blocks of memory can be had, None for any number.
    """

    def __init__(self, name: str) -> None:
        self.gpu = name
        self.memory: dict[int, ctypes.Array[ctypes.c_uint8]] = {}
        self.streams: dict[int, list[Callable[[], None]]] = {}
        self.out_of_memory_after: int | None = None

    def take(self, size: int) -> int | None:
        """Memory of this size; None where there is no more."""
        if self.out_of_memory_after is not None:
            self.out_of_memory_after -= 1
            if self.out_of_memory_after < 0:
                return None
        memory = (ctypes.c_uint8 * size)()
        self.memory[ctypes.addressof(memory)] = memory
        return ctypes.addressof(memory)

    def check(self, address: int, size: int) -> None:
        """Fail unless this is memory that was taken."""
        assert any(start <= address and address + size <= start + len(m) for start, m in self.memory.items())


def module(name: str, **content: Any) -> ModuleType:
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None, is_package=True)
    module.__dict__.update(content)
    return module


def cudart(machine: Gpu) -> ModuleType:
    error = enum.Enum(
        "cudaError_t", {"cudaSuccess": 0, "cudaErrorMemoryAllocation": 2, "cudaErrorInsufficientDriver": 35}
    )
    ok = error["cudaSuccess"]

    def take(size: int, flags: int = 0) -> tuple[Any, Any]:
        address = machine.take(size)
        return (ok, address) if address else (error["cudaErrorMemoryAllocation"], None)

    def free(address: int) -> tuple[Any]:
        del machine.memory[address]
        return (ok,)

    def copy(target: int, source: int, size: int, kind: Any, stream: int) -> tuple[Any]:
        machine.check(target, size)
        machine.check(source, size)
        machine.streams[stream].append(lambda: _move(target, source, size))
        return (ok,)

    def make_stream() -> tuple[Any, int]:
        handle = max(machine.streams, default=0) + 1
        machine.streams[handle] = []
        return ok, handle

    def wait(stream: int) -> tuple[Any]:
        while machine.streams[stream]:
            machine.streams[stream].pop(0)()
        return (ok,)

    def end_stream(stream: int) -> tuple[Any]:
        del machine.streams[stream]
        return (ok,)

    return module(
        "cuda.bindings.runtime",
        cudaError_t=error,
        cudaMemcpyKind=enum.Enum("cudaMemcpyKind", ["cudaMemcpyHostToDevice", "cudaMemcpyDeviceToHost"]),
        cudaHostAllocDefault=0,
        cudaGetDeviceCount=lambda: (ok, 1),
        cudaGetDeviceProperties=lambda index: (
            ok,
            SimpleNamespace(name=machine.gpu.encode(), major=8, minor=7),
        ),
        cudaGetErrorString=lambda error: (ok, b"out of memory"),
        cudaHostAlloc=take,
        cudaMalloc=take,
        cudaFree=free,
        cudaFreeHost=free,
        cudaMemcpyAsync=copy,
        cudaStreamCreate=make_stream,
        cudaStreamSynchronize=wait,
        cudaStreamDestroy=end_stream,
    )


def _move(target: int, source: int, size: int) -> None:
    ctypes.memmove(target, source, size)
