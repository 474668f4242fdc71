"""What a graph takes, and whether the arrays at hand are that: the same answer for every runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.runtimes import GraphError


@dataclass(frozen=True)
class Tensor:
    """An input of a graph.

    Attributes
    ----------
    name : in the graph. shape : its shape, None for the batch if that may vary. dtype : of its elements.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]

    def __str__(self) -> str:
        shape = ", ".join("n" if length is None else str(length) for length in self.shape)
        return f"({shape}) {self.dtype}"


def check_inputs(kind: str, inputs: Iterable[Tensor]) -> bool:
    """Whether the graph takes batches of any size.

    Raises
    ------
    GraphError : another dimension than the batch may vary, so that no runtime could plan its memory.
    """
    varies = False
    for tensor in inputs:
        if None in tensor.shape[1:]:
            raise GraphError(
                f"runtime {kind}: input {tensor.name} is {tensor}: only its first dimension, the batch, "
                "may vary; export the graph with the others fixed"
            )
        varies |= tensor.shape[:1] == (None,)
    return varies


def blank(inputs: Iterable[Tensor], batch: int) -> dict[str, NDArray[Any]]:
    """Arrays of zeros that a graph with these inputs takes."""
    return {
        tensor.name: np.zeros([batch if n is None else n for n in tensor.shape], tensor.dtype)
        for tensor in inputs
    }


def batch_of(kind: str, arrays: Mapping[str, NDArray[Any]], inputs: Iterable[Tensor], bound: int) -> int:
    """The batch that these arrays are; 1 where no input has one.

    Raises
    ------
    GraphError : an array is missing, unknown, of a wrong shape or dtype; the batch is empty, larger than
        `bound`, or not the same for every input.
    """
    inputs = tuple(inputs)
    unknown = arrays.keys() - {tensor.name for tensor in inputs}
    if unknown:
        names = ", ".join(tensor.name for tensor in inputs)
        raise GraphError(f"runtime {kind}: the graph has no input {min(unknown)}, it takes {names}")
    batches = {tensor.name: len(arrays[tensor.name]) for tensor in inputs if _has_batch(kind, tensor, arrays)}
    if len(set(batches.values())) > 1:
        sizes = ", ".join(f"{name} {n}" for name, n in batches.items())
        raise GraphError(f"runtime {kind}: the inputs are batches of different sizes: {sizes}")
    batch = next(iter(batches.values()), 1)
    if not 1 <= batch <= bound:
        raise GraphError(f"runtime {kind}: a batch of {batch}; one run takes 1 to {bound}")
    return batch


def _has_batch(kind: str, tensor: Tensor, arrays: Mapping[str, NDArray[Any]]) -> bool:
    """Whether the array fits a tensor with a varying batch; raises GraphError where it does not fit."""
    array = arrays.get(tensor.name)
    if array is None:
        raise GraphError(f"runtime {kind}: input {tensor.name} is missing")
    fits = array.ndim == len(tensor.shape) and all(
        want in (None, have) for want, have in zip(tensor.shape, array.shape, strict=True)
    )
    if not fits or array.dtype != tensor.dtype:
        raise GraphError(
            f"runtime {kind}: input {tensor.name} is {array.shape} {array.dtype}, the graph takes {tensor}"
        )
    return bool(tensor.shape) and tensor.shape[0] is None
