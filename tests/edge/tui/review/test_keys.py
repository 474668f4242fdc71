"""The review driven by keys: every action, and what it leaves in the review and on the screen."""

from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event
from typing import ClassVar

import pytest
from textual.app import App
from textual.binding import Binding, BindingType
from textual.pilot import Pilot

from edge.bundle import bundle
from edge.records.book import Book
from edge.records.database import RecordsError
from edge.review.review import Review
from edge.tui.review.dialogs import FilterScreen, Question, ReviewHelp
from edge.tui.review.keys import COMMANDS, letters
from edge.tui.review.result import ResultScreen
from edge.tui.review.screen import ReviewScreen
from edge.types import U8, LeukoscopeError
from tests.conftest import CLASSES
from tests.edge.tui.review.driver import (
    SIZES,
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
from tests.edge.tui.review.explaining import Explained, Why
from tests.edge.tui.review.slides import SLIDE, screened

at_both_sizes = pytest.mark.parametrize("size", SIZES)


@at_both_sizes
def test_enter_confirms_and_goes_on(review: Review, size: tuple[int, int]) -> None:

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "enter")
        assert review.mine(1) == "blast"
        assert here(pilot) == 2
        assert "√1 blast" in gallery_of(pilot)
        assert "cell 1: as the machine says" in text_of(pilot, "Told")
        assert "11 suspicious left" in text_of(pilot, "Headline")

    drive(review, script, size)


@at_both_sizes
def test_a_letter_names_another_class_and_goes_on(review: Review, size: tuple[int, int]) -> None:

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "l", "N")
        assert (review.mine(1), review.mine(2)) == ("lymphocyte", "neutrophil")
        assert here(pilot) == 3
        assert "→1 lymphocyte" in gallery_of(pilot)
        assert "cell 2: neutrophil" in text_of(pilot, "Told")

    drive(review, script, size)


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_has_its_key_beside_it(review: Review, name: str) -> None:

    async def script(pilot: Pilot[None]) -> None:
        key = letters(CLASSES)[name]
        assert f"{key} {name.replace('-', ' ')[:9]}" in text_of(pilot, "ClassTable")
        await press(pilot, key)
        assert review.mine(1) == name

    drive(review, script)


def test_keys_of_classes_are_their_own() -> None:
    many = [*CLASSES, *(f"class-{i}" for i in range(17))]
    keys = letters(many)
    assert len(set(keys.values())) == len(many)
    assert not set("".join(keys.values())) & set(COMMANDS)
    assert letters(["benign", "malignant"]) == {"benign": "1", "malignant": "2"}
    assert letters(["lymphocyte", "hairy-cell"]) == {"lymphocyte": "l", "hairy-cell": "1"}


@at_both_sizes
def test_forty_candidates_take_forty_keys(tmp_path: Path, size: tuple[int, int]) -> None:
    screened(tmp_path / "many.db", 200, suspicious=40)

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, *["enter"] * 40)
        assert review.counted_left == 0
        assert "all suspicious seen" in text_of(pilot, "Headline")

    with Book(tmp_path / "many.db") as book, Review(book, SLIDE, "AB") as review:
        drive(review, script, size)


@at_both_sizes
@pytest.mark.parametrize("keys", [["space", "space", "x"], ["shift+right", "shift+right"]])
def test_several_are_selected_and_named_at_once(
    review: Review, size: tuple[int, int], keys: list[str]
) -> None:

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, *keys)
        assert "3 selected" in text_of(pilot, "Told")
        assert "■1 blast" in gallery_of(pilot)
        await press(pilot, "l")
        assert [review.mine(cell) for cell in (1, 2, 3, 4)] == ["lymphocyte"] * 3 + [None]
        assert here(pilot) == 4
        assert "3 cells: lymphocyte" in text_of(pilot, "Told")
        await press(pilot, "u")
        assert review.mine(3) is None

    drive(review, script, size)


@at_both_sizes
def test_a_page_is_confirmed_with_two_keys(review: Review, size: tuple[int, int]) -> None:

    async def script(pilot: Pilot[None]) -> None:
        page = [cell.id for cell in screen_of(pilot)._panes.gallery.on_page]
        await press(pilot, "l", "ctrl+a", "enter")
        assert [review.mine(cell) for cell in page] == ["lymphocyte"] + ["blast"] * (len(page) - 1)
        assert here(pilot) not in page

    drive(review, script, size)


def test_escape_lets_a_selection_go_and_then_leaves(review: Review) -> None:

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "space", "escape", "l")
        assert (review.mine(1), review.mine(2)) == (None, "lymphocyte")
        await press(pilot, "escape")
        assert not pilot.app.is_running or not isinstance(pilot.app.screen, ReviewScreen)

    drive(review, script)


@at_both_sizes
def test_undo_has_no_end_and_goes_back_to_the_cell(review: Review, size: tuple[int, int]) -> None:

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "l", "l", "end")
        for cell in (3, 2, 1):
            await press(pilot, "u")
            assert review.mine(cell) is None
            assert here(pilot) == cell
        await press(pilot, "u")
        assert "nothing to undo" in text_of(pilot, "Told")

    drive(review, script, size)


@at_both_sizes
def test_the_cursor_goes_where_it_is_sent_and_no_further(review: Review, size: tuple[int, int]) -> None:
    last = review.cells[-1].id

    async def script(pilot: Pilot[None]) -> None:
        gallery = screen_of(pilot)._panes.gallery
        for key, place in (
            ("right", 1),
            ("left", 0),
            ("left", 0),
            ("down", gallery.columns),
            ("up", 0),
            ("pagedown", gallery.page),
            ("pageup", 0),
        ):
            await press(pilot, key)
            assert here(pilot) == review.cells[place].id, key
        await press(pilot, "end", "right")
        assert here(pilot) == last
        assert str(last) in gallery_of(pilot)
        await press(pilot, "home")
        assert here(pilot) == 1

    drive(review, script, size)


@at_both_sizes
def test_a_class_is_shown_alone(review: Review, size: tuple[int, int]) -> None:
    monocytes = [cell.id for cell in review.only("monocyte")]

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "f")
        assert isinstance(pilot.app.screen, FilterScreen)
        await press(pilot, "m")
        assert [cell.id for cell in screen_of(pilot)._walk.cells] == monocytes
        assert f"1 of {len(monocytes)}, monocyte" in text_of(pilot, "CellPanel")
        await press(pilot, "b")
        assert here(pilot) == monocytes[1], "a cell stays in its place though it has another name now"
        await press(pilot, "f", "escape")
        assert len(screen_of(pilot)._walk.cells) == len(monocytes)
        await press(pilot, "f", "enter")
        assert len(screen_of(pilot)._walk.cells) == len(review.cells)
        assert here(pilot) == monocytes[1]
        await press(pilot, "tab")
        assert monocytes[0] in [cell.id for cell in screen_of(pilot)._walk.cells], "it is a blast now"
        await press(pilot, "shift+tab")
        assert len(screen_of(pilot)._walk.cells) == len(review.cells)

    drive(review, script, size)


def test_a_class_without_cells_says_so(book: Book, review: Review) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "f", "o")
        assert "no cells here" in gallery_of(pilot)
        await press(pilot, "enter", "l", "space", "shift+right", "ctrl+a", "pagedown", "v", "w", "u")
        assert not book.said(SLIDE)
        assert "nothing to undo" in text_of(pilot, "Told")

    drive(review, script, why=Explained)


@at_both_sizes
def test_a_cell_is_shown_larger_then_its_field_then_all_again(review: Review, size: tuple[int, int]) -> None:
    async def script(pilot: Pilot[None]) -> None:
        gallery, large = screen_of(pilot)._panes.gallery, large_of(pilot)
        assert gallery.display
        for _, field in enumerate((False, True)):
            await press(pilot, "v")
            assert large.display
            assert not gallery.display
            assert (large._box is not None) == field
            assert large._blocks.blocks is not None
        await press(pilot, "enter")
        assert here(pilot) == 2, "words are said there as everywhere"
        await press(pilot, "v")
        assert gallery.display

    drive(review, script, size)


def test_a_cell_without_a_field_is_shown_without(review: Review) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "end", "v")
        assert large_of(pilot)._box is None
        await press(pilot, "v")
        assert screen_of(pilot)._panes.gallery.display

    drive(review, script)


@at_both_sizes
def test_why_is_told_when_asked(review: Review, size: tuple[int, int]) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "w")
        await until(pilot, lambda: "what decided: the nucleus" in text_of(pilot, "CellPanel"))
        told = text_of(pilot, "CellPanel")
        for words in ("nucleus 98 µm²", "76% of the cell", "roundness 93%", "blast (drawn)"):
            assert words in told
        await press(pilot, "w")
        assert "why" not in text_of(pilot, "CellPanel")

    drive(review, script, size, Explained)


def test_why_of_a_cell_that_was_left_is_dropped(review: Review) -> None:
    asked: list[int] = []
    go_on = Event()
    cells = {review.crop(cell).tobytes(): cell for cell in (1, 2, 3)}  # type: ignore[union-attr]

    class Slow(Explained):
        def of(self, crop: U8, named: str) -> Why:
            asked.append(cells[crop.tobytes()])
            go_on.wait(60)
            return super().of(crop, named)

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "w")
        await until(pilot, lambda: asked == [1])
        await press(pilot, "right", "right")
        go_on.set()
        await until(pilot, lambda: "what decided: the nucleus" in text_of(pilot, "CellPanel"))
        assert asked == [1, 3], "nobody waits for the second, over which the cursor went"
        assert "cell 3," in text_of(pilot, "CellPanel")

    drive(review, script, why=Slow)


@pytest.mark.parametrize("when", ["opening", "asking"])
def test_why_that_cannot_be_told_says_so(review: Review, when: str) -> None:
    class Failing(Explained):
        def __init__(self) -> None:
            if when == "opening":
                raise LeukoscopeError("bundle x: is not here any more; install it again")

        def of(self, crop: U8, named: str) -> Why:
            raise LeukoscopeError("bundle x: is not here any more; install it again")

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "w")
        await until(pilot, lambda: "is not here any more" in text_of(pilot, "Told"))
        assert screen_of(pilot)._panes.gallery.display
        await press(pilot, "enter")
        assert here(pilot) == 2

    drive(review, script, why=Failing)


def test_a_model_that_is_gone_cannot_say_why(review: Review) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "w")
        await until(pilot, lambda: "not on this machine" in text_of(pilot, "Told"))

    drive(review, script)


def test_the_slides_own_model_says_why(tested: None, review: Review) -> None:
    review.bundle_sha256 = bundle.load().sha256

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "w")
        await until(pilot, lambda: "what decided: " in text_of(pilot, "CellPanel"))
        assert "nucleus" in text_of(pilot, "CellPanel")

    drive(review, script)


@at_both_sizes
def test_readers_are_compared_once_both_have_finished(
    book: Book, review: Review, size: tuple[int, int]
) -> None:
    with Review(book, SLIDE, "CD") as other:
        other.say([1, 2], "blast")
        other.say([3], "lymphocyte")
        other.finish()

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "enter", "l", "enter", "home")
        assert "CD" not in text_of(pilot), "the other's words are hidden until then"
        await press(pilot, "d")
        assert isinstance(pilot.app.screen, Question)
        await press(pilot, "enter", "n")
        assert not review.finished
        await press(pilot, "d", "y")
        assert isinstance(pilot.app.screen, ResultScreen)
        await press(pilot, "enter")
        assert [cell.id for cell in screen_of(pilot)._walk.cells] == [2, 3]
        assert "↔2" in gallery_of(pilot)
        assert "CD: blast" in text_of(pilot, "CellPanel")
        await press(pilot, "d")
        assert isinstance(pilot.app.screen, ResultScreen), "a reading is finished once"

    drive(review, script, size)


def test_nobody_to_compare_with_is_said(review: Review) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "d", "y", "enter")
        assert not isinstance(pilot.app.screen, ResultScreen)

    drive(review, script)


@at_both_sizes
def test_a_slide_is_signed_after_a_question(review: Review, size: tuple[int, int]) -> None:

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "exclamation_mark")
        assert isinstance(pilot.app.screen, Question)
        await press(pilot, "enter", "escape")
        assert review.signature is None
        await press(pilot, "exclamation_mark", "y")
        assert review.signature is not None
        assert "signed by AB" in text_of(pilot, "TitleBar")
        await press(pilot, "l")
        assert "signed it" in text_of(pilot, "Told")
        assert here(pilot) == 1
        assert review.mine(1) is None

    drive(review, script, size)


@pytest.mark.parametrize("key", ["h", "question_mark"])
def test_help_opens_and_closes(review: Review, key: str) -> None:
    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, key)
        assert isinstance(pilot.app.screen, ReviewHelp)
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, ReviewScreen)

    drive(review, script)


def test_over_another_app_the_keys_are_the_reviews(review: Review) -> None:
    pressed: list[str] = []

    class Host(App[None]):
        BINDINGS: ClassVar[list[BindingType]] = [Binding(key, f"note('{key}')") for key in "nsq"]

        def action_note(self, key: str) -> None:
            pressed.append(key)

    async def run() -> None:
        app = Host()
        async with app.run_test(size=(80, 24)) as pilot:
            await app.push_screen(ReviewScreen(review))
            await shown(pilot)
            await press(pilot, "n", "s")
            assert (review.mine(1), review.mine(2)) == ("neutrophil", "smudge-cell")
            assert not pressed
            await press(pilot, "q")
            assert not isinstance(app.screen, ReviewScreen)
            await press(pilot, "n")
            assert pressed == ["n"]

    asyncio.run(run())


def test_a_word_that_the_records_refuse_is_told_and_leaves_everything_as_it_is(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise RecordsError("records [x]: no space left on the disk; delete [/] something")

    monkeypatch.setattr(Book, "say_each", full)

    async def script(pilot: Pilot[None]) -> None:
        await press(pilot, "enter")
        assert "records [x]: no space left" in text_of(pilot, "Told")
        assert here(pilot) == 1
        assert "√" not in gallery_of(pilot)

    drive(review, script)
