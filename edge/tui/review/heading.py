"""The line at the top: which slide, who reads it, and who else does."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from edge.tui.panel import Panel
from edge.tui.wording import fit

_NOTICE = "research use only "
_ORDINALS = ("first", "second", "third")


class Heading(Panel):
    """The slide's identifier is whole where there is any room for it: people note slides down by it."""

    _slide = _rest = ""

    def show(self, slide: str, by: str, reading: int, others: Sequence[str], signed_by: str | None) -> None:
        which = _ORDINALS[reading - 1] if reading <= len(_ORDINALS) else f"{reading}th"
        self._slide, self._rest = f" slide {slide}", f" · {by}, {which} reading"
        if others:
            self._rest += f" · also open: {', '.join(others)}"
        if signed_by:
            self._rest += f" · signed by {signed_by}"
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        slide = fit(self._slide, width)
        rest = fit(self._rest, width - len(slide))
        room = width - len(slide + rest)
        notice = f"{_NOTICE:>{room}}" if room > len(_NOTICE) else ""
        return [Content.assemble((slide, "bold"), rest, (notice, "dim"))]
