"""Dynamic shapes: a graph whose one input is a whole field, of whatever size fields come in."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.runtimes import Runtime, open_runtime
from edge.types import U8

SIDES = ("height", "width")
"""What such a graph calls the sides of its input."""

BEYOND = 190
"""Grey level round the specimen, which networks for fields subtract: nothing is there."""

_KEPT = 4  # sizes that a session is kept for: a folder of pictures has a few


def padded(field: U8, multiple: int, least: int = 0) -> U8:
    """A field, (h, w, 3) uint8 RGB, with `BEYOND` below and to the right: its sides become multiples.

    Neither is then below `least`.
    """
    down, across = (max(-(-side // multiple) * multiple, least) - side for side in field.shape[:2])
    if not down and not across:
        return field
    whole = cv2.copyMakeBorder(field, 0, down, 0, across, cv2.BORDER_CONSTANT, value=(BEYOND,) * 3)
    return np.asarray(whole, np.uint8)


class DynamicRuntime:
    """A graph for fields of any size: a session for each of the last few sizes, for memory is planned by it.

    Parameters
    ----------
    graph : the ONNX file's content, its input (1, height, width, 3) uint8. name : of the input.
    precision : 'fp32' or 'int8'. threads : for one run.
    """

    def __init__(self, graph: bytes, name: str, *, precision: str = "fp32", threads: int = 1) -> None:
        self._graph, self._name = graph, name
        self._precision, self._threads = precision, threads
        self._runtimes: OrderedDict[tuple[int, int], Runtime] = OrderedDict()

    def __call__(self, field: U8) -> dict[str, NDArray[Any]]:
        """What the graph gives for a field, (h, w, 3) uint8 RGB.

        Raises
        ------
        GraphError : the graph does not load, or takes something else.
        """
        return self._runtime(field.shape[0], field.shape[1]).run({self._name: field[None]})

    def _runtime(self, height: int, width: int) -> Runtime:
        size = (height, width)
        if size not in self._runtimes:
            if len(self._runtimes) >= _KEPT:
                self._runtimes.popitem(last=False)[1].close()
            self._runtimes[size] = open_runtime(
                "ort",
                self._graph,
                precision=self._precision,
                threads=self._threads,
                sizes=dict(zip(SIDES, size, strict=True)),
            )
        self._runtimes.move_to_end(size)
        return self._runtimes[size]

    def close(self) -> None:
        """Let go of the runtimes."""
        while self._runtimes:
            self._runtimes.popitem()[1].close()
