"""From the camera through the line to the records, with cameras that fail and come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import bundle
from edge.bundle.site import Site
from edge.cameras import Camera, CameraError, livefeed
from edge.cameras.demo.camera import SimulatedCamera
from edge.cameras.files.camera import FileCamera
from edge.cells.classify import Classifier
from edge.line.options import ScreeningOptions, Throttle
from edge.line.rules import Rules
from edge.line.screening import Screening
from edge.optics.scale import Scales
from edge.records.book import Book
from edge.records.people import About
from edge.records.store import Store, Unrecorded
from edge.types import FilesRead, Frame, LeukoscopeError, Reading, Sink, SlideHeader, Waiting
from tests.edge.bundle.sites import HEALTHY, HERE, site
from tests.edge.files.odd import encoded
from tests.edge.records.example import HEADER


@pytest.fixture(scope="module")
def classifier() -> Iterator[Classifier]:
    opened = Classifier(bundle.load())
    yield opened
    opened.close()


class _Frames:
    """A camera of the given frames that may fail after the last."""

    live = False
    serial = ""
    um_per_px: float | None = 0.1
    name = "frames"

    def __init__(self, frames: list[Frame], failure: str | None = None) -> None:
        self._frames, self._failure = frames, failure

    def open(self) -> None:
        self._left = iter(self._frames)

    def read(self) -> Frame | None:
        frame = next(self._left, None)
        if frame is None and self._failure:
            raise CameraError(self._failure)
        return frame

    def close(self) -> None:
        self._left = iter(())


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    camera = SimulatedCamera(1)
    camera.open()
    taken = [camera.read() for _ in range(4)]
    camera.close()
    return taken


@pytest.fixture
def screening(classifier: Classifier) -> Callable[..., Screening]:
    def make(
        camera: Camera,
        store: Store | Unrecorded | None = None,
        sinks: Sequence[Sink] = (),
        throttle: Throttle | None = None,
        site: Site | None = None,
        **options: Any,
    ) -> Screening:
        return Screening(
            camera=camera,
            bundle=bundle.load(),
            classifier=classifier,
            scales=Scales(asked=0.1, nominal=0.1, camera=camera),
            store=store or Unrecorded(),
            profile="test",
            options=ScreeningOptions(**options),
            sinks=sinks,
            throttle=throttle,
            site=site,
        )

    return make


def test_a_reading_is_on_the_disk_before_it_is_given(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path
) -> None:
    with Store(tmp_path / "r.db") as store, Store(tmp_path / "r.db") as other:
        work = screening(_Frames(frames), store)
        for n, reading in enumerate(work.readings()):
            assert len(other.readings(work.slide)) > n
            assert reading.frame.index == n


def test_a_slide_keeps_which_sites_figures_it_was_read_with(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path
) -> None:
    known = site(bundle.load().manifest.network, replace(HEALTHY, threshold=0.0))
    with Store(tmp_path / "r.db") as store:
        work = screening(_Frames(frames), store, site=known)
        last = [*work.readings()][-1]
        (slide,) = store.slides()
    assert last.tally.positives == last.tally.leukocytes > 0  # all that is not negative
    assert slide["site"] == work.site == known.record()
    rules = Rules.of_record(slide["rules"])
    assert rules == work.rules
    assert rules.rates is not None
    assert (rules.rates.place, rules.rates.false_blasts) == ("site", HERE)


def test_a_camera_that_fails_loses_nothing(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path
) -> None:
    given = []
    with Store(tmp_path / "r.db") as store:
        work = screening(_Frames(frames, failure="camera frames: unplugged"), store)
        with pytest.raises(CameraError, match="unplugged"):
            given.extend(reading.frame.index for reading in work.readings())
        assert given == [0, 1, 2, 3]
        assert len(store.readings(work.slide)) == 4
        assert store.slides()[0]["finding"] is not None


def test_an_unreadable_frame_goes_down_the_line(
    screening: Callable[..., Screening], frames: list[Frame]
) -> None:
    nothing = np.zeros((0, 0, 3), np.uint8)
    bad = Frame(nothing, 1, "b.png", datetime.now(UTC), 0.0, fault="truncated")
    readings = list(screening(_Frames([frames[0], bad, frames[2]])).readings())
    assert [bool(r.problems) for r in readings] == [False, True, False]
    assert readings[-1].tally.rejected == 1


def test_a_new_slide_starts_from_nothing(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path
) -> None:
    started: list[str] = []

    sink = _Told()

    class Turning(_Frames):
        """Asks for a new slide while the third frame is read, and the first slide is under way."""

        def read(self) -> Frame | None:
            frame = super().read()
            if frame is not None and frame.index == 2:
                _until(lambda: "start" in sink.told)
                started.append(work.new_slide())
            return frame

    with Store(tmp_path / "r.db") as store:
        work = screening(Turning(frames), store, sinks=[sink], slide="first")
        readings = list(work.readings())
        slides = [row["id"] for row in store.slides()]
        kept = {slide: [row["frame"] for row in store.readings(slide)] for slide in slides}
    assert slides == ["first", *started]
    assert [*kept["first"], *kept[started[0]]] == [0, 1, 2, 3]
    assert all(kept.values())
    assert [r.tally.frames for r in readings] == [n + 1 for rows in kept.values() for n in range(len(rows))]


@pytest.mark.parametrize("taken", [False, True])
def test_a_new_slide_has_the_name_it_was_given_unless_another_program_took_it(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path, taken: bool
) -> None:
    class Turning(_Frames):
        def read(self) -> Frame | None:
            frame = super().read()
            if frame is not None and frame.index == 2:
                work.new_slide("S-2", About(patient="P-7", age=4, sex="female"))
                if taken:
                    other.begin_slide("S-2", HEADER)
            return frame

    with Store(tmp_path / "r.db") as store, Store(tmp_path / "r.db") as other:
        work = screening(Turning(frames), store, slide="S-1", patient="P-6")
        readings = list(work.readings())
    with Book(tmp_path / "r.db") as book:
        slides = {row["id"]: book.about(row["id"]) for row in book.slides()}
    notes = [reading.note for reading in readings if reading.note]
    assert slides["S-1"] == About(patient="P-6")
    assert slides[work.slide] == About(patient="P-7", age=4, sex="female")
    assert (work.slide == "S-2") is not taken
    assert notes == (
        [f"slide S-2: another program took that name; this slide is called {work.slide}"] * taken
    )


def test_where_each_frame_is_a_slide_the_patient_has_them_all(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path
) -> None:
    with Store(tmp_path / "r.db") as store:
        list(screening(_Frames(frames), store, independent=True, patient="P-7").readings())
    with Book(tmp_path / "r.db") as book:
        assert [row["patient"] for row in book.listed()] == ["P-7"] * 4


class _Follower(Sink):
    """Notes what it is told, and which slides were finished on the disk by then."""

    def __init__(self, records: Path) -> None:
        self.told: list[tuple[str, str]] = []
        self._records, self._slide = records, ""

    def start(self, slide: str, header: SlideHeader, um_per_px: float) -> None:
        self._slide = slide
        self.told.append(("start", slide))

    def reading(self, reading: Reading) -> None:
        self.told.append(("reading", reading.frame.source))

    def finding(self, last: Reading) -> None:
        with Book(self._records, reads_only=True) as book:
            assert book.found(self._slide)["finding"] == last.finding.kind
        self.told.append(("finding", last.frame.source))


@pytest.mark.parametrize("failure", [None, "camera frames: unplugged"])
def test_slides_of_their_own_are_told_one_after_the_other_once_they_are_on_the_disk(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path, failure: str | None
) -> None:
    follower, names = _Follower(tmp_path / "r.db"), []
    with Store(tmp_path / "r.db") as store:
        work = screening(_Frames(frames, failure), store, [follower], independent=True, slide="S-1")
        with suppress(CameraError):
            for reading in work.readings():
                names.append(work.slide)
                assert reading.tally.frames == 1
        slides = [row["id"] for row in store.slides()]
        assert all(row["finished_at"] for row in store.slides())
    assert names == slides
    assert names[0] == "S-1"
    told = [("start", "reading", "finding")[i % 3] for i in range(3 * len(slides))]
    assert [kind for kind, _ in follower.told] == told
    assert [slide for kind, slide in follower.told if kind == "start"] == slides


def test_a_name_given_meanwhile_is_the_next_frames_where_each_is_a_slide(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path
) -> None:
    with Store(tmp_path / "r.db") as store:
        work = screening(_Frames(frames), store, independent=True)
        for n, _ in enumerate(work.readings()):
            if not n:
                work.new_slide("S-2", About(patient="P-8"))
        slides = [row["id"] for row in store.slides()]
        assert slides.count("S-2") == 1
        assert [len(store.readings(slide)) for slide in slides] == [1] * 4


def test_slides_of_their_own_go_on_where_chance_repeats_itself(
    screening: Callable[..., Screening],
    frames: list[Frame],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = iter([bytes([i // 3] * 7) for i in range(99)])  # each three times
    monkeypatch.setattr("edge.records.identifiers.token_bytes", lambda _: next(drawn))
    with Store(tmp_path / "r.db") as store:
        work = screening(_Frames(frames), store, independent=True)
        assert len(list(work.readings())) == 4
        slides = [row["id"] for row in store.slides()]
        assert len(set(slides)) == 4
        assert [len(store.readings(slide)) for slide in slides] == [1] * 4


def test_pause_holds_and_stop_ends(screening: Callable[..., Screening]) -> None:
    work = screening(SimulatedCamera(0))
    work.pause(True)
    given: list[Reading] = []
    thread = threading.Thread(target=lambda: given.extend(work.readings()))
    thread.start()
    thread.join(1.0)
    assert thread.is_alive()
    assert not given
    work.stop()
    thread.join(60)
    assert not thread.is_alive()


def test_limits(screening: Callable[..., Screening]) -> None:
    assert len(list(screening(SimulatedCamera(0), max_frames=3).readings())) == 3
    few = list(screening(SimulatedCamera(0), max_seconds=1.0).readings())
    assert 1 <= len(few) < 200


class _OfFiles(_Frames):
    def files(self, frames: int) -> FilesRead:
        return FilesRead.of(frames, [("HEIC", "IMG_1.HEIC")])


def test_what_was_not_read_of_files_is_told_once_at_the_very_end(
    screening: Callable[..., Screening], frames: list[Frame]
) -> None:
    for options, read in (({"independent": True}, 4), ({"max_frames": 2}, 2)):
        sink = _Told()
        work = screening(_OfFiles(frames), sinks=[sink], **options)
        list(work.readings())
        assert sink.told[-2:] == ["finding", f"files {read}"]
        assert sink.told.count(f"files {read}") == 1
        assert work.files == FilesRead.of(read, [("HEIC", "IMG_1.HEIC")])


def test_what_must_be_known_before_is_told_with_the_first_reading(
    screening: Callable[..., Screening], frames: list[Frame]
) -> None:
    notes = [reading.note or "" for reading in screening(_Frames(frames), note="another folder").readings()]
    assert [note.startswith("another folder") for note in notes] == [True, False, False, False]


def test_header_says_what_the_slide_was_read_with(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path
) -> None:
    with Store(tmp_path / "r.db") as store:
        list(screening(_Frames(frames), store).readings())
        row = store.slides()[0]
    assert row["bundle_sha256"] == bundle.load().sha256
    assert row["trusted"] == 1
    assert row["profile"] == "test"


class _Live(_Frames):
    """The same frames for ever as a live camera gives them, with noise, and away while `away` is set."""

    live = True
    serial = "7"
    name = "live"

    def __init__(self, frames: list[Frame]) -> None:
        super().__init__(frames)
        self.away = threading.Event()
        self.reads = self.opened = 0

    def open(self) -> None:
        self.opened += 1

    def read(self) -> Frame | None:
        time.sleep(0.01)
        if self.away.is_set():
            raise CameraError("camera live: is gone; plug it in again")
        frame = self._frames[self.reads % len(self._frames)]
        self.reads += 1
        pixels = frame.pixels.copy()
        pixels[0, 0] = self.reads % 251
        return replace(frame, pixels=pixels, index=0, monotonic_s=time.monotonic())


class _Told(Sink):
    """Remembers what a sink is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def start(self, slide: str, header: SlideHeader, um_per_px: float) -> None:
        self.told.append("start")

    def reading(self, reading: Reading) -> None:
        self.told.append("reading")

    def waiting(self, trouble: Waiting | None) -> None:
        self.told.append(trouble.reason if trouble else "fine")

    def finding(self, last: Reading) -> None:
        self.told.append("finding")

    def files(self, files: FilesRead) -> None:
        self.told.append(f"files {files.read}")


def test_the_slide_goes_on_when_the_camera_is_back(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(livefeed, "SILENT_S", 0.5)
    camera, gone = _Live(frames), "camera live: is gone"

    class Repairing(_Told):
        """Plugs the camera in again once its absence was told."""

        def waiting(self, trouble: Waiting | None) -> None:
            super().waiting(trouble)
            if trouble and trouble.reason == gone:
                camera.away.clear()

    sink = Repairing()
    with Store(tmp_path / "r.db") as store:
        work = screening(camera, store, sinks=[sink])
        readings = []
        for reading in work.readings():
            readings.append(reading)
            if len(readings) == 6:
                camera.away.set()
            if gone in sink.told and "fine" in sink.told[sink.told.index(gone) :]:
                break
        work.stop()
        kept = store.readings(work.slide)
    assert [r.frame.index for r in readings] == list(range(len(readings)))
    assert len(kept) >= len(readings)
    away = sink.told.index(gone)
    assert sink.told[:away].count("reading") >= 6, "what was read before is given while the camera is away"
    ids = [int(i) for r in readings for i in r.ids[r.counted]]
    assert len(ids) == len(set(ids)), "no cell is counted twice"
    assert readings[-1].tally.leukocytes == len(ids)


def test_a_slide_begins_when_its_camera_is_known(
    classifier: Classifier, frames: list[Frame], tmp_path: Path
) -> None:
    class Late(_Live):
        """Not there at first, and known by its number only."""

        name = "0"

        def open(self) -> None:
            if not self.away.is_set():
                raise CameraError("camera 0: there is no such camera; plug one in")
            self.name = "Microscope A"
            super().open()

        def read(self) -> Frame | None:
            self.away.clear()
            return super().read()

    class Plugging(_Told):
        """Plugs the camera in once its absence was told."""

        def waiting(self, trouble: Waiting | None) -> None:
            super().waiting(trouble)
            if trouble:
                camera.away.set()

    camera, sink = Late(frames), Plugging()
    with Store(tmp_path / "r.db") as store:
        work = Screening(
            camera=camera,
            bundle=bundle.load(),
            classifier=classifier,
            scales=Scales(asked=0.1, nominal=0.1, camera=camera),
            store=store,
            profile="test",
            options=ScreeningOptions(max_frames=2),
            sinks=[sink],
            feed=livefeed.feed_for(camera, patient=True),
        )
        assert len(list(work.readings())) == 2
        (slide,) = store.slides()
    assert slide["camera"] == work.camera == "Microscope A"
    assert sink.told.index("start") > sink.told.index("camera 0: there is no such camera")


def test_the_line_gives_a_sign_of_life_while_it_is_held(
    screening: Callable[..., Screening], frames: list[Frame]
) -> None:
    sink = _Told()
    work = screening(_Live(frames), sinks=[sink])
    work.pause(True)
    thread = threading.Thread(target=lambda: list(work.readings()))
    thread.start()
    end = time.monotonic() + 60
    while sink.told.count("fine") < 2 and time.monotonic() < end:
        time.sleep(0.05)
    work.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert sink.told.count("fine") >= 2
    assert "reading" not in sink.told


def _away(frames: list[Frame]) -> _Live:
    camera = _Live(frames)
    camera.away.set()
    return camera


@pytest.mark.parametrize(
    ("camera", "options", "words"),
    [
        (_away, {"max_seconds": 0.5}, "no picture within 0.5 s: camera live: is gone; plug it in again"),
        (_Live, {"max_seconds": 1e-9}, "no picture within 1e-09 s; give it more with --max-seconds"),
        (lambda frames: _Frames([]), {}, "camera frames: gave no picture; choose another with --camera"),
        (lambda frames: _Frames([], failure="camera frames: broken"), {}, "camera frames: broken"),
    ],
)
def test_where_nothing_was_screened_it_says_why_and_leaves_no_slide(
    screening: Callable[..., Screening],
    frames: list[Frame],
    tmp_path: Path,
    camera: Callable[[list[Frame]], Camera],
    options: dict[str, Any],
    words: str,
) -> None:
    sink = _Told()
    with Store(tmp_path / "r.db") as store:
        with pytest.raises(CameraError) as failure:
            list(screening(camera(frames), store, sinks=[sink], **options).readings())
        assert str(failure.value) == words
        assert store.slides() == []
    assert "start" not in sink.told


def _stop(work: Screening) -> None:
    work.stop()


def _pause_and_stop(work: Screening) -> None:
    work.pause(True)
    threading.Timer(0.3, work.stop).start()


def _ask_for_another_and_stop(work: Screening) -> None:
    work.new_slide()
    threading.Timer(0.3, work.stop).start()


@pytest.mark.parametrize("end", [_stop, _pause_and_stop, _ask_for_another_and_stop])
def test_who_stops_before_the_first_picture_leaves_no_slide(
    screening: Callable[..., Screening],
    frames: list[Frame],
    tmp_path: Path,
    end: Callable[[Screening], None],
) -> None:
    with Store(tmp_path / "r.db") as store:
        work = screening(_away(frames), store)
        end(work)
        assert list(work.readings()) == []
        assert store.slides() == []


def test_a_slide_that_breaks_down_in_its_first_picture_is_finished(
    screening: Callable[..., Screening], frames: list[Frame], tmp_path: Path
) -> None:
    class Full(_Told):
        def start(self, slide: str, header: SlideHeader, um_per_px: float) -> None:
            raise LeukoscopeError("--json out.jsonl: cannot be written")

    with Store(tmp_path / "r.db") as store:
        with pytest.raises(LeukoscopeError, match="cannot be written"):
            list(screening(_Frames(frames), store, sinks=[Full()]).readings())
        (slide,) = store.slides()
    assert slide["finished_at"]
    assert (slide["finding"], slide["tally"]["frames"]) == ("keep-scanning", 0)


def test_what_becomes_of_the_camera_is_told_during_a_pause(
    screening: Callable[..., Screening], frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(livefeed, "SILENT_S", 0.3)
    camera, sink, gone = _Live(frames), _Told(), "camera live: is gone"
    work = screening(camera, sinks=[sink])
    given: list[Reading] = []
    thread = threading.Thread(target=lambda: given.extend(work.readings()), daemon=True)
    thread.start()
    _until(lambda: bool(given))
    work.pause(True)
    _until(lambda: sink.told[-1] == "fine")
    camera.away.set()
    _until(lambda: sink.told[-1] == gone)
    assert work.waiting is not None
    assert work.waiting.reason == gone
    camera.away.clear()
    _until(lambda: sink.told[-1] == "fine" and work.waiting is None)
    work.stop()
    thread.join(60)
    assert not thread.is_alive()
    assert "reading" not in sink.told[sink.told.index(gone) :]


class _Slow:
    """Asks for a long rest after each frame."""

    note: str | None = None

    def pause_s(self, took_s: float) -> float:
        return 30.0


@pytest.mark.parametrize("throttle", [None, _Slow()])
def test_time_is_up_while_the_line_rests_too(
    screening: Callable[..., Screening], frames: list[Frame], throttle: Throttle | None
) -> None:
    work = screening(_Live(frames), throttle=throttle, max_seconds=2.0)
    began, readings = time.monotonic(), []
    for reading in work.readings():
        readings.append(reading)
        work.pause(throttle is None)
    assert readings
    assert time.monotonic() - began < 25


def _until(true: Callable[[], bool], timeout_s: float = 60.0) -> None:
    """Wait until it is."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "it never was"
        time.sleep(0.01)


def test_a_hot_machine_rests_and_says_so(screening: Callable[..., Screening], frames: list[Frame]) -> None:
    class Hot:
        note: str | None = "the processor is hot"

        def pause_s(self, took_s: float) -> float:
            assert took_s > 0
            return 0.2

    camera = _Live(frames)
    began = time.monotonic()
    readings = list(screening(camera, throttle=Hot(), max_frames=4).readings())
    assert time.monotonic() - began >= 0.6
    assert [r.note for r in readings] == ["the processor is hot"] * 4
    assert [r.frame.index for r in readings] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("asked", "independent", "reductions"),
    [(0.1, False, [1, 1, 1, 2, 2, 2]), (0.2, False, [1] * 6), (0.1, True, [1] * 6)],
)
def test_files_are_decoded_at_half_their_size_where_the_scale_allows_it(
    classifier: Classifier, tmp_path: Path, asked: float, independent: bool, reductions: list[int]
) -> None:
    camera = SimulatedCamera(1)
    camera.open()
    for number in range(6):
        frame = camera.read()
        (tmp_path / f"{number}.jpg").write_bytes(encoded(".jpg", frame.pixels))
    folder = FileCamera(str(tmp_path))
    screening = Screening(
        camera=folder,
        bundle=bundle.load(),
        classifier=classifier,
        scales=Scales(asked=asked, nominal=0.1, camera=folder, independent=independent),
        store=Unrecorded(),
        profile="any",
        options=ScreeningOptions(independent=independent),
    )
    readings = list(screening.readings())
    assert [reading.frame.reduction for reading in readings] == reductions
    assert {(reading.frame.width, reading.cells.width) for reading in readings} == {(1440, 1440)}
    assert all(reading.frame.whole.shape == (900, 1440, 3) for reading in readings)
