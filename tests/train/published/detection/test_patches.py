"""Patches show what their boxes say, whichever way they lie; cells that are cut away are not asked for."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.optics.specimen import Specimen
from edge.runtimes.dynamic import BEYOND
from train.published.detection.boxes import Scene
from train.published.detection.patches import batch, targets
from train.recipes.detection import STRIDE, Detection

SETTINGS = Detection(patch_px=64, zoom=(0.8, 1.25))
PITCH_UM = 0.4


def _scene(height: int = 90, width: int = 120) -> Scene:
    pixels = np.full((height, width, 3), 240, np.uint8)
    boxes, labels = [], []
    for number, (x, y, a, b) in enumerate(((30, 40, 15, 9), (90, 50, 8, 8), (60, 20, 4, 4))):
        cv2.ellipse(pixels, (x, y), (a, b), 0, 0, 360, (60 + 50 * number,) * 3, -1)
        boxes.append((x - a, y - b, x + a + 1, y + b + 1))
        labels.append(number)
    view = Specimen(pixels, PITCH_UM, 1.0, np.full(3, 240, np.float32), 1.0)
    return Scene("drawn", "drawn", view, np.array(boxes, np.float32), np.array(labels, np.int32))


def test_peaks_lie_on_cells_of_their_class_and_boxes_fit() -> None:
    shown = batch([_scene()] * 40, SETTINGS, np.random.default_rng(0))
    peaks = np.argwhere((shown.heat[:, 0] == 1) & (shown.known[:, 0] == 1))
    assert len(peaks) > 60
    ways = set()
    for n, row, column in peaks.tolist():
        x0, y0, x1, y1 = shown.boxes[n, :, row, column].tolist()
        assert 0 <= x0 < x1 <= 64
        assert 0 <= y0 < y1 <= 64
        middle = shown.pixels[n, int((y0 + y1) / 2), int((x0 + x1) / 2)].astype(int)
        label = int(shown.labels[n, row, column])
        assert abs(middle[0] - (60 + 50 * label)) < 25
        assert abs((x0 + x1) / 2 / STRIDE - column - 0.5) <= 1
        ways.add((label, x1 - x0 > y1 - y0))
        dark = np.argwhere(np.abs(shown.pixels[n, ..., 0].astype(int) - 60 - 50 * label) < 12)
        reach = (dark.min(axis=0)[::-1].tolist(), (dark.max(axis=0) + 1)[::-1].tolist())
        if label == 0:
            assert [x0, y0, x1, y1] == pytest.approx([*reach[0], *reach[1]], abs=2.5)
    assert {(0, True), (0, False)} <= ways  # turned


def test_weights_are_one_for_each_cell() -> None:
    boxes = np.array([[4, 4, 20, 20], [40, 40, 60, 50]], np.float32)
    heat, known, near, what, weights = targets(boxes, np.array([1, 2], np.int32), 64, PITCH_UM)
    assert weights.sum() == pytest.approx(2, abs=1e-5)
    assert (heat == 1).sum() == 2
    assert known.all()
    assert set(np.unique(what[weights[0] > 0])) == {1, 2}
    assert near[:, 6, 6].tolist() == [4, 4, 20, 20]


def test_a_small_cell_on_a_large_one_tells_of_itself() -> None:
    boxes = np.array([[28, 28, 34, 34], [10, 10, 50, 50]], np.float32)
    heat, _, near, what, _ = targets(boxes, np.array([2, 0], np.int32), 64, PITCH_UM)
    assert what[15, 15] == 2
    assert near[:, 15, 15].tolist() == [28, 28, 34, 34]
    assert (heat == 1).sum() in (1, 2)


def test_a_cell_of_which_little_shows_is_neither_asked_for_nor_forbidden() -> None:
    boxes = np.array([[-30, 10, 6, 40], [-10, 50, 30, 60], [70, 70, 80, 80]], np.float32)
    heat, known, near, _, weights = targets(boxes, np.zeros(3, np.int32), 64, PITCH_UM)
    assert (known[0, 5:20, :3] == 0).all()
    assert known[0, :, 4:].all()
    assert (heat == 1).sum() == 1
    assert near[:, 27, 7].tolist() == [0, 50, 30, 60]
    assert weights.sum() == pytest.approx(1, abs=1e-5)


def test_a_thin_cell_of_the_field_itself_is_asked_for() -> None:
    heat, known, *_ = targets(np.array([[0, 10, 2, 30]], np.float32), np.zeros(1, np.int32), 64, PITCH_UM)
    assert (heat == 1).sum() == 1
    assert known.all()


def test_beyond_a_small_field_is_nothing() -> None:
    shown = batch([_scene(40, 100)] * 3, replace(SETTINGS, zoom=(1.0, 1.0)), np.random.default_rng(1))
    empty = (shown.pixels == BEYOND).all(axis=3)
    assert 0.25 < empty.mean() < 0.5
    assert batch([_scene()], SETTINGS, np.random.default_rng(1)).heat.shape == (1, 1, 32, 32)


def test_no_cells_are_no_targets() -> None:
    heat, known, _, _, weights = targets(np.zeros((0, 4), np.float32), np.zeros(0, np.int32), 64, PITCH_UM)
    assert not heat.any()
    assert known.all()
    assert not weights.any()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"widths": (0, 8, 8)}, r"widths is \[0, 8, 8\]"),
        ({"cells": 0}, "cells is 0"),
        ({"cells": 2000}, "cells is 2000; it must lie between 1 and 1024"),
        ({"patch_px": 60}, "patch_px is 60; it must be a multiple of 8"),
        ({"zoom": (1.2, 0.8)}, "zoom is"),
        ({"blur_px": 0.0}, r"blur_px is 0\.0"),
    ],
)
def test_settings_that_make_no_sense_are_named(change: dict[str, object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        Detection(**change)  # type: ignore[arg-type]
