"""The stream of pictures from a Video4Linux camera: always the newest one, never a damaged or an old one."""

from __future__ import annotations

import ctypes
import errno
import os
import select
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic

from edge.cameras.attached import Format
from edge.cameras.v4l2 import abi
from edge.cameras.v4l2.device import Device, Mapped
from edge.cameras.v4l2.layout import BITS, Layout, row_bytes

BUFFERS = 4
"""One that the camera fills, one in hand, and two to cover the time of decoding at full rate."""

STALE_S = 1.0
"""A time stamp older than this is not believed: no picture waits so long."""


@dataclass(frozen=True)
class Picture:
    """A buffer's content.

    Attributes
    ----------
    data : its bytes, in memory of their own.
    taken_s : monotonic seconds of its capture, as well as the driver tells.
    again : number and time stamp are those of the picture before.
    """

    data: bytes
    taken_s: float
    again: bool


class Capture:
    """A running stream. `stop` it in any case; it does not close the device.

    Parameters
    ----------
    device : an open camera.
    format : what to ask for; the driver may take something else, which `layout` then tells.
    clock : monotonic seconds, the clock of the driver's time stamps.

    Attributes
    ----------
    layout : what the driver says it delivers.
    damaged : buffers left out so far because the driver flagged them.

    Raises
    ------
    OSError : as the kernel answers: EBUSY if another program uses the camera, ENOSPC if USB is too slow.
    """

    def __init__(self, device: Device, format: Format, clock: Callable[[], float] = monotonic) -> None:
        self._device = device
        self._clock = clock
        self._stamps = Stamps()
        self._maps: list[Mapped] = []
        self.damaged = 0
        try:
            self.layout = self._agree(format)
            self._set_rate(format.fps)
            self._share_memory()
            device.ioctl(abi.STREAMON, ctypes.c_int32(abi.BUF_TYPE_VIDEO_CAPTURE))
        except OSError:
            self.stop()
            raise

    def newest(self, until_s: float) -> Picture | None:
        """The newest good picture, or None if none came until this moment of the clock.

        Raises
        ------
        OSError : ENODEV: the camera was unplugged. Others: the driver has failed.
        """
        while True:
            events = self._device.wait(max(until_s - self._clock(), 0))
            if (buffer := self._last_waiting()) is not None:
                return self._picture(buffer)
            if events & ~select.POLLIN:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            if self._clock() >= until_s:
                return None

    def stop(self) -> None:
        """End the stream and give the memory back."""
        with suppress(OSError):
            self._device.ioctl(abi.STREAMOFF, ctypes.c_int32(abi.BUF_TYPE_VIDEO_CAPTURE))
        while self._maps:
            self._maps.pop().close()
        with suppress(OSError):
            self._device.ioctl(abi.REQBUFS, _buffers(0))

    def _agree(self, format: Format) -> Layout:
        answer = abi.Format(type=abi.BUF_TYPE_VIDEO_CAPTURE)
        pix = answer.fmt.pix
        pix.width, pix.height = format.width, format.height
        pix.pixelformat = abi.fourcc(format.pixels.ljust(4))
        self._device.ioctl(abi.S_FMT, answer)
        pixels = abi.letters(pix.pixelformat)
        if pixels not in BITS:
            raise OSError(errno.EINVAL, f"it takes {pixels} for {format.pixels}")
        rows = pix.bytesperline or row_bytes(pixels, pix.width)
        return Layout(pixels, pix.width, pix.height, rows)

    def _set_rate(self, fps: float) -> None:
        rate = abi.StreamParm(type=abi.BUF_TYPE_VIDEO_CAPTURE)
        if fps:
            rate.timeperframe.numerator, rate.timeperframe.denominator = 1000, round(1000 * fps)
            with suppress(OSError):  # one without a choice keeps its own
                self._device.ioctl(abi.S_PARM, rate)

    def _share_memory(self) -> None:
        request = _buffers(BUFFERS)
        self._device.ioctl(abi.REQBUFS, request)
        if not request.count:
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        for index in range(request.count):
            buffer = _buffer(index)
            self._device.ioctl(abi.QUERYBUF, buffer)
            self._maps.append(self._device.map(buffer.length, buffer.offset))
            self._queue(buffer)

    def _last_waiting(self) -> abi.Buffer | None:
        """The newest good one of the buffers that are full, all others handed back to the driver."""
        newest, full = None, 0
        while (buffer := self._dequeue()) is not None:
            full += 1
            if buffer.flags & abi.BUF_FLAG_ERROR:
                self.damaged += 1
                self._queue(buffer)
                continue
            if newest is not None:
                self._queue(newest)
            newest = buffer
        if newest is not None and full >= len(self._maps) > 1:
            # nobody came for so long that the driver had no room left: who knows how old they all are
            self._queue(newest)
            return None
        return newest

    def _dequeue(self) -> abi.Buffer | None:
        buffer = _buffer(0)
        try:
            self._device.ioctl(abi.DQBUF, buffer)
        except BlockingIOError:
            return None
        return buffer

    def _queue(self, buffer: abi.Buffer) -> None:
        try:
            self._device.ioctl(abi.QBUF, _buffer(buffer.index))
        except OSError:  # once is an accident; a buffer lost to the driver would be missed
            self._device.ioctl(abi.QBUF, _buffer(buffer.index))

    def _picture(self, buffer: abi.Buffer) -> Picture:
        now = self._clock()
        data = self._maps[buffer.index][: buffer.bytesused]
        taken_s, again = self._stamps.read(buffer, now)
        self._queue(buffer)
        return Picture(data, taken_s, again)


class Stamps:
    """When pictures were taken: by the driver's time stamps while they are credible, else on arrival.

    Drivers give stamps of another clock, of the future (the kernel's own test driver), or always the same
    one. The first that cannot be true ends the trust in all of this stream, so that times do not hop.
    """

    def __init__(self) -> None:
        self.trusted = True
        self._last: tuple[float, int] | None = None
        self._taken_s = float("-inf")

    def read(self, buffer: abi.Buffer, now_s: float) -> tuple[float, bool]:
        """Monotonic seconds of capture, always growing; and whether stamp and number both stood still."""
        stamp_s = buffer.tv_sec + buffer.tv_usec / 1e6
        last, self._last = self._last, (stamp_s, buffer.sequence)
        clock = buffer.flags & abi.BUF_FLAG_TIMESTAMP_MASK
        grows = last is None or stamp_s > last[0]
        recent = now_s - STALE_S < stamp_s <= now_s
        self.trusted &= clock == abi.BUF_FLAG_TIMESTAMP_MONOTONIC and grows and recent
        taken_s = stamp_s if self.trusted else now_s
        self._taken_s = max(taken_s, self._taken_s + 1e-6)
        return self._taken_s, last == self._last


def _buffers(count: int) -> abi.RequestBuffers:
    return abi.RequestBuffers(count=count, type=abi.BUF_TYPE_VIDEO_CAPTURE, memory=abi.MEMORY_MMAP)


def _buffer(index: int) -> abi.Buffer:
    return abi.Buffer(index=index, type=abi.BUF_TYPE_VIDEO_CAPTURE, memory=abi.MEMORY_MMAP)
