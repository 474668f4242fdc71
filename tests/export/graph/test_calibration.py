from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from export.graph import calibration
from export.graph.calibration import Histogram
from export.graph.graph import ExportError
from train.data.windows import Windows


def test_rare_classes_and_data_sets_are_all_there(windows: Windows) -> None:
    labels = windows.labels.copy()
    labels[:7] = "basophil"  # of the training part
    rare = replace(windows, labels=labels, pixels=windows.pixels.copy())
    rare.pixels[:7] = np.arange(7, dtype=np.uint8)[:, None, None, None]  # to know them again
    chosen = calibration.choose_cells(rare, 1000, 32)
    assert chosen.shape == (1000, 32, 32, 3)
    plain = chosen.reshape(1000, -1)
    assert {int(cell[0]) for cell in plain if cell.min() == cell.max()} >= set(range(7))


def test_the_same_cells_are_chosen_again(windows: Windows) -> None:
    first, second = (calibration.choose_cells(windows, 1200, 32) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_no_held_out_cell_calibrates(windows: Windows) -> None:
    pixels = windows.pixels.copy()
    pixels[windows.splits != "train"] = 7
    chosen = calibration.choose_cells(replace(windows, pixels=pixels), 1500, 32)
    assert not (chosen.reshape(len(chosen), -1) == 7).all(axis=1).any()


@pytest.mark.parametrize("count", [999, 0, -5])
def test_too_few_cells_are_refused(windows: Windows, count: int) -> None:
    with pytest.raises(ExportError, match=f"--cells {count}, at least 1000 are needed; leave it out"):
        calibration.choose_cells(windows, count, 32)


def test_data_that_have_no_more_cells_may_have_fewer(windows: Windows) -> None:
    training = windows.of("train")
    for there in (64, 900):
        assert len(calibration.choose_cells(training.pick(np.arange(there)), 2048, 32)) == there
    few = training.pick(np.arange(900))
    with pytest.raises(ExportError, match="--cells 899, at least 900 are needed"):
        calibration.choose_cells(few, 899, 32)
    with pytest.raises(ExportError, match="calibration: 63 training cells, at least 64 are needed"):
        calibration.choose_cells(few.pick(np.arange(63)), 2048, 32)


def _seen(values: np.ndarray) -> Histogram:
    largest = float(np.abs(values).max())
    sizes = np.histogram(np.abs(values), 2048, (0, largest))[0]
    return Histogram(float(values.min()), float(values.max()), sizes.astype(np.int64))


def test_outliers_are_clipped_but_by_minmax() -> None:
    values = np.random.default_rng(0).exponential(1.0, 200_000)
    values[:3] = 100.0
    seen = {"x": _seen(values)}
    assert calibration.ranges(seen, "minmax")["x"][1] == 100.0
    for method in ("percentile", "entropy"):
        low, high = calibration.ranges(seen, method)["x"]
        assert low == 0 or low == seen["x"].low
        assert 5 < high < 20


def test_what_has_no_outliers_is_not_clipped_much() -> None:
    seen = {"x": _seen(np.random.default_rng(0).uniform(-1, 1, 200_000))}
    for method in calibration.METHODS:
        low, high = calibration.ranges(seen, method)["x"]
        assert low < -0.9
        assert high > 0.9


def test_ranges_are_seen_in_the_graph(graph: bytes, windows: Windows) -> None:
    crops = calibration.choose_cells(windows, 1000, 32)
    seen = calibration.observe(graph, crops)
    first = next(name for name in seen if name.startswith("sub"))
    assert (seen[first].low, seen[first].high) == (float(crops.min()) - 190, float(crops.max()) - 190)
    assert seen[first].sizes.sum() == crops.size
    assert min(histogram.low for name, histogram in seen.items() if name.startswith("relu")) == 0
