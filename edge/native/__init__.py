"""The compiled core: the hot loops of finding cells, in C. Where it was not built, NumPy does the same.

The library has no Python in it, so that any compiler makes it for any processor and any Python; `ctypes`
calls it, and lets other threads run meanwhile. What it does is told where it is called.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 1
"""Of the functions' arguments; a library of another is not taken (`core.c`)."""

PURE = "LEUKOSCOPE_PURE"
"""Set to anything, this variable has NumPy do all."""


@cache
def core() -> ctypes.CDLL | None:
    """The compiled core; None where it was not built, is another version's, or is not wanted.

    In a checkout a library older than its sources is not taken either: it may do what they did before.
    """
    if os.environ.get(PURE):
        return None
    here = Path(__file__).parent
    changed = max((path.stat().st_mtime for path in here.glob("*.[ch]")), default=0.0)
    for path in sorted(here.glob("core*.so")):
        try:
            if path.stat().st_mtime < changed:
                continue
            library = ctypes.CDLL(str(path))
            if library.leukoscope_core() == VERSION:
                return library
        except (OSError, AttributeError):  # another processor's, or damaged
            continue
    return None


def at(array: NDArray[Any], dtype: type[np.generic], shape: tuple[int | None, ...]) -> int:
    """The address of an array's first element, for the core to read or write.

    Parameters
    ----------
    array : must lie row by row without gaps. dtype, shape : what the core takes it for; None for any length.

    Raises
    ------
    ValueError : it is something else; the core would read what is not the array's.
    """
    fits = len(shape) == array.ndim and all(n in (None, m) for n, m in zip(shape, array.shape, strict=True))
    if array.dtype != dtype or not fits or not array.flags.c_contiguous:
        raise ValueError(f"the core wants {dtype.__name__} {shape}, not {array.dtype} {array.shape}")
    return int(array.ctypes.data)
