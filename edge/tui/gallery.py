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
_INK: RGB = (210, 210, 210)


class Gallery(PictureView):
    """As many of the last cells as fit, each over its class and probability."""

    def __init__(self, colours: dict[str, RGB], *, id: str | None = None) -> None:
        super().__init__(id=id)
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
        rows = self.size.height - _LABEL_ROWS
        if rows < 1:
            return
        side = 2 * rows
        column = max(side, _LABEL_WIDTH) + 1
        shown = self._cells[: (self.size.width + 1) // column]
        for i, cell in enumerate(shown):
            # the rim of a crop is mostly neighbours
            rim = cell.crop.shape[0] // 8
            inner = cell.crop[rim : cell.crop.shape[0] - rim, rim : cell.crop.shape[1] - rim]
            canvas[:side, i * column : i * column + side] = shrink(inner, side, side)
        blocks = Blocks.of(canvas)
        for i, cell in enumerate(shown):
            name = self._names[cell.klass]
            ink = UNCERTAIN if cell.uncertain else self._colours[name]
            sure = f"{cell.probability:.0%}" + (" unsure" if cell.uncertain else "")
            blocks.write(title(name, column - 1), rows, i * column, ink, self.paper)
            blocks.write(sure, rows + 1, i * column, _INK, self.paper)
        self.show(blocks)
