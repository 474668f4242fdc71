"""The last cells as small pictures, newest first."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from edge.tui.colours import UNCERTAIN
from edge.tui.halfblock import RGB, Blocks
from edge.tui.latest import SeenCell
from edge.tui.picture import PictureView, shrink
from edge.tui.wording import title

_LABEL_WIDTH = 10
_LABEL_ROWS = 2
_LINE_ROWS = 8  # of a line of pictures, at the least, where there are several
_INK: RGB = (210, 210, 210)


class Gallery(PictureView):
    """As many of the last cells as fit, each over its class and probability."""

    def __init__(self, colours: dict[str, RGB]) -> None:
        super().__init__()
        self._colours = colours
        self._names = tuple(colours)
        self._cells: Sequence[SeenCell] = ()

    def show_cells(self, cells: Sequence[SeenCell]) -> None:
        if cells != self._cells:
            self._cells = cells
            self._draw()

    def on_resize(self, _event: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        canvas = self.canvas()
        lines = max(self.size.height // _LINE_ROWS, 1)
        line = self.size.height // lines
        rows = line - _LABEL_ROWS
        if rows < 1:
            return
        width = self.size.width + 1  # the last column needs no gap after it
        columns = min(round(width / (2 * rows + 1)), width // (_LABEL_WIDTH + 1))
        column = width // max(columns, 1)
        side = min(2 * rows, column - 1)
        places = [(y * line, x * column) for y in range(lines) for x in range(columns)]
        shown = list(zip(self._cells, places, strict=False))
        for cell, (y, x) in shown:
            # the rim of a crop is mostly neighbours
            rim = cell.crop.shape[0] // 8
            inner = cell.crop[rim : cell.crop.shape[0] - rim, rim : cell.crop.shape[1] - rim]
            canvas[2 * y : 2 * y + side, x : x + side] = shrink(inner, side, side)
        blocks = Blocks.of(canvas)
        for cell, (y, x) in shown:
            self._label(blocks, cell, y + rows, x, column - 1)
        self.show(blocks)

    def _label(self, blocks: Blocks, cell: SeenCell, row: int, column: int, width: int) -> None:
        name = self._names[cell.klass]
        ink = UNCERTAIN if cell.uncertain else self._colours[name]
        sure = f"{cell.probability:.0%}" + (" unsure" if cell.uncertain else "")
        blocks.write(title(name, width), row, column, ink, self.paper)
        blocks.write(sure, row + 1, column, _INK, self.paper)
