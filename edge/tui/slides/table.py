"""The lines of the list of slides: only those in sight are made, however many there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from textual.content import Content

from edge.records.glances import Glance
from edge.tui.colours import css, ink_on
from edge.tui.finding import BANDS
from edge.tui.panel import Panel
from edge.tui.slides.columns import column
from edge.tui.wording import fit
from edge.types import Positive

MARK = "■"
PAIR = 2
"""Slides that can be marked: as many as fit side by side."""

_NONE = "no slides here"


class SlideTable(Panel):
    """Slides with a cursor and marks.

    Attributes
    ----------
    slides : what is shown, in this order.
    at : place of the cursor among them.
    marked : identifiers of the slides marked, in the order in which they were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.slides: Sequence[Glance] = ()
        self.at = 0
        self.marked: list[str] = []
        self._top = 0

    @property
    def here(self) -> Glance | None:
        """The slide under the cursor."""
        return self.slides[self.at] if self.slides else None

    @property
    def page(self) -> int:
        """Slides in sight."""
        return max(self.size.height - 1, 1)

    def show(self, slides: Sequence[Glance]) -> None:
        """Show these slides, the cursor on the same one if it is among them, else on the first."""
        name = self.here.slide if self.here else ""
        self.slides = slides
        self.at = next((at for at, one in enumerate(slides) if one.slide == name), 0)
        self.update()

    def move(self, by: int) -> None:
        self.at = min(max(self.at + by, 0), max(len(self.slides) - 1, 0))
        self.update()

    def mark(self) -> None:
        """Mark the slide under the cursor, or no longer; the last two marks hold."""
        if self.here is None:
            return
        name = self.here.slide
        others = [one for one in self.marked if one != name]
        self.marked = others if name in self.marked else [*others, name][-PAIR:]
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        widths = _widths(width)
        heads = {"mark": "", "began": "began (UTC)", "cells": "cells".rjust(widths.get("cells", 0))}
        head = " ".join(column(heads.get(name, name), wide) for name, wide in widths.items())
        self._top = min(max(self._top, self.at - self.page + 1), self.at)
        if not self.slides:
            return [Content.styled(head, "bold"), Content.styled(_NONE, "dim")]
        in_sight = range(self._top, min(self._top + self.page, len(self.slides)))
        return [Content.styled(head, "bold"), *(self._line(at, widths) for at in in_sight)]

    def _line(self, at: int, widths: dict[str, int]) -> Content:
        slide = self.slides[at]
        began, clock = slide.started
        texts = {
            "mark": MARK if slide.slide in self.marked else "",
            "slide": fit(slide.slide, widths["slide"]),
            "patient": fit(slide.patient or "", widths["patient"]),
            "began": ("" if clock in ("set", "corrected") else "~") + began[:16].replace("T", " "),
            "finding": _finding(slide),
            "cells": "" if slide.cells is None else str(slide.cells).rjust(widths.get("cells", 0)),
            "state": slide.state if slide.signed_by is None else f"signed {slide.signed_by}",
        }
        cells = {name: column(texts[name], wide) for name, wide in widths.items()}
        if at == self.at:
            return Content.styled(" ".join(cells.values()), "reverse")
        finding = cells["finding"].rstrip()
        parts = {name: Content(text) for name, text in cells.items()}
        parts["finding"] = Content.assemble((finding, _style(slide)), cells["finding"][len(finding) :])
        return Content(" ").join(parts.values())


def _finding(slide: Glance) -> str:
    if slide.finding is None:
        return ""
    headline = slide.headline or slide.finding.replace("-", " ").upper()
    return f"{BANDS[slide.finding][0]} {headline}"


def _style(slide: Glance) -> str:
    """Only what somebody must act on stands out."""
    if slide.finding is None or slide.finding not in get_args(Positive):
        return ""
    paper = BANDS[slide.finding][1]
    return f"bold {css(ink_on(paper))} on {css(paper)}"


def _widths(width: int) -> dict[str, int]:
    """Columns of the table by name, those that there is room for."""
    if width < 76:
        fixed = {"mark": 1, "patient": 9, "finding": 16, "state": 9}
    elif width < 110:
        fixed = {"mark": 1, "patient": 12, "finding": 24, "state": 12}
    else:
        fixed = {"mark": 1, "patient": 20, "began": 17, "finding": 28, "cells": 6, "state": 15}
    names = ("mark", "slide", "patient", "began", "finding", "cells", "state")
    room = width - sum(fixed.values()) - len(fixed)
    return {name: fixed.get(name, room) for name in names if name in fixed or name == "slide"}
