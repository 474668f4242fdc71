"""The app of `edge-slides review`: who is reading, then the review."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.app import App

from edge.tui.review.dialogs import InitialsScreen
from edge.tui.review.explaining import Explainer
from edge.tui.review.screen import ReviewScreen
from edge.tui.review.still import ask_terminal

if TYPE_CHECKING:
    from edge.review.review import Review


class ReviewApp(App[None]):
    """Shows one review and ends with it.

    Parameters
    ----------
    review : what is shown; or what opens it for a person's initials, which are asked for then. Where that
        raises LeukoscopeError, the person is told and may try again.
    why : see `ReviewScreen`.
    """

    TITLE = "Leukoscope"
    ENABLE_COMMAND_PALETTE = False

    def __init__(
        self,
        review: Review | Callable[[str], Review],
        why: Callable[[], Explainer] | None = None,
    ) -> None:
        ask_terminal()
        super().__init__()
        self._review, self._why = review, why

    def on_mount(self) -> None:
        for ending in (signal.SIGTERM, signal.SIGHUP):  # the second comes when the terminal is closed
            asyncio.get_running_loop().add_signal_handler(ending, self.exit)
        if callable(self._review):
            self.push_screen(InitialsScreen(self._review), self._opened)
        else:
            self._opened(self._review)

    def _opened(self, review: Review | None) -> None:
        if review is None:
            self.exit()
        else:
            self.push_screen(ReviewScreen(review, self._why), lambda _: self.exit())
