"""The lines below the list of slides: what a line of the table has no room for."""

from __future__ import annotations

from textwrap import wrap

from textual.content import Content

from edge.records.identifiers import isolated
from edge.records.rows import Row
from edge.tui.panel import Panel
from edge.tui.slides.columns import column
from edge.tui.slides.words import became, began, whose


class SlideLines(Panel):
    """What a line of the table has no room for, of the slide under the cursor; or something to be told."""

    _row: Row | None = None
    _told = ""
    _goes_on = False

    def show(self, row: Row | None, *, goes_on: bool) -> None:
        """Show this slide; what was told of it stays until there is another."""
        if row is None or self._row is None or row["id"] != self._row["id"]:
            self._told = ""
        self._row, self._goes_on = row, goes_on
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
            *map(Content, wrap(became(self._row, goes_on=self._goes_on), width)[: height - 1 - len(reason)]),
        ]
