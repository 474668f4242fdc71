"""What the last key did, in one line."""

from __future__ import annotations

from textual.content import Content

from edge.tui.colours import GOOD, css
from edge.tui.panel import Panel
from edge.tui.wording import fit


class Told(Panel):
    """Stands until another key does something."""

    _text = ""
    _style = css(GOOD)

    def show(self, text: str, *, wrong: bool = False) -> None:
        self._text, self._style = (f"▲ {text}", "bold yellow") if wrong else (text, css(GOOD))
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        return [Content.styled(fit(f" {self._text}", width), self._style)]
