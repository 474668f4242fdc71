"""The review from the live screen: the line waits, and what people say holds at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from textual.pilot import Pilot

from edge.bundle import bundle
from edge.cameras.demo.camera import SimulatedCamera
from edge.cells.classify import Classifier
from edge.line.options import ScreeningOptions
from edge.line.screening import Screening
from edge.optics.scale import Scales
from edge.records.book import Book
from edge.records.store import Store
from edge.tui.app import ScreeningApp
from edge.tui.main import MainScreen
from edge.tui.review.dialogs import InitialsScreen
from edge.tui.review.screen import ReviewScreen
from edge.types import Reading
from tests.edge.tui.driver import drive, on_top, text_of, until
from tests.edge.tui.fake_screening import NOTHING, FakeScreening, reading

SLIDE = "S-1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "records.db") as opened:
        yield opened


@pytest.fixture
def screening(store: Store) -> Iterator[Screening]:
    """Of the simulated slide with many blasts, which goes on until it is stopped."""
    model, camera = bundle.load(), SimulatedCamera(1)
    classifier = Classifier(model)
    yield Screening(
        camera=camera,
        bundle=model,
        classifier=classifier,
        scales=Scales(asked=0.1, nominal=0.1, camera=camera),
        store=store,
        profile="test",
        options=ScreeningOptions(slide=SLIDE),
    )
    classifier.close()


async def opened(pilot: Pilot[Reading], *, blasts: int) -> None:
    """Screen until there are so many blasts, then open the review as AB."""
    app = pilot.app
    assert isinstance(app, ScreeningApp)
    await until(pilot, lambda: (r := app._latest.newest) is not None and r.tally.positives >= blasts)
    await pilot.press("r")
    await until(pilot, lambda: on_top(pilot) is InitialsScreen)
    await pilot.press("a", "b", "enter")
    await until(pilot, lambda: on_top(pilot) is ReviewScreen)


def confirmed(screening: Screening) -> Mapping[str, int]:
    heard = screening.hear(())
    assert heard is not None
    return heard[0].confirmed


def test_what_people_say_holds_on_the_live_screen_at_once(screening: Screening, store: Store) -> None:
    app = ScreeningApp(screening)

    async def run() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await opened(pilot, blasts=2)
            await pilot.press("enter", "enter")
            await until(pilot, lambda: confirmed(screening) == {"blast": 2}, "hearing")
            frames = len(store.readings(SLIDE))
            await pilot.press("q")
            await until(pilot, lambda: on_top(pilot) is MainScreen)
            await until(pilot, lambda: "√2 confirmed" in text_of(pilot, "FindingPanel"), "the count")
            assert any(words in text_of(pilot, "FindingPanel") for words in ("REFER", "HAVE THE FILM READ"))
            await until(pilot, lambda: len(store.readings(SLIDE)) > frames, "going on")
            await until(pilot, lambda: "√2 confirmed" in text_of(pilot, "FindingPanel"), "the count")
            await pilot.press("q", "y")

    asyncio.run(run())
    assert app.return_value is not None
    assert app.return_value.tally.confirmed == {"blast": 2}
    with Book(store.path) as book:
        assert [word.named for word in book.said(SLIDE)] == ["blast", "blast"]
        assert book.found(SLIDE)["confirmed"] == {"blast": 2}
        assert book.place(SLIDE, "AB") is not None


def test_a_pause_outlives_the_review(screening: Screening) -> None:
    app = ScreeningApp(screening)

    async def run() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: app._counted() is not None)
            await pilot.press("space")
            await opened(pilot, blasts=0)
            await pilot.press("q")
            await until(pilot, lambda: on_top(pilot) is MainScreen)
            assert "paused" in text_of(pilot, "StatusLine")
            assert not screening._go_on.is_set()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("records", "counts", "told"),
    [
        (None, None, "nothing is recorded (--no-records)"),
        ("records.db", NOTHING, "no cells on this slide yet"),
        ("gone.db", None, "gone.db: there is no such file"),
    ],
)
def test_where_there_is_nothing_to_review_a_clear_word_says_so(
    tmp_path: Path, records: str | None, counts: tuple[int, ...] | None, told: str
) -> None:
    screening = FakeScreening([reading(counts=counts) if counts else reading()])
    screening.records = tmp_path / records if records else None

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("r")
        await until(pilot, lambda: any(told in n.message for n in pilot.app._notifications), told)
        assert on_top(pilot) is MainScreen
        assert screening.pauses in ([], [True, False])

    drive(screening, script)


def test_whoever_gives_no_initials_is_back_and_the_line_goes_on(tmp_path: Path) -> None:
    screening = FakeScreening([reading()])
    screening.records = tmp_path / "records.db"
    Store(screening.records).close()

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("r")
        await until(pilot, lambda: on_top(pilot) is InitialsScreen)
        await pilot.press("escape")
        await until(pilot, lambda: on_top(pilot) is MainScreen)
        await until(pilot, lambda: screening.pauses == [True, False])

    drive(screening, script)
