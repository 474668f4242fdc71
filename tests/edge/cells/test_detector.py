"""What a detector's network says becomes cells; graphs that are something else are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.cells.detector import LEAST, MULTIPLE, Detector, Finds
from edge.cells.segment import single
from edge.optics.specimen import BACKGROUND, Specimen
from edge.runtimes import GraphError
from edge.runtimes.dynamic import BEYOND, padded
from edge.types import F32, U8, Cells
from tests.conftest import graph

PITCH_UM = 0.4
FRAME = (200, 320)
NUCLEUS, PLASMA, RED = (110, 70, 165), (215, 190, 220), (205, 140, 150)

Rows = list[tuple[list[float], float, list[float]]]


class Told:
    """A network that says always the same."""

    def __init__(self, rows: Rows) -> None:
        boxes, scores, probabilities = zip(*rows, strict=True)
        self.seen: U8 | None = None
        self.open = True
        self._answer = {
            "boxes": np.array([boxes], np.float32),
            "scores": np.array([scores], np.float32),
            "probabilities": np.array([probabilities], np.float32),
        }

    def __call__(self, field: U8) -> Mapping[str, NDArray[Any]]:
        self.seen = field
        return self._answer

    def close(self) -> None:
        self.open = False


def _view(height: int = 100, width: int = 160) -> Specimen:
    pixels = np.full((height, width, 3), BACKGROUND, np.uint8)
    return Specimen(pixels, PITCH_UM, 0.5, np.full(3, 240, np.float32), 1.0)


def _probabilities(cells: Cells) -> F32:
    assert cells.probabilities is not None
    return cells.probabilities


def _disc(view: Specimen, x: float, y: float, radius: float, colour: tuple[int, int, int]) -> None:
    rows, columns = np.mgrid[: view.pixels.shape[0], : view.pixels.shape[1]] + 0.5
    view.pixels[np.hypot(rows - y, columns - x) <= radius] = colour


def test_a_box_becomes_the_ellipse_in_it_and_keeps_its_place() -> None:
    answer = Told([([20, 30, 60, 50], 0.9, [1, 0, 0])])
    cells = Detector(answer, 0.5)(_view())
    assert len(cells) == 1
    assert cells.area_um2[0] == pytest.approx(np.pi * 20 * 10 * PITCH_UM**2, rel=0.04)
    there = cells.in_frame(*FRAME)
    assert there.boxes_px.tolist() == [[40, 60, 120, 100]]
    assert there.centres_px.tolist() == [[80, 80]]
    rows, columns = np.nonzero(cells.labels)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (30, 49, 20, 59)
    assert not cells.cut[0]
    assert _probabilities(cells).tolist() == [[1, 0, 0]]


def test_what_is_not_likely_enough_is_left_out() -> None:
    rows: Rows = [
        ([10, 10, 30, 30], 0.9, [0.9, 0.1, 0]),
        ([60, 10, 80, 30], 0.9, [0.5, 0.4, 0.1]),  # a cell, but which?
        ([100, 10, 120, 30], 0.4, [1, 0, 0]),
        ([0, 0, 0, 0], 0.0, [1, 0, 0]),  # what fills up the graph's number of boxes
    ]
    assert len(Detector(Told(rows), 0.5)(_view())) == 1
    assert len(Detector(Told(rows), 0.42)(_view())) == 2
    assert len(Detector(Told(rows), 0.0).finds(_view())) == 3


def test_probabilities_go_with_their_cells() -> None:
    rows: Rows = [
        ([10, 10, 20, 20], 0.9, [0.1, 0.2, 0.7]),
        ([50, 10, 90, 50], 0.8, [0.8, 0.1, 0.1]),
        ([100, 60, 119, 79], 0.7, [0.0, 1.0, 0.0]),
    ]
    cells = Detector(Told(rows), 0.1)(_view())
    by_place = {
        tuple(c): row.argmax() for c, row in zip(cells.centres.tolist(), _probabilities(cells), strict=True)
    }
    assert by_place == {(15.0, 15.0): 2, (70.0, 30.0): 0, (109.5, 69.5): 1}


def test_a_small_cell_lies_on_a_large_one_and_a_hidden_one_goes() -> None:
    rows: Rows = [
        ([40, 40, 46, 46], 0.6, [0, 0, 1]),
        ([20, 20, 60, 60], 0.9, [1, 0, 0]),
        ([40, 40, 46, 46], 0.7, [0, 1, 0]),  # the same place as the first, on which the first lies
    ]
    cells = Detector(Told(rows), 0.5)(_view())
    assert len(cells) == len(_probabilities(cells)) == 2
    assert sorted(np.unique(cells.labels)) == [0, 1, 2]
    number = cells.labels[43, 43]
    assert cells.labels[30, 40] not in (0, number)
    assert cells.area_um2[number - 1] < 10


def test_boxes_beyond_the_field_are_cut_or_gone() -> None:
    rows: Rows = [
        ([150, 90, 168, 104], 0.9, [1, 0, 0]),
        ([158, 20, 170, 40], 0.9, [1, 0, 0]),  # its middle lies where there is no specimen
        ([-6, 40, 10, 60], 0.9, [1, 0, 0]),
    ]
    view = _view()
    cells = Detector(Told(rows), 0.5)(view)
    assert sorted(cells.in_frame(*FRAME).boxes_px.tolist()) == [[0, 80, 20, 120], [300, 180, 320, 200]]
    assert cells.cut.all()


def test_the_nucleus_is_what_is_stained_most_and_red_cells_have_none() -> None:
    view = _view()
    _disc(view, 50, 50, 16, PLASMA)
    _disc(view, 50, 50, 9, NUCLEUS)
    _disc(view, 110, 50, 9, RED)
    rows: Rows = [([34, 34, 66, 66], 0.9, [1, 0, 0]), ([101, 41, 119, 59], 0.9, [0, 1, 0])]
    cells = Detector(Told(rows), 0.5)(view)
    white = int(_probabilities(cells)[:, 0].argmax())
    assert cells.nucleus_area_um2[white] == pytest.approx(np.pi * 81 * PITCH_UM**2, rel=0.05)
    assert cells.nucleus_area_um2[1 - white] == 0


@pytest.mark.parametrize("size", [(100, 160), (101, 63), (7, 200), (1, 1)])
def test_the_network_sees_multiples_and_never_too_little(size: tuple[int, int]) -> None:
    answer = Told([([0, 0, 4, 4], 0.9, [1, 0, 0])])
    cells = Detector(answer, 0.5)(_view(*size))
    assert cells.labels.shape == size
    assert answer.seen is not None
    for shown, there in zip(answer.seen.shape[:2], size, strict=True):
        assert shown % MULTIPLE == 0
        assert LEAST <= shown <= max(there + MULTIPLE - 1, LEAST)
    beyond = answer.seen.astype(int)[size[0] :]
    assert (beyond == BEYOND).all()


def test_a_field_that_fits_is_passed_on_as_it_is() -> None:
    field = np.zeros((64, 72, 3), np.uint8)
    assert padded(field, 8, 64) is field


def test_nothing_found_is_no_cells() -> None:
    cells = Detector(Told([([0, 0, 4, 4], 0.1, [1, 0, 0])]), 0.5)(_view())
    assert len(cells) == 0
    assert cells.labels.shape == (100, 160)
    assert _probabilities(cells).shape == (0, 3)


def test_a_single_cell_is_the_one_in_the_middle() -> None:
    rows: Rows = [([66, 36, 94, 64], 0.9, [1, 0, 0]), ([10, 10, 50, 50], 0.9, [0, 1, 0])]
    cells = single(_view(), Detector(Told(rows), 0.5))
    assert len(cells) == 1
    assert cells.centres[0] == pytest.approx([80, 50], abs=0.5)
    assert _probabilities(cells).tolist() == [[1, 0, 0]]  # nobody else could say what it is


def test_with_nothing_in_the_middle_there_is_no_single_cell() -> None:
    cells = single(_view(), Detector(Told([([10, 10, 50, 50], 0.9, [0, 1, 0])]), 0.5))
    assert len(cells) == 0
    assert _probabilities(cells).shape == (0, 3)


def test_closing_lets_go_of_the_network() -> None:
    answer = Told([([0, 0, 4, 4], 0.1, [1, 0, 0])])
    Detector(answer, 0.5).close()
    assert not answer.open


def _wrong(change: Callable[[dict[str, F32]], None]) -> Detector:
    answer = Told([([0, 0, 4, 4], 0.1, [1, 0, 0])])
    change(answer._answer)
    return Detector(answer, 0.5)


def test_answers_that_are_something_else_are_refused() -> None:
    for change in (
        lambda told: told.pop("scores"),
        lambda told: told.update(boxes=told["boxes"][..., :3]),
        lambda told: told.update(more=told["boxes"]),
        lambda told: told.pop("probabilities"),
    ):
        with pytest.raises(GraphError, match="not boxes, scores and probabilities"):
            _wrong(change).warm_up()


def test_a_graph_for_something_else_is_refused() -> None:
    with pytest.raises(GraphError, match="no input field"):
        Detector.of(graph(), 0.5).warm_up()
    with pytest.raises(GraphError, match="does not load"):
        Detector.of(b"not a graph", 0.5).warm_up()


def test_confidence_is_of_the_likeliest_class() -> None:
    none = Finds(*(np.zeros(shape, np.float32) for shape in ((0, 4), (0,), (0, 3))))
    assert none.confidence.shape == (0,)
    two = Finds(np.zeros((2, 4), np.float32), np.array([0.5, 1], np.float32), np.eye(2, dtype=np.float32))
    assert two.confidence.tolist() == [0.5, 1]
