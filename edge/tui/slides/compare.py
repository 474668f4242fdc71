"""Two slides side by side: what each says, what was counted, and its most suspicious cells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.screen import Screen

from edge.line.rules import Rules
from edge.records.book import Book
from edge.records.rows import Row, finding_of
from edge.records.rows import tally_of as kept_tally
from edge.review.cells import cells_of, rules_of
from edge.review.unfinished import judged
from edge.tui.colours import class_colours
from edge.tui.counts import Counts
from edge.tui.finding import FindingPanel
from edge.tui.gallery import Gallery
from edge.tui.latest import SeenCell
from edge.tui.panel import Panel
from edge.tui.slides.columns import Hints, column
from edge.tui.slides.words import began, share, whose
from edge.tui.wording import fit
from edge.types import Finding, LeukoscopeError, Tally

_CELLS = 24
"""Cells of a slide at the most; as many as fit are shown."""


class CompareScreen(Screen[None]):
    """Two slides, such as two of one patient: the first to the left.

    Parameters
    ----------
    path : the record store's file. one, other : their identifiers.
    """

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,c,enter", "dismiss", "Back")]
    VERTICAL_BREAKPOINTS = [(0, "-low"), (22, "-medium"), (37, "-tall")]  # noqa: RUF012 (Textual's own annotation)
    DEFAULT_CSS = """
    CompareScreen {
        layout: vertical;
        Horizontal { height: 1fr; }
        Side { width: 1fr; }
        #right { margin-left: 1; }
        Head { height: 3; background: $panel; }
        FindingPanel { height: 1fr; }
        Counts { height: 8; }
        Gallery { height: 6; }
        Hints { height: 1; background: $panel; }
        &.-low Gallery { display: none; }
        &.-low Counts { height: 7; }
        &.-tall Head { height: 2; }
        &.-tall FindingPanel { height: 14; }
        &.-tall Counts { height: 12; }
        &.-tall Gallery { height: 1fr; }
    }
    """

    def __init__(self, path: str | Path, one: str, other: str) -> None:
        super().__init__()
        self._path, self._pair = Path(path), (one, other)

    def compose(self) -> ComposeResult:
        try:
            with Book(self._path, reads_only=True) as book:
                left, right = (Side(book, slide) for slide in self._pair)
        except LeukoscopeError as error:
            yield Told(str(error))
        else:
            right.id = "right"
            with Horizontal():
                yield left
                yield right
        yield Hints(("esc", "back to the slides"))


class Side(Vertical):
    """One of the slides."""

    def __init__(self, book: Book, slide: str) -> None:
        super().__init__()
        self._row = row = judged(book, book.found(slide))
        self._rules = rules = rules_of(row)
        self._cells = _suspicious(book, row, rules)
        colours = class_colours(rules.classes, rules.positive, rules.leukocytes)
        self._finding = FindingPanel(rules.positive, rules.rule.refer_fraction, recorded=False)
        self._counts = Counts(colours, rules.leukocytes)
        self._gallery = Gallery(colours)

    def compose(self) -> ComposeResult:
        yield Head(self._row)
        yield self._finding
        yield self._counts
        yield self._gallery

    def on_mount(self) -> None:
        tally = tally_of(self._row, self._rules)
        finding = finding_of(self._row) or _none_yet(self._row)
        if finding.kind != "no-blasts-seen":  # what to do stands in the review; what is not said must be said
            finding = replace(finding, advice="")
        self._finding.show(finding, tally)
        self._counts.show(tally)
        self._gallery.show_cells(self._cells)
        if self.app.console.color_system not in ("truecolor", "256"):
            self._gallery.display = False  # crops in 16 colours are noise


class Head(Panel):
    """Which slide, whose, and how many blasts, where the finding below has no room for that."""

    def __init__(self, row: Row) -> None:
        super().__init__()
        self._row = row

    def lay_out(self, width: int, height: int) -> list[Content]:
        row = self._row
        lines = [" · ".join([*whose(row), began(row)]), share(row)]
        slide = Content.styled(column(fit(row["id"], width), width), "bold")
        return [slide, *(Content(column(line, width)) for line in lines)][:height]


class Told(Panel):
    """Why there is nothing to be seen."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self._what = what

    def lay_out(self, width: int, height: int) -> list[Content]:
        return [Content.styled(f"▲ {self._what}", "bold")]


def tally_of(row: Row, rules: Rules) -> Tally:
    """What was counted on a slide; of one without an end what its cells come to."""
    if (kept := kept_tally(row["tally"])) is not None:
        return kept
    positives = sum(row["counts"].get(name, 0) for name in rules.positive)
    return Tally(row["counts"], row["cells_counted"], positives, unit=rules.unit, sign=rules.sign)


def _none_yet(row: Row) -> Finding:
    """What stands where a finding would."""
    reason = "What its cells come to stands in the review."
    return Finding("keep-scanning", f"{row['state'].upper()}: NO FINDING", reason, "", None, None, 0.95)


def _suspicious(book: Book, row: Row, rules: Rules) -> list[SeenCell]:
    """The cells that the machine calls positive, then those that come near, the likeliest first."""
    cells = cells_of(book.views(row["id"]), rules)
    cells.sort(key=lambda cell: (cell.named not in rules.positive, -cell.suspicion, -cell.doubt))
    crops = book.crops(row["id"], [cell.id for cell in cells[:_CELLS]])
    return [
        SeenCell(
            crop=crops[cell.id],
            klass=rules.classes.index(cell.named),
            probability=float(np.max(cell.probabilities)),
            uncertain=cell.uncertain,
        )
        for cell in cells[:_CELLS]
        if cell.id in crops
    ]
