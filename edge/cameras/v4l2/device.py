"""One open device node: the system calls, and nothing of what they mean."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import select
from collections.abc import Callable
from typing import Protocol

Argument = ctypes.Structure | ctypes.c_int32


class Mapped(Protocol):
    """Memory shared with the driver."""

    def __getitem__(self, part: slice, /) -> bytes: ...
    def close(self) -> None: ...


class Device(Protocol):
    """What the rest of this package needs of a device; `KernelDevice` is a real one, tests script theirs."""

    def ioctl(self, code: int, argument: Argument) -> None:
        """Make the call; the kernel's answer is written into `argument`. Raises OSError."""

    def wait(self, timeout_s: float) -> int:
        """Events of `select.poll` within `timeout_s` seconds, 0 if there were none."""

    def map(self, length: int, offset: int) -> Mapped:
        """The driver's buffer at this offset. Raises OSError."""

    def close(self) -> None:
        """Let go of the device. Closing twice does nothing."""


OpenDevice = Callable[[str], Device]
"""Opens the node at a path; raises OSError."""


class KernelDevice:
    """A node of /dev, such as '/dev/video0'. Raises OSError where it cannot be opened."""

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._handle, select.POLLIN)

    def ioctl(self, code: int, argument: Argument) -> None:
        fcntl.ioctl(self._handle, code, argument)

    def wait(self, timeout_s: float) -> int:
        events = self._poll.poll(timeout_s * 1000)
        return events[0][1] if events else 0

    def map(self, length: int, offset: int) -> Mapped:
        return mmap.mmap(self._handle, length, mmap.MAP_SHARED, mmap.PROT_READ, offset=offset)

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1
