from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable

import pytest

from edge.cameras import CameraError
from edge.cameras.feed import WAITING, FileFeed
from tests.edge.cameras.fakes import ScriptedCamera


def until(condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.002)


def test_of_a_file_nothing_is_skipped_and_little_is_read_ahead() -> None:
    camera = ScriptedCamera(live=False, step=lambda index: index < 20)
    indices = []
    with FileFeed(camera) as feed:
        while (frame := feed.get()) is not None:
            indices.append(frame.index)
            assert camera.reads <= frame.index + WAITING + 2
            time.sleep(0.002)
        assert feed.get() is None
    assert indices == list(range(20))
    assert (camera.opened, camera.closed) == (1, 1)


def test_what_the_camera_raises_comes_after_the_frames_before_it() -> None:
    def step(index: int) -> bool:
        if index == 3:
            raise CameraError("camera scripted: unplugged")
        return True

    with FileFeed(ScriptedCamera(live=False, step=step)) as feed:
        assert [frame.index for frame in (feed.get(), feed.get(), feed.get()) if frame] == [0, 1, 2]
        for _ in range(2):
            with pytest.raises(CameraError, match="unplugged"):
                feed.get()


def test_an_opening_that_fails_is_told_at_once() -> None:
    class Missing(ScriptedCamera):
        def open(self) -> None:
            raise CameraError("camera scripted: there is none")

    feed = FileFeed(Missing(live=False, step=lambda index: True))
    with pytest.raises(CameraError, match="there is none"), feed:
        pass


def test_a_slow_file_is_waited_for() -> None:
    def step(index: int) -> bool:
        time.sleep(0.05)
        return index < 1

    with FileFeed(ScriptedCamera(live=False, step=step)) as feed:
        assert feed.get() is not None
        assert feed.get() is None


def test_closing_wakes_who_waits_and_closes_the_camera_in_its_thread() -> None:
    closed_in: list[str] = []

    class Camera(ScriptedCamera):
        def close(self) -> None:
            closed_in.append(threading.current_thread().name)
            super().close()

    slow = threading.Event()
    feed = FileFeed(Camera(live=False, step=lambda index: slow.wait(0.3) or index < 0))
    got: list[object] = []
    with feed:
        waiter = threading.Thread(target=lambda: got.append(feed.get()))
        waiter.start()
        feed.close()
        waiter.join(60)
    assert got == [None]
    assert closed_in == ["camera"]


def test_closing_a_file_that_nobody_reads_ends_its_thread() -> None:
    camera = ScriptedCamera(live=False, step=lambda index: True)
    with FileFeed(camera) as feed:
        until(lambda: camera.reads >= WAITING)
    until(lambda: camera.closed == 1)
    assert feed.get() is None


def test_entering_twice_goes_on() -> None:
    camera = ScriptedCamera(live=False, step=lambda index: index < 3)
    with FileFeed(camera) as feed:
        assert feed.get() is not None
        with feed:
            assert feed.get() is not None
    assert camera.opened == 1


def test_a_frame_that_was_taken_is_not_kept_while_the_next_is_awaited() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def step(index: int) -> bool:
        if index == 1:
            asked.set()
            go_on.wait(60)
        return index < 2

    with FileFeed(ScriptedCamera(live=False, step=step)) as feed:
        frame = feed.get()
        assert frame is not None
        gone = weakref.ref(frame)
        assert asked.wait(60)
        del frame
        assert gone() is None, "the reading thread holds the frame"
        go_on.set()


class _Reducing(ScriptedCamera):
    """Notes the reduction of every frame that it reads."""

    def __init__(self, frames: int, pause_s: float) -> None:
        super().__init__(live=False, step=self._note)
        self.reduction, self.noted, self._frames, self._pause_s = 1, [], frames, pause_s  # type: list[int]

    def _note(self, index: int) -> bool:
        time.sleep(self._pause_s)
        self.noted.append(self.reduction)
        return index < self._frames


@pytest.mark.parametrize("pause_s", [0.0, 0.01])
@pytest.mark.parametrize("slowness_s", [0.0, 0.01])
def test_the_same_frames_are_reduced_however_far_the_reader_is_ahead(
    pause_s: float, slowness_s: float
) -> None:
    camera = _Reducing(12, pause_s)
    with FileFeed(camera) as feed:
        for taken in range(1, 12):
            assert feed.get() is not None
            time.sleep(slowness_s)
            feed.reduce(2 if 3 <= taken < 7 else 1)
    assert camera.noted[:12] == [1] * 5 + [2] * 4 + [1] * 3


def test_a_camera_that_cannot_reduce_is_not_asked_to() -> None:
    with FileFeed(ScriptedCamera(live=False, step=lambda index: index < 5)) as feed:
        feed.reduce(2)
        while feed.get() is not None:
            pass
    assert not hasattr(feed.camera, "reduction")
