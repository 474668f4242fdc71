"""Where a person is among the cells of a slide, and which of them are selected."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge.review.cells import Cell


class Walk:
    """The cells shown, in their order, the one under the cursor and those selected.

    The cells stay where they are while words are said of them, whatever they were chosen by.

    Attributes
    ----------
    cells : what is shown.
    at : place of the cursor among them, 0 where there are none.
    selected : numbers of the cells selected.
    """

    def __init__(self, cells: Sequence[Cell]) -> None:
        self.cells = list(cells)
        self.at = 0
        self.selected: set[int] = set()

    @property
    def here(self) -> Cell | None:
        """The cell under the cursor."""
        return self.cells[self.at] if self.cells else None

    @property
    def spoken_of(self) -> list[int]:
        """Numbers of the cells that a word would be said of: all selected, else the one under the cursor."""
        if self.selected:
            return [cell.id for cell in self.cells if cell.id in self.selected]
        return [] if self.here is None else [self.here.id]

    def show(self, cells: Sequence[Cell]) -> None:
        """Show other cells, with the cursor on the same cell where it is among them."""
        here = self.here
        self.cells, self.at, self.selected = list(cells), 0, set()
        if here is not None:
            self.find(here.id)

    def find(self, cell: int) -> bool:
        """Put the cursor on the cell of that number; False where it is not shown."""
        places = (at for at, each in enumerate(self.cells) if each.id == cell)
        found = next(places, None)
        if found is not None:
            self.at = found
        return found is not None

    def move(self, by: int) -> None:
        self.at = min(max(self.at + by, 0), max(len(self.cells) - 1, 0))

    def extend(self, by: int) -> None:
        """Move, and select everything on the way."""
        start = self.at
        self.move(by)
        low, high = sorted((start, self.at))
        self.selected |= {cell.id for cell in self.cells[low : high + 1]}

    def toggle(self) -> None:
        """Select the cell under the cursor, or no longer, and move on."""
        if self.here is not None:
            self.selected ^= {self.here.id}
            self.move(1)

    def said(self, cells: Sequence[int]) -> None:
        """A word was said of these cells: nothing is selected, and the cursor goes on behind them."""
        last = max((at for at, each in enumerate(self.cells) if each.id in set(cells)), default=self.at)
        self.selected = set()
        self.at = last
        self.move(1)
