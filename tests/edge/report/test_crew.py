"""Many slides to files, on every processor: the same files, and what goes wrong is told in the same words."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edge.files.delivery import Delivery
from edge.records.database import RecordsError
from edge.report import crew
from edge.report.export import Order
from edge.types import LeukoscopeError
from tests.edge.records.slides import screened

ORDER = Order(("csv", "json"), made_at=datetime(2026, 11, 30, tzinfo=UTC))
SLIDES = [f"s{i}" for i in range(9)]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("crew") / "records.db"
    for i, slide in enumerate(SLIDES):
        screened(path, ["blast"] * (i + 1), slide)
    return path


def exported(records: Path, out: Path, slides: list[str] = SLIDES) -> dict[str, bytes]:
    with Delivery(out) as delivery:
        written = list(crew.export(ORDER, records, slides, delivery))
    assert [one.slide for one in written] == slides
    assert all(one.size > 0 and len(one.files) == 2 for one in written)
    return {str(file.relative_to(out)): file.read_bytes() for file in sorted(out.rglob("*"))}


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A crew whatever the machine."""
    monkeypatch.setattr(crew, "_MANY", 2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})


def test_a_crew_writes_what_one_does(records: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    alone = exported(records, tmp_path / "alone")
    assert [*alone][-1] == "slides.csv"
    assert len(alone) == 2 * len(SLIDES) + 1
    request.getfixturevalue("many")
    assert exported(records, tmp_path / "crew") == alone


@pytest.mark.usefixtures("many")
def test_a_slide_that_is_not_there_is_told_by_a_crew_too(records: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="slide 'nobody': is not in the records"):
        exported(records, tmp_path / "out", [*SLIDES, "nobody"])
    assert not [*(tmp_path / "out").glob(".*")]


def test_a_medium_with_too_little_room_for_the_rest_is_told_early(
    records: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def check(folder: Path, needs: int, largest: int) -> None:
        asked.append(needs)
        raise LeukoscopeError("too little")

    monkeypatch.setattr(crew, "check_space", check)
    with pytest.raises(LeukoscopeError, match="too little"):
        exported(records, tmp_path / "out")
    first = sum(file.stat().st_size for file in (tmp_path / "out").iterdir())
    assert asked == [first * (len(SLIDES) - 1)]
