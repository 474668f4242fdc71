"""The differential so far: a count and a bar for every class."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from edge.tui.colours import UNCERTAIN, css
from edge.tui.halfblock import RGB
from edge.tui.panel import Panel
from edge.tui.wording import CONFIRMED, title
from edge.types import Tally

_WIDE = 46  # columns, from which there is room for percentages


class Counts(Panel):
    """Leukocytes first, beside each how many of them people confirmed; below, what does not count."""

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
        rows = [self._row(name, top, width) for name in self._leukocytes]
        rows.append(Content.styled(f"── not in the count {'─' * width}"[:width], "dim"))
        rows += self._apart(width)
        if len(rows) > height > 0:
            left_out = len(rows) - height + 1
            rows = [*rows[: height - 1], Content.styled(f"and {left_out} more in a taller window", "dim")]
        elif height >= 2 * len(rows):
            rows = [line for row in rows for line in (row, Content())]
        return rows

    def _row(self, name: str, top: int, width: int) -> Content:
        """Name, count, share of the leukocytes where there is room for it, confirmed, and a bar."""
        tally = self._tally
        count = tally.counts.get(name, 0)
        name_width = 20 if width >= _WIDE else 14
        text = f"{title(name, name_width):<{name_width}} {count:>5} "
        if width >= _WIDE:
            text += f"{count / tally.leukocytes if tally.leukocytes else 0.0:>4.0%} "
        seen = ""
        if tally.confirmed:
            confirmed = tally.confirmed.get(name, 0)
            seen = f"{f'{CONFIRMED}{confirmed}' if confirmed else '':<5} "
        length = width - len(text + seen)
        return Content.assemble(text, (seen, "bold"), (bar(count, top, length), css(self._colours[name])))

    def _apart(self, width: int) -> list[Content]:
        """What does not count, two to a line, without bars: there is nothing to compare it with."""
        each = (width - 2) // 2
        told = [(name, self._tally.counts.get(name, 0), self._colours[name]) for name in self._others]
        told.append(("uncertain", self._tally.uncertain, UNCERTAIN))
        cells = [
            Content.assemble(("■ ", css(colour)), (f"{title(name, each - 7):<{each - 7}}{count:>5}", "dim"))
            for name, count, colour in told
        ]
        return [Content("  ").join(cells[i : i + 2]) for i in range(0, len(cells), 2)]


def bar(value: float, top: float, width: int) -> str:
    """`value` as a bar of at most `width` characters, full at `top`, in steps of half a character."""
    if value <= 0 or top <= 0:
        return ""
    halves = max(round(min(value / top, 1.0) * 2 * width), 1)
    return "█" * (halves // 2) + "▌" * (halves % 2)
