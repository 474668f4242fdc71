"""The cell under the cursor in words: what the machine and people say, its size, and why when asked."""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from textual.content import Content

from edge.tui.panel import Panel
from edge.tui.review.marks import RELABELLED
from edge.tui.wording import CONFIRMED, title

if TYPE_CHECKING:
    from edge.line.explain import Why
    from edge.review.cells import Cell
    from edge.review.review import Review

_WORDS = ((0.95, "surely"), (0.8, "probably"), (0.5, "perhaps"), (0.0, "hardly"))
_RIVAL = 0.1  # from which a second class is told
_NAME = 20


class CellPanel(Panel):
    """As many lines as fit, the most needed first."""

    _cell: Cell | None = None
    _place = ""
    _asked = False
    _why: Why | None = None

    def __init__(self, review: Review) -> None:
        super().__init__()
        self._review = review

    def show(self, cell: Cell | None, place: str, *, asked: bool = False, why: Why | None = None) -> None:
        self._cell, self._place, self._asked, self._why = cell, place, asked, why
        self.update()

    def lay_out(self, width: int, height: int) -> list[Content]:
        cell = self._cell
        if cell is None:
            return []
        said = f"you: {self._mine(cell)}"
        if height < 2:
            return [Content(f"{cell.id} {said}"[:width])]
        lines = [Content.styled(f"── cell {cell.id}, {self._place} {'─' * width}"[:width], "bold")]
        told, rival = by_machine(cell, self._review.classes)
        words = [*_wrapped(f"machine: {told}", width), said]
        words += [f"{by}: {title(named, _NAME)}" for by, named in self._review.theirs(cell.id).items()]
        words += [text for text in (_apart(cell), rival) if text]
        words += self._reasons(width) if self._asked else _wrapped(size(cell), width)
        return [*lines, *(Content(line[:width]) for line in words[: height - 1])]

    def _mine(self, cell: Cell) -> str:
        mine = self._review.mine(cell.id)
        if mine is None:
            return "not looked at yet"
        return f"{CONFIRMED if mine == cell.named else RELABELLED} {title(mine, _NAME)}"

    def _reasons(self, width: int) -> list[str]:
        why = self._why
        if why is None:
            return ["why: looking .."]
        words = _wrapped(f"what decided: {why.decided}", width)
        if why.nucleus_um2 is not None:
            shape = f"nucleus {why.nucleus_um2:.0f} µm², {why.nucleus_share:.0%} of the cell"
            words += _wrapped(f"{shape}, roundness {why.roundness:.0%}", width)
        if why.likest:
            likest = [f"{title(known.named, _NAME)} ({known.source})" for known in why.likest]
            words += _wrapped(f"likest known cells: {', '.join(likest)}", width)
        return words


def by_machine(cell: Cell, classes: Sequence[str]) -> tuple[str, str]:
    """The machine's word and how sure it is, 'blast, probably (83%)'; and what else is likely."""
    likely = float(cell.probabilities[list(classes).index(cell.named)])
    word = "unsure" if cell.uncertain else next(word for least, word in _WORDS if likely >= least)
    others = sorted(zip(cell.probabilities.tolist(), classes, strict=True), reverse=True)
    rivals = [(p, name) for p, name in others if name != cell.named and p >= _RIVAL]
    rival = f"or {title(rivals[0][1], _NAME)} ({rivals[0][0]:.0%})" if rivals else ""
    return f"{title(cell.named, _NAME)}, {word} ({likely:.0%})", rival


def size(cell: Cell) -> str:
    share = cell.nucleus_area_um2 / cell.area_um2 if cell.area_um2 else 0.0
    return f"{cell.area_um2:.0f} µm², nucleus {cell.nucleus_area_um2:.0f} µm² ({share:.0%})"


def _apart(cell: Cell) -> str:
    """Why the cell is not in the differential."""
    if cell.cut:
        return "cut by the edge: not counted"
    return "" if cell.counted else "not counted"


def _wrapped(text: str, width: int) -> list[str]:
    return wrap(text, width, subsequent_indent=" ")
