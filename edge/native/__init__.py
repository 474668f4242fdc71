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

VERSION = 2
"""Of the functions and their arguments; a library of another is not taken (`core.c`)."""

PURE = "LEUKOSCOPE_PURE"
"""Set to anything, this variable has NumPy do all."""


@cache
def core() -> ctypes.CDLL | None:
    """The compiled core; None where it was not built, is another version's, or is not wanted."""
    if os.environ.get(PURE):
        return None
    return next(filter(None, map(_loaded, _libraries())), None)


def why_not() -> str | None:
    """Why NumPy does the core's work and, behind a semicolon, what to do; None where it does not."""
    if core() is not None:
        return None
    if os.environ.get(PURE):
        return f"{PURE} is set; unset it"
    if not _libraries():
        return "was not built; install a C compiler, then the program again"
    return "is older than its sources, or not for this processor; install the program again"


def _libraries() -> list[Path]:
    return sorted(Path(__file__).parent.glob("core*.so"))


def _loaded(path: Path) -> ctypes.CDLL | None:
    """The library; None where it is another version's or processor's, or damaged."""
    try:
        # in a checkout it may do what its sources did before they were changed
        made = path.stat().st_mtime
        if any(source.stat().st_mtime > made for source in path.parent.glob("c/*.[ch]")):
            return None
        library = ctypes.CDLL(str(path))
        return library if library.leukoscope_core() == VERSION else None
    except (OSError, AttributeError):
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
