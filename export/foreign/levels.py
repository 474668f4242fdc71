"""What a network from elsewhere is fed with, in NumPy: the same as the nodes before its graph, written twice.

The graph that is wrapped is judged by this (`export.graph.graph.parity`), so nothing here may be shared with
`export.foreign.wrapping`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.types import F32, U8
from export.foreign.description import Network


def prepared(crops: U8, network: Network, kind: np.dtype[Any]) -> NDArray[Any]:
    """(n, S, S, 3) uint8 RGB crops → what the network's own input takes, of that type."""
    values = crops[..., ::-1] if network.colour == "bgr" else crops
    levels = (values.astype(np.float64) / network.scale - network.mean) / network.deviation
    if network.layout == "nchw":
        levels = np.moveaxis(levels, 3, 1)
    elif network.layout == "flat":
        levels = levels.reshape(len(levels), -1)
    return np.ascontiguousarray(levels.astype(kind))


def probabilities(told: NDArray[Any], network: Network, temperature: float) -> F32:
    """(n, C) float32 calibrated probabilities from what the network gives of n cells."""
    given = told.reshape(len(told), -1).astype(np.float64)
    if network.gives == "probabilities":
        if temperature == 1.0:
            return given.astype(np.float32)
        given = np.log(np.maximum(given, LEAST))
    raised = np.exp((given - given.max(axis=1, keepdims=True)) / temperature)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


LEAST = 1e-12
"""The smallest probability that a temperature is applied to."""
