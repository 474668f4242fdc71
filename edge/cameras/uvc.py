"""USB cameras, and whatever else the kernel offers as a Video4Linux capture device, through OpenCV."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from edge.cameras import CameraError
from edge.cameras.quiet import quiet
from edge.config import CameraSettings
from edge.types import Frame

SYSFS = Path("/sys/class/video4linux")

# From linux/videodev2.h: struct v4l2_capability is 104 bytes, of which card begins at 16,
# bus_info at 48, and the node's own capabilities at 88.
VIDIOC_QUERYCAP = 0x80685600
CAP_VIDEO_CAPTURE = 0x00000001
CAP_IO_MC = 0x20000000  # part of a chain that wants setting up as a whole, like a Raspberry Pi CSI camera

REOPENINGS = 3
"""Times a silent camera is closed and opened again before it is given up."""


class Capture(Protocol):
    """The part of `cv2.VideoCapture` that is used here."""

    def isOpened(self) -> bool: ...  # noqa: N802
    def read(self) -> tuple[bool, Any]: ...
    def set(self, property_id: int, value: float) -> bool: ...
    def release(self) -> None: ...


@dataclass(frozen=True)
class Node:
    """A capture device: its place in /dev, the model's name, and whether it hangs on USB."""

    path: str
    model: str
    usb: bool


class UvcCamera:
    """A Video4Linux camera.

    The driver keeps a few frames waiting, so `read` gives the newest only to a reader that does nothing
    else: `edge.cameras.feed` is one.

    Parameters
    ----------
    device : '/dev/videoN', 'N' (the N-th camera attached, from 0) or 'usb:N' (the N-th on USB).
    settings : resolution and rate to ask for.
    open_capture : opens the device at a path.
    reopen_after_s : pause before a silent camera is opened again.
    """

    live = True
    um_per_px: float | None = None

    def __init__(
        self,
        device: str,
        settings: CameraSettings,
        open_capture: Callable[[str], Capture] | None = None,
        reopen_after_s: float = 0.5,
    ) -> None:
        self.device = device
        node = self._find(list_nodes())
        self.name = node.model if node else device
        self._settings = settings
        self._open_capture = open_capture or _open_v4l2
        self._reopen_after_s = reopen_after_s
        self._path = device
        self._capture: Capture | None = None
        self._index = 0

    def open(self) -> None:
        """Find the device and start it; raises CameraError: not there, not permitted, busy, no camera."""
        if self._capture is not None:
            return
        quiet()
        nodes = list_nodes()
        node = self._find(nodes)
        if node is None and not self.device.startswith("/"):
            raise CameraError(f"camera {self.device}: there is no such camera; {_attached(nodes)}")
        self._path = node.path if node else self.device
        self._capture = self._start()
        self._index = 0

    def read(self) -> Frame | None:
        """The next frame; a camera that falls silent is opened again a few times before CameraError."""
        if self._capture is None:
            raise CameraError(f"camera {self.device}: is not open")
        ok, pixels = self._capture.read()
        for attempt in range(REOPENINGS):
            if ok:
                break
            self._reopen(self._reopen_after_s * 2**attempt)
            ok, pixels = self._capture.read()
        if not ok:
            raise CameraError(
                f"camera {self.device}: {self._path} gives no more pictures; check its cable, "
                "plug it in again, or choose another with --camera"
            )
        frame = Frame(
            pixels=np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8),
            index=self._index,
            source=self.name,
            captured_at=datetime.now(UTC),
            monotonic_s=time.monotonic(),
        )
        self._index += 1
        return frame

    def close(self) -> None:
        """Let go of the device."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None

    def _find(self, nodes: Sequence[Node]) -> Node | None:
        """The one that `device` means, None if it is not among them."""
        if self.device.startswith("/"):
            path = os.path.realpath(self.device)  # /dev/v4l/by-id holds links
            return next((node for node in nodes if node.path == path), None)
        wanted = [node for node in nodes if node.usb or not self.device.startswith("usb:")]
        number = int(self.device.removeprefix("usb:"))
        return wanted[number] if number < len(wanted) else None

    def _start(self) -> Capture:
        try:
            capture = self._open_capture(self._path)
        except CameraError as error:
            raise CameraError(f"camera {self.device}: {error}") from error
        # MJPEG first: a USB 2 cable carries uncompressed full HD at 5 frames a second. A camera
        # without it keeps its own format, and one without this size or rate takes its nearest.
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._settings.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._settings.height)
        capture.set(cv2.CAP_PROP_FPS, self._settings.fps)
        return capture

    def _reopen(self, wait_s: float) -> None:
        # the old capture must go first: while it is held, a second one fails to open
        assert self._capture is not None
        self._capture.release()
        time.sleep(wait_s)
        try:
            self._capture = self._start()
        except CameraError as error:
            raise CameraError(f"{error} (it stopped giving pictures, and did not come back)") from error


def list_nodes(sysfs: Path = SYSFS) -> list[Node]:
    """The capture devices attached, in the order of their numbers.

    A camera has several nodes in /dev; the first (index 0) gives the pictures. Decoders and image
    processors are left out. A node that may not be opened is listed all the same, so that opening it
    can say why not.
    """
    nodes = []
    for entry in sorted(sysfs.glob("video*"), key=lambda e: int(re.sub(r"\D", "", e.name) or 0)):
        path = f"/dev/{entry.name}"
        try:
            first = (entry / "index").read_text().strip() == "0"
            model = (entry / "name").read_text().strip()
        except OSError:
            continue
        if first and _refusal(path) != errno.ENOTTY:
            nodes.append(Node(path, model, "/usb" in os.path.realpath(entry / "device")))
    return nodes


def _refusal(path: str) -> int:
    """Why the node at `path` cannot be used: 0 for a camera, ENOTTY for none, else the errno of opening."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        answer = fcntl.ioctl(handle, VIDIOC_QUERYCAP, bytes(104))
        (caps,) = struct.unpack_from("<I", answer, 88)
        return 0 if caps & CAP_VIDEO_CAPTURE and not caps & CAP_IO_MC else errno.ENOTTY
    except OSError:
        return errno.ENOTTY
    finally:
        os.close(handle)


def _open_v4l2(path: str) -> Capture:
    """An open capture of the device at `path`, or CameraError saying what is in the way."""
    refusal = _refusal(path)
    if refusal in (0, errno.EBUSY):
        capture = cv2.VideoCapture(path, cv2.CAP_V4L2)
        if capture.isOpened():
            return capture
        raise CameraError(f"{path} is used by another program; close it or choose another with --camera")
    if refusal in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        raise CameraError(f"there is no {path}; {_attached(list_nodes())}")
    if refusal in (errno.EACCES, errno.EPERM):
        raise CameraError(
            f"no permission to use {path}; add yourself to its group with "
            "`sudo usermod -aG video $USER` and log in again"
        )
    if refusal in (errno.ENOTTY, errno.EISDIR, errno.ENOTDIR):
        raise CameraError(f"{path} is not a camera; {_attached(list_nodes())}")
    raise CameraError(f"{path} cannot be opened: {os.strerror(refusal)}; plug the camera in again")


def _attached(nodes: Sequence[Node]) -> str:
    if not nodes:
        return "no camera is attached; plug one in, or try --camera demo"
    return "attached: " + ", ".join(f"{node.path} ({node.model})" for node in nodes)
