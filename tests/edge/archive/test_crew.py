"""A worker without Ray: what it does before a task, and how it tells what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge.archive import crew
from edge.archive import order as orders
from edge.archive.crew import Worker
from edge.archive.done import Done
from edge.archive.order import Order
from edge.archive.place import Place
from edge.archive.planning.plan import Plan
from edge.bundle import bundle
from tests.edge.archive import drawn


@pytest.fixture(autouse=True)
def on_every_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests is not to be kept to one."""
    monkeypatch.setattr(crew, "_own_core", lambda: None)


@pytest.fixture
def begun(made_once: Callable[[str, Callable[[Path], object]], Path], tmp_path: Path) -> tuple[Order, Place]:
    """An output that is listed."""
    place = Place(str(tmp_path / "out"))
    content = drawn.shipped()
    order = drawn.order(drawn.slides(made_once), content)
    order.write(place)
    place.write(orders.MODEL, content)
    Plan.of(order, place)
    return order, place


def told(order: Order, place: Place) -> tuple[str, str]:
    row = Worker(order, place, "run")({"shard": [0], "number": [0], "fields": [1]})
    return row["done"][0], row["error"][0]


def test_a_task_is_told_as_what_came_of_it(begun: tuple[Order, Place]) -> None:
    done, error = told(*begun)
    assert error == ""
    assert Done.decoded(done.encode()).slides


def test_an_output_that_is_not_shared_is_told(begun: tuple[Order, Place], tmp_path: Path) -> None:
    order, _ = begun
    done, error = told(order, Place(str(tmp_path / "elsewhere")))
    assert done == ""
    assert "does not see" in error
    assert "all nodes share" in error


def test_another_version_of_the_program_is_told(begun: tuple[Order, Place]) -> None:
    order, place = begun
    other = replace(order, version="0.0.1")
    other.write(place)
    assert "version of leukoscope" in told(other, place)[1]


def test_another_model_is_told(begun: tuple[Order, Place]) -> None:
    order, place = begun
    place.write(orders.MODEL, bundle.shipped_path().with_name("cnmc-cnn.bundle").read_bytes())
    assert "its bundle is" in told(order, place)[1]
