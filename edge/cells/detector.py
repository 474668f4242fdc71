"""The detector: a network says in one step where the cells of a field are and what they are.

Its graph (`train.published.detection.network`, `export.published.detector`) sees the specimen and gives a
fixed number of boxes, likeliest first, with how likely a cell is there and of which class. The peaks are
found inside the graph (after Zhou et al., Objects as Points, 2019), so no box need be held against the others
here. A box is no outline: a cell is drawn as the ellipse inscribed in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cells.lobes import Box
from edge.cells.measure import measured
from edge.cells.stain import FLOOR, NUCLEAR, density, weighted
from edge.optics.specimen import Specimen
from edge.runtimes import GraphError
from edge.runtimes.dynamic import BEYOND, DynamicRuntime, padded
from edge.types import F32, I32, U8, Bools, Cells

INPUT = "field"
"""What the graph calls its input."""

MULTIPLE = 8
"""The network halves its input three times."""

LEAST = 64
"""Least side of what the network is shown, specimen pixels: it has so many places that the most likely can be
taken whatever the size of a field."""

CUT_UM = 0.5
"""A box that comes as near to the field's edge is cut by it."""

_SHIFT = 4  # binary places of the corners that OpenCV draws by
_STEPS = 100.0  # of nuclear stain to one of optical density


@dataclass(frozen=True, eq=False)
class Finds:
    """What a detector finds in a field, likeliest first.

    Attributes
    ----------
    boxes : (n, 4) float32, xyxy in pixels of the specimen, within it.
    scores : (n,) float32, how likely a cell is there.
    probabilities : (n, C) float32, of the classes if there is one; rows sum to 1.
    """

    boxes: F32
    scores: F32
    probabilities: F32

    def __len__(self) -> int:
        return len(self.boxes)

    def pick(self, keep: Bools | NDArray[np.intp]) -> Finds:
        """Some of them."""
        return Finds(self.boxes[keep], self.scores[keep], self.probabilities[keep])

    @property
    def confidence(self) -> F32:
        """(n,) how likely a cell of its likeliest class is there."""
        return np.asarray(self.scores * self.probabilities.max(axis=1, initial=0.0), np.float32)


class Answer(Protocol):
    """Runs a detector's network: on the device the graph, while it is trained PyTorch."""

    def __call__(self, field: U8, /) -> Mapping[str, NDArray[Any]]:
        """`boxes` (1, K, 4), `scores` (1, K) and `probabilities` (1, K, C) of a field (h, w, 3) uint8 RGB."""

    def close(self) -> None:
        """Let go of what it holds."""


class Detector:
    """A network as a detector of cells, and as `edge.cells.segment.Segmenter`.

    Parameters
    ----------
    answer : the network. threshold : least confidence of a find that is kept.
    """

    def __init__(self, answer: Answer, threshold: float) -> None:
        self._answer, self.threshold = answer, threshold

    @classmethod
    def of(cls, graph: bytes, threshold: float, *, precision: str = "fp32", threads: int = 1) -> Detector:
        """The detector of an ONNX file's content."""
        return cls(DynamicRuntime(graph, INPUT, precision=precision, threads=threads), threshold)

    def __call__(self, view: Specimen) -> Cells:
        """The cells of a field, each with probabilities of the classes; see `edge.cells.segment.Segmenter`.

        Raises
        ------
        GraphError : the graph does not load, or takes or gives something else.
        """
        found = self.finds(view)
        return drawn(found.pick(found.confidence >= self.threshold), view)

    def finds(self, view: Specimen) -> Finds:
        """All that may be a cell, however unlikely."""
        height, width = view.pixels.shape[:2]
        found = self._answer(padded(view.pixels, MULTIPLE, LEAST))
        shapes = {name: values.shape for name, values in found.items()}
        count, classes = shapes.get("probabilities", (0, 0, 0))[-2:]
        wanted = {"boxes": (1, count, 4), "scores": (1, count), "probabilities": (1, count, classes)}
        if shapes != wanted:
            raise GraphError(f"the detector's graph gives {shapes}, not boxes, scores and probabilities")
        boxes, scores, probabilities = (np.asarray(found[name][0], np.float32) for name in wanted)
        sides = np.array([width, height], np.float32)
        middles = (boxes[:, :2] + boxes[:, 2:]) / 2
        there = (scores > 0) & (middles < sides).all(axis=1)
        return Finds(np.clip(boxes, 0, np.tile(sides, 2)), scores, probabilities).pick(there)

    def warm_up(self) -> None:
        """Run a small field once: a graph that does not answer is found out before the first slide."""
        pixels = np.full((LEAST, LEAST, 3), BEYOND, np.uint8)
        self.finds(Specimen(pixels, 1.0, 1.0, np.full(3, BEYOND, np.float32), 0.0))

    def close(self) -> None:
        """Let go of the runtimes."""
        self._answer.close()


def drawn(found: Finds, view: Specimen) -> Cells:
    """Finds as cells: ellipses in their boxes, and in each as nucleus what the nuclear stain is dense in.

    A small cell lies on top of a large one. One that others cover whole is left out.
    """
    height, width = view.pixels.shape[:2]
    sides = found.boxes[:, 2:] - found.boxes[:, :2]
    found = found.pick(np.argsort(-sides.prod(axis=1), kind="stable"))
    labels = np.zeros((height, width), np.int32)
    for i, box in enumerate(found.boxes):
        _fill(labels, box, i + 1)
    seen = np.flatnonzero(np.bincount(labels.ravel(), minlength=len(found) + 1)[1:])
    if not len(seen):
        return replace(Cells.none(height, width), probabilities=found.probabilities[:0])
    if len(seen) < len(found):
        number = np.zeros(len(found) + 1, np.int32)
        number[seen + 1] = np.arange(1, len(seen) + 1)
        labels, found = number[labels], found.pick(seen)
    around = [_pixels(box, height, width) for box in found.boxes]
    # the boxes that were found, instead of those round what is seen of the cells
    return replace(
        measured(labels, _nuclei(view, labels, around), around, view.pitch_um, view.lit),
        boxes=found.boxes,
        centres=(found.boxes[:, :2] + found.boxes[:, 2:]).astype(np.float64) / 2,
        cut=cut(found.boxes, view),
        probabilities=found.probabilities,
    )


def cut(boxes: F32, view: Specimen) -> Bools:
    """(n,) which boxes on the specimen its edge cuts."""
    near, sides = CUT_UM / view.pitch_um, np.array(view.pixels.shape[1::-1])
    return np.asarray((boxes[:, :2] < near).any(axis=1) | (boxes[:, 2:] > sides - near).any(axis=1), np.bool_)


def _fill(labels: I32, box: F32, number: int) -> None:
    """Draw the ellipse inscribed in a box; OpenCV counts from the middle of the first pixel."""
    (x0, y0), (x1, y1) = box[:2].tolist(), box[2:].tolist()
    one = 1 << _SHIFT
    middle = round(((x0 + x1) / 2 - 0.5) * one), round(((y0 + y1) / 2 - 0.5) * one)
    # what is drawn reaches half a pixel further
    axes = max(round(((x1 - x0) / 2 - 0.5) * one), 0), max(round(((y1 - y0) / 2 - 0.5) * one), 0)
    cv2.ellipse(labels, middle, axes, 0, 0, 360, number, cv2.FILLED, cv2.LINE_8, _SHIFT)


def _pixels(box: F32, height: int, width: int) -> Box:
    """The pixels that a box touches, and one more on each side."""
    x0, y0, x1, y1 = box.tolist()
    return (
        slice(max(int(y0) - 1, 0), min(ceil(y1) + 1, height)),
        slice(max(int(x0) - 1, 0), min(ceil(x1) + 1, width)),
    )


def _nuclei(view: Specimen, labels: I32, around: list[Box]) -> Bools:
    """What of the cells is nucleus: more stained than Otsu's threshold of the cell, and than any red cell."""
    stain = weighted(density(view.pixels), NUCLEAR) * np.float32(_STEPS)
    levels = np.clip(stain, 0, 255).astype(np.uint8)
    nuclei = np.zeros(labels.shape, np.bool_)
    for i, box in enumerate(around):
        cell = labels[box] == i + 1
        inside = levels[box][cell]
        level, _ = cv2.threshold(inside, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        nuclei[box][cell] = inside > max(level, FLOOR * _STEPS)
    return nuclei
