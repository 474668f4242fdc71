from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from edge.cameras import CameraError, livefeed, pace
from edge.cameras.livefeed import ABANDONED, LiveFeed, feed_for
from edge.cameras.pace import KEPT
from edge.types import Frame, Waiting
from tests.edge.cameras.fakes import ScriptedCamera, picture


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rules in a tenth of the time."""
    monkeypatch.setattr(livefeed, "SILENT_S", 0.15)
    monkeypatch.setattr(livefeed, "STUCK_S", 0.6)
    monkeypatch.setattr(livefeed, "_TICK_S", 0.1)
    monkeypatch.setattr(livefeed, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(livefeed, "_LONGEST_PAUSE_S", 0.05)
    monkeypatch.setattr(livefeed, "_REPEATING_S", 0.3)
    monkeypatch.setattr(pace, "FIRST_S", 1.0)
    monkeypatch.setattr(pace, "LONGEST_S", 3.0)


class Noisy:
    """A live camera with noise; `step(n)` runs before the n-th read, and may wait or raise."""

    name, serial, live = "noisy", "1", True
    um_per_px: float | None = None

    def __init__(self, step: Callable[[int], object] = lambda n: None) -> None:
        self.step = step
        self.reads = self.opened = self.closed = 0
        self.still: Frame | None = None  # given again and again where it is set
        self.in_the_way: CameraError | None = None

    def open(self) -> None:
        self.opened += 1
        if self.in_the_way is not None:
            raise self.in_the_way

    def read(self) -> Frame | None:
        time.sleep(0.005)
        self.reads += 1
        self.step(self.reads - 1)
        if self.still is not None:
            return replace(self.still, monotonic_s=time.monotonic())
        pixels = picture(1) + np.random.default_rng(self.reads).integers(0, 9, (48, 64, 1), np.uint8)
        return Frame(pixels.astype(np.uint8), 0, self.name, datetime.now(UTC), time.monotonic())

    def close(self) -> None:
        self.closed += 1


def frame_of(feed: LiveFeed, timeout_s: float = 60.0) -> Frame:
    """The next frame, through any trouble."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if isinstance(got := feed.get(), Frame):
            return got
    raise AssertionError("no frame came")


def trouble_of(feed: LiveFeed, word: str, timeout_s: float = 60.0) -> Waiting:
    """The first Waiting whose reason holds the word."""
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        got = feed.get()
        if isinstance(got, Waiting) and word in got.reason:
            return got
    raise AssertionError(f"nothing was said of {word!r}")


def well_again(feed: LiveFeed, timeout_s: float = 60.0) -> bool:
    """Whether the trouble ends; on a busy machine the next picture may be late for this hurry."""
    end = time.monotonic() + timeout_s
    while (still := feed.trouble) is not None and time.monotonic() < end:
        time.sleep(0.005)
    return still is None


def test_the_newest_comes_and_what_nobody_took_is_counted() -> None:
    go_on = threading.Event()

    def step(n: int) -> None:
        if n == 10:
            go_on.wait(60)

    camera = Noisy(step)
    with LiveFeed(camera) as feed:
        end = time.monotonic() + 60
        while feed.dropped < 9 and time.monotonic() < end:
            time.sleep(0.005)
        assert feed.dropped == 9
        first = frame_of(feed)
        go_on.set()
        second = frame_of(feed)
    assert (first.index, second.index) == (0, 1)
    assert first.monotonic_s < second.monotonic_s
    assert camera.closed == 1


def test_a_camera_that_cannot_be_opened_is_an_error_at_once() -> None:
    camera = Noisy()
    camera.in_the_way = CameraError("camera 0: /dev/video0 is used by another program; close it")
    feed = LiveFeed(camera)
    with pytest.raises(CameraError, match="used by another program"), feed:
        pass


def test_a_patient_feed_waits_for_it_and_says_why() -> None:
    camera = Noisy()
    camera.in_the_way = CameraError("camera 0: there is no such camera; plug one in")
    with LiveFeed(camera, patient=True) as feed:
        waiting = trouble_of(feed, "there is no such camera")
        assert waiting.advice == "plug one in"
        assert feed.trouble is not None
        camera.in_the_way = None
        assert frame_of(feed).index == 0
        assert well_again(feed)
    assert camera.opened >= 2


def test_after_a_fault_it_is_closed_opened_again_and_the_numbers_go_on() -> None:
    gone = threading.Event()

    def step(n: int) -> None:
        if gone.is_set():
            raise CameraError("camera 0: is gone; plug it in again")

    camera = Noisy(step)
    with LiveFeed(camera) as feed:
        before = frame_of(feed)
        gone.set()
        waiting = trouble_of(feed, "is gone")
        assert waiting.since_s >= before.monotonic_s
        gone.clear()
        after = frame_of(feed)
    assert after.index > before.index
    assert camera.closed == camera.opened > 1


def test_a_silent_camera_is_noticed_while_its_read_blocks() -> None:
    go_on, stuck = threading.Event(), threading.Event()

    def step(n: int) -> None:
        if n == 2:
            stuck.set()
            go_on.wait(60)

    with LiveFeed(Noisy(step)) as feed:
        frame_of(feed)
        assert stuck.wait(60)
        assert "gives no pictures" in trouble_of(feed, "noisy").reason
        again = feed.get()
        assert isinstance(again, Waiting), "it is told again, as a sign of life"
        go_on.set()
        frame_of(feed)
        assert well_again(feed)


def told_of(feed: LiveFeed, frames: int) -> list[str]:
    """What was told while so many frames were taken."""
    told, taken = [], 0
    while taken < frames:
        taken += isinstance(feed.get(), Frame)
        if trouble := feed.trouble:
            told.append(trouble.reason)
    return told


def test_a_slow_camera_is_in_no_trouble_and_gives_signs_of_life() -> None:
    camera = Noisy(lambda n: time.sleep(0.25))
    with LiveFeed(camera) as feed:
        assert told_of(feed, 5) == []
        assert isinstance(feed.get(), Waiting), "one a tick, of which one picture takes two and a half"
    assert camera.opened == 1


def test_a_slow_camera_that_is_gone_is_told_once_it_is_late_for_one() -> None:
    gone = threading.Event()

    def step(n: int) -> None:
        time.sleep(0.25)
        if gone.is_set():
            raise CameraError("camera 0: is gone; plug it in again")

    with LiveFeed(Noisy(step)) as feed:
        last = [frame_of(feed) for _ in range(3)][-1]
        gone.set()
        waiting = trouble_of(feed, "is gone")
        assert time.monotonic() - last.monotonic_s > 0.25
        assert waiting.since_s >= last.monotonic_s


def test_a_camera_that_becomes_slow_is_told_of_once() -> None:
    slow = threading.Event()

    def step(n: int) -> None:
        if slow.is_set():
            time.sleep(0.4)

    with LiveFeed(Noisy(step)) as feed:
        told_of(feed, 10)
        slow.set()
        assert {reason.partition(": ")[2] for reason in told_of(feed, 2)} == {"gives no pictures"}
        assert told_of(feed, 3) == []


def test_a_camera_that_is_fast_again_is_soon_missed() -> None:
    for_ever = threading.Event()

    def step(n: int) -> None:
        if n < 3:
            time.sleep(0.5)
        elif n == 3 + 2 * KEPT:
            for_ever.wait(60)

    with LiveFeed(Noisy(step)) as feed:
        while (waiting := feed.trouble) is None:
            feed.get()
        assert time.monotonic() - waiting.since_s < 1.4, "three slow intervals would be 1.5 s"
        for_ever.set()


def test_a_camera_may_have_advice_of_its_own() -> None:
    for_ever = threading.Event()
    camera = Noisy(lambda n: n > 20 and for_ever.wait(60))
    camera.advice = "check its power and the network"  # type: ignore[attr-defined]
    with LiveFeed(camera) as feed:
        assert trouble_of(feed, "gives no pictures").advice == "check its power and the network"
        for_ever.set()


def test_a_reader_whose_driver_never_returns_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(livefeed, "STUCK_S", 2.0)  # a busy machine is no stuck driver
    for_ever = threading.Event()

    def hang(n: int) -> None:
        if n == 1:
            for_ever.wait(30)

    made: list[Noisy] = []

    def another() -> Noisy:
        made.append(Noisy())
        return made[-1]

    with LiveFeed(Noisy(hang), another) as feed:
        first = frame_of(feed)
        trouble_of(feed, "gives no pictures")
        later = frame_of(feed)
        assert later.index == first.index + 1
        taken = later.monotonic_s
        for_ever.set()  # what the abandoned one still brings is not wanted
        assert frame_of(feed).monotonic_s > taken
    assert len(made) == 1


def test_a_reader_whose_driver_never_returns_is_abandoned_though_nobody_takes_frames(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(livefeed, "STUCK_S", 2.0)
    for_ever = threading.Event()
    made: list[Noisy] = []

    def another() -> Noisy:
        made.append(Noisy())
        return made[-1]

    with LiveFeed(Noisy(lambda n: n and for_ever.wait(120)), another) as feed:
        end = time.monotonic() + 60
        while not made and time.monotonic() < end:
            time.sleep(0.02)
            told = feed.trouble
        assert told is not None
        assert well_again(feed)
        for_ever.set()
    assert len(made) == 1


def test_no_more_are_abandoned_than_there_is_sense_in() -> None:
    for_ever = threading.Event()
    made: list[Noisy] = []

    def another() -> Noisy:
        made.append(Noisy(lambda n: for_ever.wait(60)))
        return made[-1]

    with LiveFeed(Noisy(lambda n: for_ever.wait(60)), another, patient=True) as feed:
        end = time.monotonic() + 60
        while len(made) < ABANDONED and time.monotonic() < end:
            assert isinstance(feed.get(), Waiting)
        end = time.monotonic() + 2.5 * livefeed.STUCK_S
        while time.monotonic() < end:
            assert isinstance(feed.get(), Waiting)
        feed.close(timeout_s=0)
    for_ever.set()
    assert len(made) == ABANDONED


def test_pictures_that_repeat_exactly_are_noticed_and_pass_slowly() -> None:
    camera = Noisy()
    with LiveFeed(camera) as feed:
        camera.still = frame_of(feed)
        assert "same picture" in trouble_of(feed, "again and again").reason
        began, got = time.monotonic(), 0
        while (took_s := time.monotonic() - began) < 0.5 or not got:
            got += isinstance(feed.get(), Frame)
            assert took_s < 60
        assert got <= 1 + took_s / 0.1, "one a tick, of two hundred a second"
        assert camera.opened > 1, "opening it again might help"
        camera.still = None
        while feed.trouble is not None:
            frame_of(feed)


def test_even_pictures_may_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(livefeed, "SILENT_S", 10.0)  # so long would a repeat be held back
    camera = Noisy()
    black = np.zeros((48, 64, 3), np.uint8)
    camera.still = Frame(black, 0, "noisy", datetime.now(UTC), time.monotonic())
    with LiveFeed(camera) as feed:
        assert all(isinstance(feed.get(), Frame) for _ in range(60))
        assert feed.trouble is None


def test_a_change_between_the_compared_pixels_counts_as_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(livefeed, "SILENT_S", 10.0)
    counter = [0]

    class Counting(Noisy):
        def read(self) -> Frame | None:
            frame = super().read()
            assert frame is not None
            pixels = picture(1)
            pixels[5, 5] = counter[0] % 200
            counter[0] += 1
            return replace(frame, pixels=pixels)

    with LiveFeed(Counting()) as feed:
        assert all(isinstance(feed.get(), Frame) for _ in range(60))
        assert feed.trouble is None


def test_a_picture_no_younger_than_the_last_is_stale() -> None:
    class Stale(Noisy):
        def read(self) -> Frame | None:
            frame = super().read()
            assert frame is not None
            return frame if self.reads < 5 else replace(frame, monotonic_s=1.0)

    with LiveFeed(Stale()) as feed:
        assert trouble_of(feed, "same picture")


def test_what_is_no_camera_error_ends_the_feed() -> None:
    def step(n: int) -> None:
        if n == 3:
            raise ZeroDivisionError("a mistake in the program")

    with LiveFeed(Noisy(step)) as feed, pytest.raises(ZeroDivisionError):
        list(iter(feed.get, None))


def test_closing_wakes_who_waits_and_does_not_wait_for_the_driver() -> None:
    for_ever = threading.Event()
    feed = LiveFeed(Noisy(lambda n: for_ever.wait(120)))
    got: list[object] = []
    with feed:
        waiter = threading.Thread(target=lambda: got.extend(iter(feed.get, None)))
        waiter.start()
        feed.close(timeout_s=0)
        waiter.join(60)
        assert not waiter.is_alive()
    for_ever.set()


def test_a_camera_is_prepared_each_time_it_is_open() -> None:
    prepared: list[int] = []

    def step(n: int) -> None:
        if n == 1:
            raise CameraError("camera 0: is gone; plug it in again")

    camera = Noisy(step)
    with LiveFeed(camera, prepare=lambda each: prepared.append(camera.opened)) as feed:
        frame_of(feed)
        frame_of(feed)
    assert prepared == [1, 2]


def test_entering_twice_goes_on() -> None:
    camera = Noisy()
    with LiveFeed(camera) as feed:
        frame_of(feed)
        with feed:
            frame_of(feed)
    assert camera.opened == 1


def test_a_file_gets_another_feed() -> None:
    assert isinstance(feed_for(Noisy()), LiveFeed)
    assert not isinstance(feed_for(ScriptedCamera(live=False, step=lambda index: True)), LiveFeed)


def test_no_thread_is_left_after_many_faults() -> None:
    def step(n: int) -> None:
        if n % 2:
            raise CameraError("camera 0: is gone; plug it in again")

    before = threading.active_count()
    camera = Noisy(step)
    with LiveFeed(camera, lambda: Noisy(step)) as feed:
        end = time.monotonic() + 120
        while camera.opened < 30 and time.monotonic() < end:
            feed.get()
        assert threading.active_count() <= before + 1
    assert camera.opened >= 30


def test_what_is_asked_of_the_pictures_size_holds_after_opening_again() -> None:
    def step(n: int) -> None:
        noted.append(camera.reduction)
        if n == 20:
            raise CameraError("camera noisy: unplugged")

    noted: list[int] = []
    camera = Noisy(step)
    camera.reduction = 1  # type: ignore[attr-defined]
    with LiveFeed(camera) as feed:
        frame_of(feed)
        feed.reduce(2)
        while camera.opened < 2 or len(noted) < 30:
            frame_of(feed)
    assert noted[0] == 1
    assert set(noted[21:]) == {2}
