"""The compiled rings of cells are OpenCV's, byte for byte, whatever a mask shows."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from edge.native import core
from edge.native import rings as compiled
from edge.records import outlines as kept
from edge.types import I32, Bools, Cells, CellsInFrame

library = core()
pytestmark = pytest.mark.skipif(library is None, reason="the compiled core was not built, or is not wanted")

Draw = Callable[[np.random.Generator, tuple[int, int]], I32]
CELLS = 4


def noise(rng: np.random.Generator, size: tuple[int, int]) -> I32:
    """Specks: rings of one pixel, holes of one pixel."""
    return ((rng.random(size) < rng.random()) * rng.integers(1, CELLS + 1, size)).astype(np.int32)


def blobs(rng: np.random.Generator, size: tuple[int, int]) -> I32:
    """Parts with bays and holes, and islands in those."""
    field = cv2.GaussianBlur(rng.random(size).astype(np.float32), (0, 0), rng.uniform(0.5, 3))
    levels = np.quantile(field, np.linspace(0, 1, CELLS + 1)[1:-1])
    return (np.digitize(field, levels) % (CELLS + 1)).astype(np.int32)


def lines(rng: np.random.Generator, size: tuple[int, int]) -> I32:
    """Parts one or two pixels wide, which cross and reach over the edges."""
    labels = np.zeros(size, np.int32)
    for _ in range(8):
        x0, y0, x1, y1 = rng.integers(-5, 65, 4).tolist()
        cv2.line(labels, (x0, y0), (x1, y1), int(rng.integers(1, CELLS + 1)), int(rng.integers(1, 3)))
    return labels


def circles(rng: np.random.Generator, size: tuple[int, int]) -> I32:
    """Discs and rings, which lie within each other."""
    labels = np.zeros(size, np.int32)
    for _ in range(8):
        middle, width = rng.integers(0, size[::-1]).tolist(), int(rng.choice([-1, 1]))
        cv2.circle(labels, middle, int(rng.integers(1, 25)), int(rng.integers(0, 5)), width)
    return labels


def cells_of(labels: I32, nuclei: Bools, scale: float = 1.0, around: float = 0.0) -> CellsInFrame:
    """The cells of a label image, their boxes `around` pixels wider than they are."""
    n, (height, width) = int(labels.max(initial=0)), labels.shape
    boxes = np.zeros((n, 4), np.float32)
    for i in range(n):
        y, x = np.nonzero(labels == i + 1)
        if len(x):
            boxes[i] = [x.min() - around, y.min() - around, x.max() + 1 + around, y.max() + 1 + around]
    ones = np.ones(n, np.float32)
    found = Cells(labels, nuclei, boxes, np.zeros((n, 2)), ones, ones, np.zeros(n, np.bool_))
    return found.in_frame(max(round(height * scale), 1), max(round(width * scale), 1))


def both(cells: CellsInFrame, monkeypatch: pytest.MonkeyPatch) -> tuple[list[tuple[bytes, bytes]], ...]:
    """What is kept of all cells, compiled and as OpenCV finds it."""
    found = kept.outlines(cells, range(len(cells)))
    with monkeypatch.context() as patched:
        patched.setattr(kept, "core", lambda: None)
        return found, kept.outlines(cells, range(len(cells)))


@pytest.mark.parametrize("draw", [noise, blobs, lines, circles])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 40), (15, 60), (60, 60)])
def test_as_opencv_finds_them(draw: Draw, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(size[0] * size[1])
    for scale, around in ((1.0, 0.0), (3.02, 0.4), (0.5, 3.0)):
        for _ in range(8):
            labels = draw(rng, size)
            found, wanted = both(
                cells_of(labels, rng.random(size) < rng.random(), scale, around), monkeypatch
            )
            assert found == wanted


def test_what_lies_in_holes_is_no_outer_ring() -> None:
    labels = np.zeros((9, 9), np.int32)
    labels[1:8, 1:8], labels[2:7, 2:7], labels[4, 4] = 1, 0, 1
    ((cell, nucleus),) = kept.outlines(cells_of(labels, labels > 0), [0])
    assert cell == nucleus
    assert [ring.tolist() for ring in kept.rings(cell)] == [[[0, 0], [0, 6], [6, 6], [6, 0]]]


def test_more_points_than_there_was_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    y, x = np.ogrid[:300, :300]
    comb = ((x + y) % 2).astype(np.int32)  # touches at corners only
    alone = ((x % 2) * (y % 2)).astype(np.int32)  # touches nowhere
    for labels in (comb, alone):
        found, wanted = both(cells_of(labels, labels > 0), monkeypatch)
        assert len(wanted[0][0]) > 4 * 256
        assert found == wanted


def test_three_hundred_cells_and_none(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.kron(np.arange(1, 301, dtype=np.int32).reshape(15, 20), np.ones((7, 9), np.int32))
    nuclei = np.random.default_rng(0).random(labels.shape) < 0.6
    found, wanted = both(cells_of(labels, nuclei), monkeypatch)
    assert found == wanted
    assert kept.outlines(cells_of(labels, nuclei), []) == []
    assert kept.outlines(cells_of(labels[:0], nuclei[:0]), []) == []


def test_a_box_beyond_the_picture_is_refused() -> None:
    assert library is not None
    labels, origins = np.ones((5, 5), np.int32), np.zeros((1, 2), np.int32)
    for box in ([-1, 0, 5, 5], [0, 0, 5, 6], [3, 0, 2, 5]):
        boxes = np.array([box], np.int32)
        with pytest.raises(ValueError, match="within the picture"):
            compiled.rings(library, labels, labels > 0, np.ones(1, np.int32), boxes, origins, 1.0)
