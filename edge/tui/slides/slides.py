"""The list of slides: newest first, searched as one types, each a key away from its review."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from edge.records.book import Book
from edge.records.glances import Glance
from edge.records.identifiers import isolated
from edge.review.unfinished import close, judged
from edge.tui.review.dialogs import Question
from edge.tui.slides.about import SlideScreen
from edge.tui.slides.carry import CarryScreen
from edge.tui.slides.columns import Entry, Hints
from edge.tui.slides.compare import CompareScreen
from edge.tui.slides.lines import SlideLines
from edge.tui.slides.table import PAIR, SlideTable
from edge.types import LeukoscopeError

FIRST = 200
"""Slides that are there when the screen opens; the others follow while it is looked at."""

_KEYS = (
    *(("enter", "cells"), ("i", "patient"), ("e", "to a stick")),
    *(("space", "mark"), ("c", "compare"), ("esc", "back")),
)
_NO = "no, back"
_SEARCHING = (("enter", "to the slides"), ("esc", "all slides"))


class SlidesScreen(Screen[None]):
    """Every slide in the records.

    Parameters
    ----------
    path : the record store's file.
    open_review : is given the identifier of the slide whose cells a person wants to look at.
    go_on : is given that of one that was cut off and is to go on; raises LeukoscopeError where it cannot.
        None where no camera can show the slide again.
    """

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1)", "Up"),
        Binding("down", "move(1)", "Down"),
        Binding("pageup", "page(-1)", "A page up"),
        Binding("pagedown", "page(1)", "A page down"),
        Binding("home", "move(-1000000)", "First"),
        Binding("end", "move(1000000)", "Last"),
        Binding("enter", "review", "Look at the cells"),
        Binding("slash", "search", "Search"),
        Binding("space", "mark", "Mark"),
        Binding("c", "compare", "Compare"),
        Binding("i", "about", "Patient, notes"),
        Binding("e", "carry", "Reports to a stick"),
        Binding("x", "close", "Close one that was cut off"),
        Binding("g", "go_on", "Go on with it"),
        Binding("escape,q,l", "back", "Back"),
    ]
    DEFAULT_CSS = """
    SlidesScreen { layout: vertical; }
    SlidesScreen #search { height: 1; background: $panel; }
    SlidesScreen #told { height: 1; }
    SlidesScreen SlideTable { height: 1fr; }
    SlidesScreen SlideLines { height: 4; background: $surface; padding: 0 1; }
    SlidesScreen Hints { height: 1; background: $panel; }
    """

    class Found(Message):
        """The slides were read from the records, or could not be."""

        def __init__(self, outcome: Sequence[Glance] | LeukoscopeError) -> None:
            super().__init__()
            self.outcome = outcome

    def __init__(
        self,
        path: str | Path,
        open_review: Callable[[str], object],
        go_on: Callable[[str], object] | None = None,
    ) -> None:
        super().__init__()
        self._path, self._open_review, self._go_on = Path(path), open_review, go_on
        self._book: Book | None = None
        self._slides: Sequence[Glance] = ()
        self._table = SlideTable()
        self._lines = SlideLines()
        self._hints = Hints(*_KEYS)
        self._search = Entry("/ to search: slide, patient, finding, initials", "search")

    def compose(self) -> ComposeResult:
        yield self._search
        yield self._table
        yield self._lines
        yield self._hints

    def on_mount(self) -> None:
        self._search.can_focus = False  # until it is asked for: letters are keys before
        try:
            self._book = Book(self._path, reads_only=True)
            self._take(self._book.glances(FIRST))
        except LeukoscopeError as error:
            self._lines.tell(str(error))

    def on_unmount(self) -> None:
        if self._book is not None:
            self._book.close()

    def on_screen_resume(self) -> None:
        """What was done in a screen above may have changed the slides."""
        if self._book is not None:
            self._read()

    @work(thread=True, exclusive=True)
    def _read(self) -> None:
        """Read all slides, with a book of this thread's own; then judge those that were cut off."""
        try:
            with Book(self._path, reads_only=True) as book:
                slides = book.glances()
                self.post_message(self.Found(slides))
                if any(map(_unjudged, slides)):
                    self.post_message(self.Found([_judged(book, one) for one in slides]))
        except LeukoscopeError as error:
            self.post_message(self.Found(error))

    def on_slides_screen_found(self, found: Found) -> None:
        if isinstance(found.outcome, LeukoscopeError):
            self._lines.tell(str(found.outcome))
        else:
            self._take(found.outcome)

    def _take(self, slides: Sequence[Glance]) -> None:
        self._slides = slides
        self._filter()

    def _filter(self) -> None:
        wanted = unicodedata.normalize("NFC", self._search.value).casefold().strip()
        self._table.show([one for one in self._slides if wanted in one.searched] if wanted else self._slides)
        self._show_here()

    def _show_here(self) -> None:
        if self._book is None:  # why, stands there already
            return
        here = self._table.here
        try:
            row = None if here is None else judged(self._book, self._book.found(here.slide))
            self._lines.show(row, goes_on=self._go_on is not None)
            cut_off = here is not None and here.state == "cut off"
            self._hints.show(*(self._keys_of_cut_off if cut_off else ()), *_KEYS)
        except LeukoscopeError as error:
            self._lines.tell(str(error))

    def on_input_changed(self) -> None:
        self._filter()

    def on_input_submitted(self) -> None:
        self._to_slides()

    @property
    def _keys_of_cut_off(self) -> tuple[tuple[str, str], ...]:
        """What can be done with a slide that was cut off."""
        return (("x", "close it"), *((("g", "go on"),) if self._go_on else ()))

    def _to_slides(self) -> None:
        self.set_focus(None)
        self._search.can_focus = False
        self._show_here()

    def action_search(self) -> None:
        self._search.can_focus = True
        self._search.focus()
        self._hints.show(*_SEARCHING)

    def action_back(self) -> None:
        """Out of the search, then out of what it found, then out of the screen."""
        if self._search.has_focus or self._search.value:
            self._search.value = ""
            self._to_slides()
        else:
            self.dismiss()

    def action_move(self, by: int) -> None:
        self._table.move(by)
        self._show_here()

    def action_page(self, by: int) -> None:
        self.action_move(by * self._table.page)

    def action_mark(self) -> None:
        self._table.mark()
        self.action_move(1)

    def action_review(self) -> None:
        if self._table.here is not None:
            self._open_review(self._table.here.slide)

    def action_about(self) -> None:
        if self._table.here is not None:
            self.app.push_screen(SlideScreen(self._path, self._table.here.slide))

    def action_close(self) -> None:
        """Finish a slide that was cut off, once somebody has said that it is to be."""
        if (here := self._cut_off()) is not None:
            question = (
                f"Close slide {isolated(here.slide)}?\n\nIt gets the finding that follows from what is on "
                "the disk, and cannot go on any more. Its cells can be looked at all the same."
            )
            self.app.push_screen(Question(question, "close it", _NO), self._close)

    def _close(self, sure: bool | None) -> None:
        if not sure or self._table.here is None:
            return
        self._lines.tell("")
        try:
            with Book(self._path) as book:
                finding = close(book, self._table.here.slide)
        except LeukoscopeError as error:
            self._lines.tell(str(error))
        else:
            self.notify(f"{isolated(self._table.here.slide)}: {finding.headline}", timeout=6, markup=False)

    def action_go_on(self) -> None:
        """Go on with a slide that was cut off, once somebody has said so, and leave the list."""
        if self._go_on is not None and (here := self._cut_off()) is not None:
            question = f"Go on with slide {isolated(here.slide)}?"
            closing = "What is under way is closed; its records are kept."
            screen = Question(f"{question}\n\n{closing}", "go on with it", _NO)
            self.app.push_screen(screen, self._turn_to)

    def _turn_to(self, sure: bool | None) -> None:
        if not sure or self._go_on is None or self._table.here is None:
            return
        try:
            self._go_on(self._table.here.slide)
        except LeukoscopeError as error:
            self._lines.tell(str(error))
        else:
            self.dismiss()

    def _cut_off(self) -> Glance | None:
        """The slide under the cursor, if it was cut off; else it is said that it was not."""
        here = self._table.here
        if here is None or here.state == "cut off":
            return here
        self._lines.tell(f"slide {isolated(here.slide)}: was not cut off; it is {here.state}")
        return None

    def action_carry(self) -> None:
        """Reports of the slides that are marked, else of the one under the cursor."""
        here = self._table.here
        slides = self._table.marked or ([here.slide] if here else [])
        if slides:
            self.app.push_screen(CarryScreen(self._path, slides))

    def action_compare(self) -> None:
        """Lay the two marked slides side by side; with fewer marks offer the others of the same patient."""
        marked, here = self._table.marked, self._table.here
        if len(marked) == PAIR:
            self._compare(marked)
            return
        first = next((one for one in self._slides if [one.slide] == marked), here)
        if first is None:
            return
        whose = f"patient {isolated(first.patient)}" if first.patient else ""
        others = [one for one in self._slides if one.patient == first.patient and one.slide != first.slide]
        if whose and len(others) == 1:
            self._compare([first.slide, others[0].slide])
        elif whose and others:
            self._table.marked = [first.slide]
            self._look_for(first.patient or "")
            self._lines.tell(f"slides of {whose}: mark another with space, then press c")
        else:
            why = f"no other slide of {whose}" if whose else "no patient is noted for this slide"
            self._lines.tell(f"{why}: mark two slides with space, then press c")

    def _look_for(self, text: str) -> None:
        with self.prevent(Input.Changed):
            self._search.value = text
        self._filter()

    def _compare(self, pair: Sequence[str]) -> None:
        """The older of the two to the left."""
        older, newer = (one.slide for one in reversed(self._slides) if one.slide in pair)
        self.app.push_screen(CompareScreen(self._path, older, newer))


def _unjudged(slide: Glance) -> bool:
    return slide.state == "cut off" and slide.finding is None


def _judged(book: Book, slide: Glance) -> Glance:
    """With the finding that follows from what is on the disk, of one that was cut off."""
    return slide.judged(judged(book, book.found(slide.slide))) if _unjudged(slide) else slide
