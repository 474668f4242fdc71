"""The cost table's arithmetic."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from types import ModuleType

import pytest

from edge.archive.place import Place
from tests.edge.archive import made

ROOT = Path(__file__).resolve().parents[2] / "benchmarks"
FIGURES = {
    "fields_s_core": 2.0, "efficiency": 0.5, "task_ms": 0, "start_s": 0,
    "bytes_a_field": {"fields": 100, "cells": 900}, "picture_bytes": 400_000, "measured_on": "a machine",
}  # fmt: skip


@pytest.fixture
def cost(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    import archive_cost

    monkeypatch.delitem(sys.modules, "archive_cost")
    return archive_cost


def test_cores_hours_and_storage_follow_from_the_figures(cost: ModuleType) -> None:
    text = "\n".join(cost.table(cost.Figures.of(json.dumps(FIGURES).encode())))
    # a field a second and core: 10^5 s are 27.8 hours of one
    assert "| 100,000 | 28 | 3 h " in text
    assert "| 100 MB | 40 GB |" in text
    assert "150,000,000 | 41,667 |" in text
    assert "7 cores that are busy 70% of the time" in text
    assert "a machine" in text


def test_many_workers_wait_for_the_driver_and_for_the_last_of_them(cost: ModuleType) -> None:
    figures = cost.Figures.of(json.dumps(FIGURES).encode())
    slow = cost.Figures.of(json.dumps(FIGURES | {"task_ms": 5000, "start_s": 60}).encode())
    assert cost.scaling(figures, 1) == pytest.approx(1)
    assert 0.9 < cost.scaling(figures, 64) < 1
    assert cost.scaling(slow, 1000) < 0.7 * cost.scaling(slow, 8)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("fields_s_core", 0),
        ("efficiency", 1.2),
        ("task_ms", -1),
        ("bytes_a_field", {"crops": 1}),
        ("measured_on", 3),
    ],
)
def test_figures_that_cannot_be_are_named(cost: ModuleType, key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{key}|crops"):
        cost.Figures.of(json.dumps(FIGURES | {key: value}).encode())


def test_they_are_taken_from_an_output(cost: ModuleType, tmp_path: Path) -> None:
    place, chance = Place(str(tmp_path / "out")), random.Random(1)
    made.begin(place, 40)
    with pytest.raises(ValueError, match="no shard is whole"):
        cost.measured(place, 1e6, "here")
    made.shard(place, 0, [made.slide(chance, f"A{i}") for i in range(40)])
    found = cost.measured(place, 1e6, "here")
    assert found.fields_s_core == 2.5
    assert set(found.bytes_a_field) == {"fields", "slides", "timing"}
    assert found.output_bytes * 400 == pytest.approx(
        sum(
            file.stat().st_size
            for name in found.bytes_a_field
            for file in (tmp_path / "out" / name).iterdir()
        ),
        rel=0.01,
    )
