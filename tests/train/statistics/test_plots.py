from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from train.judging.estimates import Bin, Undecided
from train.statistics import plots
from train.statistics.bootstrap import Figure
from train.statistics.contactsheet import contact_sheet

NONE = Figure(float("nan"), float("nan"), float("nan"))


def _pixels(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture[..., ::-1])


def _share_of(picture: np.ndarray, colour: tuple[int, int, int]) -> float:
    return float((np.abs(picture.astype(int) - colour).max(axis=2) < 12).mean())


def test_a_contact_sheet_shows_every_crop_and_frames_what_matters(tmp_path: Path) -> None:
    colours = [(20 * i, 255 - 20 * i, 128) for i in range(10)]
    crops = [np.full((32, 32, 3), colour, np.uint8) for colour in colours]
    captions = [(f"is {i}", f"called {i}") for i in range(10)]
    contact_sheet(crops, captions, [i == 3 for i in range(10)], "ten", tmp_path / "sheet.png")
    picture = _pixels(tmp_path / "sheet.png")
    for colour in colours:
        assert _share_of(picture, colour) > 0.01
    red = (179, 38, 30)
    loud = _share_of(picture, red)
    contact_sheet(crops, captions, [False] * 10, "ten", tmp_path / "quiet.png")
    assert loud > 0.0005
    assert _share_of(_pixels(tmp_path / "quiet.png"), red) < loud / 10


def test_a_confusion_matrix_leaves_out_classes_without_cells(tmp_path: Path) -> None:
    table = np.zeros((11, 11), np.int64)
    table[0, 0], table[3, 0] = 5, 2
    names = [f"class {i}" for i in range(11)]
    plots.confusion_matrix(table, names, tmp_path / "two.png")
    plots.confusion_matrix(np.eye(11, dtype=np.int64), names, tmp_path / "all.png")
    assert _pixels(tmp_path / "two.png").shape[0] < _pixels(tmp_path / "all.png").shape[0] / 2


def test_the_same_data_give_the_same_file(tmp_path: Path) -> None:
    bins = [Bin(0.2, 0.4, 10, 0.3, Figure(0.4, 0.1, 0.7)), Bin(0.8, 1.0, 30, 0.9, Figure(0.9, 0.8, 1.0))]
    for name in ("a.png", "b.png"):
        plots.reliability({"blast": (bins, Figure(0.1, 0.0, 0.2))}, "title", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("sensitivity", [NONE, Figure(0.8, 0.6, 0.9)])
def test_an_abstention_curve_leaves_out_what_is_not_there(tmp_path: Path, sensitivity: Figure) -> None:
    accuracy = Figure(0.9, 0.8, 0.95)
    curve = [Undecided(t, t / 2, accuracy, sensitivity, accuracy) for t in (0.0, 0.5, 0.9)]
    plots.abstention(curve, (0.05, 0.4), "title", tmp_path / "curve.png")
    red = _share_of(_pixels(tmp_path / "curve.png"), (179, 38, 30))
    assert (red > 0.0005) == (sensitivity is not NONE)


def test_figures_that_do_not_exist_leave_their_place_empty(tmp_path: Path) -> None:
    rows = {"one (5)": {"recall": Figure(0.9, 0.8, 1.0)}, "two (3)": {"recall": NONE}}
    plots.intervals(rows, {"recall": "recall"}, "title", tmp_path / "some.png")
    plots.intervals({"one (5)": {"recall": NONE}}, {"recall": "recall"}, "title", tmp_path / "none.png")
    ink = (36, 66, 92)
    assert _share_of(_pixels(tmp_path / "some.png"), ink) > _share_of(_pixels(tmp_path / "none.png"), ink)
