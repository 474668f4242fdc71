"""Terminals of 16 colours, in which a cell is noise: words hold there, and how to see cells is said."""

from __future__ import annotations

from textwrap import wrap

from textual.widget import Widget

_TOLD = (
    "This terminal has 16 colours: no cell can be shown in it. On the box's own screen edge-device doctor "
    "says how to mend that; elsewhere take a terminal with all colours."
)


def shows_no_cells(widget: Widget) -> bool:
    """Whether the widget's terminal has too few colours."""
    return widget.app.console.color_system not in ("truecolor", "256")


def told(width: int) -> list[str]:
    """What to do about it."""
    return wrap(_TOLD, max(width, 1))
