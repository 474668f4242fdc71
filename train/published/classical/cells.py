"""From crops to features: one row a cell, with a bar on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np

from edge.types import U8
from train.data.bar import followed
from train.published.classical import Floats

Features = Callable[[U8], Mapping[str, float]]
"""(S, S, 3) uint8 RGB -> features by name, the same names in the same order whatever the crop."""


def table(crops: Iterable[U8], features: Features, *, bar: bool = False) -> Floats:
    """(n, F) float64 features of (n, S, S, 3) uint8 RGB crops; no features at all of no crops."""
    shown = followed(crops, "features", "cell") if bar else crops
    rows = [list(features(crop).values()) for crop in shown]
    return np.array(rows, np.float64).reshape(len(rows), -1 if rows else 0)
