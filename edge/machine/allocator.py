"""What the C library does with memory that is given back: to the system on a device, kept while training."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from contextlib import suppress

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -3, -4, -8  # malloc.h of glibc
_NEVER = 2**31 - 1
_FRAME_BYTES = 2 * 1024 * 1024
_SPARE_BYTES = 4 * 1024 * 1024  # what the line needs and frees in the course of a frame


def give_back_pictures() -> None:
    """Have every array the size of a frame returned to the system when it is freed.

    By default glibc raises its threshold to the largest array ever freed and keeps a heap for each thread;
    on the simulated slide that costs 16 MB, 191 instead of 175 resident. What is smaller than a
    frame is kept for reuse, since fresh memory costs 0.3 ms a megabyte, in one heap for all threads. Another
    C library is left as it is.
    """
    _tell({_M_MMAP_THRESHOLD: _FRAME_BYTES, _M_TRIM_THRESHOLD: _SPARE_BYTES, _M_ARENA_MAX: 1})


def give_back_rest() -> None:
    """Return what lies free among smaller arrays too: after a start, whose leftovers nobody asks for again.

    Of bundle and self-test that is 8 MB where the test was made and 3.5 where its outcome was kept, in 1 ms.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def keep_memory() -> None:
    """Have arrays of any size kept when they are freed, for the next of their size.

    A training step frees and asks again for the same hundreds of megabytes. Taken from the system each time
    they cost a page fault for every 4 KiB: a step of the shipped recipe took 1.45 times as long on two cores.
    """
    _tell({_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _NEVER})


def _tell(options: Mapping[int, int]) -> None:
    """Set options of glibc's `mallopt`; another C library is left as it is."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    for option, value in options.items():
        mallopt(option, value)
