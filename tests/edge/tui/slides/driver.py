"""Drives one screen alone, by keys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input, Static

from edge.tui.panel import Panel

Drive = Callable[[Pilot[None]], Awaitable[None]]


class Alone(App[None]):
    """Shows one screen; `gave` are its results."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self._first = screen
        self.gave: list[Any] = []

    def on_mount(self) -> None:
        self.push_screen(self._first, self.gave.append)


def drive(screen: Screen[Any], script: Drive, size: tuple[int, int] = (80, 24)) -> list[Any]:
    """Run the script on the screen; what it gave when it was closed."""
    app = Alone(screen)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await pilot.pause()
            await script(pilot)
            await pilot.pause()

    asyncio.run(run())
    return app.gave


def told(pilot: Pilot[None]) -> str:
    """All words on the screen on top."""
    screen = pilot.app.screen
    panels = [str(panel.render()) for panel in screen.query(Panel)]
    statics = [str(static.render()) for static in screen.query(Static)]
    return "\n".join([*panels, *statics, *(one.value for one in screen.query(Input))])
