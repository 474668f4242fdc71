"""Further looks at cells that may be blasts: mirrored, too, and all that was said of them averaged.

A cell has no up and no left, but a network is a little surer of it in one pose than in another, and in a
stain that it never saw more than a little. Each further look costs as much as another cell; so only those
cells are looked at again of which it would matter, and only until it is clear what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.types import F32, U8, Bools

Look = Callable[[U8], Mapping[str, F32]]
"""(n, S, S, 3) uint8 RGB crops → `probabilities` (n, C) float32, and perhaps other outputs (n, ...)."""

MARGIN = 1.4
"""In logits (the logarithm of the odds): of 4,037 cells of six laboratories, 2,160 of one never learned
among them, one is decided otherwise than by four looks; with 1.2 three, with 1.9 none."""

_LEAST = 1e-12  # of a probability whose logarithm is taken


@dataclass(frozen=True)
class Until:
    """When it is clear whether a cell is positive, so that it need not be looked at again.

    The mean of k looks moves ever less with another one, so after k of them a cell is clear whose mean lies
    `MARGIN` / k or more from the threshold.

    Attributes
    ----------
    threshold : from what probability of the positive classes on a cell is positive.
    """

    threshold: float

    def open(self, positive: F32, looks: int) -> Bools:
        """(n,) which cells are not clear yet, by (n,) means of so many looks."""
        return np.asarray(np.abs(_logit(positive) - _logit(self.threshold)) < MARGIN / looks, np.bool_)


def looked(
    look: Look,
    crops: U8,
    positive: Sequence[int],
    least: float | None,
    until: Until | None = None,
    matters: Bools | None = None,
) -> dict[str, F32]:
    """What is said of n cells, in further poses of those whose `positive` classes reach `least` together.

    Their probabilities are averaged as logits are: the geometric mean, made to sum to 1. Every other output
    is averaged as it is. None for `least` asks once; None for `until` asks four times. Cells of which it does
    not `matter`, (n,), are looked at once.
    """
    said = dict(look(crops))
    if least is None or not len(crops):
        return said
    said = {name: values.copy() for name, values in said.items()}
    sums = {name: _log(v) if name == "probabilities" else v.copy() for name, v in said.items()}
    candidates = _together(said, positive) >= least
    again = np.flatnonzero(candidates if matters is None else candidates & matters)
    for looks, pose in enumerate(_POSES, 1):
        if until is not None:
            again = again[until.open(_together(said, positive)[again], looks)]
        if not len(again):
            break
        for name, values in look(_posed(crops, again, pose)).items():
            added = sums[name][again] + (_log(values) if name == "probabilities" else values)
            sums[name][again] = added
            mean = added / np.float32(looks + 1)
            said[name][again] = _normalized(mean) if name == "probabilities" else mean
    return said


_POSES = (-1, 0, 1)
"""How OpenCV flips: upside down and left to right at once, which tells most, and each alone."""


def mirrored(crops: U8) -> tuple[U8, U8, U8]:
    """(n, S, S, 3) crops in the three further poses."""
    first, second, third = (_posed(crops, np.arange(len(crops)), pose) for pose in _POSES)
    return first, second, third


def _posed(crops: U8, some: NDArray[np.intp], pose: int) -> U8:
    """Some of the crops in a pose."""
    out = np.empty((len(some), *crops.shape[1:]), np.uint8)
    for i, place in zip(some.tolist(), out, strict=True):
        cv2.flip(crops[i], pose, dst=place)
    return out


def _together(said: Mapping[str, F32], positive: Sequence[int]) -> F32:
    """(n,) probability of the positive classes."""
    return np.asarray(said["probabilities"][:, list(positive)].sum(axis=1), np.float32)


def _log(probabilities: F32) -> F32:
    return np.log(np.maximum(probabilities, np.float32(_LEAST)))


def _logit(p: F32 | float) -> F32:
    held = np.clip(np.asarray(p, np.float64), _LEAST, 1 - 1e-7)
    return np.asarray(np.log(held / (1 - held)), np.float32)


def _normalized(logs: F32) -> F32:
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)
