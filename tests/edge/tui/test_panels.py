"""What the panels show of a reading, the picture and the words, whatever the size of the terminal."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot

from edge.records.identifiers import new_slide_id
from edge.tui.app import ScreeningApp
from edge.tui.gallery import Gallery
from edge.tui.halfblock import Blocks
from edge.tui.latest import Latest
from edge.tui.live import LiveView
from edge.tui.panel import Panel
from edge.tui.snapshot import svg
from edge.types import Finding, Reading
from tests.edge.tui.driver import drive, text_of, until
from tests.edge.tui.fake_screening import CLASSES, FakeScreening, reading

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


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("refer", "▲ REFER"),
        ("no-blasts-seen", "○ NO BLASTS SEEN"),
        ("keep-scanning", "► KEEP SCANNING  57 more cells"),
        ("not-readable", "■ NOT READABLE"),
    ],
)
def test_every_finding_has_its_words_and_symbol(kind: str, words: str) -> None:
    needed = 57 if kind == "keep-scanning" else None
    finding = Finding(kind, "Because.", 0.02, (0.01, 0.06), 0.95, needed)  # type: ignore[arg-type]

    async def script(pilot: Pilot[Reading]) -> None:
        told = text_of(pilot, "FindingPanel")
        assert words in told
        assert "Because." in told
        assert "1.0% to 6.0%" in told

    drive(FakeScreening([reading(finding=finding)]), script)


def test_what_the_line_has_to_tell_is_told() -> None:
    note = "saved calibration 0.1 but the red cells say 0.13"

    async def script(pilot: Pilot[Reading]) -> None:
        assert [told.message for told in pilot.app._notifications] == [note]

    drive(FakeScreening([replace(reading(), note=note)]), script)


def test_a_warning_stays_in_sight() -> None:
    screening = FakeScreening([reading()], warning="unsigned bundle")

    async def script(pilot: Pilot[Reading]) -> None:
        warning = pilot.app.query_one("#warning")
        assert "unsigned bundle" in str(warning.render())
        assert warning.region.height == 1

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
        for words in (*(name.replace("-", " ")[:9] for name in CLASSES), "REFER", "focus", "light"):
            assert words in told
        assert "keep the slide" in " ".join(text_of(pilot, "FindingPanel").split())

    drive(screening, script, size)


def test_a_generated_identifier_is_whole_on_80_columns() -> None:
    slide = new_slide_id(dated=True)
    screening = FakeScreening([reading()], slide=slide)
    screening.camera = "UVC Camera (046d:0825)"

    async def script(pilot: Pilot[Reading]) -> None:
        title = text_of(pilot, "TitleBar")
        assert len(title) <= 80
        assert all(words in title for words in (f"slide {slide}", "UVC", screening.runtime))

    drive(screening, script, (80, 24))


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


def test_the_picture_key_writes_the_screen_with_its_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("s")

    drive(FakeScreening([reading()]), script)
    (written,) = tmp_path.glob("leukoscope-*.svg")
    assert written.stat().st_mode & 0o777 == 0o600  # it shows cells and the finding
    drawn = written.read_text(encoding="utf-8")
    assert drawn.count("data:image/png;base64,") == 2  # the field and the last cells
    assert "REFER" in drawn
    assert "▀" not in drawn


def test_the_picture_key_says_so_when_it_cannot_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def full(*_args: object, **_options: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("edge.files.atomic.opener", full)
    told: list[str] = []
    monkeypatch.setattr(ScreeningApp, "notify", lambda _app, message, **_options: told.append(message))

    async def script(pilot: Pilot[Reading]) -> None:
        await pilot.press("s")

    drive(FakeScreening([reading()]), script)
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
