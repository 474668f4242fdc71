"""The classes, each with the key that names it, what was counted of it and what people say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from textual.content import Content

from edge.tui.colours import css
from edge.tui.halfblock import RGB
from edge.tui.panel import Panel
from edge.tui.wording import CONFIRMED, title
from edge.types import Tally

_COUNTED, _BY_EYE = 8, 7  # characters of the counts


class ClassTable(Panel):
    """A line a class, those outside the count dim; where there is no room, two a line without counts."""

    def __init__(
        self, letters: Mapping[str, str], colours: dict[str, RGB], leukocytes: Sequence[str]
    ) -> None:
        super().__init__()
        self._letters, self._colours, self._leukocytes = letters, colours, leukocytes
        self._tally = Tally(counts={})
        self._only: str | None = None

    def show(self, tally: Tally, only: str | None) -> None:
        self._tally, self._only = tally, only
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        names = list(self._letters)
        if len(names) > height:
            half = -(-len(names) // 2)
            pairs = [names[i::half] for i in range(half)]
            return [Content.assemble(*(self._titled(name, width // 2) for name in pair)) for pair in pairs]
        room = width - _COUNTED - _BY_EYE
        total = f"{self._tally.leukocytes} {self._tally.unit}s"
        head = f"{total:<{room}}{'counted':>{_COUNTED}}{'by eye':>{_BY_EYE}}"
        lines = [Content.styled(head, "bold"), *(self._row(name, width) for name in names)]
        return lines[-height:]

    def _row(self, name: str, width: int) -> Content:
        counted, by_eye = self._tally.counts.get(name, 0), self._tally.confirmed.get(name, 0)
        return Content.assemble(
            self._titled(name, width - _COUNTED - _BY_EYE),
            (f"{counted:>{_COUNTED}}", "" if name in self._leukocytes else "dim"),
            (f"{f'{CONFIRMED}{by_eye}' if by_eye else '':>{_BY_EYE}}", "bold"),
        )

    def _titled(self, name: str, width: int) -> Content:
        """The key, a pointer where only this class is shown, the name."""
        return Content.assemble(
            (self._letters[name] or " ", "bold reverse"),
            ("▶" if name == self._only else " ", "bold"),
            (f"{title(name, width - 3):<{width - 2}}", css(self._colours[name])),
        )
