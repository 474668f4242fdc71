"""Two slides side by side: both findings, both differentials, the suspicious cells of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from edge.records.book import Book
from edge.tui.gallery import Gallery
from edge.tui.panel import Panel
from edge.tui.slides.compare import CompareScreen, Side
from tests.edge.records.slides import screened
from tests.edge.tui.fake_screening import NEGATIVE, reading
from tests.edge.tui.slides.driver import Alone, drive, told


def _sides(pilot: Pilot[None]) -> list[str]:
    return [
        "\n".join(str(panel.render()) for panel in side.query(Panel)) for side in pilot.app.screen.query(Side)
    ]


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (160, 48)])
def test_both_sides_tell_finding_reason_fraction_and_counts(path: Path, size: tuple[int, int]) -> None:
    async def script(pilot: Pilot[None]) -> None:
        left, right = _sides(pilot)
        for words, side in (
            (("S-1", "P-7", "NO BLASTS SEEN", "0 blasts among 402", "0 to 3%", "238"), left),
            (("S-3", "P-7", "▲ REFER", "61 blasts among 143", "50%", "30 to 82%", "61"), right),
        ):
            for word in words:
                assert word in side, word
        assert "does not rule out" in " ".join(left.split())
        for panel in pilot.app.screen.query(Panel):
            lines = str(panel.render()).split("\n")
            assert max(map(cell_len, lines)) <= panel.size.width, panel
            assert len(lines) <= panel.size.height, panel
        await pilot.press("escape")

    assert drive(CompareScreen(path, "S-1", "S-3"), script, size) == [None]


def test_the_most_suspicious_cells_come_first(path: Path) -> None:
    screened(path, ["lymphocyte", "blast", "lymphocyte", "blast"], "S-9")

    async def script(pilot: Pilot[None]) -> None:
        shown = [gallery._cells for gallery in pilot.app.screen.query(Gallery)]
        assert [cell.klass for cell in shown[1]] == [0, 0, 1, 1]
        assert shown[1][0].probability < 0.99

    drive(CompareScreen(path, "S-1", "S-9"), script)


def test_a_slide_that_was_cut_off_has_the_finding_of_its_cells_and_one_under_way_has_none(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        left, right = _sides(pilot)
        assert "KEEP SCANNING" in left
        assert "1 blast among 4 leukocytes" in left
        assert "UNDER WAY: NO FINDING" in right

    drive(CompareScreen(path, "S-5", "S-6"), script)


def test_the_finding_after_a_review_is_compared(path: Path) -> None:
    with Book(path) as book:
        overruled = replace(reading(counts=NEGATIVE).tally, confirmed={"lymphocyte": 61}, overruled=61)
        finding = book.finding("S-1")
        assert finding is not None
        book.judged("S-3", finding, overruled, "AB")

    async def script(pilot: Pilot[None]) -> None:
        _, right = _sides(pilot)
        assert "NO BLASTS SEEN" in right
        assert "REFER" not in right

    drive(CompareScreen(path, "S-1", "S-3"), script)


def test_a_slide_that_is_not_there_is_told(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        assert "is not in the records" in told(pilot)
        await pilot.press("escape")

    assert drive(CompareScreen(path, "S-1", "S-99"), script) == [None]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["", "large"])
def test_snapshot(path: Path, snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    """Against pictures that a person has looked at; `pytest --snapshot-update` makes new ones to look at."""

    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.pause()

    app = Alone(CompareScreen(path, "S-1", "S-3"))
    assert snap_compare(app, terminal_size=size, run_before=prepare)
