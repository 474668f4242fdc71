"""The list of slides: newest first, searched as one types, each a key away from its review."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import wrap
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Input

from edge.records.book import Book
from edge.records.glances import Glance
from edge.records.identifiers import isolated
from edge.records.rows import Row
from edge.tui.panel import Panel
from edge.tui.slides.about import SlideScreen
from edge.tui.slides.columns import Entry, Hints, column
from edge.tui.slides.compare import CompareScreen
from edge.tui.slides.table import PAIR, SlideTable
from edge.tui.slides.words import became, began, whose
from edge.types import LeukoscopeError

FIRST = 200
"""Slides that are there when the screen opens; the others follow while it is looked at."""

_KEYS = (("enter", "cells"), ("i", "patient"), ("space", "mark"), ("c", "compare"), ("esc", "back"))
_SEARCHING = (("enter", "to the slides"), ("esc", "all slides"))


class SlidesScreen(Screen[None]):
    """Every slide in the records.

    Parameters
    ----------
    path : the record store's file.
    open_review : is given the identifier of the slide whose cells a person wants to look at.
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

    def __init__(self, path: str | Path, open_review: Callable[[str], object]) -> None:
        super().__init__()
        self._path, self._open_review = Path(path), open_review
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
        """Read all slides, with a book of this thread's own."""
        try:
            with Book(self._path, reads_only=True) as book:
                self.post_message(self.Found(book.glances()))
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
            self._lines.show(None if here is None else self._book.found(here.slide))
        except LeukoscopeError as error:
            self._lines.tell(str(error))

    def on_input_changed(self) -> None:
        self._filter()

    def on_input_submitted(self) -> None:
        self._to_slides()

    def _to_slides(self) -> None:
        self.set_focus(None)
        self._search.can_focus = False
        self._hints.show(*_KEYS)

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


class SlideLines(Panel):
    """What a line of the table has no room for, of the slide under the cursor; or something to be told."""

    _row: Row | None = None
    _told = ""

    def show(self, row: Row | None) -> None:
        self._row, self._told = row, ""
        self.update()

    def tell(self, what: str) -> None:
        self._told = what
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        if self._told:
            return [Content.styled(line, "bold") for line in wrap(f"▲ {self._told}", width)][:height]
        if self._row is None:
            return []
        reason = wrap(self._row["reason"] or "", width)[: height - 2]
        head = " · ".join([isolated(self._row["id"]), *whose(self._row), began(self._row)])
        return [
            Content.styled(column(head, width), "bold"),
            *map(Content, reason),
            *map(Content, wrap(became(self._row), width)[: height - 1 - len(reason)]),
        ]
