"""Drives the screen without a terminal: runs it, waits for its last reading, reads its panels."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from textual.pilot import Pilot

from edge.tui.app import REFRESHES_PER_S, ScreeningApp
from edge.tui.live import LiveView
from edge.tui.panel import Panel
from edge.types import Reading
from tests.edge.tui.fake_screening import FakeScreening

Drive = Callable[[Pilot[Reading]], Awaitable[None]]


def drive(screening: FakeScreening, script: Drive, size: tuple[int, int] = (80, 24)) -> ScreeningApp:
    """Run the app headless until its last reading shows, then `script`; the app afterwards."""
    app = ScreeningApp(screening)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await shown(pilot, screening)
            await script(pilot)

    asyncio.run(run())
    return app


async def until(pilot: Pilot[Reading], happened: Callable[[], bool], what: str = "it") -> None:
    """Wait for something to happen on the screen, for as long as a busy machine may take."""
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end, f"{what} never happened"
        await pilot.pause(0.02)


async def shown(pilot: Pilot[Reading], screening: FakeScreening) -> None:
    """Wait until the last of the screening's readings is on the screen."""
    app = pilot.app
    assert isinstance(app, ScreeningApp)
    await pilot.pause(0.02)
    await until(
        pilot,
        lambda: not screening.given or app.screen_stack[0].query_one(LiveView).shown is screening.given[-1],
        "the showing of the last reading",
    )
    await pilot.pause(2 / REFRESHES_PER_S)


def text_of(pilot: Pilot[Reading], selector: str = "Panel") -> str:
    """The words in the panels that `selector` finds."""
    return "\n".join(str(panel.render()) for panel in pilot.app.screen.query(selector).results(Panel))


def on_top(pilot: Pilot[Reading]) -> type:
    return type(pilot.app.screen)
