"""The thread that reads the camera, so that taking a picture and working on the last one overlap."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from types import TracebackType

from edge.cameras import Camera, CameraError
from edge.types import Frame

WAITING = 1
"""Frames read ahead from a camera that is not live, beside the one that the reader has in hand: enough to
overlap, and no more memory than needed."""


class Feed:
    """Frames of a camera, read by a thread of its own. A context manager.

    Of a live camera only the newest frame waits; older ones are dropped and counted in `dropped`. Of any
    other camera every frame is delivered.

    Parameters
    ----------
    camera : opened on entering; closed by the reading thread when the feed is left.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self.dropped = 0
        self._frames: deque[Frame] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._stopped = False
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)

    def __enter__(self) -> Feed:
        """Open the camera and start reading; raises CameraError."""
        self.camera.open()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Frame]:
        """The frames until there are no more."""
        while (frame := self.get()) is not None:
            yield frame

    def get(self, timeout_s: float = 15.0) -> Frame | None:
        """The next frame; None when there are no more or the feed was closed.

        The default time-out outlasts the 10 s that Video4Linux itself waits for a stalled camera, and one
        attempt to open it again.

        Raises
        ------
        CameraError
            The camera failed, or it is live and gave nothing for `timeout_s` seconds.
        """
        with self._changed:
            limit = timeout_s if self.camera.live else None
            came = self._changed.wait_for(lambda: self._frames or self._ended or self._stopped, limit)
            if not came:
                raise CameraError(
                    f"camera {self.camera.name}: no picture for {timeout_s:g} s; check its cable, "
                    "plug it in again, or choose another with --camera"
                )
            if self._frames and not self._stopped:
                frame = self._frames.popleft()
                self._changed.notify_all()
                return frame
            if self._error is not None and not self._stopped:
                raise self._error
            return None

    def close(self, timeout_s: float = 2.0) -> None:
        """Stop reading. A reader stuck in its driver is left behind, to end with the program."""
        with self._changed:
            self._stopped = True
            self._frames.clear()
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        # whoever reads also closes: letting go of a device while a read is under way crashes drivers
        try:
            while not self._stopped and self._offer(self.camera.read()):
                pass  # nothing here may hold on to a frame while the next one is read
        except Exception as error:  # delivered to whoever waits for a frame
            self._error = error
        finally:
            self.camera.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _offer(self, frame: Frame | None) -> bool:
        """Put a frame where `get` finds it; False when it is none."""
        if frame is None:
            return False
        with self._changed:
            if self.camera.live:
                self.dropped += len(self._frames)
                self._frames.clear()
            else:
                self._changed.wait_for(lambda: len(self._frames) < WAITING or self._stopped)
            if not self._stopped:
                self._frames.append(frame)
                self._changed.notify_all()
        return True
