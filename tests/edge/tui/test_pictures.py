"""The picture of the field, the last cells, and the screen as a picture."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from textual.pilot import Pilot

from edge.machine.profile import data_folder
from edge.tui.app import ScreeningApp
from edge.tui.gallery import Gallery
from edge.tui.halfblock import Blocks
from edge.tui.latest import Latest
from edge.tui.live import LiveView
from edge.tui.snapshot import svg
from edge.types import Reading
from tests.edge.tui.driver import drive, text_of, until
from tests.edge.tui.fake_screening import CLASSES, FakeScreening, reading


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
