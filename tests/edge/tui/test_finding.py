"""The finding's panel: its words, its colours, its figures, and when it is painted again."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import pytest
from textual.geometry import Region
from textual.pilot import Pilot

from edge.tui.finding import BANDS, FindingPanel
from edge.tui.halfblock import Blocks
from edge.tui.main import MainScreen
from edge.types import Apl, Finding, FindingKind, Reading
from tests.edge.tui.driver import drive, text_of
from tests.edge.tui.fake_screening import COUNTS, NEGATIVE, FakeScreening, reading

FINDING = Finding("refer", "IN A WORD", "Because of this.", "Do that.", 0.02, (0.01, 0.06), 0.95)
REFER = reading().finding
SIZES = [(60, 18), (80, 24), (100, 30), (160, 48)]
SUSPICIOUS = (1, *NEGATIVE[1:])


@pytest.mark.parametrize(("kind", "symbol"), [(kind, symbol) for kind, (symbol, _) in BANDS.items()])
def test_every_finding_has_its_headline_reason_advice_and_symbol(kind: FindingKind, symbol: str) -> None:
    finding = replace(FINDING, kind=kind)

    async def script(pilot: Pilot[Reading]) -> None:
        told = text_of(pilot, "FindingPanel")
        assert f" {symbol} IN A WORD" in told
        assert "Because of this." in told
        assert "Do that." in told

    drive(FakeScreening([reading(finding=finding)]), script)


def test_no_two_findings_share_a_colour_even_on_a_console_of_sixteen() -> None:
    papers = np.array([[colour for _, colour in BANDS.values()]] * 2, np.uint8)
    (line,) = Blocks.of(papers).lines("standard")
    assert len(set(re.findall(r"\x1b\[([0-9;]+)m▀", line))) == len(get_args(FindingKind)) == len(BANDS)


@pytest.mark.parametrize(
    ("finding", "words"),
    [
        (FINDING, "2% blasts, 1 to 6%, as counted"),
        (replace(FINDING, corrected=0.034, corrected_interval=(0.0, 0.081)), "3% blasts, 0 to 9%, corrected"),
        (replace(FINDING, blast_fraction=0.004, interval=(0.001, 0.021)), "<1% blasts, 0 to 3%, as counted"),
    ],
)
def test_the_fraction_is_told_corrected_where_that_is_known_and_in_whole_percent(
    finding: Finding, words: str
) -> None:
    async def script(pilot: Pilot[Reading]) -> None:
        assert words in text_of(pilot, "FindingPanel")

    drive(FakeScreening([reading(finding=finding)]), script)


def test_how_many_more_cells_are_needed_is_told_in_tens() -> None:
    async def script(pilot: Pilot[Reading]) -> None:
        assert "about 60 more leukocytes needed" in text_of(pilot, "FindingPanel")

    drive(FakeScreening([reading(finding=replace(FINDING, cells_needed=57))]), script)


def test_confirmed_stands_beside_counted() -> None:
    screening = FakeScreening([reading(confirmed={"blast": 12, "lymphocyte": 3})])

    async def script(pilot: Pilot[Reading]) -> None:
        told = text_of(pilot, "FindingPanel")
        assert "61 of 143 leukocytes, √12 confirmed" in told
        assert "press r to see 49 suspicious cells" in told
        counts = text_of(pilot, "Counts").splitlines()
        assert counts[0].split()[:3] == ["blast", "61", "√12"]
        assert counts[2].split()[:3] == ["lymphocyte", "38", "√3"]
        assert "√" not in counts[3]

    drive(screening, script)


def test_nobody_is_sent_to_a_review_that_cannot_be() -> None:
    screening = FakeScreening([reading()])
    screening.recorded = False

    async def script(pilot: Pilot[Reading]) -> None:
        assert "press r" not in text_of(pilot, "FindingPanel")

    drive(screening, script)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("counts", "headline"),
    [
        (COUNTS, "REFER"),
        (NEGATIVE, "NO BLASTS SEEN"),
        (SUSPICIOUS, "1 suspicious cell among 403: look at it"),
        ((1, 0, 8, *COUNTS[3:]), "KEEP SCANNING"),
        ((30, *NEGATIVE[1:]), "HAVE THE FILM READ TODAY"),
    ],
)
def test_the_words_and_the_count_are_whole_in_every_window(
    size: tuple[int, int], counts: tuple[int, ...], headline: str
) -> None:
    given = reading(counts=counts)

    async def script(pilot: Pilot[Reading]) -> None:
        told = " ".join(text_of(pilot, "FindingPanel").split())
        for words in (headline, given.finding.reason, given.finding.advice):
            assert words in told
        assert f"{counts[0]} blast" in told
        if given.finding.kind == "no-blasts-seen":
            assert "This does not rule out leukemia" in told

    drive(FakeScreening([given]), script, size)


def test_green_is_for_slides_on_which_no_suspicious_cell_waits() -> None:
    def colour(counts: tuple[int, ...]) -> str:
        panel = FindingPanel(("blast",), 0.05, recorded=True)
        given = reading(counts=counts)
        panel._finding, panel._tally = given.finding, given.tally
        return str(panel.lay_out(35, 11)[0].spans[0].style)

    assert "#1e823c" in colour(NEGATIVE)
    assert "#1e823c" not in colour(SUSPICIOUS)


def test_the_finding_is_painted_again_only_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[str] = []
    refresh = FindingPanel.refresh

    def record(panel: FindingPanel, *args: Region, **options: Any) -> FindingPanel:
        painted.append(str(panel.render()))
        return refresh(panel, *args, **options)

    monkeypatch.setattr(FindingPanel, "refresh", record)
    same = [replace(reading(i), t_s=float(i)) for i in range(3)]
    nearly = replace(REFER, corrected_interval=(0.3025, 0.8135), corrected=0.5001)

    async def script(pilot: Pilot[Reading]) -> None:
        main = pilot.app.screen
        assert isinstance(main, MainScreen)
        painted.clear()
        for given in (*same, replace(same[0], finding=nearly)):
            main.show_reading(given, [])
        assert painted == []
        main.show_reading(reading(counts=NEGATIVE), [])
        assert len(painted) == 1

    drive(FakeScreening([same[0]]), script)


@pytest.mark.parametrize("size", SIZES)
def test_what_cannot_wait_has_a_line_on_every_screen(size: tuple[int, int]) -> None:
    for alert in (True, False):
        finding = replace(REFER, apl=Apl(1.5, alert, 0.05), advice=f"{REFER.advice} Say APL.")

        async def script(pilot: Pilot[Reading], alert: bool = alert) -> None:
            told = text_of(pilot, "FindingPanel")
            assert ("APL? Say so in the call" in told) == alert
            assert "Tell the doctor" in told  # whom to call is not cut for it

        drive(FakeScreening([reading(finding=finding)]), script, size)
