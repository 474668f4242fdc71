"""The terminal: for the screen alone, while libraries complain to nobody, and what it can show."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Literal

from rich.console import Console
from textual import constants

Colours = Literal["true", "256", "16"]


@contextmanager
def own_terminal() -> Iterator[None]:
    """Give the screen a way to the terminal of its own, and let standard error lead nowhere meanwhile.

    The screen is drawn on standard error, and C libraries write there too: libjpeg has a line for every
    picture of a cheap camera with a byte too many.
    """
    shown = sys.__stderr__
    if shown is None:
        yield
        return
    shown.flush()
    nowhere = os.open(os.devnull, os.O_WRONLY)
    screen = os.fdopen(os.dup(shown.fileno()), "w", encoding=shown.encoding, errors=shown.errors)
    os.dup2(nowhere, shown.fileno())
    os.close(nowhere)
    sys.__stderr__ = screen  # type: ignore[misc]  # where Textual takes its file from
    try:
        yield
    finally:
        os.dup2(screen.fileno(), shown.fileno())
        sys.__stderr__ = shown  # type: ignore[misc]
        with suppress(OSError):  # a terminal that was closed takes no last words
            screen.close()


def colours(environment: Mapping[str, str] = os.environ) -> Colours:
    """How many colours the terminal has, by COLORTERM and TERM; with 16 a field is grey and a crop is noise.

    Notes
    -----
    Rich answers it, which draws the screen: what is told here is what is shown.
    """
    console = Console(color_system=constants.COLOR_SYSTEM, force_terminal=True, _environ=environment)  # type: ignore[arg-type]
    names: dict[str | None, Colours] = {"truecolor": "true", "256": "256"}
    return names.get(console.color_system, "16")
