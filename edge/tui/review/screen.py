"""The review of a slide: a person goes through its cells by keys and says what they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from edge.records.identifiers import isolated
from edge.tui.review.dialogs import FilterScreen, Question, ReviewHelp
from edge.tui.review.explaining import Explainer, Explaining, explainer_of
from edge.tui.review.keys import letters
from edge.tui.review.panes import Panes, Shown
from edge.tui.review.result import ResultScreen, Then
from edge.tui.review.walk import Walk
from edge.tui.wording import title
from edge.types import LeukoscopeError

if TYPE_CHECKING:
    from edge.review.review import Review

_NAME = 24
_WATCH_S = 5.0  # between two looks at who else has the slide open


class ReviewScreen(ModalScreen[None]):
    """Shows a review until q is pressed. Every word is in the records before the screen shows it.

    Parameters
    ----------
    review : of the slide, by the person at the screen; closed with the screen.
    why : opens what explains a cell's class, when that is first asked; without it the slide's own model does.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)"),
        Binding("right", "move(1)"),
        Binding("up", "move_lines(-1)"),
        Binding("down", "move_lines(1)"),
        Binding("pageup", "move_pages(-1)"),
        Binding("pagedown", "move_pages(1)"),
        Binding("home", "move(-1000000)"),
        Binding("end", "move(1000000)"),
        Binding("shift+left", "extend(-1)"),
        Binding("shift+right", "extend(1)"),
        Binding("shift+up", "extend_lines(-1)"),
        Binding("shift+down", "extend_lines(1)"),
        Binding("space,x", "select"),
        Binding("ctrl+a", "select_page"),
        Binding("enter", "confirm"),
        Binding("u,backspace", "undo"),
        Binding("f", "filter"),
        Binding("tab", "next_class(1)"),
        Binding("shift+tab", "next_class(-1)"),
        Binding("v", "larger"),
        Binding("w", "why"),
        Binding("d", "done"),
        Binding("exclamation_mark", "sign"),
        Binding("h,question_mark", "help"),
        Binding("escape", "escape"),
        Binding("q,ctrl+c", "dismiss"),
    ]
    DEFAULT_CSS = "ReviewScreen { background: $background; }"

    def __init__(self, review: Review, why: Callable[[], Explainer] | None = None) -> None:
        super().__init__()
        self.review = review
        opens = why or partial(explainer_of, review.bundle_sha256, review.site_file)
        self._explaining = Explaining(self, opens, self._answered)
        self._asked = False
        self._only: str | None = None
        self._differing = False
        self._kept: tuple[int | None, str | None] | None = None
        self._walk = Walk(review.only(None))
        self._letters = letters(review.classes)
        self._named = {letter: name for name, letter in self._letters.items() if letter}
        self._panes = Panes(review, self._letters)

    def compose(self) -> ComposeResult:
        yield self._panes

    def on_mount(self) -> None:
        self._resume()
        self._panes.show_heading()
        self.set_interval(_WATCH_S, self._watch)
        self._show_slide()

    def on_unmount(self) -> None:
        self._keep_place()
        self.review.close()

    def _resume(self) -> None:
        """Go where this person was last, and on from there to the first cell that he has not named."""
        review, place = self.review, self.review.place
        if place is not None and place.only in review.classes:
            self._only = place.only
            self._walk.show(review.only(place.only))
        if place is not None and place.cell is not None:
            self._walk.find(place.cell)
        fresh = (cell.id for cell in self._walk.cells[self._walk.at :] if review.mine(cell.id) is None)
        self._walk.find(next(fresh, -1))

    def _watch(self) -> None:
        self._keep_place()
        self._panes.show_heading()

    def _keep_place(self) -> None:
        here = self._walk.here
        place = (here.id if here else None, self._only)
        if place != self._kept:
            with suppress(LeukoscopeError):  # the words are what matters, and they are kept
                self.review.keep_place(*place)
                self._kept = place

    def _show_slide(self) -> None:
        """Everything that a word can change."""
        self._panes.show_slide(self._only)
        self._show_walk()

    def _show_walk(self) -> None:
        """Everything that a move of the cursor changes."""
        cell, why = self._walk.here, None
        if self._asked and cell is not None:
            why = self._explaining.of(cell, self.review.crop(cell.id))
        among = ", differing" if self._differing else f", {title(self._only, _NAME)}" if self._only else ""
        self._panes.show_walk(self._walk, among, why)

    def _tell(self, text: str, *, wrong: bool = False) -> None:
        self._panes.told.show(text, wrong=wrong)

    # moving and selecting

    def action_move(self, by: int) -> None:
        self._walk.move(by)
        self._show_walk()

    def action_move_lines(self, by: int) -> None:
        self.action_move(by * self._panes.gallery.columns)

    def action_move_pages(self, by: int) -> None:
        self.action_move(by * self._panes.gallery.page)

    def action_extend(self, by: int) -> None:
        self._walk.extend(by)
        self._tell_selected()

    def action_extend_lines(self, by: int) -> None:
        self.action_extend(by * self._panes.gallery.columns)

    def action_select(self) -> None:
        self._walk.toggle()
        self._tell_selected()

    def action_select_page(self) -> None:
        """Select the cells in sight that this person has not named."""
        on_page = [cell.id for cell in self._panes.gallery.on_page if self.review.mine(cell.id) is None]
        self._walk.selected |= set(on_page)
        self._tell_selected()

    def _tell_selected(self) -> None:
        count = len(self._walk.selected)
        self._tell(f"{count} selected: the next key names them all, escape lets them go" if count else "")
        self._show_walk()

    # saying what cells are

    def action_confirm(self) -> None:
        """They are what the machine says."""
        self._say(self.review.confirm, "as the machine says")

    def on_key(self, event: events.Key) -> None:
        """They are of the class whose letter was pressed."""
        named = self._named.get((event.character or "").lower())
        if named is not None:
            event.stop()
            self._say(lambda cells: self.review.say(cells, named), title(named, _NAME))

    def _say(self, say: Callable[[Sequence[int]], object], what: str) -> None:
        cells = self._walk.spoken_of
        if cells and self._done(lambda: say(cells)):
            whom = f"cell {cells[0]}" if len(cells) == 1 else f"{len(cells)} cells"
            self._tell(f"{whom}: {what}. u takes it back")
            self._walk.said(cells)
            self._show_slide()

    def action_undo(self) -> None:
        before = {cell.id: self.review.mine(cell.id) for cell in self.review.cells}
        undone: list[str | None] = []
        if not self._done(lambda: undone.append(self.review.undo())):
            return
        changed = (cell for cell, named in before.items() if self.review.mine(cell) != named)
        self._tell(f"undone: {undone[0]}" if undone[0] else "nothing to undo")
        if (cell := next(changed, None)) is not None:
            self._walk.find(cell)
        self._show_slide()

    def _done(self, act: Callable[[], object]) -> bool:
        """Whether the records took it; if not, why is told."""
        try:
            act()
        except LeukoscopeError as error:
            self._tell(str(error), wrong=True)
            self.notify(str(error), severity="warning", timeout=10, markup=False)
            return False
        return True

    # what is shown

    def action_filter(self) -> None:
        self.app.push_screen(FilterScreen(self._letters, self._called()), self._filter)

    def _called(self) -> Counter[str]:
        """How many cells of each class there are to see, counted or not."""
        return Counter(self.review.named(cell.id) for cell in self.review.cells)

    def _filter(self, chosen: str | None) -> None:
        if chosen is not None:
            self._show_only(chosen or None)

    def action_next_class(self, by: int) -> None:
        """The next class that has any cells; after the last all of them."""
        called = self._called()
        ring = [None, *(name for name in self.review.classes if called[name])]
        at = ring.index(self._only) if self._only in ring else 0
        self._show_only(ring[(at + by) % len(ring)])

    def _show_only(self, only: str | None) -> None:
        self._only, self._differing = only, False
        self._walk.show(self.review.only(only))
        self._tell(f"only {title(only, _NAME)}: f shows others" if only else "all cells")
        self._show_slide()

    def action_larger(self) -> None:
        """All cells, then one, then the field round it where that was kept, then all again."""
        here = self._walk.here
        kept = here is not None and self.review.surroundings(here.id) is not None
        after: dict[Shown, Shown] = {"cells": "cell", "cell": "field" if kept else "cells", "field": "cells"}
        self._look(after[self._panes.shown])

    def _look(self, shown: Shown) -> None:
        self._panes.look(shown, explains=self._asked)
        self._show_walk()

    def action_help(self) -> None:
        self.app.push_screen(ReviewHelp())

    def action_escape(self) -> None:
        """Let go what is selected; with nothing selected, back."""
        if self._walk.selected:
            self._walk.selected = set()
            self._tell_selected()
        else:
            self.dismiss()

    def action_why(self) -> None:
        self._asked = not self._asked
        self._look("cell" if self._asked else "cells")

    def _answered(self) -> None:
        """Show why, or why not."""
        if self._explaining.failure is not None:
            self._asked = False
            self._tell(f"why: {self._explaining.failure}", wrong=True)
            self._look("cells")
        else:
            self._show_walk()

    # the end

    def action_done(self) -> None:
        """Others' words are shown from here on, after a question; then what all came to."""
        if self.review.finished:
            self._show_result()
            return
        left = self.review.counted_left
        still = f"\n\n▲ {left} suspicious cells were not looked at." if left else ""
        told = (
            f"Are you done with slide {isolated(self.review.slide)}?{still}\n\nYou then see what others said."
        )
        self.app.push_screen(Question(told, "yes, I am done"), self._finish)

    def _finish(self, sure: bool | None) -> None:
        if sure and self._done(self.review.finish):
            self._show_slide()
            self._show_result()

    def _show_result(self) -> None:
        self.app.push_screen(ResultScreen(self.review), self._after_result)

    def _after_result(self, then: Then | None) -> None:
        if then == "sign":
            self.action_sign()
        elif then == "differing" and (agreement := self.review.agreement()) is not None:
            differing = {cell for cell, _, _ in agreement.differing}
            self._only, self._differing = None, True
            self._walk.show([cell for cell in self.review.cells if cell.id in differing])
            self._tell("only cells that you and the other reader differ in: f shows all")
            self._show_slide()

    def action_sign(self) -> None:
        """Close the slide, after a question."""
        review, left = self.review, self.review.counted_left
        still = f"\n\n▲ {left} suspicious cells were not looked at." if left else ""
        says = f"{review.finding.headline}{still}\n\nNobody can change it afterwards."
        question = Question(
            f"Sign slide {isolated(review.slide)} as {review.by}?\n\n{says}", f"yes, {review.by} signs"
        )
        self.app.push_screen(question, self._sign)

    def _sign(self, sure: bool | None) -> None:
        if sure and self._done(self.review.sign):
            self._tell(f"signed by {self.review.by}: the slide is closed")
            self._panes.show_heading()
            self._show_slide()
