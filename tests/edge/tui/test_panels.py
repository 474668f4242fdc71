"""What the panels show of a reading in words, whatever the size of the terminal."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Static

from edge.records.identifiers import new_slide_id
from edge.tui.app import ScreeningApp
from edge.tui.gallery import Gallery
from edge.tui.live import LiveView
from edge.tui.main import MainScreen
from edge.tui.meters import Meters
from edge.tui.panel import Panel
from edge.tui.status import Keys, Notes
from edge.tui.wording import title
from edge.types import FilesRead, Reading
from tests.edge.bundle.sites import site
from tests.edge.tui.driver import drive, text_of, until
from tests.edge.tui.fake_screening import CLASSES, FakeScreening, reading

SIZES = [(80, 24), (100, 30), (120, 40), (160, 48), (200, 60)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (reading(problems=("out of focus",)), "out of focus: turn the fine focus"),
        (reading(problems=("file cut short",)), "file cut short"),
        (reading(repeated=True), "seen before: move to an unseen field"),
        (reading(), "4 new cells counted"),
        (replace(reading(), counted=np.zeros(6, np.bool_)), "no new leukocytes here"),
    ],
)
def test_what_became_of_a_field(given: Reading, words: str) -> None:
    async def script(pilot: Pilot[Reading]) -> None:
        assert words in text_of(pilot, "StatusLine")

    drive(FakeScreening([given]), script)


def test_what_the_line_has_to_tell_stays_in_sight_until_the_slide_ends() -> None:
    note = "saved calibration 0.1 but the red cells say 0.13"
    screening = FakeScreening([replace(reading(), note=note), reading(1)], warning="unsigned bundle")

    async def script(pilot: Pilot[Reading]) -> None:
        await until(pilot, lambda: note in " ".join(text_of(pilot, "Notes").replace("\n ", "").split()), note)
        assert text_of(pilot, "Notes").startswith("! unsigned bundle\n! saved")
        assert "keep the slide" in text_of(pilot, "FindingPanel").lower()
        await pilot.press("n", "ctrl+s")
        await until(pilot, lambda: text_of(pilot, "Notes") == "! unsigned bundle", "only what stands")

    drive(screening, script)


def test_what_was_not_read_of_the_files_is_told_at_their_end() -> None:
    screening = FakeScreening([reading()], ends=True)
    screening.files = FilesRead.of(30, [("HEIC pictures", "IMG_1.HEIC")])

    async def script(pilot: Pilot[Reading]) -> None:
        note = "! 30 pictures read, 1 not: HEIC pictures (IMG_1.HEIC)"
        await until(pilot, lambda: " ".join(text_of(pilot, "Notes").split()) == note, note)

    drive(screening, script)


def test_a_long_note_leaves_the_picture_its_place_and_is_whole_among_the_details() -> None:
    note = "the slide's cells lie outside what the network was trained on: " + 30 * "very odd "
    screening = FakeScreening([replace(reading(), note=note)])

    async def script(pilot: Pilot[Reading]) -> None:
        await until(pilot, lambda: text_of(pilot, "Notes").endswith(".. (d)"))
        await pilot.pause()
        assert pilot.app.screen.query_one(Notes).size.height == 4
        assert pilot.app.screen.query_one(LiveView).size.height >= 7
        assert not pilot.app.screen.query_one(Gallery).display
        await pilot.press("d")
        assert note.strip() in str(pilot.app.screen.query_one(Static).render())

    drive(screening, script, (60, 18))


def test_whose_threshold_decides_is_among_the_details() -> None:
    screening = FakeScreening([reading()])
    screening.site = replace(site(), file="0123456789abcdef").record()

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("d")
        page = str(pilot.app.screen.query_one(Static).render())
        assert "site      positive from 0.31 on, by 1204 normal cells of 2 slides" in page

    drive(screening, script)


def test_a_warning_stays_in_sight() -> None:
    screening = FakeScreening([reading()], warning="unsigned bundle")

    async def script(pilot: Pilot[Reading]) -> None:
        assert text_of(pilot, "Notes") == "! unsigned bundle"
        assert pilot.app.screen.query_one(Notes).size.height == 1

    drive(screening, script)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("failure", [None, "camera 0: /dev/video0 was unplugged; plug it in again"])
def test_nothing_overlaps_or_is_cut(size: tuple[int, int], failure: str | None) -> None:
    screening = FakeScreening(
        [reading(0), reading(1)],
        failure=failure,
        warning="unsigned bundle: not for use on patients",
        slide="a-rather-long-identifier-of-a-slide/2026-01-02/0042",
    )

    async def script(pilot: Pilot[Reading]) -> None:
        leaves = [w for w in pilot.app.screen.query("*") if not w.children and w.region.area]
        for widget in leaves:
            assert pilot.app.screen.region.contains_region(widget.region), widget
        for one, other in combinations(leaves, 2):
            assert not one.region.overlaps(other.region), (one, other)
        for panel in pilot.app.screen.query(Panel):
            lines = str(panel.render()).split("\n")
            assert max(map(len, lines)) <= panel.size.width, panel
            assert len(lines) <= panel.size.height or not panel.display, panel
        assert pilot.app.query_one(LiveView).size.height >= 12
        told = text_of(pilot)
        for words in (*(title(name, 10)[:3] for name in CLASSES), "REFER", "focus", "light"):
            assert words in told
        assert "Keep the slide" in " ".join(text_of(pilot, "FindingPanel").split())

    drive(screening, script, size)


def test_a_generated_identifier_is_whole_on_60_columns() -> None:
    slide = new_slide_id(dated=True)

    async def script(pilot: Pilot[Reading]) -> None:
        title_bar = text_of(pilot, "TitleBar")
        assert len(title_bar) <= 60
        assert f"slide {slide}" in title_bar
        assert "research use only" in title_bar

    drive(FakeScreening([reading()], slide=slide), script, (60, 18))


def test_what_engineers_ask_for_is_on_a_page_of_its_own() -> None:
    screening = FakeScreening([reading(0), reading(1)])
    figures = (
        "demo:1",
        "ort-int8",
        64 * "b",
        "0.102 µm/px",
        "classify",
        "other laboratories",
        "fields    81,",
    )

    async def script(pilot: Pilot[Reading]) -> None:
        main = " ".join(str(w.render()) for w in pilot.app.screen.query(Panel))
        for figure in figures:
            assert figure not in main
        await pilot.press("d")
        page = str(pilot.app.screen.query_one(Static).render())
        for figure in figures:
            assert figure in page
        await pilot.press("d")
        assert isinstance(pilot.app.screen, MainScreen)

    drive(screening, script)


@pytest.mark.parametrize(
    ("focus", "light", "words"),
    [
        (0.61, 0.5, ("good", "good")),
        (0.59, 0.1, ("poor", "dark")),
        (1.0, 0.999, ("good", "bright")),
        (None, 0.18, ("-", "good")),
    ],
)
@pytest.mark.parametrize("width", [24, 44, 140])
def test_meters_mark_the_range_in_which_a_field_can_be_read(
    width: int, focus: float | None, light: float, words: tuple[str, str]
) -> None:
    meters = Meters()
    meters._reading = replace(reading(), focus=focus, focus_needed=0.6, brightness=light)
    lines = [str(line) for line in meters.lay_out(width, 2)]
    for line, value, word in zip(lines, (focus, light), words, strict=True):
        assert len(line) <= width
        assert line.split()[-1] == word
        good = line[line.index("[") : line.index("]")]
        if value is not None:
            assert ("█" in good) == (word == "good"), line


def test_keys_fit_their_line_with_room_for_two_more() -> None:
    more = [Binding("i", "patient", "Patient"), Binding("l", "slides", "Slides")]
    keys = Keys([*ScreeningApp.KEYS, *more])
    (line,) = keys.lay_out(80, 1)
    assert str(line).split()[-4:] == ["i", "Patient", "l", "Slides"]
    (line,) = keys.lay_out(60, 1)
    assert len(line) <= 60
    assert "h Help q Quit" in str(line)
