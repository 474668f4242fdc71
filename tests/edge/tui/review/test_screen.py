"""What the review shows: at every size, in every terminal, to whoever comes back to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from textual.pilot import Pilot

from edge.records.book import Book
from edge.review.review import Review
from edge.tui.panel import Panel
from edge.tui.review import still
from edge.tui.review.app import ReviewApp
from edge.tui.review.dialogs import InitialsScreen
from edge.tui.review.marks import CHOSEN, CURSOR
from tests.conftest import CLASSES
from tests.edge.tui.review.driver import (
    drive,
    gallery_of,
    here,
    large_of,
    press,
    screen_of,
    shown,
    text_of,
    until,
)
from tests.edge.tui.review.explaining import Explained
from tests.edge.tui.review.slides import SLIDE, drawn


@pytest.mark.parametrize("size", [(60, 18), (80, 24), (100, 30), (120, 24), (160, 48), (200, 60)])
@pytest.mark.parametrize("keys", [(), ("v",), ("w",)], ids=["cells", "cell", "why"])
def test_everything_is_in_its_place(review: Review, size: tuple[int, int], keys: tuple[str, ...]) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "space", *keys)
        leaves = [w for w in pilot.app.screen.query("*") if not w.children and w.region.area]
        for widget in leaves:
            assert pilot.app.screen.region.contains_region(widget.region), widget
        for one, other in combinations(leaves, 2):
            assert not one.region.overlaps(other.region), (one, other)
        for panel in pilot.app.screen.query(Panel):
            if panel.display:
                lines = str(panel.render()).split("\n")
                assert max(map(len, lines)) <= panel.size.width, panel
                assert len(lines) <= panel.size.height, panel
        told = text_of(pilot)
        for words in (SLIDE, "REFER", "10 blasts", "enter", "letter", "? help", "q back"):
            assert words in told, words
        assert all(name.replace("-", " ")[:3] in told for name in CLASSES)
        await press(pilot, "l")
        assert "√" not in gallery_of(pilot)
        assert review.mine(1) == "lymphocyte"

    drive(review, script, size, Explained)


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
def test_the_cursor_and_what_is_selected_have_frames(review: Review, size: tuple[int, int]) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "space")
        gallery = screen_of(pilot)._panes.gallery
        assert gallery.blocks is not None
        image = gallery.blocks.pixels()
        side = gallery._grid()[2]
        column = image.shape[1] // gallery.columns
        chosen, cursor = image[0, :side], image[0, column : column + side]
        assert (cursor == CURSOR).all()
        broken = (chosen == CHOSEN).all(-1)
        assert broken[::3].all()
        assert not broken[1:-1:3].any()
        inside = image[1 : side - 1, 1 : side - 1]
        rim = 96 // 8
        crop = cv2.resize(drawn("blast", 1)[rim:-rim, rim:-rim], (side, side), interpolation=cv2.INTER_AREA)
        assert np.abs(inside.astype(int) - crop[1:-1, 1:-1]).mean() < 12  # it was kept as JPEG

    drive(review, script, size)


def test_larger_terminals_show_more_and_larger_cells(review: Review) -> None:
    found: list[tuple[int, int]] = []

    async def script(pilot: Pilot[None]) -> None:
        gallery = screen_of(pilot)._panes.gallery
        found.append((gallery.page, gallery._grid()[2]))

    for size in ((60, 18), (80, 24), (160, 48), (240, 70)):
        drive(review, script, size)
    pages, sides = zip(*found, strict=True)
    assert list(pages) == sorted(pages)
    assert list(sides) == sorted(set(sides))
    assert pages[0] >= 4


def test_the_corners_stand_round_the_cell_in_its_field(review: Review) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "v", "v")
        blocks = large_of(pilot)._blocks.blocks
        assert blocks is not None
        rows, columns = np.nonzero((blocks.pixels() == CURSOR).all(-1))
        height, width = blocks.pixels().shape[:2]
        assert (rows.min() + rows.max()) / 2 == pytest.approx(height / 2, abs=1.5)
        assert (columns.min() + columns.max()) / 2 == pytest.approx(width / 2, abs=1.5)
        wide = 60 * 0.1 / 56 * height  # px of its box, µm a px, µm of the field
        assert np.ptp(columns) == pytest.approx(wide, abs=4)

    drive(review, script, (160, 48))


@pytest.mark.parametrize(("term", "colour"), [("linux", ""), ("vt100", "")])
def test_a_terminal_of_16_colours_has_words_for_every_cell(
    review: Review, monkeypatch: pytest.MonkeyPatch, term: str, colour: str
) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLORTERM", colour)

    async def script(pilot: Pilot[None]) -> None:
        told = " ".join(gallery_of(pilot).split())
        assert "no cell can be shown" in told
        assert "1 blast 94%" in told
        await press(pilot, "enter", "down", "space", "l")
        assert review.mine(1) == "blast"
        assert review.mine(3) == "lymphocyte"
        assert "√1 blast" in gallery_of(pilot)
        await press(pilot, "v")
        assert large_of(pilot).display

    drive(review, script)


def test_a_picture_of_the_terminal_is_taken_where_it_has_them(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    from textual.widgets import Static

    class Image(Static):
        image: object = None

    shown: list[np.ndarray] = []
    monkeypatch.setattr(still, "_image", Image)
    monkeypatch.setattr(still, "show", lambda _widget, picture: shown.append(picture))

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "v")
        assert shown[-1].shape[0] > 300
        await press(pilot, "v", "w")
        await until(pilot, lambda: "what decided: the nucleus" in text_of(pilot, "CellPanel"))
        assert len(shown) >= 3

    drive(review, script, why=Explained)


def test_a_review_goes_on_where_it_was_left(book: Book) -> None:
    async def leave(pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "enter", "f", "n", "right", "q")

    async def come_back(pilot: Pilot[None]) -> None:
        assert here(pilot) == screen_of(pilot).review.only("neutrophil")[1].id
        await press(pilot, "u", "u")
        assert screen_of(pilot).review.mine(1) is None

    for script in (leave, come_back):
        with Review(book, SLIDE, "AB") as review:
            drive(review, script)


def test_after_a_power_cut_it_goes_on_behind_the_last_word(store: Path) -> None:
    with Book(store) as book, Review(book, SLIDE, "AB") as review:
        review.confirm([1, 2])
        review.say([3], "lymphocyte")

    async def script(pilot: Pilot[None]) -> None:
        assert here(pilot) == 4

    with Book(store) as book, Review(book, SLIDE, "AB") as review:
        drive(review, script)


def test_who_else_has_the_slide_open_is_told(store: Path, book: Book, review: Review) -> None:
    with Book(store) as theirs, Review(theirs, SLIDE, "CD"):

        async def script(pilot: Pilot[None]) -> None:
            assert "CD" in text_of(pilot, "TitleBar")

        drive(review, script)


def test_initials_are_asked_for_and_what_is_wrong_with_them_told(book: Book) -> None:
    app = ReviewApp(lambda by: Review(book, SLIDE, by))

    async def run() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: isinstance(app.screen, InitialsScreen))
            await pilot.pause()
            await press(pilot, "slash", "enter")
            assert isinstance(app.screen, InitialsScreen)
            assert "initials" in str(app.screen.query_one("#told").render())
            await press(pilot, "backspace", "c", "d", "enter")
            await shown(pilot)
            assert "CD, reader 1" in text_of(pilot, "TitleBar")
            await press(pilot, "q")

    asyncio.run(run())


def test_who_does_not_say_who_he_is_leaves(book: Book) -> None:
    app = ReviewApp(lambda by: Review(book, SLIDE, by))

    async def run() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: isinstance(app.screen, InitialsScreen))
            await press(pilot, "escape")
            await until(pilot, lambda: not app.is_running)

    asyncio.run(run())


# Against pictures that a person has looked at; `pytest --snapshot-update` makes new ones to look at.


@pytest.mark.parametrize(
    ("size", "keys"),
    [
        pytest.param((80, 24), ["enter", "l", "enter", "space"], id="cells"),
        pytest.param((80, 24), ["v"], id="cell"),
        pytest.param((80, 24), ["v", "v"], id="field"),
        pytest.param((80, 24), ["f"], id="filter"),
        pytest.param((80, 24), ["enter", "l", "d", "y"], id="result"),
        pytest.param((80, 24), ["exclamation_mark"], id="sign"),
        pytest.param((80, 24), ["h"], id="help"),
        pytest.param((60, 18), ["enter", "l", "enter", "space"], id="small"),
        pytest.param((160, 48), ["enter", "l", "enter", "space"], id="cells-large"),
    ],
)
def test_snapshot(
    snap_compare: Callable[..., bool], book: Book, review: Review, size: tuple[int, int], keys: list[str]
) -> None:
    with Review(book, SLIDE, "CD") as other:
        other.say([1, 2], "blast")
        other.finish()

    async def prepare(pilot: Pilot[None]) -> None:
        await shown(pilot)
        await press(pilot, *keys)

    assert snap_compare(ReviewApp(review, Explained), terminal_size=size, run_before=prepare)
