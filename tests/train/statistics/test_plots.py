from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from train.statistics import plots
from train.statistics.contactsheet import contact_sheet


def pixels(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.asarray(picture[..., ::-1])


def share_of(picture: np.ndarray, colour: tuple[int, int, int]) -> float:
    return float((np.abs(picture.astype(int) - colour).max(axis=2) < 12).mean())


def test_a_contact_sheet_shows_every_crop_and_frames_what_matters(tmp_path: Path) -> None:
    colours = [(20 * i, 255 - 20 * i, 128) for i in range(10)]
    crops = [np.full((32, 32, 3), colour, np.uint8) for colour in colours]
    captions = [(f"is {i}", f"called {i}") for i in range(10)]
    contact_sheet(crops, captions, [i == 3 for i in range(10)], "ten", tmp_path / "sheet.png")
    picture = pixels(tmp_path / "sheet.png")
    for colour in colours:
        assert share_of(picture, colour) > 0.01
    red = (179, 38, 30)
    loud = share_of(picture, red)
    contact_sheet(crops, captions, [False] * 10, "ten", tmp_path / "quiet.png")
    assert loud > 0.0005
    assert share_of(pixels(tmp_path / "quiet.png"), red) < loud / 10


def test_a_confusion_matrix_leaves_out_classes_without_cells(tmp_path: Path) -> None:
    table = np.zeros((11, 11), np.int64)
    table[0, 0], table[3, 0] = 5, 2
    names = [f"class {i}" for i in range(11)]
    plots.confusion_matrix(table, names, tmp_path / "two.png")
    plots.confusion_matrix(np.eye(11, dtype=np.int64), names, tmp_path / "all.png")
    assert pixels(tmp_path / "two.png").shape[0] < pixels(tmp_path / "all.png").shape[0] / 2
