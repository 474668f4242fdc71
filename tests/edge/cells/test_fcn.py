"""The learned segmenter's maps become cells; graphs that are something else are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge.bundle import bundle
from edge.bundle.bundle import BundleError
from edge.cells.fcn import EDGE, Learned, Maps, cells_of
from edge.cells.segment import segmenter, single
from edge.optics.specimen import Specimen
from edge.runtimes import GraphError
from edge.types import Cells, CellsInFrame
from tests.conftest import graph

PITCH_UM = 0.25
PER_UM = 4  # specimen pixels

Point = tuple[float, float]


def _view(height: int, width: int) -> Specimen:
    pixels = np.full((height, width, 3), 240, np.uint8)
    return Specimen(pixels, PITCH_UM, 0.4, np.full(3, 240, np.float32), 1.0)


def _maps(height: int, width: int, discs: list[tuple[Point, float, float]], *, lost: bool = False) -> Maps:
    """Maps of discs: middle (x, y), radius of cell and of nucleus, all in µm."""
    y, x = np.mgrid[: -(-height // 4), : -(-width // 4)].astype(np.float32) + np.float32(0.5)
    nucleus, cell = (np.full(y.shape, -9.0, np.float32) for _ in range(2))
    middle, way = np.full(y.shape, -9.0, np.float32), np.zeros((2, *y.shape), np.float32)
    nearest = np.full(y.shape, np.inf, np.float32)
    for (cx, cy), radius, inner in discs:
        away = np.hypot(x - cx, y - cy)
        cell, nucleus = np.maximum(cell, radius - away), np.maximum(nucleus, inner - away)
        middle = np.maximum(middle, 3 - away)
        own = away < nearest
        way[:, own] = 0 if lost else np.stack([cx - x, cy - y])[:, own]
        nearest = np.minimum(nearest, away)
    levels = [np.clip(m * 60 + EDGE, 0, 255).astype(np.uint8) for m in (nucleus, cell)]
    return Maps(levels[0], levels[1], middle, way)


def _cells(height: int, width: int, *discs: tuple[Point, float, float]) -> CellsInFrame:
    view = _view(height, width)
    return cells_of(_maps(height, width, list(discs)), view).in_frame(height * 2, width * 2)


def test_a_disc_is_measured_and_placed() -> None:
    cells = _cells(200, 320, ((40.0, 25.0), 6.0, 4.0))
    assert len(cells) == 1
    assert cells.area_um2[0] == pytest.approx(np.pi * 36, rel=0.03)
    assert cells.nucleus_area_um2[0] == pytest.approx(np.pi * 16, rel=0.04)
    assert cells.centres_px[0] == pytest.approx([320, 200], abs=1.0)
    box = np.array([34, 19, 46, 31]) * 2 * PER_UM
    assert np.abs(cells.boxes_px[0] - box).max() <= 4
    assert not cells.cut[0]


def test_cells_that_touch_are_parted_half_way() -> None:
    cells = _cells(200, 320, ((30.0, 25.0), 6.0, 4.0), ((41.0, 25.0), 6.0, 4.0))
    assert len(cells) == 2
    assert cells.area_um2[0] == pytest.approx(cells.area_um2[1], rel=0.1)
    there = cells.found.labels[100, 30 * PER_UM : 41 * PER_UM]
    assert np.count_nonzero(np.diff(there)) == 1
    assert abs(int(np.flatnonzero(np.diff(there))[0]) - 22) <= PER_UM


def test_a_body_without_a_nucleus_is_no_cell() -> None:
    assert len(_cells(200, 320, ((40.0, 25.0), 6.0, 1.9))) == 0


def test_what_points_at_no_middle_belongs_to_nobody() -> None:
    view, maps = _view(200, 320), _maps(200, 320, [((40.5, 25.5), 9.0, 4.0)], lost=True)
    cells = cells_of(maps, view)
    assert len(cells) == 1
    assert cells.area_um2[0] < 0.5 * np.pi * 81


def test_two_peaks_of_one_cell_are_one() -> None:
    maps = _maps(200, 320, [((40.0, 25.0), 6.0, 4.0)])
    maps.middle[25, 42] = 2.9
    assert len(cells_of(maps, _view(200, 320))) == 1


def test_an_empty_field_has_no_cells() -> None:
    cells = _cells(200, 320)
    assert len(cells) == 0
    assert cells.found.labels.shape == (200, 320)


@pytest.mark.parametrize("size", [(201, 321), (202, 322), (203, 323), (64, 35), (5, 3), (1, 1)])
def test_fields_of_any_size(size: tuple[int, int]) -> None:
    height, width = size
    half = (max(height // 2, 1), max(width // 2, 1))
    maps = _maps(half[0] * 2, half[1] * 2, [((width / 4, height / 4), 5.0, 4.0)])
    cells = cells_of(maps, _view(height, width))
    assert cells.labels.shape == size
    assert len(cells) <= 1
    if len(cells) and height > 200:
        reach = cells.in_frame(*size).boxes_px[0]
        assert (reach[2:] <= (width, height)).all()


def test_a_cell_at_the_far_corner_is_cut_and_reaches_it() -> None:
    cells = _cells(203, 323, ((80.0, 50.0), 6.0, 4.5))
    assert cells.cut[0]
    assert cells.boxes_px[0, 2:].tolist() == [646, 406]


def test_more_cells_than_a_byte_can_number() -> None:
    places = [(6.0 + 10 * i, 6.0 + 10 * j) for j in range(17) for i in range(17)]
    cells = _cells(700, 700, *(((x, y), 4.2, 3.0) for x, y in places))
    assert len(cells) == len(places)
    assert cells.nucleus_area_um2.min() > 20
    assert sorted(np.unique(cells.found.labels)) == list(range(len(places) + 1))


def test_a_graph_for_something_else_is_refused() -> None:
    with pytest.raises(GraphError, match="no input pixels"):
        Learned(graph()).warm_up()


def test_no_graph_at_all_is_refused() -> None:
    with pytest.raises(GraphError, match="does not load"):
        Learned(b"not a graph").warm_up()


def _with_segmenter(make_bundle: Callable[..., Path], listed: dict[str, str], content: bytes) -> Path:
    members = {"classifier.onnx": graph(), "segmenter.onnx": content}
    graphs = {"classifier": {"ort-fp32": "classifier.onnx"}, "segmenter": listed}
    return make_bundle(members=members, graphs=graphs)


def test_a_segmenter_that_is_not_in_the_bundle(make_bundle: Callable[..., Path]) -> None:
    path = _with_segmenter(make_bundle, {"ort-fp32": "gone.onnx"}, graph())
    with pytest.raises(BundleError, match=r"graphs\.segmenter\.ort-fp32 is 'gone\.onnx', which files"):
        bundle.load(path, allow_unsigned=True)


def test_a_segmenter_that_is_no_graph(make_bundle: Callable[..., Path]) -> None:
    path = _with_segmenter(make_bundle, {"ort-fp32": "segmenter.onnx"}, b"nothing of the kind")
    with pytest.raises(BundleError, match=r"segmenter\.onnx is not an ONNX graph"):
        bundle.load(path, allow_unsigned=True)


def test_a_segmenter_that_answers_something_else(make_bundle: Callable[..., Path]) -> None:
    path = _with_segmenter(make_bundle, {"ort-fp32": "segmenter.onnx"}, graph())
    with pytest.raises(GraphError, match="no input pixels"):
        segmenter(bundle.load(path, allow_unsigned=True))


def test_the_middle_cell_is_the_one_that_was_found() -> None:
    def find(view: Specimen) -> Cells:
        return cells_of(_maps(200, 320, [((40.5, 25.5), 6.0, 4.0)]), view)

    cells = single(_view(200, 320), find)
    assert len(cells) == 1
    assert cells.area_um2[0] == pytest.approx(np.pi * 36, rel=0.03)
