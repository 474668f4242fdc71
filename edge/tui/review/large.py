"""One cell, large, or the field round it; and why, when asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
from textual import events
from textual.app import ComposeResult
from textual.containers import Container

from edge.records.rows import CONTEXT_UM
from edge.tui.halfblock import RGB, Blocks
from edge.tui.picture import PictureView, shrink
from edge.tui.review import sixteen, still
from edge.tui.review.marks import CURSOR
from edge.tui.wording import title
from edge.types import F32, U8

if TYPE_CHECKING:
    from edge.line.explain import Why
    from edge.review.cells import Cell

Box = tuple[int, int, int, int]
Label = tuple[str, int, int]
_INK: RGB = (225, 225, 225)
_FINE = 10  # pixels of a still picture for one of half blocks, about as many as a terminal's column has
_UPPER = 0.55  # of the height is the cell's where the reference cells stand below it
NO_PICTURE = "no picture of this cell was kept"


class LargeView(Container):
    """As half blocks, or as a still picture where the terminal has those."""

    DEFAULT_CSS = """
    LargeView > * { width: 100%; height: 100%; }
    """
    _picture: U8 | None = None
    _box: Box | None = None
    _why: Why | None = None

    def __init__(self) -> None:
        super().__init__()
        self._blocks = PictureView()
        self._still = still.still()

    def compose(self) -> ComposeResult:
        yield self._blocks if self._still is None else self._still

    def show_cell(self, picture: U8 | None, box: Box | None, why: Why | None) -> None:
        """`picture` (H, W, 3), and where on it the cell is, or why it was called so."""
        self._picture, self._box, self._why = picture, box, why
        self._draw()

    def on_resize(self, _event: events.Resize) -> None:
        self._draw()

    def on_show(self, _event: events.Show) -> None:
        self._draw()

    def _draw(self) -> None:
        if not self.display or not self.size.width or not self.size.height:
            return
        if self._still is not None:
            canvas, labels = self._drawn(_FINE)
            for text, row, column in labels:
                at = (column * _FINE, (2 * row + 2) * _FINE - _FINE // 2)
                cv2.putText(canvas, text, at, cv2.FONT_HERSHEY_SIMPLEX, _FINE / 20, _INK, 1, cv2.LINE_AA)
            still.show(self._still, canvas)
        else:
            canvas, labels = self._drawn(1)
            blocks = Blocks.of(canvas)
            for text, row, column in labels:
                blocks.write(text, row, column, _INK, self._blocks.paper)
            self._blocks.show(blocks)

    def _drawn(self, fine: int) -> tuple[U8, list[Label]]:
        """The view, `fine` pixels for one of half blocks; and words to lay over it, by row and column."""
        width, height = self.size.width, self.size.height
        canvas = np.full((2 * height * fine, width * fine, 3), self.background_colors[1].rgb, np.uint8)
        if self._still is None and sixteen.shows_no_cells(self):
            return canvas, [(line, row, 0) for row, line in enumerate(sixteen.told(width))]
        if self._picture is None:
            return canvas, [(NO_PICTURE, 0, 0)]
        if self._why is not None:
            return canvas, _explain(canvas, fine, self._picture, self._why)
        _put(canvas, self._picture, self._box)
        return canvas, []


def box_in_field(cell: Cell, side: int) -> Box:
    """Where the cell lies in the field kept round it, a square of `side` pixels with it in the middle."""
    x0, y0, x1, y1 = cell.box_px
    half = [extent * cell.um_per_px / CONTEXT_UM * side / 2 for extent in (x1 - x0, y1 - y0)]
    left, top, right, bottom = (round(side / 2 + way * reach) for way in (-1, 1) for reach in half)
    return left, top, right, bottom


def heated(picture: U8, heat: F32) -> U8:
    """The picture, grey where nothing was decided and in its own colours where the heat is."""
    height, width, _ = picture.shape
    warm = np.asarray(cv2.resize(heat, (width, height), interpolation=cv2.INTER_AREA), np.float32)[..., None]
    grey = picture.mean(-1, keepdims=True, dtype=np.float32) * 0.6
    return np.asarray(grey + (picture - grey) * warm, np.uint8)


def _put(canvas: U8, picture: U8, box: Box | None) -> None:
    """The picture in the middle of the canvas, as large as fits, with the corners of the box."""
    rows, columns, _ = canvas.shape
    scale = min(columns / picture.shape[1], rows / picture.shape[0])
    width, height = max(int(picture.shape[1] * scale), 1), max(int(picture.shape[0] * scale), 1)
    left, top = (columns - width) // 2, (rows - height) // 2
    place = canvas[top : top + height, left : left + width]
    place[:] = shrink(picture, width, height)
    if box is not None:
        _corners(place, tuple(round(edge * scale) for edge in box))


def _explain(canvas: U8, fine: int, crop: U8, why: Why) -> list[Label]:
    """The crop as it is and where it was decided; below them the likest reference cells, and their names."""
    width, height = canvas.shape[1] // fine, canvas.shape[0] // fine // 2
    upper = min(int(height * _UPPER) if why.likest else height, (width - 1) // 4)
    side, gap = 2 * upper * fine, fine
    canvas[:side, :side] = shrink(crop, side, side)
    canvas[:side, side + gap : 2 * side + gap] = heated(shrink(crop, side, side), why.heat)
    third = width // 3
    below = max(min(height - upper - 1, (third - 1) // 2), 1)
    small = 2 * below * fine
    labels: list[Label] = []
    for i, reference in enumerate(why.likest[:3]):
        x = i * third * fine
        canvas[side : side + small, x : x + small] = shrink(reference.crop, small, small)
        labels.append((title(reference.named, third - 1), upper + below, i * third))
    return labels


def _corners(picture: U8, box: tuple[int, ...]) -> None:
    """Draw the corners of a box, a third of each side long."""
    height, width, _ = picture.shape
    thick = max(height // 100, 1)
    x0, y0 = max(box[0] - thick, 0), max(box[1] - thick, 0)
    x1, y1 = min(box[2] + thick, width), min(box[3] + thick, height)
    marked = np.zeros((height, width), np.bool_)
    marked[y0:y1, x0:x1] = True
    marked[y0 + thick : y1 - thick, x0 + thick : x1 - thick] = False
    third_x, third_y = max((x1 - x0) // 3, 1), max((y1 - y0) // 3, 1)
    marked[y0 + third_y : y1 - third_y] = False
    marked[:, x0 + third_x : x1 - third_x] = False
    picture[marked] = CURSOR
