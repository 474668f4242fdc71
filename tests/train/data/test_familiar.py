"""Ranges of what slides of the training laboratories look like."""

from __future__ import annotations

import numpy as np
import pytest

from edge.line.likeness import FEATURES, outside
from train.data.familiar import familiar
from train.data.windows import Windows

SIDE = 48
Y, X = np.mgrid[:SIDE, :SIDE] - SIDE // 2
COUNTED = ("blast", "lymphocyte")


def windows(*kinds: tuple[str, str, str, tuple[int, int, int], int]) -> Windows:
    """Twenty windows of each (data set, group, label, colour of the nucleus, radius of the cell)."""
    rows = [kind for kind in kinds for _ in range(20)]
    pixels = np.full((len(rows), SIDE, SIDE, 3), 240, np.uint8)
    masks = np.zeros((len(rows), SIDE, SIDE), np.uint8)
    for window, mask, (_, _, _, colour, radius) in zip(pixels, masks, rows, strict=True):
        mask[np.hypot(X, Y) < radius] = 1
        mask[np.hypot(X, Y) < radius - 3] = 2
        window[mask == 1], window[mask == 2] = (200, 190, 225), colour
    names = (np.array([row[i] for row in rows]) for i in (0, 1, 2))
    datasets, groups, labels = names
    files = np.array([str(i) for i in range(len(rows))])
    return Windows(pixels, masks, labels, groups, np.full(len(rows), "train"), files, datasets)


DARK, PALE = (60, 40, 150), (150, 130, 200)


def test_ranges_span_laboratories_and_kinds_of_cells() -> None:
    one = windows(("a", "1", "blast", DARK, 16), ("a", "2", "lymphocyte", DARK, 8))
    both = Windows.join([one, windows(("b", "3", "blast", PALE, 16))])
    ranges, wider = familiar(one, COUNTED, 0.25), familiar(both, COUNTED, 0.25)
    assert set(ranges) == set(FEATURES)
    low, high = ranges["cell_um2"]
    assert low == pytest.approx(np.pi * 64 / 16, rel=0.1), "a slide may hold lymphocytes alone"
    assert high == pytest.approx(np.pi * 256 / 16, rel=0.1)
    dark, pale = np.log(240 / 60), np.log(240 / 150)
    assert ranges["nucleus_red"] == pytest.approx((dark, dark), abs=0.01)
    assert wider["nucleus_red"] == pytest.approx((pale, dark), abs=0.01)
    assert outside(np.array([pale, 0.6, 0.2, 0.3, 30, 240], np.float32), ranges) == [
        "nucleus_red", "nucleus_green", "nucleus_blue", "nucleus_red_less_blue",
    ]  # fmt: skip


def test_what_is_no_leukocyte_or_shows_no_nucleus_says_nothing() -> None:
    one = windows(("a", "1", "blast", DARK, 16))
    others = windows(("a", "1", "smudge-cell", PALE, 22), ("a", "1", "blast", PALE, 22))
    others.masks[20:] = 0
    assert familiar(Windows.join([one, others]), COUNTED, 0.25) == familiar(one, COUNTED, 0.25)


def test_a_group_of_few_cells_says_nothing_by_itself() -> None:
    one = windows(("a", "1", "blast", DARK, 16), ("a", "1", "blast", DARK, 15))
    few = windows(("a", "2", "blast", PALE, 16)).pick(np.arange(5))
    assert familiar(Windows.join([one, few]), COUNTED, 0.25)["nucleus_red"][0] > np.log(240 / 150) + 0.1
