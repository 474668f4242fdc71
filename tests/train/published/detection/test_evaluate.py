"""Finds are matched one to one, the edge counts neither way, and figures are what a hand would count."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.cells.detector import Detector, Finds
from edge.optics.specimen import Specimen
from train.published.detection.boxes import Scene, scenes
from train.published.detection.evaluate import MEAN, average_precisions, best_threshold, evaluate, judged
from train.published.detection.matching import match, overlaps
from train.published.detection.settings import CLASSES, DetectionError
from train.statistics.bootstrap import Draws

Box = tuple[float, float, float, float]
Find = tuple[Box, float, int]

A, B, C = (20, 20, 40, 40), (60, 20, 80, 40), (20, 60, 40, 80)
CUT = (0, 60, 14, 80)


def _scene(*cells: tuple[Box, int], name: str = "field") -> Scene:
    view = Specimen(np.full((100, 120, 3), 240, np.uint8), 0.4, 1.0, np.full(3, 240, np.float32), 1.0)
    boxes = np.array([box for box, _ in cells], np.float32).reshape(-1, 4)
    return Scene(name, "drawn", view, boxes, np.array([label for _, label in cells], np.int32))


def _finds(*finds: Find) -> Finds:
    boxes = np.array([box for box, _, _ in finds], np.float32).reshape(-1, 4)
    sure = np.eye(3, dtype=np.float32)[[label for *_, label in finds]].reshape(-1, 3)
    return Finds(boxes, np.array([score for _, score, _ in finds], np.float32), sure)


def _moved(box: Box, by: float) -> Box:
    return (box[0] + by, box[1], box[2] + by, box[3])


def _areas(found: Finds, scene: Scene, *, edge: bool = False) -> list[float]:
    matches = match([found], [scene], 3, edge=edge)
    alone = Draws(np.ones((1, 1)), np.zeros(1, np.int64))
    return [float(average_precisions(matches, alone, kind)[0]) for kind in range(3)]


def test_overlap_is_shared_by_united_area() -> None:
    boxes = np.array([A, _moved(A, 10), B], np.float32)
    assert overlaps(boxes, boxes[:1])[:, 0] == pytest.approx([1, 1 / 3, 0])
    assert overlaps(boxes[:0], boxes).shape == (0, 3)


def test_a_cell_is_found_once_and_by_the_likeliest() -> None:
    found = _finds((_moved(A, 4), 0.7, 0), (_moved(A, 6), 0.9, 0), (A, 0.3, 0))
    matches = match([found], [_scene((A, 0))], 3, edge=False)
    assert matches.right.tolist() == [False, True, False]
    assert matches.counts.all()
    assert matches.asked.tolist() == [[1, 0, 0]]


def test_another_class_or_another_place_is_wrong() -> None:
    found = _finds((A, 0.9, 1), (_moved(B, 8), 0.8, 0), (_moved(C, 6), 0.8, 0))
    right = match([found], [_scene((A, 0), (B, 0), (C, 0))], 3, edge=False).right
    assert right.tolist() == [False, False, True]


def test_what_the_edge_cuts_counts_neither_way() -> None:
    beyond = (106, 60, 120, 80)
    found = _finds((CUT, 0.9, 0), (beyond, 0.8, 0), (A, 0.7, 0))
    scene = _scene((CUT, 0), (A, 0))
    inner, whole = (match([found], [scene], 3, edge=edge) for edge in (False, True))
    assert inner.counts.tolist() == [False, False, True]
    assert inner.asked.tolist() == [[1, 0, 0]]
    assert whole.counts.all()
    assert whole.right.tolist() == [True, False, True]
    assert whole.asked.tolist() == [[2, 0, 0]]
    assert _areas(found, scene)[0] == 1
    assert _areas(found, scene, edge=True)[0] == pytest.approx((1 + 2 / 3) / 2)


def test_average_precision_by_hand() -> None:
    # likeliest first: right, wrong, right, and one cell missed
    found = _finds((A, 0.9, 0), ((90, 60, 110, 80), 0.8, 0), (B, 0.7, 0))
    areas = _areas(found, _scene((A, 0), (B, 0), (C, 0)))
    assert areas[0] == pytest.approx((1 + 2 / 3) / 3)
    assert np.isnan(areas[1])
    assert _areas(_finds(), _scene((A, 1)))[1] == 0


def test_precision_is_the_highest_at_this_recall_or_beyond() -> None:
    found = _finds(((90, 60, 110, 80), 0.9, 0), (A, 0.8, 0), (B, 0.7, 0))
    assert _areas(found, _scene((A, 0), (B, 0)))[0] == pytest.approx(2 / 3)


def test_figures_at_the_threshold_and_their_intervals() -> None:
    cells = _scene((A, 0), (B, 0), (C, 1), name="one"), _scene((A, 0), name="two")
    found = [_finds((A, 0.9, 0), (B, 0.4, 0), (C, 0.6, 1)), _finds((A, 0.8, 0), (C, 0.7, 0))]
    result = judged(found, cells, CLASSES, 0.5, ["drawn"], "test")
    white = result.figures["leukocyte"]
    assert white["recall"].value == pytest.approx(2 / 3)
    assert white["precision"].value == pytest.approx(2 / 3)
    assert white["f1"].value == pytest.approx(2 / 3)
    assert white["precision"].low < 2 / 3 < white["precision"].high
    assert result.cells == {"leukocyte": 3, "red-cell": 1, "platelet": 0}
    assert np.isnan(result.figures["platelet"]["recall"].value)
    mean = result.figures[MEAN]["average_precision"].value
    assert mean == pytest.approx((white["average_precision"].value + 1) / 2)
    told = json.loads(json.dumps(result.as_json(), allow_nan=False))
    assert told["figures"]["platelet"]["recall"] == {"value": None, "low": None, "high": None}
    assert told["fields"] == 2
    lines = list(result.lines())
    assert lines[0] == "drawn, test: 4 cells in 2 fields"
    assert [line.split()[0] for line in lines[-4:]] == [*CLASSES, MEAN]


def test_the_threshold_parts_right_from_wrong() -> None:
    scene = _scene((A, 0), (B, 0))
    found = _finds((A, 0.9, 0), (B, 0.6, 0), (C, 0.4, 0), ((90, 60, 110, 80), 0.3, 0))
    assert best_threshold(match([found], [scene], 3, edge=False), 3) == pytest.approx(0.5)
    assert best_threshold(match([_finds()], [scene], 3, edge=False), 3) == 0.5


class _Perfect(Detector):
    """Knows what the fields hold."""

    def __init__(self, known: list[Scene]) -> None:
        self.threshold = 0.5
        self._known = {scene.view.pixels.tobytes(): scene for scene in known}

    def finds(self, view: Specimen) -> Finds:
        scene = self._known[view.pixels.tobytes()]
        return _finds(
            *(
                (tuple(box), 0.9, label)
                for box, label in zip(scene.boxes.tolist(), scene.labels.tolist(), strict=True)
            )
        )


def test_a_perfect_detector_is_perfect(bccd: Path) -> None:
    known = scenes("bccd", bccd, "test", CLASSES, 0.4, pytest.fail)
    found = evaluate(_Perfect(known), CLASSES, 0.4, ["bccd"], bccd, notice=pytest.fail)
    assert found.cells == {"leukocyte": 2, "red-cell": 10, "platelet": 6}
    for named in found.figures.values():
        assert {figure.value for figure in named.values()} == {1.0}
    with pytest.raises(DetectionError, match="data set bccd: no field in part train"):
        evaluate(_Perfect(known), CLASSES, 0.4, ["bccd"], _empty(bccd), split="train")


def _empty(bccd: Path) -> Path:
    """The same without fields to train on."""
    from tests.train.published.detection.conftest import make

    folder = bccd.parent / "without"
    return folder if folder.is_dir() else make(folder, {"test": (8,)})
