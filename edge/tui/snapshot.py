"""The screen as an SVG picture that looks the same in every viewer.

Textual writes half blocks as letters, and letters depend on the viewer's font. Here the pictures on the
screen go into the SVG as images, and only words stay words.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import cv2
from textual.app import App

from edge.tui.picture import PictureView

# Rich's SVG export: a character is 12.2 by 24.4, its ground begins 1.5 below the line's top.
_COLUMN, _LINE, _GROUND = 12.2, 24.4, 1.5
_TEXT_STARTS = '<g class="terminal-'
_SHARP = 6  # image pixels a side of each pixel shown, for viewers that would smooth a small image


def svg(app: App[Any]) -> str:
    """SVG of `app`'s screen as it stands. The app must be running."""
    views = [view for view in app.screen.query(PictureView) if view.region.area and view.blocks]
    for view in views:
        view.hollow = True
    try:
        drawn = app.export_screenshot()
    finally:
        for view in views:
            view.hollow = False
    drawn = drawn.replace("<svg ", '<svg xml:space="preserve" ', 1)  # or some viewers leave blanks out
    grounds, mark, words = drawn.rpartition(_TEXT_STARTS)
    return "".join([grounds, *map(_image, views), mark, words])


def _image(view: PictureView) -> str:
    assert view.blocks is not None
    pixels = view.blocks.pixels()
    height, width, _ = pixels.shape
    size = (width * _SHARP, height * _SHARP)
    larger = cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST)
    _, png = cv2.imencode(".png", cv2.cvtColor(larger, cv2.COLOR_RGB2BGR))
    x, y = view.region.x * _COLUMN, view.region.y * _LINE + _GROUND
    return (
        f'<image x="{x:.1f}" y="{y:.1f}" width="{width * _COLUMN:.1f}" height="{height / 2 * _LINE:.1f}" '
        'preserveAspectRatio="none" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{b64encode(png.tobytes()).decode()}"/>\n'
    )
