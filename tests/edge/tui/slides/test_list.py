"""The list of slides by keys: search, marks, what it opens; thousands of slides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from edge.records.book import Book
from edge.records.database import RecordsError
from edge.records.store import Store
from edge.tui.panel import Panel
from edge.tui.slides.about import SlideScreen
from edge.tui.slides.compare import CompareScreen
from edge.tui.slides.slides import SlidesScreen
from edge.tui.slides.table import SlideTable
from tests.edge.records.example import HEADER
from tests.edge.tui.driver import until
from tests.edge.tui.slides.conftest import ARABIC
from tests.edge.tui.slides.driver import Alone, drive, told

Opened = list[str]


def _table(pilot: Pilot[None]) -> SlideTable:
    return pilot.app.screen.query_one(SlideTable)


def _shown(pilot: Pilot[None]) -> list[str]:
    return [one.slide for one in _table(pilot).slides]


def test_slides_stand_newest_first_with_what_became_of_them(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        assert _shown(pilot) == ["S-6", "S-5", ARABIC, "S-3", "S-2", "S-1"]
        for word in ("under way", "cut off", "finished", "signed CD", "▲ REFER", "NO BLASTS SEEN", "P-7"):
            assert word in told(pilot), word
        await pilot.press("down")
        assert "Cut off after 4 cells" in told(pilot)
        assert "x closes it, enter shows its cells" in " ".join(told(pilot).split())
        await pilot.press("end")
        assert "Signed by CD on 2026-11-02" in told(pilot)

    drive(SlidesScreen(path, lambda slide: None), script)


@pytest.mark.parametrize(
    ("typed", "found"),
    [("p-7", 3), ("P-8", 1), ("refer", 3), ("cd", 1), ("s-3", 1), ("مريض", 1), ("nothing like it", 0)],
)
def test_a_search_looks_through_slide_patient_finding_and_initials(
    path: Path, typed: str, found: int
) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("slash", *typed)
        assert len(_shown(pilot)) == found
        await pilot.press("escape")
        assert len(_shown(pilot)) == 6

    drive(SlidesScreen(path, lambda slide: None), script)


def test_letters_of_a_search_are_no_keys_and_enter_goes_on_to_the_slides(path: Path) -> None:
    opened: Opened = []

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("slash", *"c q i", "enter")
        assert pilot.app.screen.query_one("#search").value == "c q i"  # type: ignore[attr-defined]
        await pilot.press("escape", "slash", *"p-7", "down", "enter", "enter")
        assert opened == ["S-2"]
        await pilot.press("escape", "escape")

    assert drive(SlidesScreen(path, opened.append), script) == [None]


def test_keys_move_by_lines_and_pages_and_open_the_review(path: Path) -> None:
    opened: Opened = []

    async def script(pilot: Pilot[None]) -> None:
        for key in ("home", "down", "down", "pagedown", "up", "home"):
            await pilot.press(key, "enter")

    drive(SlidesScreen(path, opened.append), script)
    assert opened == ["S-6", "S-5", ARABIC, "S-1", "S-2", "S-6"]


def test_two_marked_slides_are_laid_side_by_side_the_older_to_the_left(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("down", "space", "space", "c")
        assert isinstance(pilot.app.screen, CompareScreen)
        assert pilot.app.screen._pair == (ARABIC, "S-5")
        await pilot.press("escape", "space", "c")  # the last two marks hold
        assert isinstance(pilot.app.screen, CompareScreen)
        assert pilot.app.screen._pair == ("S-3", ARABIC)

    drive(SlidesScreen(path, lambda slide: None), script)


def test_without_marks_the_other_slides_of_the_patient_are_offered(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("c")
        assert "no patient is noted" in told(pilot)
        await pilot.press("down", "c")
        assert "no other slide of patient P-8" in told(pilot)
        await pilot.press("end", "c")
        assert _shown(pilot) == ["S-3", "S-2", "S-1"]
        assert "mark another with space" in told(pilot)
        await pilot.press("home", "space", "c")
        assert isinstance(pilot.app.screen, CompareScreen)
        assert pilot.app.screen._pair == ("S-1", "S-3")

    drive(SlidesScreen(path, lambda slide: None), script)


def test_the_only_other_slide_of_a_patient_is_taken_at_once(path: Path) -> None:
    with Book(path) as book:
        book.note("S-6", "AB", patient="P-8")

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("c")
        assert isinstance(pilot.app.screen, CompareScreen)

    drive(SlidesScreen(path, lambda slide: None), script)


def test_what_is_written_down_shows_when_the_form_is_closed(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("i")
        assert isinstance(pilot.app.screen, SlideScreen)
        await pilot.press(*"P-9", "ctrl+s")
        assert "initials" in told(pilot)
        await pilot.press("down", "down", "down", "down", *"ab", "ctrl+s")
        await until(pilot, lambda: isinstance(pilot.app.screen, SlidesScreen))
        await until(pilot, lambda: "P-9" in str(_table(pilot).render()))

    drive(SlidesScreen(path, lambda slide: None), script)


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (160, 48)])
def test_no_line_is_wider_or_longer_than_its_panel(path: Path, size: tuple[int, int]) -> None:
    with Store(path) as store:
        store.begin_slide("W" * 64, HEADER)
        store.begin_slide("样" * 64, HEADER)

    async def script(pilot: Pilot[None]) -> None:
        for _ in range(8):
            for panel in pilot.app.screen.query(Panel):
                lines = str(panel.render()).split("\n")
                assert max(map(cell_len, lines)) <= panel.size.width, panel
                assert len(lines) <= panel.size.height, panel
            await pilot.press("down")
        assert "esc back" in told(pilot)

    drive(SlidesScreen(path, lambda slide: None), script, size)


def test_a_slide_that_runs_from_right_to_left_stays_in_its_column(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        line = next(line for line in str(_table(pilot).render()).split("\n") if ARABIC in line)
        assert f"\u2068{ARABIC}\u2069" in line
        assert line.endswith("finished    ")

    drive(SlidesScreen(path, lambda slide: None), script)


def test_thousands_of_slides_are_walked_without_making_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    with Store(path) as store:
        for i in range(300):
            store.begin_slide(f"S-{i:04d}", HEADER)

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(_shown(pilot)) == 300)
        assert str(_table(pilot).render()).count("\n") <= 20
        await pilot.press("end")
        assert "S-0000" in told(pilot)
        await pilot.press("slash", *"0123")
        assert _shown(pilot) == ["S-0123"]

    drive(SlidesScreen(path, lambda slide: None), script)


def test_records_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("down", "enter", "c", "i", "space")
        assert "there is no such file" in told(pilot)

    drive(SlidesScreen(tmp_path / "none.db", lambda slide: None), script)


def test_no_slides(tmp_path: Path) -> None:
    Store(tmp_path / "records.db").close()

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("down", "enter", "c", "i", "space")
        assert "no slides here" in told(pilot)

    drive(SlidesScreen(tmp_path / "records.db", lambda slide: None), script)


def test_a_slide_that_was_cut_off_has_a_finding_and_is_found_by_it(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "KEEP SCANNING" in str(_table(pilot).render()))
        await pilot.press("slash", *"keep scanning")
        assert _shown(pilot) == ["S-5"]

    drive(SlidesScreen(path, lambda slide: None), script)


def test_a_slide_that_was_cut_off_is_closed_once_somebody_has_said_so(path: Path) -> None:
    def state() -> str:
        with Book(path) as book:
            return str(book.found("S-5")["state"])

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("x")
        assert "S-6: was not cut off; it is under way" in told(pilot)
        await pilot.press("down")
        assert "x close it" in told(pilot)
        assert "g go on" not in told(pilot)
        await pilot.press("g", "x")
        assert "cannot go on any more" in " ".join(told(pilot).split())
        await pilot.press("enter", "n")
        assert state() == "cut off"
        await pilot.press("x", "y")
        await until(pilot, lambda: _table(pilot).slides[1].state == "finished")
        assert "Finished 2026-11-" in told(pilot)

    drive(SlidesScreen(path, lambda slide: None), script)
    assert state() == "finished"


def test_a_slide_goes_on_where_a_camera_is_and_else_it_is_told_why_not(path: Path) -> None:
    asked: Opened = []

    def go_on(slide: str) -> None:
        asked.append(slide)
        if len(asked) < 2:
            raise RecordsError("slide S-5: was begun with camera demo:1, and this is demo:2")

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("down", "g", "n", "g")
        assert "What is under way is closed" in " ".join(told(pilot).split())
        await pilot.press("y")
        assert "was begun with camera demo:1" in " ".join(told(pilot).split())
        await pilot.press("g", "y")

    assert drive(SlidesScreen(path, lambda slide: None, go_on), script) == [None]
    assert asked == ["S-5", "S-5"]


@pytest.mark.parametrize(
    ("size", "keys"),
    [
        pytest.param((80, 24), ["down"], id="list"),
        pytest.param((160, 48), ["down", "down", "space"], id="list-large"),
        pytest.param((60, 18), ["end"], id="list-small"),
        pytest.param((80, 24), ["slash", *"p-7"], id="search"),
        pytest.param((80, 24), ["end", "c"], id="same-patient"),
    ],
)
def test_snapshot(
    path: Path, snap_compare: Callable[..., bool], size: tuple[int, int], keys: list[str]
) -> None:
    """Against pictures that a person has looked at; `pytest --snapshot-update` makes new ones to look at."""

    async def prepare(pilot: Pilot[None]) -> None:
        await pilot.press(*keys)
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()

    app = Alone(SlidesScreen(path, lambda slide: None))
    assert snap_compare(app, terminal_size=size, run_before=prepare)
