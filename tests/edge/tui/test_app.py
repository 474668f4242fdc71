"""The screen driven with keys: what it passes on, what it shows, and what it returns."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from edge.line.screening import Screening
from edge.records.people import About
from edge.tui.app import ScreeningApp
from edge.tui.dialogs import HelpScreen, QuitScreen
from edge.tui.main import MainScreen
from edge.tui.slides.about import BeginScreen
from edge.types import Reading, Waiting
from tests.edge.records.slides import screened
from tests.edge.tui.driver import drive, on_top, shown, text_of, until
from tests.edge.tui.fake_screening import COUNTS, NEGATIVE, NOTHING, FakeScreening, reading

AWAY = Waiting("camera Microscope A: is gone", "plug it in again", 0.0)
LOST = "camera 0: /dev/video0 was unplugged; plug it in again"
SEEN = {"blast": 1, "lymphocyte": 3}


def test_space_pauses_and_goes_on() -> None:
    screening = FakeScreening([reading()])

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("space")
        assert screening.pauses == [True]
        assert "paused" in text_of(pilot, "StatusLine")
        await pilot.press("space")
        assert screening.pauses == [True, False]
        assert "paused" not in text_of(pilot, "StatusLine")

    drive(screening, script)


def test_quit_stops_the_line_and_returns_the_last_reading() -> None:
    screening = FakeScreening([reading(0), reading(1)])

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("q", "y")

    assert drive(screening, script).return_value is screening.given[-1]
    assert screening.stopped


def test_a_slide_that_was_cut_off_goes_on_from_the_list(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    screened(path, ["blast"], "S-1", finish=False)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE slides SET process = '1:0'")
    screening = FakeScreening([reading()])
    screening.records = path

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("l", "g", "y")
        await pilot.pause()
        assert on_top(pilot) is MainScreen
        assert screening.next == "S-1"

    drive(screening, script)


@pytest.mark.parametrize("answer", ["n", "escape"])
@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_quitting_is_asked_for_while_a_slide_with_cells_is_under_way(key: str, answer: str) -> None:
    screening = FakeScreening([reading()])

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press(key)
        assert on_top(pilot) is QuitScreen
        assert "143 leukocytes" in str(pilot.app.screen.query_one(Static).render())
        await pilot.press(answer)
        await pilot.pause()
        assert pilot.app.is_running
        assert on_top(pilot) is MainScreen
        assert not screening.stopped

    drive(screening, script)


def test_quitting_is_not_asked_for_when_nothing_was_counted() -> None:
    screening = FakeScreening([reading(counts=NOTHING)])

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("q")

    assert drive(screening, script).return_value is screening.given[-1]


def test_quit_before_the_first_reading_returns_nothing() -> None:
    screening = FakeScreening([])

    async def script(pilot: Pilot[Reading]) -> None:
        assert "waiting for the camera" in text_of(pilot, "StatusLine")
        await pilot.press("q")

    assert drive(screening, script).return_value is None
    assert screening.stopped


@pytest.mark.parametrize(("answer", "slide"), [("ctrl+s", "S-0043"), ("escape", "S-0042")])
def test_a_new_slide_is_asked_for(answer: str, slide: str) -> None:
    screening = FakeScreening([reading()])

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("n")
        assert on_top(pilot) is BeginScreen
        await pilot.press(answer)
        await pilot.pause()
        assert on_top(pilot) is not BeginScreen
        assert (screening.next == "S-0043") == (answer == "ctrl+s")
        assert slide in text_of(pilot, "TitleBar")
        assert ("61" in text_of(pilot, "Counts")) == (slide == "S-0042")
        await pilot.press("q", "y")

    kept = screening.given[-1] if slide == "S-0042" else None
    assert drive(screening, script).return_value is kept


def test_late_readings_of_a_closed_slide_are_not_shown() -> None:
    class Late(FakeScreening):
        def readings(self) -> Iterator[Reading]:
            yield self.given[0]
            with self.changed:
                self.changed.wait_for(lambda: self.next is not None)
            yield replace(self.given[0], tally=replace(self.given[0].tally, rejected=77))
            assert self.next is not None
            self.slide = self.next
            yield self.given[1]
            yield from super().readings()

    screening = Late([reading(), reading(1, counts=NOTHING)])
    app = ScreeningApp(screening)
    seen: list[int] = []

    async def run() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause(0.3)
            put = app._latest.reading

            def record(given: Reading) -> None:
                seen.append(given.tally.rejected)
                put(given)

            app._latest.reading = record  # type: ignore[method-assign,assignment]
            await pilot.press("n", "ctrl+s")
            await shown(pilot, screening)

    asyncio.run(run())
    assert 77 not in seen
    assert seen


def test_a_new_slide_takes_its_name_and_patient() -> None:
    screening = FakeScreening([reading()])

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("n", *"K-7", "enter", *"4711", "ctrl+s")
        assert screening.next == "K-7"
        assert screening.about == About(patient="4711")
        await pilot.press("q")

    drive(screening, script)


@pytest.mark.parametrize("key", ["h", "question_mark"])
def test_help_opens_and_closes(key: str) -> None:
    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press(key)
        assert on_top(pilot) is HelpScreen
        await pilot.press("escape")
        assert on_top(pilot) is not HelpScreen

    drive(FakeScreening([reading()]), script)


def test_readings_go_on_under_the_help() -> None:
    class Slow(FakeScreening):
        def readings(self) -> Iterator[Reading]:
            yield self.given[0]
            with self.changed:
                self.changed.wait_for(lambda: self.stopped or bool(self.pauses))
            yield self.given[1]
            yield from super().readings()

    screening = Slow([reading(counts=NOTHING), reading(1)])
    app = ScreeningApp(screening)

    async def run() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("h")
            screening.pause(False)
            await shown(pilot, screening)
            await pilot.press("escape")
            assert "61" in text_of(pilot, "Counts")

    asyncio.run(run())


def test_a_lost_camera_is_told_and_the_screen_stays() -> None:
    screening = FakeScreening([reading(0), reading(1)], failure=LOST)

    async def script(pilot: Pilot[Reading]) -> None:
        told = " ".join(text_of(pilot, "Trouble").split())
        assert LOST in told
        assert "Press q" in told
        assert "the screening stopped" in text_of(pilot, "StatusLine")
        assert "are recorded" in told
        assert "61" in text_of(pilot, "Counts")
        await pilot.press("space")
        assert screening.pauses == []
        await pilot.press("q")

    app = drive(screening, script)
    assert app.return_value is screening.given[-1]
    assert str(app.failure) == LOST


def test_a_camera_that_is_away_is_told_and_so_is_its_return() -> None:
    screening = FakeScreening([reading(0), reading(1)])

    async def script(pilot: Pilot[Reading]) -> None:
        screening.waiting = AWAY
        # each panel is painted in its own time: a busy machine shows one of them before the other
        for told in ("Microscope A: is gone", "Plug it in again. The slide goes on by itself."):
            await until(pilot, lambda told=told: told in " ".join(text_of(pilot, "Trouble").split()), told)
        await until(pilot, lambda: "no pictures from the camera" in text_of(pilot, "StatusLine"))
        await until(pilot, lambda: "61" in text_of(pilot, "Counts"))
        screening.waiting = None
        await until(pilot, lambda: "no pictures" not in text_of(pilot, "StatusLine"))
        await until(pilot, lambda: not pilot.app.query_one("Trouble").display)
        assert pilot.app.query_one("Gallery").display
        await pilot.press("q", "y")

    assert drive(screening, script).failure is None


def test_a_camera_that_goes_away_during_a_pause_is_told_at_once_and_so_is_its_return() -> None:
    screening = FakeScreening([reading(0)])

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("space")
        screening.waiting = AWAY
        await until(pilot, lambda: "paused, and no pictures from the camera" in text_of(pilot, "StatusLine"))
        told = "Plug it in again. Then press space to go on."
        await until(pilot, lambda: told in " ".join(text_of(pilot, "Trouble").split()), told)
        screening.waiting = None
        await until(pilot, lambda: "paused: press space" in text_of(pilot, "StatusLine"))
        await until(pilot, lambda: not pilot.app.query_one("Trouble").display)
        await pilot.press("q", "y")

    assert drive(screening, script).failure is None


def test_a_camera_that_never_came_closes_the_screen() -> None:
    message = "camera 3: there are only 2; see edge-device cameras"

    async def run() -> ScreeningApp:
        app = ScreeningApp(FakeScreening([], failure=message))
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: not app.is_running)
        return app

    app = asyncio.run(run())
    assert str(app.failure) == message
    assert app.return_value is None


def test_no_new_slide_after_the_last_field() -> None:
    screening = FakeScreening([reading(0)], ends=True)

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("n")
        await pilot.pause()
        assert screening.next is None
        assert "61" in text_of(pilot, "Counts")
        assert any("no more fields" in str(n.message) for n in pilot.app._notifications)
        await pilot.press("q")

    drive(screening, script)


def test_nothing_is_said_to_be_recorded_where_it_is_not() -> None:
    screening = FakeScreening([reading(0)], failure=LOST)
    screening.recorded = False

    async def script(pilot: Pilot[Reading]) -> None:
        assert "recorded" not in text_of(pilot, "Trouble")
        await pilot.press("h")
        await pilot.pause()
        assert "Nothing is recorded" in str(pilot.app.screen.query_one(Static).render())
        await pilot.press("h", "q")

    drive(screening, script)


def test_a_terminal_of_16_colours_says_that_it_shows_no_cells() -> None:
    async def run() -> None:
        app = ScreeningApp(FakeScreening([reading()], warning="unsigned bundle"), "16")
        async with app.run_test(size=(80, 24)) as pilot:
            notes = "! unsigned bundle\n! 16 colours only: look at cells on another\n  screen"
            await until(pilot, lambda: text_of(pilot, "Notes") == notes, notes)

    asyncio.run(run())


def test_the_end_of_a_folder_is_told_and_the_screen_stays() -> None:
    screening = FakeScreening([reading()], ends=True)

    async def script(pilot: Pilot[Reading]) -> None:
        assert "no more fields" in text_of(pilot, "StatusLine")
        assert pilot.app.is_running
        await pilot.press("q")

    assert drive(screening, script).return_value is screening.given[-1]


# Against pictures that a person has looked at; `pytest --snapshot-update` makes new ones to look at.


NOTED = "the slide's cells lie outside what the network was trained on: look at them all"


@pytest.mark.parametrize(
    ("size", "keys", "given", "options"),
    [
        pytest.param((80, 24), [], {}, {}, id="running"),
        pytest.param((80, 24), [], {"counts": NEGATIVE}, {}, id="negative"),
        pytest.param((80, 24), [], {"counts": (1, *NEGATIVE[1:])}, {}, id="suspicious"),
        pytest.param((80, 24), [], {"counts": (9, *COUNTS[1:]), "confirmed": SEEN}, {}, id="confirmed"),
        pytest.param((80, 24), [], {"counts": NOTHING, "problems": ("out of focus",)}, {}, id="blurred"),
        pytest.param((80, 24), ["space"], {"note": NOTED}, {"warning": "unsigned bundle"}, id="paused"),
        pytest.param((80, 24), ["n"], {}, {}, id="new-slide"),
        pytest.param((80, 24), ["q"], {}, {}, id="quit"),
        pytest.param((80, 24), ["h"], {}, {}, id="help"),
        pytest.param((80, 24), ["d"], {}, {}, id="details"),
        pytest.param((80, 24), [], {}, {"failure": LOST}, id="lost"),
        pytest.param((80, 24), [], {}, {"waiting": AWAY}, id="away"),
        pytest.param((60, 18), [], {"counts": (1, *NEGATIVE[1:])}, {}, id="suspicious-small"),
        pytest.param((60, 18), [], {"note": NOTED}, {"warning": "unsigned bundle"}, id="noted-small"),
        pytest.param((160, 48), [], {}, {}, id="running-large"),
        pytest.param(
            (160, 48), [], {"counts": (9, *COUNTS[1:]), "confirmed": SEEN}, {}, id="confirmed-large"
        ),
        pytest.param((160, 48), ["n"], {}, {}, id="new-slide-large"),
    ],
)
def test_snapshot(
    snap_compare: Callable[..., bool],
    size: tuple[int, int],
    keys: list[str],
    given: dict[str, Any],
    options: dict[str, Any],
) -> None:
    note = given.pop("note", None)
    screening = FakeScreening([reading(0, **given), replace(reading(1, **given), note=note)], **options)

    async def prepare(pilot: Pilot[Reading]) -> None:
        await shown(pilot, screening)
        await pilot.press(*keys)

    assert snap_compare(ScreeningApp(screening), terminal_size=size, run_before=prepare)


def test_the_screening_that_stands_in_for_the_real_one_has_its_face() -> None:
    for name in ("readings", "stop", "pause", "new_slide", "hear"):
        assert signature(getattr(FakeScreening, name)) == signature(getattr(Screening, name)), name
    set_at_the_start = set(Screening.__init__.__code__.co_names)
    assert {name for name in vars(FakeScreening) if name[0] != "_"} <= set(vars(Screening)) | set_at_the_start
