"""Drives the review without a terminal, and reads what it shows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from textual.pilot import Pilot

from edge.tui.panel import Panel
from edge.tui.review.app import ReviewApp
from edge.tui.review.explaining import Explainer
from edge.tui.review.gallery import CellGallery
from edge.tui.review.large import LargeView
from edge.tui.review.screen import ReviewScreen

SIZES = [(80, 24), (160, 48)]


def drive(
    review: Any,
    script: Callable[[Pilot[None]], Awaitable[None]],
    size: tuple[int, int] = (80, 24),
    why: Callable[[], Explainer] | None = None,
) -> ReviewApp:
    """Run the review headless until it shows, then `script`; the app afterwards."""
    app = ReviewApp(review, why)

    async def run() -> None:
        async with app.run_test(size=size) as pilot:
            await shown(pilot)
            await script(pilot)

    asyncio.run(run())
    return app


async def shown(pilot: Pilot[None]) -> None:
    """Wait until the review is on the screen."""

    def there() -> bool:
        screens = [screen for screen in pilot.app.screen_stack if isinstance(screen, ReviewScreen)]
        return any(view.blocks for screen in screens for view in screen.query(CellGallery))

    await until(pilot, there, "the showing of the review")
    await pilot.pause()


async def press(pilot: Pilot[None], *keys: str) -> None:
    """Press keys and wait until the screen has answered them."""
    await pilot.press(*keys)
    await pilot.pause()


async def until(pilot: Pilot[None], happened: Callable[[], bool], what: str = "it") -> None:
    """Wait for something that a thread does, for as long as a busy machine may take."""
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end, f"{what} never happened"
        await pilot.pause(0.02)


def text_of(pilot: Pilot[None], selector: str = "Panel") -> str:
    """The words in the panels that `selector` finds, in one line."""
    panels = pilot.app.screen.query(selector).results(Panel)
    return " ".join(" ".join(str(panel.render()) for panel in panels).split())


def gallery_of(pilot: Pilot[None]) -> str:
    """The words over the gallery's pictures."""
    blocks = pilot.app.screen.query_one(CellGallery).blocks
    assert blocks is not None
    rows = range(blocks.glyphs.shape[0])
    return "\n".join("".join(segment.text for segment in blocks.words(y)) for y in rows)


def here(pilot: Pilot[None]) -> int:
    """Number of the cell under the cursor."""
    cell = screen_of(pilot)._walk.here
    assert cell is not None
    return cell.id


def screen_of(pilot: Pilot[None]) -> ReviewScreen:
    (screen,) = (screen for screen in pilot.app.screen_stack if isinstance(screen, ReviewScreen))
    return screen


def large_of(pilot: Pilot[None]) -> LargeView:
    return screen_of(pilot).query_one(LargeView)
