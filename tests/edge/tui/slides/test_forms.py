"""What is written down about slides, by keys and by codes: and what is refused, in a clear word."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from edge.records.book import Book
from edge.records.people import About
from edge.records.store import Store
from edge.tui.slides.about import Beginning, BeginScreen, SlideScreen
from edge.tui.slides.picture import PictureScreen
from edge.types import U8
from tests.edge.optics.printed import code, held
from tests.edge.records.example import HEADER
from tests.edge.tui.driver import until
from tests.edge.tui.slides.driver import Alone, drive, told


def _values(pilot: Pilot[None]) -> list[str]:
    return [one.value for one in pilot.app.screen.query(Input)]


async def _paste(pilot: Pilot[None], text: str) -> None:
    """At the cursor, at once, as a terminal does."""
    assert isinstance(pilot.app.focused, Input)
    pilot.app.focused.insert_text_at_cursor(text)
    await pilot.pause()


def test_a_slide_is_described_by_keys_alone(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        assert _values(pilot) == ["", "", "", "", ""]
        await pilot.press(*"P-9", "enter", *"4", "enter", "f", "enter", *"ill", "enter", *"ab", "enter")

    assert drive(SlideScreen(path, "S-6"), script) == ["ab"]
    with Book(path) as book:
        about = book.about("S-6")
    assert (about.patient, about.age, about.sex) == ("P-9", 4, "female")
    assert [(note.by, note.text) for note in about.notes] == [("AB", "ill")]


def test_only_what_changed_is_written_and_what_was_taken_out_is_taken_back(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        assert _values(pilot) == ["P-7", "4", "female", "", "CD"]
        assert "AB: thick film" in told(pilot)
        await pilot.press("down", "ctrl+u", "ctrl+s")

    with Book(path) as book:
        before = len(book._rows("SELECT * FROM notes"))
        assert drive(SlideScreen(path, "S-3", by="CD"), script) == ["CD"]
        assert len(book._rows("SELECT * FROM notes")) == before + 1
        assert book.about("S-3").age is None
        assert book.about("S-3").patient == "P-7"


@pytest.mark.parametrize("keys", [["ctrl+s"], ["escape"]])
def test_nothing_new_is_nothing_written(path: Path, keys: list[str]) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press(*keys)

    assert drive(SlideScreen(path, "S-3"), script) == [None]


@pytest.mark.parametrize(
    ("downs", "text", "word"),
    [
        (0, "P\x1b[2J", "invisible character"),
        (0, "P\u202e7", "invisible character"),
        (0, "x" * 10_000, "10000 characters"),
        (0, "---", "no letter or digit"),
        (1, "four", "is not a number of years"),
        (1, "-3", "is not a number of years"),
        (2, "x", "is none of female, male, other"),
        (3, "x" * 10_000, "is not 1 to 2000 characters"),
        (4, "<b>", "initials"),
    ],
    ids=range(9),
)
def test_what_cannot_be_is_told_and_what_was_typed_stays(
    path: Path, downs: int, text: str, word: str
) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press(*["down"] * downs)
        assert isinstance(pilot.app.focused, Input)
        pilot.app.focused.value = ""
        await _paste(pilot, text)
        if downs != 3:
            pilot.app.screen.query(Input)[3].value = "a note"
        await pilot.press("ctrl+s")
        assert word in told(pilot)
        assert text in _values(pilot)
        await pilot.press("escape")

    assert drive(SlideScreen(path, "S-3", by="AB"), script) == [None]
    with Book(path) as book:
        assert len(book.about("S-3").notes) == 1


def test_spaces_alone_are_nothing(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await _paste(pilot, "   ")
        await pilot.press("ctrl+s")

    assert drive(SlideScreen(path, "S-6", by="AB"), script) == [None]


def test_a_signed_slide_takes_notes_and_nothing_else(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("end", "9", "ctrl+s")
        assert "CD signed it" in told(pilot)
        await pilot.press("backspace", "down", "down", "down", *"late", "ctrl+s")

    assert drive(SlideScreen(path, "S-1", by="AB"), script) == ["AB"]


def test_two_people_at_one_slide_hear_of_each_other_and_nothing_is_lost(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        with Book(path) as other:
            other.note("S-6", "CD", patient="P-8", age=30)
        await pilot.press(*"P-9", "ctrl+s")
        assert "another person wrote meanwhile that patient is P-8" in " ".join(told(pilot).split())
        assert _values(pilot)[1] == "30"  # theirs, for nothing was typed there
        await pilot.press("ctrl+s")

    assert drive(SlideScreen(path, "S-6", by="AB"), script) == ["AB"]
    with Book(path) as book:
        assert book.about("S-6") == About("P-9", 30)
        said = book._rows("SELECT value FROM notes WHERE slide = 'S-6' AND field = 'patient' ORDER BY id")
        assert [row["value"] for row in said] == ["P-8", "P-9"]


def test_a_slide_that_has_not_begun_is_told(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        assert "begins with its first field" in told(pilot)
        await pilot.press(*"P-9", "ctrl+s")
        assert "begins with its first field" in told(pilot)

    drive(SlideScreen(path, "S-7", by="AB"), script)


def test_a_new_slide_is_named_by_keys(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        assert "Closes slide S-6" in told(pilot)
        await pilot.press(*"S-7", "enter", *"P-9", "enter", *"70", "enter", "m", "enter")

    given = drive(BeginScreen(path, closing="Closes slide S-6 with 36 leukocytes."), script)
    assert given == [Beginning("S-7", About("P-9", 70, "male"))]


@pytest.mark.parametrize("records", [True, False])
def test_a_new_slide_needs_no_name(path: Path, records: bool) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press("ctrl+s")

    assert drive(BeginScreen(path if records else None), script) == [Beginning(None, About())]


def test_a_name_that_is_taken_is_refused_while_it_is_typed_not_while_the_slide_is_screened(
    path: Path,
) -> None:
    with Store(path) as store:
        store.begin_slide("S-1-2", HEADER)

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press(*"S-1", "ctrl+s")
        assert "slide S-1: is in the records already" in " ".join(told(pilot).split())
        assert "such as S-1-3" in " ".join(told(pilot).split())
        await pilot.press(*"-3", "ctrl+s")

    assert drive(BeginScreen(path), script) == [Beginning("S-1-3", About())]


# Codes


def test_a_code_under_the_camera_fills_in_the_blank_that_is_empty(path: Path) -> None:
    pictures = iter([held(code("S-77")), held(code("S-77")), held(code("P-9"))])
    newest = [next(pictures)]

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: _values(pilot)[0] == "S-77")
        newest[0] = next(pictures)  # the same label again is no patient
        await pilot.press("enter")
        newest[0] = next(pictures)
        await until(pilot, lambda: _values(pilot)[1] == "P-9")
        assert _values(pilot)[0] == "S-77"
        await pilot.press("ctrl+s")

    assert drive(BeginScreen(path, lambda: newest[0]), script) == [Beginning("S-77", About("P-9"))]


def test_of_two_codes_a_person_chooses(path: Path) -> None:
    pixels = held(code("S-77", scale=5), code("P-9", scale=4))

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "Which code?  F1 S-77   F2 P-9" in told(pilot))
        assert _values(pilot)[0] == ""
        await pilot.press("f1", "down", "f2", "f3", "ctrl+s")

    assert drive(BeginScreen(path, lambda: pixels), script) == [Beginning("S-77", About("P-9"))]


def test_who_takes_a_code_out_does_not_get_it_again(path: Path) -> None:
    fresh = [held(code("S-77"))]

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: _values(pilot)[0] == "S-77")
        await pilot.press("ctrl+u")
        looks = pilot.app.screen._found  # type: ignore[attr-defined]
        pilot.app.screen._found = ()  # type: ignore[attr-defined]
        fresh[0] = fresh[0].copy()
        await until(pilot, lambda: pilot.app.screen._found == looks)  # type: ignore[attr-defined]
        assert _values(pilot)[0] == ""
        await pilot.press("f1")
        assert _values(pilot)[0] == "S-77"

    drive(BeginScreen(path, lambda: fresh[0]), script)


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "https://example.org/S-1", "S\x1b[2J", "X" * 4000]
)
def test_a_code_that_is_no_identifier_is_refused_in_a_clear_word(path: Path, text: str) -> None:
    drawn = np.asarray(cv2.cvtColor(code(text), cv2.COLOR_GRAY2RGB), np.uint8)

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "▲ code" in told(pilot))
        assert _values(pilot) == ["", "", "", ""]

    drive(BeginScreen(path, lambda: drawn), script)


def test_a_code_that_stays_under_the_camera_does_not_hide_what_is_wrong_with_the_form(path: Path) -> None:
    pixels = [held(code("<script>"))]

    async def script(pilot: Pilot[None]) -> None:
        await pilot.press(*"S-1", "ctrl+s")
        pixels[0] = pixels[0].copy()
        await until(pilot, lambda: "▲ code" in told(pilot))
        assert "▲ slide S-1: is in the records already" in " ".join(told(pilot).split())

    drive(BeginScreen(path, lambda: pixels[0]), script)


def test_a_camera_without_a_picture_is_no_trouble(path: Path) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await pilot.press(*"S-7", "ctrl+s")

    assert drive(BeginScreen(path, lambda: None), script) == [Beginning("S-7", About())]


async def _read(pilot: Pilot[None], name: str) -> None:
    await pilot.press("ctrl+o")
    assert isinstance(pilot.app.screen, PictureScreen)
    await _paste(pilot, name)
    await pilot.press("enter")


def test_a_code_comes_from_a_picture_file_too(path: Path, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "label.png"), held(code("S-77", "DataMatrix")))

    async def script(pilot: Pilot[None]) -> None:
        await _read(pilot, str(tmp_path / "label.png"))
        await until(pilot, lambda: _values(pilot)[0] == "S-77")

    drive(BeginScreen(path), script)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (None, "No such file"),
        (b"no picture", "is text and no picture"),
        (cv2.imencode(".png", np.full((80, 80, 3), 9, np.uint8))[1].tobytes(), "no code was found"),
    ],
)
def test_a_picture_file_that_cannot_be_read_is_told(
    path: Path, tmp_path: Path, content: bytes | None, word: str
) -> None:
    if content is not None:
        (tmp_path / "label.png").write_bytes(content)

    async def script(pilot: Pilot[None]) -> None:
        await _read(pilot, str(tmp_path / "label.png"))
        await until(pilot, lambda: word in told(pilot))
        await pilot.press("escape", "escape")

    assert drive(BeginScreen(path), script) == [None]


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (160, 48)])
@pytest.mark.parametrize("begins", [True, False])
def test_everything_is_in_sight(path: Path, size: tuple[int, int], begins: bool) -> None:
    pixels = held(code("S-77", scale=5), code("P-9", scale=4), code("https://example.org/abc", scale=3))

    async def script(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "F2 P-9" in told(pilot) and "▲ code" in told(pilot))
        for shown in pilot.app.screen.query("Form > Vertical > *"):
            assert shown.region.bottom < size[1], shown

    closing = "Closes slide S-6 with 36 leukocytes; its records are kept."
    screen: Screen[object] = (
        BeginScreen(path, lambda: pixels, closing) if begins else SlideScreen(path, "S-3", lambda: pixels)
    )
    drive(screen, script, size)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["", "large"])
@pytest.mark.parametrize("name", ["slide", "taken", "codes", "refused"])
def test_snapshot(path: Path, snap_compare: Callable[..., bool], size: tuple[int, int], name: str) -> None:
    """Against pictures that a person has looked at; `pytest --snapshot-update` makes new ones to look at."""
    pictures: dict[str, U8] = {
        "codes": held(code("S-77", scale=5), code("P-9", scale=4)),
        "refused": held(code("<script>alert(1)</script>")),
    }

    async def prepare(pilot: Pilot[None]) -> None:
        if name == "taken":
            await pilot.press(*"S-1", "ctrl+s")
        if name in pictures:
            await until(pilot, lambda: "▲ code" in told(pilot) or "F2 P-9" in told(pilot))
        await pilot.pause()

    screen: Screen[object] = (
        SlideScreen(path, "S-3", by="AB")
        if name == "slide"
        else BeginScreen(path, lambda: pictures.get(name), "Closes slide S-6 with 36 leukocytes.")
    )
    assert snap_compare(Alone(screen), terminal_size=size, run_before=prepare)
