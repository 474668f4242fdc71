"""What `benchmarks/line.py` makes of fields that were read: which are of which kind, and their figures."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from tests.train.layouts import LAYOUTS

ROOT = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The benchmarks find each other, as beside the one that is run."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(ROOT)
    yield
    for name in set(sys.modules) - before:  # names such as `scale` belong to others too
        if (getattr(sys.modules[name], "__file__", None) or "").startswith(str(ROOT)):
            del sys.modules[name]


@pytest.fixture
def line(benchmarks: None) -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(ROOT / "line.py")))


def read(
    line: SimpleNamespace, cells: int, ms: float, of: str = "aria-fields", rejected: bool = False
) -> Any:
    field = line.Field(of, "a slide", 0.083, lambda: np.zeros((4, 4, 3), np.uint8))
    return line.Read(field, cells, rejected, {"segment": ms / 2, "classify": ms / 2, "total": ms})


def test_fields_are_of_a_kind_by_the_cells_found(line: SimpleNamespace) -> None:
    crowded, sparse, chula, _ = line.KINDS
    assert [n for n in range(30) if crowded.holds(read(line, n, 1.0))] == list(range(14, 25))
    assert [n for n in range(30) if sparse.holds(read(line, n, 1.0))] == [1, 2, 3, 4]
    assert not crowded.holds(read(line, 20, 1.0, rejected=True))
    assert not sparse.holds(read(line, 2, 1.0, of="chula"))
    assert chula.holds(read(line, 0, 1.0, of="chula"))


def test_figures_of_a_kind_leave_out_the_others(line: SimpleNamespace) -> None:
    seen = [read(line, 20, 900.0), read(line, 2, 900.0), read(line, 16, 900.0)]
    rounds = [[read(line, r.cells, factor * r.cells) for r in seen] for factor in (1.0, 2.0, 1.0)]
    crowded = line.Rounds(seen, rounds, [[36.0, 36.0], [72.0], []]).of(line.KINDS[0])
    assert (crowded["fields"], crowded["cells_per_field"], crowded["um_per_px"]) == (2, 18.0, 0.083)
    assert crowded["median_ms"] == 20.0
    assert crowded["stages"]["segment"]["median_ms"] == 10.0
    assert crowded["of_yolo26n"] == 0.5  # in each round that the network ran in
    assert line.Rounds(seen, rounds, [[], [], []]).of(line.KINDS[0])["of_yolo26n"] is None
    assert line.Rounds(seen, rounds, [[], [], []]).of(line.KINDS[2]) is None


def test_a_further_cell_is_told_by_fields_of_every_number(line: SimpleNamespace) -> None:
    seen = [read(line, n, 10.0 + 3 * n) for n in (0, 2, 9, 17, 30)]
    assert line.Rounds(seen, [seen, seen], [[], []]).slope()["ms_per_cell"] == 3.0
    assert line.Rounds(seen[:1], [seen[:1]], [[]]).slope() is None


def test_what_was_turned_down_is_counted(line: SimpleNamespace) -> None:
    seen = [read(line, 0, 1.0, rejected=True), read(line, 3, 1.0), read(line, 3, 1.0, of="bccd")]
    assert line.turned_down(seen) == {"aria-fields": (1, 2), "bccd": (0, 1)}


def test_fields_of_aria_are_leukemic_ones_of_the_test_part_as_a_camera_gives_them(
    benchmarks: None, tmp_path: Path
) -> None:
    listed = runpy.run_path(str(ROOT / "real_fields.py"))["listed"]
    LAYOUTS["aria-fields"](tmp_path)
    folder = tmp_path / "aria_all" / "Original"
    for number in range(0, 900, 30):
        cv2.imwrite(str(folder / "Pre" / f"WBC-Malignant-Pre-{number:03d}.jpg"), np.full((224, 224, 3), 200))
    found = listed(tmp_path, "aria-fields", 1000)
    assert found
    assert all(field.slide.split("/")[1] != "Benign" for field in found)
    assert {field.load().shape for field in found} == {(1080, 1440, 3)}
    assert any(field.um_per_px == pytest.approx(0.4 * 224 / 1080) for field in found)
    assert len(listed(tmp_path, "aria-fields", 2)) <= 2
    assert listed(tmp_path, "chula", 2) == []


def test_a_network_whose_graph_is_missing_is_left_out(benchmarks: None, tmp_path: Path) -> None:
    detector = runpy.run_path(str(ROOT / "contestants.py"))["detector"]
    left_out: dict[str, str] = {}
    assert detector(tmp_path, "yolo26n", 1, False, left_out) == {}
    assert "peer_graphs.py" in left_out["yolo26n"]
    (tmp_path / "graphs.json").write_text(json.dumps({"yolo26n": {"missing": "ImportError: ultralytics"}}))
    assert detector(tmp_path, "yolo26n", 1, False, left_out) == {}
    assert left_out == {"yolo26n": "ImportError: ultralytics"}


def test_each_line_is_held_against_yolo26n_round_by_round(benchmarks: None) -> None:
    peers = runpy.run_path(str(ROOT / "peers.py"))
    times = {
        "line": [10.0, 20.0, 30.0],
        "crowded line": [30.0, 60.0, 80.0],
        "ort-int8 9": [9.0, 9.0, 9.0],
        "yolo26n": [100.0, 100.0, 100.0],
    }
    found = peers["_ratios"](times, peers["figures"](times, "ort-int8"))
    assert found == {"line_of_yolo26n": 0.2, "crowded_line_of_yolo26n": 0.6}
    assert [peers["_wanted"](name) for name in found] == ["≤ 0.2", "≤ 0.3"]
    assert peers["_wanted"]("sparse_line_of_yolo26n") == ""
    assert peers["_wanted"]("resnet50_by_cell") == "≥ 80"
