"""From the camera through the line to the records, with cameras that fail and come back."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.bundle import bundle
from edge.cameras import Camera, CameraError, livefeed
from edge.cameras.demo.camera import SimulatedCamera
from edge.cells.classify import Classifier
from edge.line.screening import Order, Pace, Screening, Sink
from edge.optics.scale import Scales
from edge.records.store import Store, Unrecorded
from edge.types import Frame, Reading, SlideHeader, Waiting


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
        pace: Pace | None = None,
        **order: Any,
    ) -> Screening:
        return Screening(
            camera=camera,
            bundle=bundle.load(),
            classifier=classifier,
            scales=Scales(asked=0.1, nominal=0.1, camera=camera),
            store=store or Unrecorded(),
            profile="test",
            order=Order(**order),
            sinks=sinks,
            pace=pace,
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

    class Turning(_Frames):
        """Asks for a new slide while the third frame is read."""

        def read(self) -> Frame | None:
            frame = super().read()
            if frame is not None and frame.index == 2:
                started.append(work.new_slide())
            return frame

    with Store(tmp_path / "r.db") as store:
        work = screening(Turning(frames), store, slide="first")
        readings = list(work.readings())
        slides = [row["id"] for row in store.slides()]
        kept = {slide: [row["frame"] for row in store.readings(slide)] for slide in slides}
    assert slides == ["first", *started]
    assert [*kept["first"], *kept[started[0]]] == [0, 1, 2, 3]
    assert all(kept.values())
    assert [r.tally.frames for r in readings] == [n + 1 for rows in kept.values() for n in range(len(rows))]


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
    thread.join(10)
    assert not thread.is_alive()


def test_limits(screening: Callable[..., Screening]) -> None:
    assert len(list(screening(SimulatedCamera(0), max_frames=3).readings())) == 3
    few = list(screening(SimulatedCamera(0), max_seconds=1.0).readings())
    assert 1 <= len(few) < 200


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


class _Told:
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
            order=Order(max_frames=2),
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
    end = time.monotonic() + 20
    while sink.told.count("fine") < 2 and time.monotonic() < end:
        time.sleep(0.05)
    work.stop()
    thread.join(10)
    assert not thread.is_alive()
    assert sink.told.count("fine") >= 2
    assert "reading" not in sink.told


def test_time_is_up_even_while_the_camera_is_away(
    screening: Callable[..., Screening], frames: list[Frame]
) -> None:
    camera = _Live(frames)
    camera.away.set()
    assert list(screening(camera, max_seconds=0.5).readings()) == []


def test_a_hot_machine_rests_and_says_so(screening: Callable[..., Screening], frames: list[Frame]) -> None:
    class Hot:
        note: str | None = "the processor is hot"

        def pause_s(self, took_s: float) -> float:
            assert took_s > 0
            return 0.2

    camera = _Live(frames)
    began = time.monotonic()
    readings = list(screening(camera, pace=Hot(), max_frames=4).readings())
    assert time.monotonic() - began >= 0.6
    assert [r.note for r in readings] == ["the processor is hot"] * 4
    assert [r.frame.index for r in readings] == [0, 1, 2, 3]
