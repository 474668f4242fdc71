"""From crops to features: one row a cell, with a bar on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from tqdm import tqdm

from edge.types import U8
from train.published.classical import ClassicalError, Floats

Features = Callable[[U8], Mapping[str, float]]
"""(S, S, 3) uint8 RGB -> features by name, the same names in the same order whatever the crop."""


def table(crops: U8, features: Features, *, progress: bool = False) -> Floats:
    """(n, F) float64 features of (n, S, S, 3) uint8 RGB crops; no features at all of no crops."""
    rows = [
        list(features(crop).values())
        for crop in tqdm(crops, "features", unit="cell", disable=None if progress else True)
    ]
    return np.array(rows, np.float64).reshape(len(crops), -1 if rows else 0)


def check(crops: U8, size_px: int) -> None:
    """Raise ClassicalError unless the crops are what a model was fitted on."""
    if crops.dtype != np.uint8 or crops.shape[1:] != (size_px, size_px, 3):
        raise ClassicalError(
            f"crops: {'×'.join(map(str, crops.shape[1:]))} {crops.dtype}, but the model was fitted on "
            f"{size_px}×{size_px}×3 uint8; cut them as its recipe says"
        )
