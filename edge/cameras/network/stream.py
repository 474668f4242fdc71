"""Network cameras: RTSP, HTTP pictures one after the other (MJPEG), and HTTP one picture a request."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol

from edge.cameras import CameraError
from edge.cameras.network.address import Address
from edge.cameras.pace import Pace
from edge.files.pictures import decode
from edge.machine.profile import CameraSettings
from edge.types import U8, Frame

OPEN_S = 10.0
"""Longest wait for the first picture: finding the host, connecting, a long exposure, a video's first whole
picture."""

SILENT_S = 1.0
"""Longest wait for any other of a fast camera; a slow one gets longer (`edge.cameras.pace`)."""

PATIENCE_S = 1.5
"""What a reader that is stopped gets to come back from the network."""


class Pictures(Protocol):
    """What comes over one connection; made for each opening anew."""

    def __iter__(self) -> Iterator[tuple[float, bytes | U8]]:
        """Monotonic seconds at which a picture came, and its file or pixels; ends with CameraError."""

    def stop(self) -> None:
        """End the iteration soon; called by another thread."""


class StreamCamera:
    """A camera in the network.

    A thread takes in everything that comes, and keeps the newest picture; only what `read` asks for is
    decoded. A picture's time is that of its arrival.

    Parameters
    ----------
    url : 'rtsp://', 'http://' or 'https://', with user and password where the camera wants them. Neither
        they nor what follows a question mark appear in the name or in messages.
    settings : its rate limits how often a camera that sends one picture a request is asked.

    Attributes
    ----------
    reduction : see `edge.cameras.Reducing`; video (RTSP) comes whole.
    """

    live = True
    um_per_px: float | None = None
    advice = "check its power and the network"
    """What to do where nobody knows better."""

    def __init__(self, url: str, settings: CameraSettings) -> None:
        self._address = Address.parse(url)
        self._fps = settings.fps
        self.name, self.serial = self._address.name, self._address.serial
        self.reduction = 1
        self._reader: _Reader | None = None
        self._left: _Reader | None = None
        self._pace = Pace()  # of all connections

    def open(self) -> None:
        """Connect and wait for the first picture, for some seconds at most; raises CameraError."""
        if self._reader is not None:
            return
        if self._left is not None and self._left.thread.is_alive():
            raise CameraError(f"camera {self.name}: the network hangs; check its cable")
        self._reader = _Reader(self._pictures(), self._pace)
        self._reader.thread.start()
        self._index = 0
        patience_s = max(OPEN_S, self._pace.patience_s(SILENT_S))
        try:
            if self._reader.wait(time.monotonic() + patience_s) is None:
                self._pace.note(patience_s)
                raise self._silent()
        except CameraError:
            self.close()
            raise

    def read(self) -> Frame:
        """The newest picture; CameraError when no good one comes for a second, of a slow one for longer."""
        if self._reader is None:
            raise CameraError(f"camera {self.name}: is not open")
        began_s, damage = time.monotonic(), ""
        while (came := self._reader.wait(began_s + self._pace.patience_s(SILENT_S))) is not None:
            self._reader.take()
            moment_s, content = came
            try:
                taken = decode(content, self.reduction) if isinstance(content, bytes) else content
            except ValueError as error:
                damage = str(error).replace("the file", "each")
                continue
            captured_at = datetime.now(UTC) - timedelta(seconds=time.monotonic() - moment_s)
            self._index += 1
            return Frame.of(taken, self._index - 1, self.name, captured_at, moment_s)
        raise self._silent(damage)

    def close(self) -> None:
        """Hang up."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.pictures.stop()
            reader.thread.join(PATIENCE_S)
            self._left = reader

    def _pictures(self) -> Pictures:
        if self._address.scheme == "rtsp":
            from edge.cameras.network.rtsp import RtspPictures

            return RtspPictures(self._address, self._pace)
        from edge.cameras.network.mjpeg import HttpPictures

        return HttpPictures(self._address, self._fps)

    def _silent(self, damage: str = "") -> CameraError:
        what = f"sends pictures that cannot be read ({damage})" if damage else "sends no pictures"
        return CameraError(f"camera {self.name}: {what}; {self.advice}")


class _Reader:
    """The thread that takes pictures in, and the newest of them."""

    def __init__(self, pictures: Pictures, pace: Pace) -> None:
        self.pictures, self._pace = pictures, pace
        self.thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._changed = threading.Condition()
        self._newest: tuple[float, bytes | U8] | None = None
        self._error: Exception | None = None

    def wait(self, deadline: float) -> tuple[float, bytes | U8] | None:
        """The newest picture; None when none came until then. Raises what ended the stream."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self._error, deadline - time.monotonic())
            if self._newest is None and self._error is not None:
                raise self._error
            return self._newest

    def take(self) -> None:
        """Make room: the next `wait` is for a newer one."""
        with self._changed:
            self._newest = None

    def _run(self) -> None:
        came_s: float | None = None
        try:
            for picture in self.pictures:
                came_s = self._noted(came_s)
                with self._changed:
                    self._newest = picture
                    self._changed.notify_all()
        except Exception as error:  # raised again where the picture is waited for
            self._noted(came_s)
            with self._changed:
                self._error = error
                self._changed.notify_all()

    def _noted(self, came_s: float | None) -> float:
        """The moment, after a note of how long it is since the last picture of this connection came."""
        now = time.monotonic()
        if came_s is not None:
            self._pace.note(now - came_s)
        return now
