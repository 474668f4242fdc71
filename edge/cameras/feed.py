"""The thread that reads the camera, so that taking a picture and working on the last one overlap."""

from __future__ import annotations

import threading
from collections import deque
from typing import Protocol, Self

from edge.cameras import Camera, Reducing
from edge.types import Frame, Waiting

WAITING = 1
"""Frames read ahead, beside the one that the reader has in hand: enough to overlap, and no more memory than
needed."""


class Feed(Protocol):
    """Frames of a camera, read by a thread of its own while the feed is entered, which may be done twice."""

    @property
    def trouble(self) -> Waiting | None:
        """What keeps a live camera from giving pictures, None while it does."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...

    def get(self) -> Frame | Waiting | None:
        """The next frame; None when there are no more or the feed was closed.

        While a live camera gives nothing, a Waiting comes at once and then every second, so that whoever
        asks has time for other things. Raises what the camera raised, where waiting does not mend it.
        """

    def reduce(self, reduction: int) -> None:
        """Have frames decoded at this reduction from now on, by cameras that can (`Reducing`)."""

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop reading. A reader stuck in its driver is left behind, to end with the program."""


class FileFeed:
    """Every frame of a camera that waits for its reader: files, the simulated microscope.

    The camera is opened on entering, and closed by the reading thread when the feed is left. What is asked of
    it between two frames holds from the same frame on however far it had read ahead, so that files give the
    same each time.
    """

    trouble: Waiting | None = None

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self._frames: deque[Frame] = deque()
        self._given = 0
        self._wishes: deque[tuple[int, int]] = deque()  # from which frame on, which reduction
        self._changed = threading.Condition()
        self._ended = False
        self._stopped = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def __enter__(self) -> Self:
        """Open the camera and start reading, unless that was done before; raises CameraError."""
        if self._thread.ident is not None:
            return self
        self.camera.open()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def get(self) -> Frame | None:
        """The next frame; None when there are no more or it was closed. Raises what the camera raised."""
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self._ended or self._stopped)
            if self._frames and not self._stopped:
                frame = self._frames.popleft()
                self._given += 1
                self._changed.notify_all()
                return frame
            if self._error is not None and not self._stopped:
                raise self._error
            return None

    def reduce(self, reduction: int) -> None:
        """Have frames decoded so from the first on that the reader cannot have begun with."""
        with self._changed:
            if not self._wishes or self._wishes[-1][1] != reduction:
                self._wishes.append((self._given + WAITING + 1, reduction))

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop reading. A reader stuck in a read is left behind, to end with the program."""
        with self._changed:
            self._stopped = True
            self._frames.clear()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        # whoever reads also closes: letting go of a device while a read is under way crashes drivers
        try:
            # there is room before the next one is read, and nothing here may hold on to a frame meanwhile
            number = 0
            while self._has_room():
                self._prepare(number)
                if not self._offer(self.camera.read()):
                    break
                number += 1
        except Exception as error:  # delivered to whoever waits for a frame
            self._error = error
        finally:
            self.camera.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _prepare(self, number: int) -> None:
        """Hand on to the camera what was asked of this frame."""
        with self._changed:
            while len(self._wishes) > 1 and self._wishes[1][0] <= number:
                self._wishes.popleft()
            if isinstance(self.camera, Reducing):
                begun = self._wishes and self._wishes[0][0] <= number
                self.camera.reduction = self._wishes[0][1] if begun else 1

    def _has_room(self) -> bool:
        """Wait until a frame can be read ahead; False when none is wanted any more."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._frames) < WAITING or self._stopped)
            return not self._stopped

    def _offer(self, frame: Frame | None) -> bool:
        """Put a frame where `get` finds it; False when it is none."""
        if frame is None:
            return False
        with self._changed:
            if not self._stopped:
                self._frames.append(frame)
                self._changed.notify_all()
        return True
