"""Which scale a frame gets, and who says so."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from edge.optics import litfield, redcells, ruler, specimen
from edge.optics import scale as optics
from edge.optics.calibrations import Calibration, CalibrationStore
from edge.optics.litfield import WHOLE, LitField
from edge.optics.redcells import RedCells
from edge.optics.scale import Scales
from edge.types import U8, Frame, Reduced

NOMINAL = 0.2


@dataclass
class Eyepiece:
    name: str = "scope"
    serial: str = ""
    live: bool = False


@pytest.fixture(autouse=True)
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Red cells as the frame's first two pixels say: how many, and how many px across. Counts the looks."""
    looked: list[int] = []

    def find(pixels: U8, lit: LitField = WHOLE, expected_px: float | None = None) -> RedCells:
        count, across = int(pixels[0, 0, 0]), float(pixels[0, 1, 0])
        looked.append(count)
        return RedCells(np.full(count, across, np.float32), np.ones(count, np.float32))

    monkeypatch.setattr(redcells, "find", find)
    return looked


def field(cells: int, across: int = 75, at_s: float = 0.0, size: tuple[int, int] = (48, 64)) -> Frame:
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[0, 0, 0], pixels[0, 1, 0] = cells, across
    return Frame(pixels, 0, "field", datetime.now(UTC), at_s)


def place(cells: int, across: int, number: int, at_s: float | None = None) -> Frame:
    """A field unlike the others of a live camera, a second after the one before it."""
    frame = field(cells, across, float(number if at_s is None else at_s))
    frame.pixels[1:] = np.random.default_rng(number).integers(0, 255, frame.pixels[1:].shape, np.uint8)
    return frame


def saved(um_per_px: float = 0.1, width: int = 64) -> Calibration:
    return Calibration("scope", width, 48, um_per_px, 0.02, "2026-11-20T10:00:00+00:00", "red-cells")


def scales(folder: Path | None = None, live: bool = False, **more: object) -> Scales:
    plain = Scales("auto", NOMINAL, Eyepiece(live=live), folder=folder)
    return replace(plain, **more)  # type: ignore[arg-type]


def test_given_wins_and_nothing_is_measured(looks: list[int]) -> None:
    scale = scales(asked=0.11).for_slide().scale(field(50))
    assert (scale.um_per_px, scale.source) == (0.11, "given")
    assert looks == []


def scaled(keeper: optics.ScaleKeeper, frames: Sequence[Frame]) -> list[list[tuple[float, str]]]:
    """What each frame releases, and what is left at the end: µm per pixel and its source."""
    taken = [keeper.take(frame) for frame in frames]
    return [[(round(s.um_per_px, 3), s.source) for _, s in some] for some in (*taken, keeper.rest())]


def test_pictures_wait_until_their_scale_is_sure() -> None:
    released = scaled(scales().for_slide(), [field(25, across) for across in (75, 75, 75, 75)])
    assert [len(some) for some in released] == [0, 0, 3, 1, 0]
    assert {s for some in released for s in some} == {(0.1, "red-cells")}


def test_pictures_wait_no_longer_than_the_slide() -> None:
    released = scaled(scales().for_slide(), [field(5), field(0)])
    assert released == [[], [], [(0.1, "red-cells")] * 2]


def test_no_more_pictures_wait_than_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optics, "_HELD_BYTES", 3 * field(0).pixels.nbytes)
    released = scaled(scales().for_slide(), [field(0)] * 6)
    assert [len(some) for some in released] == [0, 0, 0, 4, 1, 1, 0]


def test_a_damaged_picture_keeps_its_place_among_those_that_wait() -> None:
    lost = Frame(np.zeros((0, 0, 3), np.uint8), 0, "lost", datetime.now(UTC), 0.0, fault="truncated")
    keeper = scales().for_slide()
    taken = [frame for each in (field(5), lost, field(5)) for frame, _ in keeper.take(each)]
    taken += [frame for frame, _ in keeper.rest()]
    assert [frame.fault for frame in taken] == [None, "truncated", None]


def test_one_odd_field_changes_nothing() -> None:
    released = scaled(scales().for_slide(), [field(25, n) for n in (75, 75, 75, 75, 150, 75, 75)])
    assert [len(some) for some in released] == [0, 0, 3, 1, 0, 2, 1, 0]
    assert {s for some in released for s in some} == {(0.1, "red-cells")}


@pytest.mark.parametrize("across", [30, 50, 100, 190])
def test_another_objective_is_noticed_and_told_and_no_field_is_read_by_the_old_scale(across: int) -> None:
    keeper = scales().for_slide()
    frames = [field(25, n) for n in (75, 75, 75, across, across, across)]
    answers = [scale for frame in frames for _, scale in keeper.take(frame)]
    assert [
        round(a.um_per_px * n / 7.5, 2) for a, n in zip(answers, (75, 75, 75, *[across] * 3), strict=True)
    ] == [1] * 6
    notes = [a.note for a in answers if a.note]
    assert len(notes) == 1
    assert "another objective" in notes[0]


def test_a_small_disagreement_must_last() -> None:
    keeper = scales().for_slide()
    frames = [field(25, n) for n in (*[75] * 4, *[90] * 4, *[75] * 4, *[90] * 6)]
    answers = [scale for frame in frames for _, scale in keeper.take(frame)] + [s for _, s in keeper.rest()]
    assert len(answers) == len(frames)
    assert {round(a.um_per_px, 3) for a in answers[:12]} == {0.1}
    assert round(answers[-1].um_per_px, 3) == 0.083
    assert len([a for a in answers if a.note]) == 1


def test_there_and_back_again_is_told_twice() -> None:
    keeper = scales().for_slide()
    frames = [field(25, n) for n in [75] * 4 + [30] * 3 + [75] * 3]
    answers = [scale for frame in frames for _, scale in keeper.take(frame)] + [s for _, s in keeper.rest()]
    assert [round(a.um_per_px, 2) for a in answers] == [0.1] * 4 + [0.25] * 3 + [0.1] * 3
    assert len([a for a in answers if a.note]) == 2


def test_odd_fields_that_differ_among_themselves_change_nothing() -> None:
    keeper = scales().for_slide()
    frames = [field(25, n) for n in (75, 75, 75, 30, 150, 50, 75, 75)]
    answers = [scale for frame in frames for _, scale in keeper.take(frame)]
    assert {round(a.um_per_px, 2) for a in answers} == {0.1}
    assert not any(a.note for a in answers)


def test_each_frame_size_has_a_scale_of_its_own() -> None:
    keeper = scales().for_slide()
    small = (24, 32)
    frames = [*[field(25)] * 3, *[field(25, 37, size=small)] * 3, field(25), field(25, 37, size=small)]
    answers = [scale for frame in frames for _, scale in keeper.take(frame)]
    assert [round(a.um_per_px, 2) for a in answers] == [0.1] * 3 + [0.2] * 3 + [0.1, 0.2]
    notes = [a.note for a in answers if a.note]
    assert len(notes) == 1
    assert "32 × 24" in notes[0]


def test_a_live_camera_counts_nothing_while_its_scale_is_in_doubt() -> None:
    keeper = scales(live=True).for_slide()
    answers = [keeper.scale(place(25, n, at)) for at, n in enumerate([75] * 4 + [30] * 3)]
    assert [a.trusted for a in answers] == [True] * 4 + [False, True, True]
    assert [round(a.um_per_px, 2) for a in answers[-2:]] == [0.25, 0.25]
    assert len([a for a in answers if a.note]) == 1


def test_a_live_camera_at_one_place_gets_no_second_opinion() -> None:
    keeper = scales(live=True).for_slide()
    answers = [keeper.scale(place(25, 75, at)) for at in range(4)]
    answers += [keeper.scale(place(25, 30, 7, at_s=10.0 + at)) for at in range(6)]
    assert {round(a.um_per_px, 2) for a in answers} == {0.1}
    assert keeper.scale(place(25, 75, 8, at_s=20)).trusted


def test_nothing_counts_where_nothing_speaks_for_a_scale() -> None:
    keeper = scales(live=True).for_slide()
    answers = [keeper.scale(place(0, 75, at, at_s=at / 10)) for at in range(25)]
    assert not any(a.trusted for a in answers)
    assert [a.unknown for a in answers] == [False] * 19 + [True] * 6
    assert keeper.scale(place(30, 75, 30, at_s=9)).trusted
    vouched = scales(live=True, vouched=True).for_slide().scale(place(0, 75, 0))
    assert (vouched.trusted, vouched.unknown) == (True, False)
    of_files = scales().for_slide().scale(field(0))
    assert (of_files.trusted, of_files.unknown) == (False, True)


def test_too_few_red_cells_leave_the_nominal_scale() -> None:
    scale = scales().for_slide().scale(field(2))
    assert (scale.um_per_px, scale.source) == (NOMINAL, "nominal")


def test_each_slide_is_measured_anew() -> None:
    both = scales()
    first, second = both.for_slide(), both.for_slide()
    assert first.scale(field(30, 75)).um_per_px == pytest.approx(0.1, rel=0.01)
    assert second.scale(field(30, 150)).um_per_px == pytest.approx(0.05, rel=0.01)


def test_independent_pictures_of_one_size_share_their_scale_unless_they_disagree() -> None:
    alone = scales(independent=True)

    def told(cells: int, across: int, size: tuple[int, int] = (48, 64)) -> tuple[float, str]:
        scale = alone.for_slide().scale(field(cells, across, size=size))
        return round(scale.um_per_px, 3), scale.source

    assert told(0, 75) == (NOMINAL, "nominal")
    assert [told(30, 75) for _ in range(3)] == [(0.1, "red-cells")] * 3
    assert told(1, 150) == (0.1, "red-cells-of-others")
    assert told(90, 150) == (0.05, "red-cells")
    assert told(4, 150) == (0.1, "red-cells-of-others")
    assert told(30, 75) == (0.1, "red-cells")
    assert told(0, 75, size=(64, 48)) == (0.1, "red-cells-of-others")
    assert told(0, 75, size=(100, 100)) == (NOMINAL, "nominal")


@dataclass
class Folder(Eyepiece):
    """Pictures of which some can be looked at beforehand."""

    def samples(self, most: int) -> Iterator[U8]:
        yield from [field(30).pixels] * min(most, 3)


def test_the_first_independent_picture_knows_what_the_others_say() -> None:
    first = scales(independent=True, camera=Folder()).for_slide().scale(field(0))
    assert (round(first.um_per_px, 3), first.source) == (0.1, "red-cells-of-others")


def test_unreadable_frame_is_not_measured(looks: list[int]) -> None:
    keeper = scales().for_slide()
    lost = Frame(np.zeros((0, 0, 3), np.uint8), 0, "lost", datetime.now(UTC), 0.0, fault="truncated image")
    assert keeper.scale(lost).source == "nominal"
    assert looks == []
    keeper.scale(field(30))
    assert keeper.scale(lost).source == "red-cells"


def test_live_camera_looks_once_a_second(looks: list[int]) -> None:
    keeper = scales(live=True).for_slide()
    for tenth in range(25):
        keeper.scale(field(5, at_s=100 + tenth / 10))
    assert len(looks) == 3


def test_live_camera_keeps_its_scale_for_the_next_run(tmp_path: Path) -> None:
    keeper = scales(tmp_path, live=True).for_slide()
    for second in range(4):
        scale = keeper.scale(field(30, at_s=float(second)))
    assert scale.source == "red-cells"
    again = scales(tmp_path, live=True).for_slide()
    assert again.scale(field(0)).source == "calibration"
    assert again.scale(field(0)).um_per_px == pytest.approx(0.1, rel=0.01)
    other_size = again.scale(field(0, size=(96, 128)))
    assert other_size.source == "nominal"


def test_files_leave_no_calibration_behind(tmp_path: Path) -> None:
    keeper = scales(tmp_path).for_slide()
    for _ in range(5):
        keeper.scale(field(40))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("across", "told"), [(75, False), (82, False), (90, True), (60, True)])
def test_disagreement_with_the_calibration_is_told_once(tmp_path: Path, across: int, told: bool) -> None:
    CalibrationStore(tmp_path / "calibrations.json").save(saved(0.1))
    keeper = scales(tmp_path, live=True).for_slide()
    answers = [keeper.scale(field(30, across, at_s=float(s))) for s in range(6)]
    assert {(a.um_per_px, a.source) for a in answers} == {(0.1, "calibration")}
    notes = [a.note for a in answers if a.note]
    assert len(notes) == told
    assert all("0.1000" in note and "%" in note and "--um-per-px" in note for note in notes)


def test_a_store_that_cannot_be_written_does_not_stop_the_slide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("edge.files.atomic.os.fsync", full)
    keeper = scales(tmp_path, live=True).for_slide()
    answers = [keeper.scale(field(30, at_s=float(s))) for s in range(5)]
    assert answers[-1].source == "red-cells"
    notes = [a.note for a in answers if a.note]
    assert len(notes) == 1
    assert "No space left" in notes[0]
    assert not (tmp_path / "calibrations.json").exists()


def test_several_fields_are_measured_together() -> None:
    measured = redcells.estimate([redcells.find(field(n).pixels) for n in (20, 20, 0)])
    assert measured is not None
    assert (measured.cells, measured.fields) == (40, 2)


def lit(size: tuple[int, int] = (48, 64), grey: float = 200.0, dust: float = 0.0) -> Frame:
    """Glass whose right edge gets half of the light, 300 µm wide, with the shadow of dust."""
    height, width = size
    light = np.linspace(1.0, 0.5, width)[None, :, None] * np.ones((height, 1, 3))
    light[height // 2 - 8 : height // 2 + 8, width // 4 : width // 4 + 16] *= 1 - dust
    pixels = np.asarray(grey * light, np.uint8)
    pixels[0, 0] = 0  # no red cells
    return Frame(pixels, 0, "field", datetime.now(UTC), 0.0)


def ramp() -> np.ndarray:
    return np.asarray(np.linspace(1.0, 0.5, 32)[None, :, None] * np.ones((24, 1, 3)), np.float32)


def keep(folder: Path, **more: object) -> Calibration:
    calibration = replace(saved(0.5, 640), height=480, **more)  # type: ignore[arg-type]
    CalibrationStore(folder / "calibrations.json").save(calibration)
    return calibration


def notes_of(keeper: optics.ScaleKeeper, frame: Frame, fields: int = 9) -> list[str]:
    answers = [keeper.scale(replace(frame, monotonic_s=2.0 * n)) for n in range(fields)]
    return [a.note for a in answers if a.note]


def test_the_saved_flat_field_comes_with_the_scale(tmp_path: Path) -> None:
    keep(tmp_path, flat=ramp())
    for asked in ("auto", 0.5):
        scale = scales(tmp_path, live=True, asked=asked).for_slide().scale(lit((480, 640)))
        assert scale.flat is not None
        np.testing.assert_allclose(scale.flat, ramp(), atol=1e-4)
    other = scales(tmp_path, live=True).for_slide().scale(field(0))
    assert other.flat is None


def test_another_serial_number_is_another_camera(tmp_path: Path) -> None:
    keep(tmp_path, serial="A", flat=ramp())
    for serial, known in (("A", True), ("B", False)):
        mine = scales(tmp_path, camera=Eyepiece(serial=serial, live=True)).for_slide()
        assert (mine.scale(lit((480, 640))).flat is not None) == known


def test_a_measured_scale_does_not_lose_the_flat_field(tmp_path: Path) -> None:
    store = CalibrationStore(tmp_path / "calibrations.json")
    store.save(replace(saved(0.5), method="nominal", flat=ramp(), glass=(200.0, 200.0, 200.0)))
    keeper = scales(tmp_path, live=True).for_slide()
    answers = [keeper.scale(field(30, at_s=float(s))) for s in range(4)]
    assert answers[-1].source == "red-cells"
    kept = store.find("scope", "", 64, 48)
    assert kept is not None
    assert kept.method == "red-cells"
    assert kept.um_per_px == pytest.approx(0.1, rel=0.01)
    assert kept.flat is not None
    assert kept.glass == (200.0, 200.0, 200.0)


def test_a_flat_field_that_fits_is_kept_in_silence(tmp_path: Path) -> None:
    keep(tmp_path, flat=ramp(), glass=(149.0, 149.0, 149.0))
    keeper = scales(tmp_path, live=True).for_slide()
    assert notes_of(keeper, lit((480, 640))) == []
    assert keeper.scale(lit((480, 640))).flat is not None


def test_a_flat_field_that_no_longer_fits_is_told_once_and_left_out(tmp_path: Path) -> None:
    keep(tmp_path, flat=np.ascontiguousarray(ramp()[:, ::-1]))
    keeper = scales(tmp_path, live=True).for_slide()
    notes = notes_of(keeper, lit((480, 640)))
    assert len(notes) == 1
    assert "no longer fits" in notes[0]
    assert "edge-device calibrate" in notes[0]
    assert keeper.scale(lit((480, 640))).flat is None


@pytest.mark.parametrize(
    ("glass", "said"),
    [
        ((149.0, 149.0, 149.0), None),
        ((255.0, 255.0, 255.0), "darker"),
        ((80.0, 80.0, 80.0), "brighter"),
        ((110.0, 149.0, 149.0), "redder"),
        ((149.0, 149.0, 110.0), "bluer"),
    ],
)
def test_another_light_is_told_once(
    tmp_path: Path, glass: tuple[float, float, float], said: str | None
) -> None:
    keep(tmp_path, glass=glass)
    notes = notes_of(scales(tmp_path, live=True).for_slide(), lit((480, 640)))
    assert len(notes) == (said is not None)
    assert said is None or said in notes[0]


def test_an_old_calibration_is_told_once(tmp_path: Path) -> None:
    date = (datetime.now(UTC) - timedelta(days=500)).isoformat()
    keep(tmp_path, measured_at=date)
    notes = notes_of(scales(tmp_path, live=True).for_slide(), lit((480, 640)))
    assert len(notes) == 1
    assert "500 days old" in notes[0]


def test_a_given_scale_does_not_need_the_store(tmp_path: Path) -> None:
    (tmp_path / "calibrations.json").write_text("{", encoding="utf-8")
    keeper = scales(tmp_path, live=True, asked=0.1).for_slide()
    first, second = keeper.scale(field(0)), keeper.scale(field(0))
    assert first.um_per_px == second.um_per_px == 0.1
    assert first.note is not None
    assert second.note is None


def test_what_the_flat_field_is_for(tmp_path: Path) -> None:
    dusty = lit((480, 640), dust=0.2)
    keep(tmp_path, flat=ramp())
    flat = scales(tmp_path, live=True).for_slide().scale(dusty).flat
    view = specimen.specimen(dusty.pixels, 0.25, 0.25, flat)
    right = view.pixels[:, -60:].astype(float)
    assert abs(right.mean() - specimen.BACKGROUND) < 3


def stopped(x: float) -> Frame:
    """Glass behind a round stop in a picture of 640 × 480, its middle at x."""
    pixels = np.zeros((480, 640, 3), np.uint8)
    down, across = np.mgrid[:480, :640]
    pixels[np.hypot(across - x, down - 240) < 200] = 200
    return Frame(pixels, 0, "field", datetime.now(UTC), 0.0)


def test_the_saved_lit_field_is_taken(tmp_path: Path) -> None:
    corners = litfield.find(stopped(300).pixels).corners
    keep(tmp_path, lit=corners)
    keeper = scales(tmp_path, live=True).for_slide()
    assert notes_of(keeper, stopped(302)) == []
    kept = keeper.scale(stopped(302)).lit
    assert kept is not None
    np.testing.assert_allclose(kept.corners, corners, atol=1e-4)


def test_a_whole_picture_is_a_lit_field_too(tmp_path: Path) -> None:
    keep(tmp_path, lit=np.zeros((0, 2), np.float32))
    answer = scales(tmp_path, live=True).for_slide().scale(lit((480, 640)))
    assert answer.lit is not None
    assert answer.lit.whole


def test_a_lit_field_that_has_moved_is_told_once_and_left_out(tmp_path: Path) -> None:
    keep(tmp_path, lit=litfield.find(stopped(300).pixels).corners)
    keeper = scales(tmp_path, live=True).for_slide()
    notes = notes_of(keeper, stopped(350))
    assert len(notes) == 1
    assert "lit field" in notes[0]
    assert "edge-device calibrate" in notes[0]
    seen = litfield.find(stopped(350).pixels)
    assert keeper.scale(stopped(350), seen).lit is seen


def test_another_size_has_no_saved_lit_field(tmp_path: Path) -> None:
    keep(tmp_path, lit=litfield.find(stopped(300).pixels).corners)
    seen = LitField()
    assert scales(tmp_path, live=True).for_slide().scale(lit((48, 64)), seen).lit is seen


def halved(frame: Frame) -> Frame:
    """The same frame, decoded at half its size; its first pixels say how wide red cells are there."""
    half = np.ascontiguousarray(frame.pixels[::2, ::2])
    half[0, 0, 0], half[0, 1, 0] = frame.pixels[0, 0, 0], frame.pixels[0, 1, 0] // 2
    return replace(frame, pixels=half, reduced=Reduced(half, frame.size, lambda: frame.pixels))


@pytest.mark.parametrize(("um_per_px", "wanted"), [(0.07, 2), (0.125, 2), (0.13, 1)])
def test_a_scale_that_is_given_tells_at_once_whether_half_the_pixels_will_do(
    um_per_px: float, wanted: int
) -> None:
    keeper = scales(asked=um_per_px).for_slide()
    assert keeper.reduction(0.25) == wanted
    keeper.take(field(50))
    assert keeper.reduction(0.25) == wanted


def test_half_the_pixels_do_only_once_the_red_cells_agree_and_while_nobody_doubts() -> None:
    keeper, wanted = scales().for_slide(), []
    for across in (76, 76, 76, 76, 150, 76, 76, 30, 30, 30, 30):
        keeper.take(field(25, across))
        wanted.append(keeper.reduction(0.25))
    assert wanted == [1, 1, 2, 2, 1, 2, 2, 1, 1, 1, 1]


def test_nominal_scales_are_measured_on_all_pixels() -> None:
    assert scales(nominal=0.1, vouched=True).for_slide().reduction(0.25) == 1


def test_a_saved_calibration_tells_too(tmp_path: Path) -> None:
    CalibrationStore(tmp_path / "calibrations.json").save(saved(0.1))
    keeper = scales(tmp_path, live=True).for_slide()
    for number in range(4):
        keeper.take(place(25, 75, number))
        assert keeper.reduction(0.25) == 2
    keeper.take(place(25, 150, 9))
    assert keeper.reduction(0.25) == 1, "another objective?"


def test_red_cells_are_told_in_the_frames_own_pixels_whatever_was_decoded() -> None:
    keeper = scales().for_slide()
    answers = [s for f in [field(25, 76)] * 3 + [halved(field(25, 76))] * 3 for _, s in keeper.take(f)]
    assert [round(answer.um_per_px, 3) for answer in answers] == [round(7.5 / 76, 3)] * 6
    assert not any(answer.note for answer in answers)


def test_what_the_network_reads_of_half_a_picture_is_an_octave_further_up() -> None:
    likelier = np.zeros(ruler.DIAMETERS, np.float32)
    likelier[10] = 9
    found = RedCells(np.array([20.0], np.float32), np.ones(1, np.float32), likelier)
    large = found.enlarged(2)
    assert found.enlarged(1) is found
    assert large.across_px.tolist() == [40]
    assert large.likelier is not None
    assert (len(large.likelier), int(large.likelier.argmax())) == (ruler.DIAMETERS, 22)
