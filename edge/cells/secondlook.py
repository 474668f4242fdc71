"""A second look at cells that may be blasts: mirrored, too, and all that was said of them averaged.

A cell has no up and no left, but a network is a little surer of it in one pose than in another, and in a
stain that it never saw more than a little. Asking it again costs as much as three more cells; so only those
are asked about of which it would matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edge.types import F32, U8

Look = Callable[[U8], Mapping[str, F32]]
"""(n, S, S, 3) uint8 RGB crops → `probabilities` (n, C) float32, and perhaps other outputs (n, ...)."""


def looked(look: Look, crops: U8, positive: Sequence[int], least: float | None) -> dict[str, F32]:
    """What is said of n crops, in four poses of those whose `positive` classes reach `least` together.

    Their probabilities are averaged as logits are: the geometric mean, made to sum to 1. Every other output
    is averaged as it is. None for `least` asks once.
    """
    said = dict(look(crops))
    if least is None or not len(crops):
        return said
    again = said["probabilities"][:, list(positive)].sum(axis=1) >= least
    if not again.any():
        return said
    some = np.ascontiguousarray(crops[again])
    poses = [look(np.ascontiguousarray(pose)) for pose in mirrored(some)]
    for name, first in said.items():
        parts = [first[again], *(pose[name] for pose in poses)]
        joined = first.copy()
        joined[again] = _geometric(parts) if name == "probabilities" else np.mean(parts, axis=0)
        said[name] = joined
    return said


def mirrored(crops: U8) -> tuple[U8, U8, U8]:
    """(n, S, S, 3) crops upside down, left to right, and both."""
    return crops[:, ::-1], crops[:, :, ::-1], crops[:, ::-1, ::-1]


def _geometric(parts: Sequence[F32]) -> F32:
    logs = np.mean([np.log(np.maximum(part, 1e-12)) for part in parts], axis=0)
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)
