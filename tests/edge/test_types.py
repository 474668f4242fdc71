"""Shapes and dtypes are checked where objects are made; label images come out at full size."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.types import Cells, Frame


def _cells() -> Cells:
    labels = np.zeros((40, 60), np.int32)
    labels[10:30, 10:30] = 1
    labels[5:15, 40:55] = 2
    nuclei = np.zeros((40, 60), np.bool_)
    nuclei[15:25, 15:25] = True
    return Cells(
        labels=labels,
        nuclei=nuclei,
        boxes_px=np.array([[25, 25, 75, 75], [100, 12, 138, 38]], np.int32),
        centres_px=np.array([[50, 50], [119, 25]], np.float32),
        area_um2=np.array([25.0, 9.4], np.float32),
        nucleus_area_um2=np.array([6.2, 0.0], np.float32),
        cut=np.zeros(2, np.bool_),
    )


def test_a_frame_of_the_wrong_kind_is_refused() -> None:
    now = datetime.now(UTC)
    with pytest.raises(ValueError, match=r"Frame\.pixels.*float64"):
        Frame(np.zeros((4, 4, 3)), 0, "x", now, 0.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"Frame\.pixels.*\(4, 4\)"):
        Frame(np.zeros((4, 4), np.uint8), 0, "x", now, 0.0)


@pytest.mark.parametrize("name", ["boxes_px", "centres_px", "area_um2", "cut", "nuclei", "labels"])
def test_cells_that_do_not_fit_each_other_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        replace(_cells(), **{name: np.zeros((3, 7), np.float64)})


def test_labels_at_full_size() -> None:
    cells, nuclei = _cells().labels_at(100, 150)
    assert cells.shape == nuclei.shape == (100, 150)
    assert set(np.unique(cells)) == {0, 1, 2}
    assert set(np.unique(nuclei)) == {0, 1}
    assert (cells == 1).sum() == pytest.approx(50 * 50, rel=0.1)
    assert cells[50, 50] == 1
    assert cells[25, 119] == 2
    assert not (nuclei.astype(bool) & (cells == 0)).any()


def test_no_cells() -> None:
    none = Cells.none(40, 60)
    assert len(none) == 0
    cells, nuclei = none.labels_at(100, 150)
    assert not cells.any()
    assert not nuclei.any()
