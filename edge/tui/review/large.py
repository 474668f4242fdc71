"""One cell, large, or the field round it; and why, when asked."""

from __future__ import annotations

from math import pi, sqrt
from typing import TYPE_CHECKING

import cv2
import numpy as np
from textual import events


from edge.tui.halfblock import RGB, Blocks
from edge.tui.picture import PictureView, shrink
from edge.tui.review.marks import CURSOR
from edge.tui.wording import title
from edge.types import F32, U8

if TYPE_CHECKING:
    from edge.line.explain import Why
    from edge.review.review import Cell

Box = tuple[int, int, int, int]
_INK: RGB = (225, 225, 225)
_GLOW: RGB = (255, 210, 0)
CONTEXT_UM = 56.0
_UPPER = 0.55  # of the height is the cell's where the reference cells stand below it
NO_PICTURE = "no picture of this cell was kept"


class LargeView(PictureView):
    """The picture with a corner at each end of the cell's box."""

    _picture: U8 | None = None
    _box: Box | None = None
    _crop: U8 | None = None
    _why: Why | None = None

    def show_cell(self, picture: U8 | None, box: Box | None, crop: U8 | None, why: Why | None) -> None:
        """`picture` (H, W, 3) and the cell's `box` on it; with `why`, `crop` is shown as the machine saw it."""
        self._picture, self._box, self._crop, self._why = picture, box, crop, why
        self._draw()

    def on_resize(self, _event: events.Resize) -> None:
        self._draw()

    def _draw(self) -> None:
        if not self.size.width or not self.size.height or not self.display:
            return
        if self._why is not None and self._crop is not None:
            self.show(self._explained(self._crop, self._why))
        elif self._picture is not None:
            canvas = self.canvas()
            self._put(canvas, self._picture, self._box)
            self.show(Blocks.of(canvas))
        else:
            blocks = Blocks.of(self.canvas())
            blocks.write(NO_PICTURE, 0, 0, _INK, self.paper)
            self.show(blocks)

    def _put(self, canvas: U8, picture: U8, box: Box | None) -> None:
        """The picture in the middle of the canvas, as large as fits, with the corners of the box."""
        rows, columns, _ = canvas.shape
        scale = min(columns / picture.shape[1], rows / picture.shape[0])
        width, height = max(int(picture.shape[1] * scale), 1), max(int(picture.shape[0] * scale), 1)
        left, top = (columns - width) // 2, (rows - height) // 2
        place = canvas[top : top + height, left : left + width]
        place[:] = shrink(picture, width, height)
        if box is not None:
            _corners(place, tuple(round(edge * scale) for edge in box))

    def _explained(self, crop: U8, why: Why) -> Blocks:
        """The crop as it is and where it decided; below them the likest reference cells by name."""
        canvas = self.canvas()
        width, height = self.size.width, self.size.height
        upper = min(int(height * _UPPER), (width - 1) // 4)
        side = 2 * upper
        canvas[:side, :side] = shrink(crop, side, side)
        canvas[:side, side + 1 : 2 * side + 1] = heated(shrink(crop, side, side), why.heat)
        below = min(height - upper - 1, (width // 3 - 1) // 2)
        places = [i * (width // 3) for i in range(len(why.likest[:3]))]
        for x, (_, reference, _) in zip(places, why.likest, strict=False):
            canvas[side : side + 2 * below, x : x + 2 * below] = shrink(reference, 2 * below, 2 * below)
        blocks = Blocks.of(canvas)
        for x, (name, _, _) in zip(places, why.likest, strict=False):
            blocks.write(title(name, width // 3 - 1), upper + below, x, _INK, self.paper)
        return blocks


def heated(picture: U8, heat: F32) -> U8:
    """The picture, greyed where nothing was decided and in its own colours where the heat is."""
    side = picture.shape[0]
    warm = np.asarray(cv2.resize(heat, (side, side), interpolation=cv2.INTER_AREA), np.float32)[..., None]
    grey = picture.mean(-1, keepdims=True, dtype=np.float32) * 0.6
    return np.asarray(grey + (picture - grey) * warm, np.uint8)


def _corners(picture: U8, box: tuple[int, ...]) -> None:
    """Draw the corners of a box, a third of each side long."""
    height, width, _ = picture.shape
    x0, y0 = max(box[0] - 1, 0), max(box[1] - 1, 0)
    x1, y1 = min(box[2], width - 1), min(box[3], height - 1)
    third_x, third_y = max((x1 - x0) // 3, 1), max((y1 - y0) // 3, 1)
    for y in (y0, y1):
        picture[y, x0 : x0 + third_x] = picture[y, x1 - third_x + 1 : x1 + 1] = CURSOR
    for x in (x0, x1):
        picture[y0 : y0 + third_y, x] = picture[y1 - third_y + 1 : y1 + 1, x] = CURSOR


def box_in_field(cell: Cell, side: int) -> Box:
    """Where the cell lies in the square field of `side` pixels that was kept round it.

    The field is so many µm wide, and the pitch of the cell's box follows from its area: a cell fills as much
    of its box as a disc does.
    """
    width, height = cell.box_px[2] - cell.box_px[0], cell.box_px[3] - cell.box_px[1]
    pitch_um = sqrt(4 / pi * cell.area_um2 / max(width * height, 1))
    reach = [extent * pitch_um / CONTEXT_UM * side / 2 for extent in (width, height)]
    x0, y0, x1, y1 = (round(side / 2 + way * half) for way in (-1, 1) for half in reach)
    return x0, y0, x1, y1
