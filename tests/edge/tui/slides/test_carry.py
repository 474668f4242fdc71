"""Reports to a stick: which are there, how far it is, that it is whole."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot

from edge.tui.slides.carry import FOLDER, CarryScreen, Stick
from edge.tui.slides.slides import SlidesScreen
from tests.edge.tui.driver import until
from tests.edge.tui.slides.driver import drive, told


def test_reports_are_written_to_the_stick_that_is_chosen(path: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    there = [Stick(first, 12_000_000)]

    async def script(pilot: Pilot[None]) -> None:
        assert "Report of 2 slides" in told(pilot)
        assert f"▶ {first}" in told(pilot)
        there.append(Stick(second, None))  # plugged in meanwhile
        await until(pilot, lambda: str(second) in told(pilot))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "everything is written" in told(pilot))
        assert "4 files in" in told(pilot)
        await pilot.press("escape")

    assert drive(CarryScreen(path, ["S-1", "S-2"], lambda _: list(there)), script) == [None]
    assert not list(first.iterdir())
    names = sorted(file.name for file in (second / FOLDER).iterdir())
    assert names == ["S-1.html", "S-1.pdf", "S-2.html", "S-2.pdf"]


def test_without_a_stick_it_asks_for_one(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        assert "Plug in a USB stick" in told(pilot)

    drive(CarryScreen(path, ["S-1"], lambda _: []), script)


def test_what_goes_wrong_is_told(path: Path, tmp_path: Path) -> None:
    no_folder = tmp_path / "file"
    no_folder.write_text("")

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("enter")
        await until(pilot, lambda: str(no_folder) in told(pilot) and "choose another" in told(pilot))

    drive(CarryScreen(path, ["S-1"], lambda _: [Stick(no_folder, 1)]), script)


def test_the_list_carries_the_slide_under_the_cursor(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("end", "e")
        await until(pilot, lambda: "Report of slide S-1" in told(pilot))

    drive(SlidesScreen(path, lambda slide: None), script)
