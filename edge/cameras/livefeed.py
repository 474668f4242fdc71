"""The newest frame of a live camera, through unplugged cables, frozen sensors and stuck drivers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import monotonic
from typing import Self

from edge.cameras import Camera, CameraError, Reducing
from edge.cameras.feed import Feed, FileFeed
from edge.cameras.look import Look
from edge.cameras.pace import Pace
from edge.types import Frame, Waiting

SILENT_S = 1.5
"""Without a fresh picture for this long a camera is in trouble: a user should be told within two seconds. One
that is slow by itself gets longer; see `edge.cameras.pace`."""

STUCK_S = 12.0
"""A reader that did not come back from its driver for this long is abandoned. Cameras come back within a
second; opening one that runs in a process of its own takes a few."""

ABANDONED = 3
"""Readers left in their driver at most; each holds a thread, and a driver with so many is beyond help."""

_TICK_S = 1.0  # between two Waitings
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 1.0  # before opening again: soon back when the camera is
_REPEATING_S, _LONGEST_REPEATING_S = 3.0, 60.0  # of repeats before opening again, which rarely helps
_STEADY_S = 2.0  # of reading, after which the next failure is met with the shortest pause again
_ADVICE = "check its cable, or unplug it and plug it in again"  # of a camera that has none of its own


def feed_for(
    camera: Camera,
    another: Callable[[], Camera] | None = None,
    *,
    prepare: Callable[[Camera], None] | None = None,
    patient: bool = False,
) -> Feed:
    """The feed that a camera of its kind needs; for the parameters see `LiveFeed`."""
    if camera.live:
        return LiveFeed(camera, another, prepare=prepare, patient=patient)
    return FileFeed(camera)


class LiveFeed:
    """The newest frame of a live camera; what nobody took in time is dropped and counted in `dropped`.

    A reader (a thread) opens the camera, reads it, and when it fails closes it and opens it again, for as
    long as it takes. Nobody waits for the reader: one that its driver does not let go is abandoned, and
    another begins with a camera of its own. Only a fresh picture counts as a sign of life: one that equals
    the picture before it in every pixel, or is no younger, comes from a buffer and not from a sensor.
    Repeats are passed on once a second only, while `trouble` tells of them.

    How long a camera may be silent follows from its own rate of late: one that takes seconds for a picture
    is waited for, and one that gave thirty a second is in trouble after `SILENT_S`.

    Frames are numbered as they are taken, over all reopenings.

    Parameters
    ----------
    camera : the first reader's.
    another : makes a camera of the same specification for the readers after it; None never abandons one.
    prepare : is given the camera each time it was opened, when it is known which one it is.
    patient : wait for a camera that cannot be opened at first, instead of raising.
    """

    def __init__(
        self,
        camera: Camera,
        another: Callable[[], Camera] | None = None,
        *,
        prepare: Callable[[Camera], None] | None = None,
        patient: bool = False,
    ) -> None:
        self.camera = camera
        self.dropped = 0
        self.reduction = 1
        self._another, self._patient = another, patient
        self.prepare = prepare or (lambda camera: None)
        self._changed = threading.Condition()
        self._stopped = False
        self._frame: Frame | None = None
        self._taken = 0
        self._fresh_s = self._told_s = self._put_s = monotonic()
        self._pace = Pace()  # of fresh pictures
        self._advice: str = getattr(camera, "advice", _ADVICE)
        self._repeated = False
        self._failure: CameraError | None = None
        self._error: Exception | None = None
        self._opened = False
        self._reader = _Reader(self, camera)
        self._left: list[_Reader] = []

    def __enter__(self) -> Self:
        """Start reading, unless it was started before.

        Raises CameraError when the camera cannot be opened, unless the feed is patient.
        """
        if self._reader.thread.ident is not None:
            return self
        self._reader.start()
        if not self._patient:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._opened or self._failure or self._error or self._stopped, STUCK_S
                )
                failure = self._error or self._failure
                if not self._opened and not self._stopped:
                    self._stopped = True
                    raise failure or CameraError(f"camera {self.camera.name}: does not open; {self._advice}")
        self._fresh_s = monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self) -> Frame | Waiting | None:
        """The newest frame; a Waiting at once and then every second while there is none; None when closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame or self._stopped or self._error, self._patience_s())
            if self._stopped:
                return None
            if self._error is not None:
                raise self._error
            if self._frame is not None:
                frame, self._frame = self._frame, None
                self._told_s = monotonic()
                self._taken += 1
                return replace(frame, index=self._taken - 1)
            self._told_s = monotonic()
            return self.trouble or Waiting("the camera gives no picture yet", "one moment", self._fresh_s)

    @property
    def trouble(self) -> Waiting | None:
        """What keeps the camera from giving fresh pictures, None while it does.

        Whoever asks, be it while nobody takes frames, also has a stuck reader abandoned.
        """
        if monotonic() - self._fresh_s < self._silent_s:
            return None
        self._abandon_if_stuck()
        if self._failure is not None:
            reason, _, advice = str(self._failure).partition("; ")
        elif self._repeated:
            reason, advice = f"camera {self.camera.name}: sends the same picture again and again", ""
        else:
            reason, advice = f"camera {self.camera.name}: gives no pictures", ""
        return Waiting(reason, advice or self._advice, self._fresh_s)

    def reduce(self, reduction: int) -> None:
        """Have frames decoded so from the next one on that is read, also after opening again."""
        self.reduction = reduction

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop reading. A reader stuck in its driver is left behind, to end with the program."""
        with self._changed:
            self._stopped = True
            self._frame = None
            self._changed.notify_all()
        if self._reader.thread.is_alive():
            self._reader.thread.join(timeout_s)

    @property
    def _silent_s(self) -> float:
        """How long the camera may be silent; one that has failed, only until it could be back."""
        patience_s = self._pace.patience_s(SILENT_S)
        return patience_s if self._failure is None else min(patience_s, self._pace.longest_s + SILENT_S)

    def _patience_s(self) -> float:
        """Until the camera is in trouble, or the next Waiting is due: between slow pictures too."""
        now, silent = monotonic(), self._fresh_s + self._silent_s
        if silent > now:
            return min(silent, max(self._told_s, self._fresh_s) + SILENT_S) - now
        return max(self._told_s + _TICK_S - now, 0)

    def _abandon_if_stuck(self) -> None:
        self._left = [reader for reader in self._left if reader.thread.is_alive()]
        stuck = monotonic() - self._reader.returned_s > STUCK_S + self._pace.longest_s
        if not stuck or self._stopped or self._another is None or len(self._left) >= ABANDONED:
            return
        with suppress(CameraError):
            successor = _Reader(self, self._another())
            self._reader.left = True
            self._left.append(self._reader)
            self._reader = successor
            successor.start()

    # what readers call

    def going_on(self, reader: _Reader) -> bool:
        """Whether this reader is to go on."""
        return not self._stopped and not reader.left

    def offer(self, frame: Frame, reader: _Reader) -> bool:
        """Put a frame where `get` finds it; False where a new start of the camera might help."""
        repeated = reader.look.repeats(frame)
        with self._changed:
            if not self.going_on(reader):
                return True
            self._failure = None
            now = monotonic()
            self._repeated = repeated
            if self._repeated and now - self._fresh_s < self._silent_s:
                return True
            if self._repeated:
                since_s = now - self._fresh_s
                if now - self._put_s >= _TICK_S:
                    self._put(frame)
                return since_s < reader.repeats_until_s
            if reader.fresh_s is not None:
                self._pace.note(now - reader.fresh_s)
            self._fresh_s = reader.fresh_s = now
            reader.repeats_until_s = _REPEATING_S
            self._put(frame)
        return True

    def _put(self, frame: Frame) -> None:
        self.dropped += self._frame is not None
        self._frame, self._put_s = frame, monotonic()
        self._changed.notify_all()

    def fail(self, error: Exception, reader: _Reader) -> None:
        """A reader met this; what is no CameraError ends the feed."""
        with self._changed:
            if self.going_on(reader):
                if isinstance(error, CameraError):
                    self._failure = error
                else:
                    self._error = error
                self._changed.notify_all()

    def pause(self, seconds: float, reader: _Reader) -> None:
        """Wait before the camera is opened again, or until there is no use."""
        with self._changed:
            self._changed.wait_for(lambda: not self.going_on(reader), seconds)

    def has_opened(self) -> None:
        """A reader's camera is open."""
        with self._changed:
            self._opened = True
            self._changed.notify_all()


class _Reader:
    """Opens a camera, reads it, closes it, and again."""

    def __init__(self, feed: LiveFeed, camera: Camera) -> None:
        self._feed, self._camera = feed, camera
        self.left = False
        self.returned_s = monotonic()
        self.fresh_s: float | None = None  # since the camera was opened: what lies between is no rate of its
        self.repeats_until_s = _REPEATING_S
        self.look = Look()
        self.thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def start(self) -> None:
        self.thread.start()

    def _run(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while self._feed.going_on(self):
            began_s = monotonic()
            # whoever reads also closes: letting go of a device while a read is under way crashes drivers
            try:
                self._read_on()
            except CameraError as error:
                self._feed.fail(error, self)
            except Exception as error:  # delivered to whoever waits for a frame
                self._feed.fail(error, self)
                return
            finally:
                with suppress(CameraError):
                    self._camera.close()
                self.returned_s = monotonic()
            if self.returned_s - began_s > _STEADY_S:
                pause_s = _FIRST_PAUSE_S
            self._feed.pause(pause_s, self)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _read_on(self) -> None:
        """Read until the feed has no more use for it, or the camera only repeats itself."""
        self.fresh_s = None
        self._camera.open()
        self._feed.prepare(self._camera)
        self.returned_s = monotonic()
        self._feed.has_opened()
        while self._feed.going_on(self):
            if isinstance(self._camera, Reducing):
                self._camera.reduction = self._feed.reduction
            frame = self._camera.read()
            self.returned_s = monotonic()
            if frame is None:
                raise CameraError(f"camera {self._camera.name}: ended; start it again")
            if not self._feed.offer(frame, self):
                self.repeats_until_s = min(2 * self.repeats_until_s, _LONGEST_REPEATING_S)
                break
            del frame  # nothing here may hold on to it while the next one is read
