"""Words in columns, and lines to type in: what people type may be wide, long, or run from right to left."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Input

from edge.records.identifiers import isolated
from edge.tui.panel import Panel

_OPEN, _CLOSE = "\u2068", "\u2069"  # as `isolated` writes them, which what is cut must not leave open


def column(text: str, width: int) -> str:
    """`text` in exactly `width` columns; one that runs from right to left does not turn its neighbours."""
    if cell_len(text) > width:
        text = Content(text).truncate(max(width - 2, 0)).plain + ".."[:width]
        text += _CLOSE * (text.count(_OPEN) - text.count(_CLOSE))
    return isolated(text) + " " * (width - cell_len(text))


class Entry(Input):
    """A line to type in, one row high, its cursor at rest."""

    def __init__(self, hint: str = "", name: str | None = None) -> None:
        super().__init__(placeholder=hint, compact=True, id=name)
        self.cursor_blink = False


class Hints(Panel):
    """The keys, the most important first, in as many lines as there are; what does not fit is left out."""

    def __init__(self, *keys: tuple[str, str]) -> None:
        super().__init__()
        self._keys: Sequence[tuple[str, str]] = keys

    def show(self, *keys: tuple[str, str]) -> None:
        self._keys = keys
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        lines: list[list[Content]] = [[]]
        left = width
        for key, what in self._keys:
            entry = Content.assemble((f" {key}", "bold"), f" {what} ")
            if len(entry) > left and len(lines) < height:
                lines.append([])
                left = width
            if len(entry) <= left:
                lines[-1].append(entry)
                left -= len(entry)
        return [Content.assemble(*line) for line in lines]
