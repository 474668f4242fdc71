"""Keeps the C library from hoarding the memory of pictures that are long gone."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
_PICTURE_BYTES = 256 * 1024


def give_back_pictures() -> None:
    """Have every array the size of a picture returned to the system when it is freed.

    By default glibc raises its threshold to the largest array ever freed and keeps a heap for each thread;
    with pictures of several megabytes that costs 60 MB on a device that has little. Another C library is
    left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _PICTURE_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _PICTURE_BYTES)
    mallopt(_M_ARENA_MAX, 2)
