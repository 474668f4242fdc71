"""The screen for a bundle that names whole fields: it counts fields, and says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from edge.bundle.manifest import FindingRule
from edge.bundle.operation import ErrorRates, Spread
from edge.line.finding import judge
from edge.line.rules import Rules
from edge.line.weighing import reached
from edge.tui.app import ScreeningApp
from edge.tui.panel import Panel
from edge.types import Cells, Reading, Tally
from tests.edge.tui.driver import drive, shown, text_of
from tests.edge.tui.fake_screening import FakeScreening, reading

CLASSES = ("benign", "early", "pre", "pro")
RULE = FindingRule(0.1, 0.95, 0.5, "test", missed_fraction=0.1)
RATES = ErrorRates(Spread(0.95, 0.9, 1.0), Spread(0.01, 0.0, 0.05), "fields of four laboratories")
RULES = Rules(CLASSES, CLASSES, CLASSES[1:], "field", "positive field", RULE, RATES)


class FieldScreening(FakeScreening):
    """With a bundle that names fields."""

    classes = CLASSES
    positives = CLASSES[1:]
    leukocytes = CLASSES
    referral_fraction = RULE.refer_fraction
    rules = RULES
    bundle = "fields-1"


def _field(counts: tuple[int, int, int, int], *, repeated: bool = False) -> Reading:
    """A field called 'pre', after so many of each kind."""
    tally = Tally(
        counts=dict(zip(CLASSES, counts, strict=True)),
        leukocytes=sum(counts),
        positives=sum(counts[1:]),
        candidates=sum(counts[1:]),
        standing=reached(np.array([sum(counts[1:])]), np.array([max(sum(counts), 1)]), RULE, RATES),
        frames=sum(counts),
        unit="field",
        sign="positive field",
    )
    width, height = 720, 450
    everything = Cells(
        labels=np.ones((height, width), np.int32),
        nuclei=np.zeros((height, width), np.bool_),
        boxes=np.array([[0, 0, width, height]], np.float32),
        centres=np.array([[width / 2, height / 2]]),
        area_um2=np.array([3000], np.float32),
        nucleus_area_um2=np.zeros(1, np.float32),
        cut=np.zeros(1, np.bool_),
    )
    counted = np.full(1, bool(sum(counts)) and not repeated)
    return replace(
        reading(),
        cells=everything.in_frame(height, width),
        crops=np.full((1, 160, 160, 3), 200, np.uint8),
        probabilities=np.array([[0.05, 0.05, 0.85, 0.05]], np.float32),
        classes=np.array([2], np.int32),
        uncertain=np.zeros(1, np.bool_),
        certain=np.ones(1, np.bool_),
        ids=np.zeros(1, np.int32),
        new=counted,
        counted=counted,
        repeated=repeated,
        tally=tally,
        finding=judge(tally, RULES),
    )


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (
            (4, 6, 15, 5),
            ("▲ REFER", "26 positive fields among 30 fields", "press r to see 26 suspicious fields"),
        ),
        ((220, 0, 0, 0), ("• NONE POSITIVE", "0 positive fields among 220 fields: clearly fewer than 10%")),
        ((10, 0, 1, 0), ("▶ KEEP SCANNING", "more fields needed", "too few fields to say")),
        ((0, 0, 0, 0), ("no fields yet", "Too few fields to say")),
    ],
)
def test_the_finding_is_told_of_fields(counts: tuple[int, int, int, int], words: tuple[str, ...]) -> None:
    async def script(pilot: Pilot[Reading]) -> None:
        told = " ".join(text_of(pilot, "FindingPanel").split())
        for part in words:
            assert part in told
        for wrong in ("blast", "leukocyte"):
            assert wrong not in told.lower()

    drive(FieldScreening([_field(counts)]), script, (120, 40))


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40), (200, 60)])
def test_no_line_is_wider_than_its_panel(size: tuple[int, int]) -> None:
    """However many classes are positive."""

    async def script(pilot: Pilot[Reading]) -> None:
        for panel in pilot.app.screen.query(Panel):
            lines = str(panel.render()).split("\n")
            assert max(map(len, lines)) <= panel.size.width, panel
            assert len(lines) <= panel.size.height or not panel.display, panel
        assert "58 to 100%, corrected" in text_of(pilot, "FindingPanel")

    drive(FieldScreening([_field((4, 6, 15, 5))]), script, size)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (_field((1, 0, 1, 0)), "1 new field counted"),
        (replace(_field((1, 0, 1, 0)), counted=np.zeros(1, np.bool_)), "no new fields here"),
        (_field((1, 0, 1, 0), repeated=True), "seen before"),
    ],
)
def test_what_became_of_a_field(given: Reading, words: str) -> None:
    async def script(pilot: Pilot[Reading]) -> None:
        assert words in text_of(pilot, "StatusLine")

    drive(FieldScreening([given]), script)


def test_a_new_slide_asks_about_the_fields_that_were_counted() -> None:
    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("n")
        await pilot.pause()
        assert "30 fields" in " ".join(str(w.render()) for w in pilot.app.screen.query(Static))
        await pilot.press("n", "q")

    drive(FieldScreening([_field((4, 6, 15, 5))]), script)


def test_snapshot(snap_compare: Callable[..., bool]) -> None:
    """Against a picture that a person has looked at; see `tests.edge.tui.test_app`."""
    screening = FieldScreening([_field((4, 6, 15, 5))])

    async def prepare(pilot: Pilot[Reading]) -> None:
        await shown(pilot, screening)

    assert snap_compare(ScreeningApp(screening), terminal_size=(80, 24), run_before=prepare)
