"""The sending gives way to the screening, on the processor and on the disk."""

from __future__ import annotations

import ctypes
import os
import platform
from contextlib import suppress

_LOWEST = 19
_IOPRIO_SET = {"x86_64": 251, "aarch64": 30, "armv7l": 314, "armv6l": 314}  # numbers of the system call
_PROCESS, _BEST_EFFORT, _LEVEL = 1, 2 << 13, 7


def give_way() -> None:
    """Take the lowest priorities of this process, where the system knows such.

    On the disk that is the lowest that is served at all: in the idle class (ioprio_set(2)) a busy disk could
    keep the few bytes that are written waiting, and with them the screening that waits for the records' lock.
    """
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, 0, _LOWEST)
    number = _IOPRIO_SET.get(platform.machine())
    if number is not None and platform.system() == "Linux" and ctypes.sizeof(ctypes.c_void_p) == _width():
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).syscall(number, _PROCESS, 0, _BEST_EFFORT | _LEVEL)


def _width() -> int:
    """Bytes of a pointer of the machine's own programs; others have other numbers."""
    return 4 if platform.machine().startswith("armv") else 8
