"""Finds against labelled boxes, one to one: which are right, and which cells were missed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.cells.detector import Finds, cut
from edge.types import F32, I32, Bools
from train.published.detection.boxes import Scene

OVERLAP = 0.5
"""Least intersection over union of a find and the cell that it is (PASCAL VOC: Everingham et al., 2010)."""


@dataclass(frozen=True, eq=False)
class Matches:
    """Finds and cells of m fields, of all classes.

    Attributes
    ----------
    confidence, called, right, counts : (n,) of the finds: float32; int32 class; whether it is a cell of that
        class that no likelier find is; whether it is judged at all.
    field : (n,) int32, of each find.
    asked : (m, C) int64, cells that each field should have.
    """

    confidence: F32
    called: I32
    right: Bools
    counts: Bools
    field: I32
    asked: NDArray[np.int64]


def match(found: Sequence[Finds], scenes: Sequence[Scene], classes: int, *, edge: bool) -> Matches:
    """Judge the finds of each field.

    Parameters
    ----------
    edge : judge what the field's edge cuts too. Otherwise such a cell is not asked for, and such a find is
        not held against anyone: whether somebody drew a box there is a matter of taste.
    """
    parts = [_of_field(finds, scene, edge) for finds, scene in zip(found, scenes, strict=True)]
    field = np.repeat(np.arange(len(parts)), [len(finds) for finds in found])
    return Matches(
        confidence=np.concatenate([np.zeros(0, np.float32), *(finds.confidence for finds in found)]),
        called=np.concatenate([np.zeros(0, np.int32), *(_called(finds) for finds in found)]),
        right=np.concatenate([np.zeros(0, np.bool_), *(right for right, _, _ in parts)]),
        counts=np.concatenate([np.zeros(0, np.bool_), *(counts for _, counts, _ in parts)]),
        field=field.astype(np.int32),
        asked=np.array([np.bincount(labels, minlength=classes) for _, _, labels in parts], np.int64),
    )


def _called(found: Finds) -> I32:
    return np.asarray(found.probabilities.argmax(axis=1), np.int32)


def _of_field(found: Finds, scene: Scene, edge: bool) -> tuple[Bools, Bools, I32]:
    """Which of its finds are right, and which count; the classes of the cells that it is asked for."""
    open_ = np.zeros(len(scene.boxes), np.bool_) if edge else cut(scene.boxes, scene.view)
    overlap = overlaps(found.boxes, scene.boxes)
    overlap[_called(found)[:, None] != scene.labels] = 0
    taken = np.zeros(len(scene.boxes), np.bool_)
    right, counts = np.zeros((2, len(found)), np.bool_)
    for i in np.argsort(-found.confidence, kind="stable").tolist():
        candidates = np.flatnonzero((overlap[i] >= OVERLAP) & ~taken)
        if len(candidates):
            # a cell that counts before one that does not
            best = candidates[np.lexsort((-overlap[i, candidates], open_[candidates]))[0]]
            taken[best], right[i], counts[i] = True, True, not open_[best]
        else:
            counts[i] = edge or not cut(found.boxes[i : i + 1], scene.view)[0]
    return right, counts, scene.labels[~open_]


def overlaps(first: F32, second: F32) -> F32:
    """(n, m) intersections over unions of (n, 4) and (m, 4) boxes, xyxy."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared = np.maximum(high - low, 0).prod(axis=2)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1][None] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)
