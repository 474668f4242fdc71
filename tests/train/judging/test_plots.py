from __future__ import annotations

from pathlib import Path

import pytest

from tests.train.statistics.test_plots import pixels, share_of
from train.judging import plots
from train.judging.estimates import Bin, Undecided
from train.statistics.bootstrap import Figure

NONE = Figure(float("nan"), float("nan"), float("nan"))


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
    red = share_of(pixels(tmp_path / "curve.png"), (179, 38, 30))
    assert (red > 0.0005) == (sensitivity is not NONE)


def test_figures_that_do_not_exist_leave_their_place_empty(tmp_path: Path) -> None:
    rows = {"one (5)": {"recall": Figure(0.9, 0.8, 1.0)}, "two (3)": {"recall": NONE}}
    plots.intervals(rows, {"recall": "recall"}, "title", tmp_path / "some.png")
    plots.intervals({"one (5)": {"recall": NONE}}, {"recall": "recall"}, "title", tmp_path / "none.png")
    ink = (36, 66, 92)
    assert share_of(pixels(tmp_path / "some.png"), ink) > share_of(pixels(tmp_path / "none.png"), ink)
