"""What a review consists of on the screen, and where it stands at which size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Vertical

from edge.records.identifiers import isolated
from edge.tui.colours import class_colours
from edge.tui.review.cell import CellPanel
from edge.tui.review.classes import ClassTable
from edge.tui.review.gallery import CellGallery
from edge.tui.review.headline import Headline
from edge.tui.review.keys import KeyLine
from edge.tui.review.large import LargeView, box_in_field
from edge.tui.review.told import Told
from edge.tui.review.walk import Walk
from edge.tui.status import TitleBar

if TYPE_CHECKING:
    from edge.line.explain import Why
    from edge.review.review import Review

Shown = Literal["cells", "cell", "field"]
_NARROW, _WIDE = 80, 120
_SHORT, _TALL = 24, 40


class Panes(Container):
    """The gallery, or one cell larger instead, beside words; in a large window all three."""

    DEFAULT_CSS = """
    Panes {
        layout: vertical;
        TitleBar { height: 1; background: $panel; }
        Headline { height: 4; }
        #body { height: 1fr; layout: grid; grid-size: 2 1; grid-columns: 1fr 34; grid-gutter: 0 1; }
        CellPanel { height: 1fr; }
        Told { height: 1; }
        KeyLine { height: 2; background: $panel; }
        LargeView { display: none; }
        &.-one LargeView { display: block; }
        &.-one CellGallery { display: none; }
        &.-narrow #body { grid-columns: 1fr 28; }
        &.-short Headline, &.-wide Headline { height: 3; }
        &.-short Told { display: none; }
        &.-wide KeyLine { height: 1; }
        &.-large #body { grid-columns: 1fr 50; grid-size: 2 2; grid-rows: 1fr 20; }
        &.-large CellGallery { row-span: 2; }
        &.-large LargeView { display: block; }
        &.-large.-one #body { grid-size: 2 1; grid-rows: 1fr; }
    }
    """

    def __init__(self, review: Review, letters: Mapping[str, str]) -> None:
        super().__init__()
        self._review, self._rows = review, len(letters)
        self._shown: Shown = "cells"
        self._explains = False
        colours = class_colours(review.classes, review.positives, review.leukocytes)
        self.heading = TitleBar()
        self.headline = Headline()
        self.gallery = CellGallery(review, colours)
        self.large = LargeView()
        self.table = ClassTable(letters, colours, review.leukocytes)
        self.cell = CellPanel(review)
        self.told = Told()

    def compose(self) -> ComposeResult:
        yield self.heading
        yield self.headline
        with Container(id="body"):
            yield self.gallery
            yield self.large
            with Vertical():
                yield self.table
                yield self.cell
        yield self.told
        yield KeyLine()

    def on_resize(self, _event: events.Resize) -> None:
        self._arrange()

    @property
    def shown(self) -> Shown:
        return self._shown

    def look(self, shown: Shown, *, explains: bool) -> None:
        """Show all cells, one of them, or the field round it; `explains` gives its words more room."""
        self._shown, self._explains = shown, explains
        self._arrange()

    def _arrange(self) -> None:
        (width, height), rows = self.size, self._rows
        self.set_class(self._shown != "cells", "-one")
        self.set_class(width < _NARROW, "-narrow")
        self.set_class(width >= _WIDE, "-wide")
        self.set_class(height < _SHORT, "-short")
        self.set_class(width >= _WIDE and height >= _TALL, "-large")
        crowded = self._explains and height < _TALL
        self.table.styles.height = -(-rows // 2) if crowded else rows + (height >= _SHORT)
        self.table.styles.max_height = "75%" if crowded else "95%"

    def show_heading(self) -> None:
        """Who reads which slide, and who else has it open."""
        review, others = self._review, self._review.beside()
        signature = review.signature
        parts = [f"slide {isolated(review.slide)}", f"{review.by}, reader {review.reading}"]
        parts += [f"also open: {', '.join(others)}"] if others else []
        parts += [f"signed by {signature.by}"] if signature is not None else []
        self.heading.show(*parts)

    def show_slide(self, only: str | None) -> None:
        """What a word can change."""
        self.headline.show(self._review.finding, self._review.tally, self._review.counted_left)
        self.table.show(self._review.tally, only)

    def show_walk(self, walk: Walk, among: str, why: Why | None) -> None:
        """What a move of the cursor changes; `among` says which cells are shown."""
        cell = walk.here
        self.gallery.show_walk(walk)
        self.cell.show(cell, f"{walk.at + 1} of {len(walk.cells):,}{among}", asked=self._explains, why=why)
        if cell is None:
            return
        field = self._review.surroundings(cell.id) if self._shown == "field" else None
        if field is not None:
            self.large.show_cell(field, box_in_field(cell, field.shape[0]), None)
        else:
            self.large.show_cell(self._review.crop(cell.id), None, why)
