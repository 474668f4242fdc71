from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

import pytest

from edge.cameras import CameraError
from edge.cameras.feed import WAITING, Feed
from tests.edge.cameras.fakes import ScriptedCamera


def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


def test_of_a_file_nothing_is_skipped_and_little_is_read_ahead() -> None:
    camera = ScriptedCamera(live=False, step=lambda index: index < 20)
    indices = []
    with Feed(camera) as feed:
        for frame in feed:
            indices.append(frame.index)
            assert camera.reads <= frame.index + WAITING + 2
            time.sleep(0.002)
        assert feed.get() is None
        assert feed.dropped == 0
    assert indices == list(range(20))
    assert (camera.opened, camera.closed) == (1, 1)


def test_of_a_live_camera_the_newest_comes_and_the_rest_is_counted() -> None:
    go_on = threading.Event()

    def step(index: int) -> bool:
        if index == 10:
            go_on.wait(5)
        return True

    camera = ScriptedCamera(live=True, step=step)
    with Feed(camera) as feed:
        until(lambda: camera.reads == 10 and feed.dropped == 9)
        frame = feed.get()
        go_on.set()
    assert frame is not None
    assert frame.index == 9


def test_what_the_camera_raises_comes_after_the_frames_before_it() -> None:
    def step(index: int) -> bool:
        if index == 3:
            raise CameraError("camera scripted: unplugged")
        return True

    with Feed(ScriptedCamera(live=False, step=step)) as feed:
        assert [frame.index for frame in (feed.get(), feed.get(), feed.get()) if frame] == [0, 1, 2]
        for _ in range(2):
            with pytest.raises(CameraError, match="unplugged"):
                feed.get()


def test_an_opening_that_fails_is_told_at_once() -> None:
    class Missing(ScriptedCamera):
        def open(self) -> None:
            raise CameraError("camera scripted: there is none")

    feed = Feed(Missing(live=True, step=lambda index: True))
    with pytest.raises(CameraError, match="there is none"), feed:
        pass


def test_a_silent_live_camera_is_an_error_and_closing_does_not_wait_for_it() -> None:
    stuck = threading.Event()
    feed = Feed(ScriptedCamera(live=True, step=lambda index: stuck.wait(30)))
    with feed:
        with pytest.raises(CameraError, match=r"camera scripted: no picture for 0.05 s; check its cable"):
            feed.get(timeout_s=0.05)
        began = time.monotonic()
        feed.close(timeout_s=0.1)
        assert time.monotonic() - began < 1
        stuck.set()


def test_a_slow_file_is_waited_for() -> None:
    def step(index: int) -> bool:
        time.sleep(0.05)
        return index < 1

    with Feed(ScriptedCamera(live=False, step=step)) as feed:
        assert feed.get(timeout_s=0.001) is not None
        assert feed.get(timeout_s=0.001) is None


def test_closing_wakes_who_waits_and_closes_the_camera_in_its_thread() -> None:
    closed_in: list[str] = []

    class Camera(ScriptedCamera):
        def close(self) -> None:
            closed_in.append(threading.current_thread().name)
            super().close()

    slow = threading.Event()
    feed = Feed(Camera(live=True, step=lambda index: slow.wait(0.3) or index < 0))
    got: list[object] = []
    with feed:
        waiter = threading.Thread(target=lambda: got.append(feed.get()))
        waiter.start()
        feed.close()
        waiter.join(2)
    assert got == [None]
    assert closed_in == ["camera"]


def test_closing_a_file_that_nobody_reads_ends_its_thread() -> None:
    camera = ScriptedCamera(live=False, step=lambda index: True)
    with Feed(camera) as feed:
        until(lambda: camera.reads >= WAITING)
    until(lambda: camera.closed == 1, 2)
    assert feed.get() is None


def test_a_frame_that_was_taken_is_not_kept_while_the_next_is_awaited() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def step(index: int) -> bool:
        if index == 1:
            asked.set()
            go_on.wait(5)
        return index < 2

    with Feed(ScriptedCamera(live=False, step=step)) as feed:
        frame = feed.get()
        assert frame is not None
        gone = weakref.ref(frame)
        assert asked.wait(5)
        del frame
        assert gone() is None, "the reading thread holds the frame"
        go_on.set()
