"""The slide's cells as small pictures, a page at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual import events
from textual.timer import Timer

from edge.tui.colours import ink_on
from edge.tui.halfblock import RGB, Blocks
from edge.tui.picture import PictureView, shrink
from edge.tui.review import sixteen
from edge.tui.review.marks import CHOSEN, CURSOR, SELECTED, mark
from edge.tui.review.walk import Walk
from edge.tui.wording import title
from edge.types import U8

if TYPE_CHECKING:
    from edge.review.cells import Cell
    from edge.review.review import Review

_ENOUGH = 12  # cells on a page; where more have room they are shown larger instead
_FEW, _SMALL = 4, 16  # cells at the least, and pixels a side at which a cell is still told by its nucleus
_AHEAD_S = 0.02  # without a key, after which the next page is got ready
_INK: RGB = (225, 225, 225)
_EMPTY: RGB = (60, 60, 60)
NO_CELLS = "no cells here: f shows others"


class CellGallery(PictureView):
    """A page of cells: each with its number, its class and who says so; the cursor is a frame.

    With 16 colours a crop is noise, and each cell has a line of words instead.
    """

    def __init__(self, review: Review, colours: dict[str, RGB]) -> None:
        super().__init__()
        self._review, self._colours = review, colours
        self._walk = Walk(())
        self._rest: Timer | None = None

    @property
    def columns(self) -> int:
        return self._grid()[0]

    @property
    def page(self) -> int:
        """How many cells fit."""
        columns, lines, _ = self._grid()
        return columns * lines

    @property
    def on_page(self) -> list[Cell]:
        start = self._walk.at // self.page * self.page
        return self._walk.cells[start : start + self.page]

    def show_walk(self, walk: Walk) -> None:
        self._walk = walk
        self._draw()

    def on_resize(self, _event: events.Resize) -> None:
        self._draw()

    def _grid(self) -> tuple[int, int, int]:
        """Columns, lines, and the side of a picture in pixels."""
        width, height = self.size.width, self.size.height
        if sixteen.shows_no_cells(self):
            return 1, max(height - len(sixteen.told(width)), 1), 0
        found = (1, 1, max(min(width - 1, 2 * height - 2), 2))
        for side in range(found[2], 3, -1):
            columns, lines = max(width // (side + 1), 1), max(height // (-(-side // 2) + 1), 1)
            found = columns, lines, side
            if columns * lines >= (_ENOUGH if side > _SMALL else _FEW):
                break
        return found

    def _draw(self) -> None:
        if not self.size.width or not self.size.height:
            return
        if not self._walk.cells:
            blocks = Blocks.of(self.canvas())
            blocks.write(NO_CELLS, 0, 0, _INK, self.paper)
        elif sixteen.shows_no_cells(self):
            blocks = self._words()
        else:
            blocks = self._pictures()
            if self._rest is not None:
                self._rest.stop()
            self._rest = self.set_timer(_AHEAD_S, self._read_ahead)
        self.show(blocks)

    def _pictures(self) -> Blocks:
        columns, lines, side = self._grid()
        column, line = self.size.width // columns, self.size.height // lines
        rows = -(-side // 2)
        canvas, here = self.canvas(), self._walk.here
        self._review.read_crops(cell.id for cell in self.on_page)
        shown = [(cell, i // columns * line, i % columns * column) for i, cell in enumerate(self.on_page)]
        for cell, y, x in shown:
            square = canvas[2 * y : 2 * y + side, x : x + side]
            crop = self._review.crop(cell.id)
            square[:] = _EMPTY if crop is None else _inner(crop, side)
            _rim(square, here=cell is here, selected=cell.id in self._walk.selected)
        blocks = Blocks.of(canvas)
        for cell, y, x in shown:
            self._label(blocks, cell, y + rows, x, column - 1)
        return blocks

    def _words(self) -> Blocks:
        blocks = Blocks.of(self.canvas())
        told = sixteen.told(self.size.width)
        for row, line in enumerate(told):
            blocks.write(line, row, 0, CURSOR, self.paper)
        for row, cell in enumerate(self.on_page, len(told)):
            self._label(blocks, cell, row, 0, self.size.width)
        return blocks

    def _label(self, blocks: Blocks, cell: Cell, row: int, column: int, width: int) -> None:
        """Who says so, the number, the class; and how sure the machine is where there is room for it."""
        stands, here = mark(self._review, cell), cell is self._walk.here
        paper = CURSOR if here else self.paper
        ink = ink_on(CURSOR) if here else _INK
        symbol = SELECTED if cell.id in self._walk.selected else stands.symbol
        number = f"{symbol}{cell.id} "
        likely = cell.probabilities[self._review.classes.index(cell.named)]
        sure = f" {likely:.0%}" if stands.symbol in " ?" else ""
        room = width - len(number)
        name = title(stands.named, room)
        fits = len(name) + len(sure) <= room
        if here:
            blocks.write(" " * width, row, column, ink, paper)
        blocks.write(number, row, column, ink, paper)
        if not here:
            blocks.write(symbol, row, column, CHOSEN if symbol == SELECTED else stands.ink, paper)
        named_in = ink if here else self._colours.get(stands.named, _INK)
        blocks.write(name + (sure if fits else ""), row, column + len(number), named_in, paper)

    def _read_ahead(self) -> None:
        """Get the crops of the page after this one and of the one before."""
        start = self._walk.at // self.page * self.page
        near = self._walk.cells[max(start - self.page, 0) : start + 2 * self.page]
        self._review.read_crops(cell.id for cell in near)


def _inner(crop: U8, side: int) -> U8:
    """The crop without its rim, which is mostly neighbours, (side, side, 3)."""
    rim = crop.shape[0] // 8
    return shrink(crop[rim : crop.shape[0] - rim, rim : crop.shape[1] - rim], side, side)


def _rim(square: U8, *, here: bool, selected: bool) -> None:
    """A line along the rim: whole for the cell under the cursor, broken for a selected one."""
    for colour, step, wanted in ((CURSOR, 1, here), (CHOSEN, 3, selected)):
        if wanted:
            for rim in (square[0], square[-1], square[:, 0], square[:, -1]):
                rim[::step] = colour
