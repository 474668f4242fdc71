"""How long a cell takes in two precisions: the turns, what counts, and what fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle.bundle import Bundle
from edge.cells.classify import Classifier
from edge.runtimes import GraphError
from edge.runtimes.ort import OnnxRuntime
from edge.selftest import speed
from edge.selftest.speed import FEW, MANY, Speed, measured
from tests.conftest import graph_for_black

Two = Callable[..., Bundle]


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Runtime and cells of every run from now on."""
    ran: list[tuple[str, int]] = []
    original = OnnxRuntime.run

    def run(self: OnnxRuntime, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        ran.append((self.name, len(arrays["crops"])))
        return original(self, arrays)

    monkeypatch.setattr(OnnxRuntime, "run", run)
    return ran


def _both(model: Bundle) -> list[Classifier]:
    return [Classifier(model, variant=variant) for variant in ("ort-int8", "ort-fp32")]


def test_they_take_turns_at_fields_of_few_and_of_many_cells(
    two_precisions: Two, batches: list[tuple[str, int]]
) -> None:
    both = _both(two_precisions())
    for classifier in both:
        classifier.manifest = replace(classifier.manifest, second_look=0.0)  # at every cell, in four poses
    batches.clear()
    measured(both)
    turn = [("ort-int8", FEW), ("ort-int8", MANY), ("ort-fp32", FEW), ("ort-fp32", MANY)]
    assert batches == turn * (len(batches) // 4)
    assert len(batches) >= 4 * 3
    assert both[0].manifest.second_look == 0.0


def test_the_least_of_the_turns_counts_a_cell(
    two_precisions: Two, batches: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    both = _both(two_precisions())
    batches.clear()

    def spent() -> float:
        """Seconds until now: a cell takes 1 ms in INT8 and 2 in FP32, and five times that but in one turn."""
        return sum(
            cells * (0.001 if name == "ort-int8" else 0.002) * (1 if run // 4 == 2 else 5)
            for run, (name, cells) in enumerate(batches)
        )

    monkeypatch.setattr(speed, "process_time", spent)
    int8, fp32 = measured(both)
    assert isinstance(int8, Speed)
    assert isinstance(fp32, Speed)
    assert (int8.few_ms, int8.many_ms) == pytest.approx((1.0, 1.0))
    assert (fp32.few_ms, fp32.many_ms) == pytest.approx((2.0, 2.0))
    assert int8.against(fp32) == pytest.approx(2.0)


def test_a_field_of_few_cells_counts_as_much_as_one_of_many() -> None:
    assert Speed(1.0, 1.0).against(Speed(1.5, 0.5)) == pytest.approx(1.0)


def test_one_that_fails_leaves_the_other_its_time(two_precisions: Two) -> None:
    int8, fp32 = measured(_both(two_precisions({"classifier.onnx": graph_for_black()})))
    assert isinstance(int8, Speed)
    assert np.isfinite([int8.few_ms, int8.many_ms]).all()
    assert isinstance(fp32, GraphError)
