"""The review of a slide: a person goes through its cells by keys and says what they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.screen import ModalScreen

from edge.tui.colours import class_colours
from edge.tui.review.cell import CellPanel
from edge.tui.review.classes import ClassTable
from edge.tui.review.dialogs import FilterScreen, Question, ReviewHelp
from edge.tui.review.gallery import CellGallery
from edge.tui.review.heading import Heading
from edge.tui.review.keys import KeyLine, letters
from edge.tui.review.large import LargeView, box_in_field
from edge.tui.review.result import ResultScreen, Then
from edge.tui.review.told import Told
from edge.tui.review.verdict import Verdict
from edge.tui.review.walk import Walk
from edge.tui.wording import title
from edge.types import LeukoscopeError

if TYPE_CHECKING:
    from edge.line.explain import Why
    from edge.review.cells import Cell
    from edge.review.review import Review

View = Literal["cells", "cell", "field"]
_NAME = 24
_WATCH_S = 5.0  # between two looks at who else has the slide open


class Explainer(Protocol):
    """Says why the machine calls a cell what it does."""

    def of(self, cell: Cell) -> Why: ...


class ReviewScreen(ModalScreen[None]):
    """Shows a review until q is pressed. Every word is in the records before the screen shows it.

    Parameters
    ----------
    review : of the slide, by the person at the screen; closed with the screen.
    why : what tells why a cell is called what it is; without it the key says so.
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
    HORIZONTAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-tiny"), (80, "-narrow"), (120, "-wide")]
    VERTICAL_BREAKPOINTS: ClassVar[list[tuple[int, str]]] = [(0, "-short"), (24, "-medium"), (40, "-tall")]
    DEFAULT_CSS = """
    ReviewScreen {
        layout: vertical; background: $background;
        Heading { height: 1; background: $panel; }
        Verdict { height: 4; }
        &.-short Verdict, &.-wide Verdict { height: 3; }
        #body { height: 1fr; layout: grid; grid-size: 2 1; grid-columns: 1fr 34; grid-gutter: 0 1; }
        ClassTable { height: auto; }
        CellPanel { height: 1fr; }
        Told { height: 1; }
        &.-short Told { display: none; }
        KeyLine { height: 2; background: $panel; }
        LargeView { display: none; }
        &.-large LargeView { display: block; }
        &.-large CellGallery { display: none; }
        &.-tiny #body { grid-columns: 1fr 28; }
        &.-wide KeyLine { height: 1; }
        &.-wide.-tall #body { grid-columns: 1fr 50; grid-size: 2 2; grid-rows: 1fr 20; }
        &.-wide.-tall CellGallery { row-span: 2; }
        &.-wide.-tall LargeView { display: block; }
        &.-wide.-tall.-large #body { grid-size: 2 1; grid-rows: 1fr; }
    }
    """

    def __init__(self, review: Review, why: Explainer | None = None) -> None:
        super().__init__()
        self.review = review
        self._explainer = why
        self._why: tuple[int, Why] | None = None
        self._asked = self._explaining = False
        self._only: str | None = None
        self._differing = False
        self._kept: tuple[int | None, str | None] | None = None
        self._view: View = "cells"
        self._walk = Walk(review.only(None))
        self._letters = letters(review.classes)
        self._named = {letter: name for name, letter in self._letters.items() if letter}
        colours = class_colours(review.classes, review.positives, review.leukocytes)
        self._heading = Heading()
        self._verdict = Verdict()
        self._gallery = CellGallery(review, colours)
        self._large = LargeView()
        self._table = ClassTable(self._letters, colours, review.leukocytes)
        self._cell = CellPanel(review)
        self._told = Told()

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self._verdict
        with Container(id="body"):
            yield self._gallery
            yield self._large
            with Vertical():
                yield self._table
                yield self._cell
        yield self._told
        yield KeyLine()

    def on_mount(self) -> None:
        self._resume()
        self._show_heading()
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
        self._show_heading()

    def _keep_place(self) -> None:
        here = self._walk.here
        place = (here.id if here else None, self._only)
        if place != self._kept:
            with suppress(LeukoscopeError):  # the words are what matters, and they are kept
                self.review.keep_place(*place)
                self._kept = place

    def _show_heading(self) -> None:
        review = self.review
        signature = review.signature
        signed_by = None if signature is None else signature.by
        self._heading.show(review.slide, review.by, review.reading, review.beside(), signed_by)

    def on_resize(self, _event: events.Resize) -> None:
        self._arrange()

    def _arrange(self) -> None:
        """Give the classes a line each, or, where room is short, two to a line."""
        classes, short = len(self._letters), self.size.height < 24
        crowded = self._asked and self.size.height < 40
        self._table.styles.height = -(-classes // 2) if crowded else classes + (not short)
        self._table.styles.max_height = "75%" if crowded else "95%"

    def _show_slide(self) -> None:
        """Everything that a word can change."""
        review = self.review
        self._verdict.show(review.finding, review.counted_left)
        self._table.show(review.tally, self._only)
        self._show_cell()

    def _show_cell(self) -> None:
        """Everything that a move of the cursor changes."""
        cell, walk = self._walk.here, self._walk
        if self._asked:
            self._ask_why()
        why = self._why[1] if self._asked and cell and self._why and self._why[0] == cell.id else None
        among = ", differing" if self._differing else f", {title(self._only, _NAME)}" if self._only else ""
        place = f"{walk.at + 1} of {len(walk.cells):,}{among}"
        self._gallery.show_walk(walk)
        self._cell.show(cell, place, asked=self._asked, why=why)
        if cell is not None and self._large.display:
            self._enlarge(cell, why)
        self.query_one(KeyLine).update()

    def _enlarge(self, cell: Cell, why: Why | None) -> None:
        """The cell as large as it can be, or small amid the field round it where that was kept."""
        field = self.review.surroundings(cell.id) if self._view == "field" else None
        crop = self.review.crop(cell.id)
        if field is None:
            self._large.show_cell(crop, None, crop, why)
        else:
            self._large.show_cell(field, box_in_field(cell, field.shape[0]), crop, None)

    # moving and selecting

    def action_move(self, by: int) -> None:
        self._walk.move(by)
        self._show_cell()

    def action_move_lines(self, by: int) -> None:
        self.action_move(by * self._gallery.columns)

    def action_move_pages(self, by: int) -> None:
        self.action_move(by * self._gallery.page)

    def action_extend(self, by: int) -> None:
        self._walk.extend(by)
        self._tell_selected()

    def action_extend_lines(self, by: int) -> None:
        self.action_extend(by * self._gallery.columns)

    def action_select(self) -> None:
        self._walk.toggle()
        self._tell_selected()

    def action_select_page(self) -> None:
        """Select the cells in sight that this person has not named."""
        on_page = [cell.id for cell in self._gallery.on_page if self.review.mine(cell.id) is None]
        self._walk.selected |= set(on_page)
        self._tell_selected()

    def _tell_selected(self) -> None:
        count = len(self._walk.selected)
        self._told.show(
            f"{count} selected: the next key names them all, escape lets them go" if count else ""
        )
        self._show_cell()

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
            self._told.show(f"{whom}: {what}. u takes it back")
            self._walk.said(cells)
            self._show_slide()

    def action_undo(self) -> None:
        before = {cell.id: self.review.mine(cell.id) for cell in self.review.cells}
        undone: list[str | None] = []
        if not self._done(lambda: undone.append(self.review.undo())):
            return
        changed = (cell for cell, named in before.items() if self.review.mine(cell) != named)
        self._told.show(f"undone: {undone[0]}" if undone[0] else "nothing to undo")
        if (cell := next(changed, None)) is not None:
            self._walk.find(cell)
        self._show_slide()

    def _done(self, act: Callable[[], object]) -> bool:
        """Whether the records took it; if not, why is told."""
        try:
            act()
        except LeukoscopeError as error:
            self._told.show(str(error), wrong=True)
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
        self._told.show(f"only {title(only, _NAME)}: f shows others" if only else "all cells")
        self._show_slide()

    def action_larger(self) -> None:
        """All cells, then one, then the field round it where that was kept, then all again."""
        here = self._walk.here
        kept = here is not None and self.review.surroundings(here.id) is not None
        after: dict[View, View] = {"cells": "cell", "cell": "field" if kept else "cells", "field": "cells"}
        self._look(after[self._view])

    def _look(self, view: View) -> None:
        self._view = view
        self.set_class(view != "cells", "-large")
        self._arrange()
        self.call_after_refresh(self._show_cell)

    def action_help(self) -> None:
        self.app.push_screen(ReviewHelp())

    def action_escape(self) -> None:
        """Let go what is selected; with nothing selected, back."""
        if self._walk.selected:
            self._walk.selected = set()
            self._tell_selected()
        else:
            self.dismiss()

    # why

    def action_why(self) -> None:
        if self._explainer is None:
            self._told.show("why: this bundle cannot say", wrong=True)
            return
        self._asked = not self._asked
        self._look("cell" if self._asked else "cells")

    def _ask_why(self) -> None:
        """Have the cell under the cursor explained, when nothing else is being explained."""
        cell = self._walk.here
        if cell is not None and not self._explaining and (self._why is None or self._why[0] != cell.id):
            self._explaining = True
            self._explain(cell)

    @work(thread=True, group="why")
    def _explain(self, cell: Cell) -> None:
        assert self._explainer is not None
        try:
            why = self._explainer.of(cell)
        except LeukoscopeError as error:
            self.app.call_from_thread(self._unexplained, str(error))
        else:
            self.app.call_from_thread(self._explained, cell, why)

    def _explained(self, cell: Cell, why: Why) -> None:
        """Take the answer; one for a cell that the cursor has left is dropped by the next question."""
        self._explaining, self._why = False, (cell.id, why)
        self._show_cell()

    def _unexplained(self, told: str) -> None:
        self._explaining = self._asked = False
        self._told.show(f"why: {told}", wrong=True)
        self._show_cell()

    # the end of a reading

    def action_done(self) -> None:
        """Finish the reading, after a question; then show what it came to."""
        if self.review.finished:
            self._show_result()
            return
        left = self.review.counted_left
        still = f" {left} suspicious cells are still to be looked at." if left else ""
        question = (
            f"Finish your reading of slide {self.review.slide}?{still}\n\nYou then see what others said."
        )
        self.app.push_screen(Question(question, "yes, I have finished"), self._finish)

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
            self._told.show("only cells that you and the other reader differ in: f shows all")
            self._show_slide()

    def action_sign(self) -> None:
        """Close the slide, after a question."""
        review, left = self.review, self.review.counted_left
        still = f"\n\n▲ {left} suspicious cells were not looked at." if left else ""
        question = f"Sign slide {review.slide} as {review.by}?\n\n{review.finding.headline}{still}\n\nNobody can change it afterwards."
        self.app.push_screen(Question(question, f"yes, {review.by} signs"), self._sign)

    def _sign(self, sure: bool | None) -> None:
        if sure and self._done(self.review.sign):
            self._told.show(f"signed by {self.review.by}: the slide is closed")
            self._show_heading()
            self._show_slide()
