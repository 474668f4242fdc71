"""A cell's true picture, where the terminal has graphics (Sixel, Kitty) and `textual-image` is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from textual.widget import Widget

from edge.types import U8

_image: Any = None


def ask_terminal() -> None:
    """Find out what the terminal can show. It must be asked before the screen takes it over."""
    global _image
    if find_spec("textual_image") is None:
        return
    from textual_image.renderable import Image, SixelImage, TGPImage
    from textual_image.widget import Image as Shown

    if Image in (SixelImage, TGPImage):
        _image = Shown


def still() -> Widget | None:
    """A widget for `show`; None where the terminal has half blocks only, or was not asked."""
    return None if _image is None else _image()


def show(widget: Widget, picture: U8) -> None:
    """Show a picture (H, W, 3) in what `still` made."""
    from PIL import Image

    widget.image = Image.fromarray(picture)  # type: ignore[attr-defined]
