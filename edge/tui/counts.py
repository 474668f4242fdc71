"""The differential so far: a count and a bar for every class."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from edge.tui.colours import UNCERTAIN, css
from edge.tui.halfblock import RGB
from edge.tui.panel import Panel
from edge.tui.wording import title
from edge.types import Tally


class Counts(Panel):
    """Leukocytes first, then, under a line and dim, what does not count among them."""

    def __init__(self, colours: dict[str, RGB], leukocytes: Sequence[str]) -> None:
        super().__init__()
        self._colours = colours
        self._leukocytes = [name for name in colours if name in leukocytes]
        self._others = [name for name in colours if name not in leukocytes]
        self._tally = Tally(counts={})

    def show(self, tally: Tally) -> None:
        self._tally = tally
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        counts = self._tally.counts
        top = max([counts.get(name, 0) for name in self._leukocytes], default=0)
        rows = [
            self._row(name, counts.get(name, 0), top, css(self._colours[name]), width)
            for name in self._leukocytes
        ]
        rows.append(Content.styled(f"── not in the count {'─' * width}"[:width], "dim"))
        rows += [
            self._row(name, counts.get(name, 0), top, css(self._colours[name]) + " dim", width)
            for name in self._others
        ]
        rows.append(self._row("uncertain", self._tally.uncertain, top, css(UNCERTAIN) + " dim", width))
        if len(rows) > height > 0:
            left_out = len(rows) - height + 1
            rows = [*rows[: height - 1], Content.styled(f"and {left_out} more in a taller window", "dim")]
        elif height >= 2 * len(rows):
            rows = [line for row in rows for line in (row, Content())]
        return rows

    def _row(self, name: str, count: int, top: int, style: str, width: int) -> Content:
        """Name, count, share of the leukocytes where there is room for it, and a bar."""
        name_width = 20 if width >= 46 else 14
        text = f"{title(name, name_width):<{name_width}} {count:>5} "
        if width >= 46:
            share = count / self._tally.leukocytes if self._tally.leukocytes else 0.0
            text += f"{share:>4.0%} " if name in self._leukocytes else " " * 5
        dim = "dim" if name not in self._leukocytes else ""
        return Content.assemble((text, dim), (bar(count, top, width - len(text)), style))


def bar(value: float, top: float, width: int) -> str:
    """`value` as a bar of at most `width` characters, full at `top`, in steps of half a character."""
    if value <= 0 or top <= 0:
        return ""
    halves = max(round(min(value / top, 1.0) * 2 * width), 1)
    return "█" * (halves // 2) + "▌" * (halves % 2)
