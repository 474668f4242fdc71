"""Arrays by dtype, and the check that one is what its documentation says."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
I32 = NDArray[np.int32]
F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Bools = NDArray[np.bool_]


def check(name: str, array: NDArray[Any], shape: tuple[int | None, ...], dtype: type) -> None:
    """Raise ValueError unless `array` has this dtype and shape (None stands for any length)."""
    fits = array.ndim == len(shape) and all(
        want is None or want == have for want, have in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype != dtype:
        want = tuple("any" if n is None else n for n in shape)
        raise ValueError(f"{name}: shape {array.shape} {array.dtype}, expected {want} {np.dtype(dtype)}")
