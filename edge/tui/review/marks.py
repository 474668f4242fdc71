"""What stands beside a cell's name: who says so, by a shape of the Linux console's fonts and a colour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.tui.colours import GOOD
from edge.tui.halfblock import RGB
from edge.tui.wording import CONFIRMED

if TYPE_CHECKING:
    from edge.review.cells import Cell
    from edge.review.review import Review

RELABELLED, OTHERS, DIFFERING, SELECTED = "→", "•", "↔", "■"
CURSOR: RGB = (255, 230, 60)
CHOSEN: RGB = (60, 220, 255)
_UNSAID: RGB = (150, 150, 150)
_INKS: dict[str, RGB] = {
    CONFIRMED: GOOD,
    RELABELLED: (255, 175, 60),
    OTHERS: (185, 155, 255),
    DIFFERING: (255, 110, 110),
}


@dataclass(frozen=True)
class Mark:
    """What a cell is called, and by whom.

    Attributes
    ----------
    symbol : one of those above; '?' where the machine is unsure, a blank where only it has spoken.
    named : the class by the person at the screen, else by others who agree, else by the machine.
    """

    symbol: str
    named: str

    @property
    def ink(self) -> RGB:
        return _INKS.get(self.symbol, _UNSAID)


def mark(review: Review, cell: Cell) -> Mark:
    """How a cell stands; what others said counts only once it may be seen."""
    mine, theirs = review.mine(cell.id), set(review.theirs(cell.id).values())
    if len(theirs | ({mine} if mine else set())) > 1:
        symbol = DIFFERING
    elif mine is not None:
        symbol = CONFIRMED if mine == cell.named else RELABELLED
    elif theirs:
        symbol = OTHERS
    else:
        symbol = "?" if cell.uncertain else " "
    return Mark(symbol, review.named(cell.id))
