"""What the panels show of a reading, the picture and the words, whatever the size of the terminal."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from textual.binding import Binding
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widgets import Static

from edge.machine.profile import data_folder
from edge.records.identifiers import new_slide_id
from edge.tui.app import ScreeningApp
from edge.tui.finding import BANDS, FindingPanel
from edge.tui.gallery import Gallery
from edge.tui.halfblock import Blocks
from edge.tui.latest import Latest
from edge.tui.live import LiveView
from edge.tui.main import MainScreen
from edge.tui.meters import Meters
from edge.tui.panel import Panel
from edge.tui.snapshot import svg
from edge.tui.status import Keys, Notes
from edge.tui.wording import title
from edge.types import Finding, FindingKind, Reading
from tests.edge.tui.driver import drive, text_of, until
from tests.edge.tui.fake_screening import CLASSES, COUNTS, NEGATIVE, FakeScreening, reading

FINDING = Finding("refer", "IN A WORD", "Because of this.", "Do that.", 0.02, (0.01, 0.06), 0.95)
REFER = reading().finding
SIZES = [(80, 24), (100, 30), (120, 40), (200, 60)]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (reading(problems=("out of focus",)), "out of focus: turn the fine focus"),
        (reading(problems=("file cut short",)), "file cut short"),
        (reading(repeated=True), "seen before: move to an unseen field"),
        (reading(), "4 new cells counted"),
        (replace(reading(), counted=np.zeros(6, np.bool_)), "no new leukocytes here"),
    ],
)
def test_what_became_of_a_field(given: Reading, words: str) -> None:
    async def script(pilot: Pilot[Reading]) -> None:
        assert words in text_of(pilot, "StatusLine")

    drive(FakeScreening([given]), script)


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


SUSPICIOUS = (1, *NEGATIVE[1:])


@pytest.mark.parametrize("size", [(60, 18), *SIZES])
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


def test_what_the_line_has_to_tell_stays_in_sight_until_the_slide_ends() -> None:
    note = "saved calibration 0.1 but the red cells say 0.13"
    screening = FakeScreening([replace(reading(), note=note), reading(1)], warning="unsigned bundle")

    async def script(pilot: Pilot[Reading]) -> None:
        await until(pilot, lambda: note in " ".join(text_of(pilot, "Notes").replace("\n ", "").split()), note)
        assert text_of(pilot, "Notes").startswith("! unsigned bundle\n! saved")
        assert "keep the slide" in text_of(pilot, "FindingPanel").lower()
        await pilot.press("n", "ctrl+s")
        await until(pilot, lambda: text_of(pilot, "Notes") == "! unsigned bundle", "only what stands")

    drive(screening, script)


def test_a_long_note_leaves_the_picture_its_place_and_is_whole_among_the_details() -> None:
    note = "the slide's cells lie outside what the network was trained on: " + 30 * "very odd "
    screening = FakeScreening([replace(reading(), note=note)])

    async def script(pilot: Pilot[Reading]) -> None:
        await until(pilot, lambda: text_of(pilot, "Notes").endswith(".. (d)"))
        await pilot.pause()
        assert pilot.app.screen.query_one(Notes).size.height == 4
        assert pilot.app.screen.query_one(LiveView).size.height >= 7
        assert not pilot.app.screen.query_one(Gallery).display
        await pilot.press("d")
        assert note.strip() in str(pilot.app.screen.query_one(Static).render())

    drive(screening, script, (60, 18))


def test_a_warning_stays_in_sight() -> None:
    screening = FakeScreening([reading()], warning="unsigned bundle")

    async def script(pilot: Pilot[Reading]) -> None:
        assert text_of(pilot, "Notes") == "! unsigned bundle"
        assert pilot.app.screen.query_one(Notes).size.height == 1

    drive(screening, script)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("failure", [None, "camera 0: /dev/video0 was unplugged; plug it in again"])
def test_nothing_overlaps_or_is_cut(size: tuple[int, int], failure: str | None) -> None:
    screening = FakeScreening(
        [reading(0), reading(1)],
        failure=failure,
        warning="unsigned bundle: not for use on patients",
        slide="a-rather-long-identifier-of-a-slide/2026-01-02/0042",
    )

    async def script(pilot: Pilot[Reading]) -> None:
        leaves = [w for w in pilot.app.screen.query("*") if not w.children and w.region.area]
        for widget in leaves:
            assert pilot.app.screen.region.contains_region(widget.region), widget
        for one, other in combinations(leaves, 2):
            assert not one.region.overlaps(other.region), (one, other)
        for panel in pilot.app.screen.query(Panel):
            lines = str(panel.render()).split("\n")
            assert max(map(len, lines)) <= panel.size.width, panel
            assert len(lines) <= panel.size.height or not panel.display, panel
        assert pilot.app.query_one(LiveView).size.height >= 12
        told = text_of(pilot)
        for words in (*(title(name, 10)[:3] for name in CLASSES), "REFER", "focus", "light"):
            assert words in told
        assert "Keep the slide" in " ".join(text_of(pilot, "FindingPanel").split())

    drive(screening, script, size)


def test_a_generated_identifier_is_whole_on_60_columns() -> None:
    slide = new_slide_id(dated=True)

    async def script(pilot: Pilot[Reading]) -> None:
        title_bar = text_of(pilot, "TitleBar")
        assert len(title_bar) <= 60
        assert f"slide {slide}" in title_bar
        assert "research use only" in title_bar

    drive(FakeScreening([reading()], slide=slide), script, (60, 18))


def test_what_engineers_ask_for_is_on_a_page_of_its_own() -> None:
    screening = FakeScreening([reading(0), reading(1)])
    figures = (
        "demo:1",
        "ort-int8",
        64 * "b",
        "0.102 µm/px",
        "classify",
        "other laboratories",
        "fields    81,",
    )

    async def script(pilot: Pilot[Reading]) -> None:
        main = " ".join(str(w.render()) for w in pilot.app.screen.query(Panel))
        for figure in figures:
            assert figure not in main
        await pilot.press("d")
        page = str(pilot.app.screen.query_one(Static).render())
        for figure in figures:
            assert figure in page
        await pilot.press("d")
        assert isinstance(pilot.app.screen, MainScreen)

    drive(screening, script)


@pytest.mark.parametrize(
    ("focus", "light", "words"),
    [
        (0.61, 0.5, ("good", "good")),
        (0.59, 0.1, ("poor", "dark")),
        (1.0, 0.999, ("good", "bright")),
        (None, 0.18, ("-", "good")),
    ],
)
@pytest.mark.parametrize("width", [24, 44, 140])
def test_meters_mark_the_range_in_which_a_field_can_be_read(
    width: int, focus: float | None, light: float, words: tuple[str, str]
) -> None:
    meters = Meters()
    meters._reading = replace(reading(), focus=focus, focus_needed=0.6, brightness=light)
    lines = [str(line) for line in meters.lay_out(width, 2)]
    for line, value, word in zip(lines, (focus, light), words, strict=True):
        assert len(line) <= width
        assert line.split()[-1] == word
        good = line[line.index("[") : line.index("]")]
        if value is not None:
            assert ("█" in good) == (word == "good"), line


def test_keys_fit_their_line_with_room_for_two_more() -> None:
    more = [Binding("i", "patient", "Patient"), Binding("l", "slides", "Slides")]
    keys = Keys([*ScreeningApp.KEYS, *more])
    (line,) = keys.lay_out(80, 1)
    assert str(line).split()[-4:] == ["i", "Patient", "l", "Slides"]
    (line,) = keys.lay_out(60, 1)
    assert len(line) <= 60
    assert "h Help q Quit" in str(line)


@pytest.mark.parametrize("aspect", [(720, 450), (640, 480), (400, 400), (450, 900)])
def test_the_field_keeps_its_proportions(aspect: tuple[int, int]) -> None:
    field = reading()
    ground = np.full((aspect[1], aspect[0], 3), (10, 200, 30), np.uint8)
    field = replace(field, frame=replace(field.frame, pixels=ground), problems=("nothing",))

    async def script(pilot: Pilot[Reading]) -> None:
        view = pilot.app.query_one(LiveView)
        assert view.blocks is not None
        green = (view.blocks.pixels() == (10, 200, 30)).all(-1)
        rows, columns = np.flatnonzero(green.any(1)), np.flatnonzero(green.any(0))
        height, width = rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1
        assert width / height == pytest.approx(aspect[0] / aspect[1], rel=0.05)
        assert height == green.shape[0] or width == green.shape[1]

    drive(FakeScreening([field]), script, (200, 60))


def test_a_box_in_the_class_colour_stands_round_the_cell() -> None:
    async def script(pilot: Pilot[Reading]) -> None:
        view = pilot.app.query_one(LiveView)
        assert view.blocks is not None
        image = view.blocks.pixels()
        scale = min(image.shape[1] / 720, image.shape[0] / 450)
        left, top = (image.shape[1] - round(720 * scale)) // 2, (image.shape[0] - round(450 * scale)) // 2
        red = (image == (240, 60, 50)).all(-1)
        rows, columns = np.flatnonzero(red[:, : int(200 * scale)].any(1)), np.flatnonzero(red[:60].any(0))
        assert columns[0] == left + int((110 - 38) * scale) - 1
        assert columns[-1] == left + np.ceil((110 + 38) * scale)
        assert rows[-1] == top + np.ceil((120 + 38) * scale)

    drive(FakeScreening([reading()]), script, (200, 60))


def test_what_is_not_counted_is_drawn_in_another_shape_and_named() -> None:
    """The fifth cell is uncertain, the sixth cut by the right edge."""

    async def script(pilot: Pilot[Reading]) -> None:
        view = pilot.app.query_one(LiveView)
        assert view.blocks is not None
        written = " ".join("".join(s.text for s in view.blocks.words(y)) for y in range(view.size.height))
        assert "unsure" in written
        assert "cut" in written
        image = view.blocks.pixels()
        scale = min(image.shape[1] / 720, image.shape[0] / 450)
        left, top = (image.shape[1] - round(720 * scale)) // 2, (image.shape[0] - round(450 * scale)) // 2
        side = image[top + int(350 * scale) : top + int(410 * scale), left + int((708 - 38) * scale) - 1]
        marked = (side == side[0]).all(-1)
        assert marked[[0, 1, -2, -1]].all()
        assert not marked[len(side) // 3 : 2 * len(side) // 3].any()

    drive(FakeScreening([reading()]), script, (200, 60))


def test_a_frame_without_a_picture_leaves_the_last_one() -> None:
    bad = reading(1, problems=("broken.jpg: the image is truncated",))
    none = np.zeros((0, 0, 3), np.uint8)
    bad = replace(bad, frame=replace(bad.frame, pixels=none, fault="the image is truncated"))
    good = reading()
    screening = FakeScreening([bad])
    app = ScreeningApp(screening)

    async def run() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            app.query_one(LiveView).show_reading(good)
            await until(pilot, lambda: "truncated" in text_of(pilot, "StatusLine"))
            await pilot.pause(0.3)
            assert app.query_one(LiveView).shown is good

    asyncio.run(run())


def test_the_view_drops_readings_but_never_falls_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    painted: list[Reading | None] = []
    show = LiveView.show_reading

    def record(view: LiveView, given: Reading | None) -> None:
        painted.append(given)
        show(view, given)

    monkeypatch.setattr(LiveView, "show_reading", record)
    one = reading()
    many = [replace(one, t_s=float(i)) for i in range(400)]

    async def script(pilot: Pilot[Reading]) -> None:
        before = len(painted)
        await pilot.pause(1.0)
        assert len(painted) == before, "nothing new, nothing to paint"

    drive(FakeScreening(many), script)
    assert painted[-1] is many[-1]
    assert len(painted) < 40


def test_the_gallery_shows_new_whole_cells_once_newest_first() -> None:
    latest = Latest(cells=5)
    latest.reading(reading(0))
    assert [CLASSES[cell.klass] for cell in latest.cells] == [
        "monocyte",
        "eosinophil",
        "neutrophil",
        "lymphocyte",
        "blast",
    ]
    assert [cell.uncertain for cell in latest.cells] == [True, False, False, False, False]
    before = latest.cells
    latest.reading(reading(1, repeated=True))
    assert latest.cells == before


def test_frames_a_second_are_counted_from_the_readings() -> None:
    latest = Latest()
    assert latest.frames_per_s is None
    for i in range(40):
        latest.reading(reading(i))
    assert latest.frames_per_s == pytest.approx(12.0)
    assert latest.take() is not None
    assert latest.take() is None
    latest.clear()
    assert latest.newest is None
    assert latest.cells == []


@pytest.mark.parametrize("recorded", [True, False])
def test_the_picture_key_writes_the_screen_beside_the_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: bool
) -> None:
    monkeypatch.setenv("LEUKOSCOPE_HOME", str(tmp_path / "data"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    screening = FakeScreening([reading()])
    screening.records_folder = tmp_path / "records" if recorded else None
    told: list[str] = []
    monkeypatch.setattr(ScreeningApp, "notify", lambda _app, message, **_options: told.append(message))

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("s")

    drive(screening, script)
    (written,) = tmp_path.rglob("leukoscope-*.svg")
    assert written.parent == (tmp_path / "records" if recorded else data_folder())
    assert told == [f"saved {written}"]
    assert written.stat().st_mode & 0o777 == 0o600  # it shows cells and the finding
    drawn = written.read_text(encoding="utf-8")
    assert drawn.count("data:image/png;base64,") == 2  # the field and the last cells
    assert "REFER" in drawn
    assert 'xml:space="preserve"' in drawn.partition(">")[0]
    assert "▀" not in drawn


def test_the_picture_key_says_so_when_it_cannot_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screening = FakeScreening([reading()])
    screening.records_folder = tmp_path

    def full(*_args: object, **_options: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.files.atomic.opener", full)
    told: list[str] = []
    monkeypatch.setattr(ScreeningApp, "notify", lambda _app, message, **_options: told.append(message))

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("s")

    drive(screening, script)
    assert len(told) == 1
    assert "No space left on device" in told[0]


def test_the_field_goes_to_the_terminal_without_being_encoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the speed rests on: Textual's update of the screen writes the strips' own sequences."""

    async def script(pilot: Pilot[Reading]) -> None:
        blocks = pilot.app.query_one(LiveView).blocks
        assert blocks is not None
        lines = blocks.lines(pilot.app.console.color_system)
        monkeypatch.setattr(Blocks, "lines", lambda *_args: pytest.fail("encoded again"))
        update = pilot.app.screen._compositor.render_full_update()
        written = update.render_segments(pilot.app.console)
        assert len(lines) >= 12
        assert all(line in written for line in lines)

    drive(FakeScreening([reading()]), script)


def test_pictures_come_back_after_a_snapshot() -> None:
    async def script(pilot: Pilot[Reading]) -> None:
        svg(pilot.app)
        for view in (pilot.app.query_one(LiveView), pilot.app.query_one(Gallery)):
            assert "▀" in view.render_line(0).text

    drive(FakeScreening([reading()]), script)
