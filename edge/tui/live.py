"""The live field: the newest frame with a box round every leukocyte."""

from __future__ import annotations

from itertools import product

import numpy as np
from textual import events

from edge.tui.colours import UNCERTAIN, ink_on, mix
from edge.tui.halfblock import RGB, Blocks
from edge.tui.picture import PictureView, shrink
from edge.tui.wording import title
from edge.types import I32, U8, Reading

Box = tuple[int, int, int, int]

_WIDE = 10  # pixels across a box whose upper side has room for its tag


class LiveView(PictureView):
    """The newest frame, as large as fits; `shown` is the Reading it came with.

    Boxes are drawn after the frame was made small, so that their lines stay one pixel wide. What is counted
    has a whole box in its class's colour and a tag with the class; an uncertain cell a broken grey box and a
    question; one cut by the frame's edge the corners of a box alone, faint, and the word.
    """

    def __init__(self, colours: dict[str, RGB]) -> None:
        super().__init__()
        self._colours = colours
        self._names = tuple(colours)
        self.shown: Reading | None = None

    def show_reading(self, reading: Reading | None) -> None:
        """Draw a reading; one without a picture leaves the last in place, None clears."""
        if reading is None:
            self.shown = None
            self.show(Blocks.of(self.canvas()))
        elif reading.frame.pixels.size:
            self.shown = reading
            self._draw(reading)

    def on_resize(self, _event: events.Resize) -> None:
        if self.shown is not None:
            self._draw(self.shown)

    def _draw(self, reading: Reading) -> None:
        canvas = self.canvas()
        rows, columns, _ = canvas.shape
        if not rows or not columns:
            return
        frame = reading.frame
        scale = min(columns / frame.width, rows / frame.height)
        width, height = max(round(frame.width * scale), 1), max(round(frame.height * scale), 1)
        left, top = (columns - width) // 2, (rows - height) // 2
        canvas[top : top + height, left : left + width] = shrink(frame.pixels, width, height)
        boxes = _boxes_on(reading.cells.boxes_px, scale, left, top, (left + width, top + height))
        for i, box in enumerate(boxes):
            self._draw_box(canvas, box, reading, i)
        blocks = Blocks.of(canvas)
        self._write_tags(blocks, boxes, reading)
        self.show(blocks)

    def _colour(self, reading: Reading, i: int) -> RGB:
        colour = UNCERTAIN if reading.uncertain[i] else self._colours[self._names[reading.classes[i]]]
        return mix(colour, (190, 190, 190), 0.6) if reading.cells.cut[i] else colour

    def _word(self, reading: Reading, i: int, width: int) -> str:
        """What a cell's tag says, in about the `width` of its box."""
        if reading.cells.cut[i]:
            return "cut"
        if reading.uncertain[i]:
            return "unsure" if width >= _WIDE else "?"
        name = self._names[reading.classes[i]]
        word = title(name, width + 2)
        return word if width >= _WIDE or len(word) == len(name) else title(name, 3)

    def _draw_box(self, canvas: U8, box: Box, reading: Reading, i: int) -> None:
        x0, y0, x1, y1 = box
        colour = self._colour(reading, i)
        if reading.cells.cut[i]:
            across, down = max((x1 - x0) // 4, 1) + 1, max((y1 - y0) // 4, 1) + 1
            for y, x in product((y0, y1), (x0, x1)):
                canvas[y, max(x - across + 1, x0) : min(x + across, x1 + 1)] = colour
                canvas[max(y - down + 1, y0) : min(y + down, y1 + 1), x] = colour
            return
        # two drawn, two left out, counted along each side
        step = 4 if reading.uncertain[i] else 1
        for part in range(2 if step > 1 else 1):
            canvas[y0, x0 + part : x1 + 1 : step] = colour
            canvas[y1, x0 + part : x1 + 1 : step] = colour
            canvas[y0 + part : y1 + 1 : step, x0] = colour
            canvas[y0 + part : y1 + 1 : step, x1] = colour

    def _write_tags(self, blocks: Blocks, boxes: list[Box], reading: Reading) -> None:
        """Name each cell above its box, where no other name stands yet."""
        rows, columns, _ = blocks.colours.shape
        free = np.ones((rows, columns), np.bool_)
        for i, (x0, y0, x1, _y1) in enumerate(boxes):
            width = x1 - x0 + 1
            text = self._word(reading, i, width)
            row = max(y0 // 2 - (0 if width >= _WIDE else 1), 0)
            column = max(min(x0, columns - len(text)), 0)
            place = free[row, max(column - 1, 0) : column + len(text) + 1]
            if place.all():
                place[:] = False
                paper = self._colour(reading, i)
                blocks.write(text, row, column, ink_on(paper), paper)


def _boxes_on(boxes_px: I32, scale: float, left: int, top: int, end: tuple[int, int]) -> list[Box]:
    """Boxes of the frame as inclusive pixel corners on the canvas, one pixel outside the cell."""
    low, high = np.array([left, top]), np.array(end) - 1
    first = np.clip(np.floor(boxes_px[:, :2] * scale).astype(int) - 1 + low, low, high)
    last = np.clip(np.ceil(boxes_px[:, 2:] * scale).astype(int) + low, low, high)
    return [(x0, y0, x1, y1) for (x0, y0), (x1, y1) in zip(first.tolist(), last.tolist(), strict=True)]
