"""A widget that shows a picture, fast."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from edge.tui.halfblock import RGB, Blocks
from edge.types import U8


def shrink(image: U8, width: int, height: int) -> U8:
    """`image` (H, W, 3) at `height` × `width`, averaged over the pixels that fall together."""
    # averaging every pixel of a large frame costs milliseconds that a thumbnail does not show
    step = max(min(image.shape[1] // (3 * width), image.shape[0] // (3 * height)), 1)
    smaller = np.ascontiguousarray(image[::step, ::step])
    out = cv2.resize(smaller, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(out, np.uint8)


class PictureView(Widget):
    """Shows `Blocks` as they are; a subclass decides what they are.

    The picture is handed to Textual past its cache of styled lines: no border, padding or opacity applies.
    """

    _strips: Sequence[Strip] = ()
    blocks: Blocks | None = None
    hollow = False
    """Leave the pixels out and show only what is written over them."""

    def show(self, blocks: Blocks) -> None:
        self.blocks = blocks
        self._strips = blocks.strips(self.app.console.color_system)
        self.refresh()

    def canvas(self) -> U8:
        """An image of the widget's size in pixels, in its background's colour: (2 h, w, 3) uint8."""
        return np.full((2 * self.size.height, self.size.width, 3), self.paper, np.uint8)

    @property
    def paper(self) -> RGB:
        return self.background_colors[1].rgb

    def render_line(self, y: int) -> Strip:
        if self.hollow and self.blocks is not None and y < len(self._strips):
            return Strip(self.blocks.words(y))
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self.visual_style.rich_style)

    def render_lines(self, crop: Region) -> list[Strip]:
        return [self.render_line(y).crop(crop.x, crop.right) for y in range(crop.y, crop.bottom)]
