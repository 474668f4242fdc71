"""The terminal for the screen alone, while libraries complain to nobody."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress


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
