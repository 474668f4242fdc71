"""USB cameras, and whatever else the kernel offers as a Video4Linux capture device."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from edge.cameras import CameraError
from edge.cameras.attached import Format
from edge.cameras.pace import Pace
from edge.cameras.v4l2 import formats, nodes
from edge.cameras.v4l2.capture import BUFFERS, Capture, Picture
from edge.cameras.v4l2.device import Device, KernelDevice, OpenDevice
from edge.cameras.v4l2.layout import BITS
from edge.cameras.v4l2.light import LightKeeper
from edge.cameras.v4l2.nodes import Node
from edge.cameras.v4l2.trouble import listing, words
from edge.machine.profile import CameraSettings
from edge.types import U8, Frame, Light, Reduced

if TYPE_CHECKING:
    from edge.cameras.v4l2.decoder import Decoder

PATIENCE_S = 1.0
"""Without a good picture for so long a camera is silent."""

LONGEST_START_S = 4.0
"""Some cameras need seconds for their first picture; the time they get doubles up to this each time that a
camera was opened in vain."""

_SAMPLE = 997  # bytes between those by which a picture is known again; no multiple of a row


class UvcCamera:
    """A Video4Linux camera.

    Parameters
    ----------
    device : '/dev/videoN' or a link to it, 'N' (the N-th camera attached, from 0) or 'usb:N' (the N-th on
        USB). Once found, the camera is known by its serial number and port.
    settings : resolution and rate to ask for, and the time until its light is held.
    called : what messages call the camera, if that is not `device`.
    root : folder that holds `sys` and `dev`. open_device, clock : for tests.

    Attributes
    ----------
    reduction : see `edge.cameras.Reducing`.
    name, serial : of the camera; until it is found, `device` and ''.
    note : what the user should know of the pictures, such as a size that was not agreed; or None.
    """

    live = True
    um_per_px: float | None = None

    def __init__(
        self,
        device: str,
        settings: CameraSettings,
        *,
        called: str | None = None,
        root: Path = Path("/"),
        open_device: OpenDevice = KernelDevice,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.device = device
        self._called = called or device
        self.note: str | None = None
        self.reduction = 1
        self._settings, self._root, self._open_device, self._clock = settings, root, open_device, clock
        self._known: Node | None = None
        self._recognise(self._find(self._nodes()))
        self._stream: _Stream | None = None
        self._light = LightKeeper(settings.settle_s)
        self._index = 0
        self._sample = b""
        self._start_s = PATIENCE_S
        self._pace = Pace()  # in the dark an exposure takes longer than the format's rate allows

    def open(self) -> None:
        """Find the device and start it; raises CameraError: not there, not permitted, busy, no camera."""
        if self._stream is not None:
            return
        self._stream = self._start(self._locate())
        self._light.begin(self._stream.device)
        self._index = 0

    def read(self) -> Frame | None:
        """The newest frame; CameraError after a second without a good one, at once if it was unplugged.

        A camera that took longer for its last pictures gets more time (`edge.cameras.pace`).
        """
        stream = self._stream
        if stream is None:
            raise CameraError(f"camera {self._called}: is not open")
        began_s = self._clock()
        until_s = began_s + self._patience_s(stream)
        damaged = stream.damaged
        try:
            self._light.look_after(self._clock())
            while (picture := stream.capture.newest(until_s)) is not None:
                if (taken := self._new(picture, stream)) is not None:
                    if self._index:  # the first may be late for other reasons
                        self._pace.note(self._clock() - began_s)
                    return self._frame(taken, picture)
                if self._clock() >= until_s:
                    break
        except OSError as error:
            raise self._trouble(stream.path, error) from error
        if self._index:
            self._pace.note(self._clock() - began_s)
        else:
            self._start_s = min(2 * self._start_s, LONGEST_START_S)
        what = "gives no pictures" if damaged == stream.damaged else "gives only damaged pictures"
        advice = "check its cable, or unplug it and plug it in again"
        raise CameraError(f"camera {self._called}: {stream.path} {what}; {advice}")

    def close(self) -> None:
        """Let go of the device."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._light.end()
            stream.close()

    def light(self) -> Light | None:
        """What is fixed of exposure, gain and colour temperature; None while it is closed."""
        return self._light.light()

    def fix_light(self, light: Light | None) -> None:
        """Take pictures like this from the next one read on; None: what the camera finds in `settle_s`."""
        self._light.ask(light)

    # finding it

    def _nodes(self) -> list[Node]:
        return nodes.list_nodes(self._root, self._open_device)

    def _find(self, attached: Sequence[Node]) -> Node | None:
        """The one that `device` means, None if it is not among them."""
        if self.device.startswith("/"):
            path = os.path.realpath(self.device)  # /dev/v4l/by-id holds links
            return next((node for node in attached if node.path == path), None)
        wanted = [node for node in attached if node.ids or not self.device.startswith("usb:")]
        number = int(self.device.removeprefix("usb:"))
        return wanted[number] if number < len(wanted) else None

    def _recognise(self, node: Node | None) -> None:
        self._known = node or self._known
        self.name = self._known.model if self._known else self.device
        self.serial = self._known.serial if self._known else ""

    def _locate(self) -> str:
        """Path of the camera's node now."""
        attached = self._nodes()
        node = nodes.find_again(self._known, attached) if self._known else self._find(attached)
        if node is not None:
            self._recognise(node)
            return node.path
        if self._known is not None:
            raise CameraError(f"camera {self._called}: {self.name} is not attached; plug it in again")
        if not self.device.startswith("/"):
            raise CameraError(f"camera {self._called}: there is no such camera; {listing(attached)}")
        return self.device

    # starting it

    def _start(self, path: str) -> _Stream:
        try:
            device = self._open_device(path)
        except OSError as error:
            raise self._trouble(path, error) from error
        try:
            if not nodes.captures(device):
                raise OSError(errno.ENOTTY, "")
            return self._stream_of(device, path)
        except BaseException as error:
            device.close()
            if isinstance(error, OSError):
                raise self._trouble(path, error) from error
            raise

    def _stream_of(self, device: Device, path: str) -> _Stream:
        from edge.cameras.v4l2.decoder import Decoder  # who is told that it is busy need not wait for OpenCV

        offered = formats.offered(device, self._settings)
        choice = formats.ranked(offered, self._settings)
        if not choice:
            kinds = ", ".join(formats.pixel_formats(device))
            what = f"offers only {kinds}, which cannot be read" if kinds else "offers no pictures now"
            raise CameraError(f"camera {self._called}: {path} {what}; choose another with --camera")
        while True:
            best = choice[0]
            try:
                capture = Capture(device, best, self._clock)
            except OSError as error:
                choice = [other for other in choice if _load(other) < _load(best)]
                if error.errno != errno.ENOSPC or not choice:
                    raise
            else:
                return _Stream(path, device, capture, Decoder(capture.layout, offered), best.fps)

    # reading it

    def _patience_s(self, stream: _Stream) -> float:
        slow_s = 2 / stream.fps if stream.fps else 0.0
        starting_s = self._start_s if not self._index else 0.0
        patience_s = min(max(PATIENCE_S, slow_s, starting_s), LONGEST_START_S)
        return self._pace.patience_s(patience_s, patience_s)

    def _new(self, picture: Picture, stream: _Stream) -> U8 | Reduced | None:
        """The picture decoded, None if it was seen before or is damaged."""
        sample = picture.data[::_SAMPLE]
        # a driver may begin with a buffer from before it was closed
        suspicious = picture.again or stream.pictures < BUFFERS
        stream.pictures += 1
        if suspicious and sample == self._sample:
            return None
        try:
            taken = stream.decoder.decode(picture.data, self.reduction)
        except ValueError:
            stream.undecodable += 1
            return None
        self._sample = sample
        self._light.see(taken.pixels if isinstance(taken, Reduced) else taken, self._clock())
        self.note = stream.decoder.note or self._light.note
        return taken

    def _frame(self, taken: U8 | Reduced, picture: Picture) -> Frame:
        age = timedelta(seconds=max(self._clock() - picture.taken_s, 0.0))
        frame = Frame.of(
            taken,
            index=self._index,
            source=self.name,
            captured_at=datetime.now(UTC) - age,
            monotonic_s=picture.taken_s,
            exposure_ms=self._light.exposure_ms,
            note=f"camera {self._called}: {self.note}" if self.note else None,
        )
        self._index += 1
        self._start_s = PATIENCE_S
        return frame

    # saying what is wrong

    def _trouble(self, path: str, error: OSError) -> CameraError:
        known = self.name if self._known else None
        return CameraError(f"camera {self._called}: {words(path, error, self._nodes, known)}")


class _Stream:
    """A camera while it is open."""

    def __init__(self, path: str, device: Device, capture: Capture, decoder: Decoder, fps: float) -> None:
        self.path, self.device, self.capture, self.decoder, self.fps = path, device, capture, decoder, fps
        self.pictures = self.undecodable = 0

    @property
    def damaged(self) -> int:
        """Pictures left out so far."""
        return self.undecodable + self.capture.damaged

    def close(self) -> None:
        self.capture.stop()
        self.device.close()


def _load(offer: Format) -> float:
    """What this format asks of a cable, to compare with others; JPEG takes about 2 bits a pixel."""
    return (BITS[offer.pixels] or 2) * offer.width * offer.height * (offer.fps or 1)
