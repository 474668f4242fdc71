"""A Video4Linux camera made up down to the system calls, with a clock of its own and faults on demand."""

from __future__ import annotations

import ctypes
import errno
import os
import select
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import cv2
import numpy as np

from edge.cameras.v4l2 import abi
from edge.cameras.v4l2.device import Argument
from edge.types import U8
from tests.edge.cameras.fakes import picture

AUTO, MANUAL = abi.EXPOSURE_APERTURE_PRIORITY, abi.EXPOSURE_MANUAL
PICTURES = 20  # different ones, before they begin again

T = TypeVar("T")
Offers = Mapping[str, Mapping[tuple[int, int], tuple[float, ...]]]
SMALL: Offers = {"YUYV": {(64, 48): (25.0,)}, "MJPG": {(64, 48): (25.0,)}}


def encoded(pixels: str, picture: U8) -> bytes:
    """An RGB picture as a camera would send it."""
    if pixels in ("MJPG", "JPEG"):
        done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        assert done
        return data.tobytes()
    if pixels in ("RGB3", "BGR3"):
        return (picture if pixels == "RGB3" else picture[..., ::-1]).tobytes()
    if pixels == "GREY":
        return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).tobytes()
    height, width = picture.shape[:2]
    planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2YUV_I420), np.uint8)
    luma = planes[:height]
    u, v = planes[height:].reshape(2, height // 2, width // 2)
    if pixels == "YU12":
        return planes.tobytes()
    if pixels == "NV12":
        return luma.tobytes() + np.stack([u, v], -1).tobytes()
    u, v = u.repeat(2, 0), v.repeat(2, 0)
    pairs = {"YUYV": (luma[:, ::2], u, luma[:, 1::2], v), "UYVY": (u, luma[:, ::2], v, luma[:, 1::2])}
    return np.stack(pairs[pixels], -1).tobytes()


@dataclass
class Knob:
    """A control."""

    value: int
    low: int = 0
    high: int = 10000
    step: int = 1
    choices: tuple[int, ...] = ()


def usual_knobs() -> dict[int, Knob]:
    return {
        abi.CID_EXPOSURE_AUTO: Knob(AUTO, 0, 3, choices=(MANUAL, AUTO)),
        abi.CID_EXPOSURE_ABSOLUTE: Knob(156, 1, 5000),
        abi.CID_GAIN: Knob(12, 0, 100),
        abi.CID_AUTO_WHITE_BALANCE: Knob(1, 0, 1),
        abi.CID_WHITE_BALANCE_TEMPERATURE: Knob(4600, 2800, 6500, 10),
        abi.CID_FOCUS_AUTO: Knob(1, 0, 1),
    }


@dataclass
class FakeCamera:
    """The camera itself, which every open device node of it shares.

    Attributes
    ----------
    offers : pixel format -> size -> rates. card, caps : as it answers to QUERYCAP.
    unplugged, frozen, in_use : what somebody did to it. fails : system call -> errno, until it is taken out.
    fails_once : the same for the next time only.
    flagged : pictures that the driver will flag as damaged. spoil : changes what a picture's bytes are.
    really : layout that it delivers, whatever was agreed. stamp : time stamp and number of a picture.
    """

    offers: Offers = field(default_factory=lambda: SMALL)
    knobs: dict[int, Knob] = field(default_factory=usual_knobs)
    card: str = "Microscope"
    caps: int = abi.CAP_VIDEO_CAPTURE | abi.CAP_STREAMING
    unplugged: bool = False
    frozen: bool = False
    in_use: bool = False
    failed: bool = False
    fails: dict[int, int] = field(default_factory=dict)
    fails_once: dict[int, int] = field(default_factory=dict)
    flagged: int = 0
    spoil: Callable[[bytes], bytes] = bytes
    really: tuple[str, int, int] | None = None
    stamp: Callable[[float, int], tuple[float, int]] = lambda taken_s, number: (taken_s, number)
    shown: Callable[[int], int] = lambda number: number % PICTURES
    room: float = float("inf")
    refused: int = 0
    now_s: float = 1000.0
    taken: int = 0
    opened: list[FakeDevice] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    def open(self, path: str) -> FakeDevice:
        if self.unplugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), path)
        if self.refused:
            raise OSError(self.refused, os.strerror(self.refused), path)
        self.opened.append(FakeDevice(self))
        return self.opened[-1]

    @property
    def held(self) -> int:
        """Devices and maps that nobody has let go of."""
        return sum(not device.closed for device in self.opened) + sum(
            not memory.closed for device in self.opened for memory in device.memory
        )


class FakeMap:
    def __init__(self) -> None:
        self.data = b""
        self.closed = True  # until it is mapped

    def __getitem__(self, part: slice) -> bytes:
        assert not self.closed
        return self.data[part]

    def close(self) -> None:
        self.closed = True


class FakeDevice:
    """An open node. Pictures come by the camera's clock, which only `wait` moves."""

    def __init__(self, camera: FakeCamera) -> None:
        self.camera = camera
        self.closed = self.streaming = False
        self.memory: list[FakeMap] = []
        self.queued: deque[int] = deque()
        self.full: deque[abi.Buffer] = deque()
        self.agreed = ("YUYV", 64, 48)
        self.fps = 25.0
        self.next_s = 0.0
        self._calls: dict[int, Callable[..., None]] = {
            abi.QUERYCAP: self._about, abi.ENUM_FMT: self._formats, abi.ENUM_FRAMESIZES: self._sizes,
            abi.ENUM_FRAMEINTERVALS: self._rates, abi.S_FMT: self._agree, abi.S_PARM: self._set_rate,
            abi.REQBUFS: self._buffers, abi.QUERYBUF: self._about_buffer, abi.QBUF: self._queue,
            abi.DQBUF: self._dequeue, abi.STREAMON: self._start, abi.STREAMOFF: self._stop,
            abi.QUERYCTRL: self._about_knob, abi.QUERYMENU: self._choice, abi.G_CTRL: self._turn,
            abi.S_CTRL: self._turn,
        }  # fmt: skip

    def ioctl(self, code: int, argument: Argument) -> None:
        assert not self.closed
        if self.camera.unplugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        failure = self.camera.fails_once.pop(code, 0) or self.camera.fails.get(code, 0)
        if failure:
            raise OSError(failure, os.strerror(failure))
        if code in (abi.G_CTRL, abi.S_CTRL):
            self._turn(argument, set_it=code == abi.S_CTRL)
        else:
            self._calls[code](argument)

    def wait(self, timeout_s: float) -> int:
        if self.camera.unplugged or self.camera.failed or not self.streaming:
            return select.POLLERR
        self._take()
        if not self.full:
            due = self.next_s if self.queued and not self.camera.frozen else float("inf")
            self.camera.now_s = min(due, self.camera.now_s + timeout_s)
            self._take()
        return select.POLLIN if self.full else 0

    def map(self, length: int, offset: int) -> FakeMap:
        self.memory[offset].closed = False
        return self.memory[offset]

    def close(self) -> None:
        self.closed = True
        self.streaming = False

    def _take(self) -> None:
        """Every picture that has become due."""
        camera = self.camera
        while self.streaming and self.next_s <= camera.now_s:
            if self.queued and not camera.frozen:
                self._fill(self.queued.popleft())
            camera.taken += 1
            self.next_s += 1 / self.fps

    def _fill(self, index: int) -> None:
        camera = self.camera
        pixels, width, height = camera.really or self.agreed
        data = camera.spoil(encoded(pixels, picture(camera.shown(camera.taken), height, width)))
        self.memory[index].data = data
        stamp_s, number = camera.stamp(self.next_s, camera.taken)
        flags = abi.BUF_FLAG_TIMESTAMP_MONOTONIC | (abi.BUF_FLAG_ERROR if camera.flagged > 0 else 0)
        camera.flagged -= 1
        buffer = abi.Buffer(index=index, bytesused=len(data), flags=flags, sequence=number)
        buffer.tv_sec, buffer.tv_usec = int(stamp_s), round(stamp_s % 1 * 1e6)
        self.full.append(buffer)

    def _about(self, answer: abi.Capability) -> None:
        answer.card[: len(self.camera.card)] = self.camera.card.encode()
        answer.capabilities = self.camera.caps | abi.CAP_DEVICE_CAPS
        answer.device_caps = self.camera.caps

    def _formats(self, answer: abi.FmtDesc) -> None:
        answer.pixelformat = abi.fourcc(_nth(list(self.camera.offers), answer.index))

    def _sizes(self, answer: abi.FrmSizeEnum) -> None:
        sizes = self.camera.offers[abi.letters(answer.pixel_format)]
        answer.type = abi.FRMSIZE_TYPE_DISCRETE
        answer.size.min_width, answer.size.max_width = _nth(list(sizes), answer.index)

    def _rates(self, answer: abi.FrmIvalEnum) -> None:
        sizes = self.camera.offers[abi.letters(answer.pixel_format)]
        answer.type = abi.FRMIVAL_TYPE_DISCRETE
        answer.min.numerator = 1000
        answer.min.denominator = round(1000 * _nth(sizes[answer.width, answer.height], answer.index))

    def _agree(self, answer: abi.Format) -> None:
        self._only_one()
        pix = answer.fmt.pix
        self.agreed = (abi.letters(pix.pixelformat), pix.width, pix.height)
        pix.bytesperline = {"YUYV": 2, "UYVY": 2, "RGB3": 3, "BGR3": 3}.get(self.agreed[0], 1) * pix.width

    def _set_rate(self, answer: abi.StreamParm) -> None:
        self.fps = answer.timeperframe.denominator / answer.timeperframe.numerator

    def _buffers(self, answer: abi.RequestBuffers) -> None:
        self._only_one()
        self.memory += [FakeMap() for _ in range(answer.count)]

    def _about_buffer(self, answer: abi.Buffer) -> None:
        answer.offset, answer.length = answer.index, 1 << 20

    def _queue(self, answer: abi.Buffer) -> None:
        assert answer.index not in self.queued
        self.queued.append(answer.index)

    def _dequeue(self, answer: abi.Buffer) -> None:
        if self.camera.failed or not self.streaming:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self._take()
        if not self.full:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        ctypes.pointer(answer)[0] = self.full.popleft()

    def _start(self, _: ctypes.c_int32) -> None:
        pixels, width, height = self.agreed
        if pixels not in ("MJPG", "JPEG") and width * height * self.fps > self.camera.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.streaming = True
        self.camera.failed = False
        self.next_s = self.camera.now_s + 1 / self.fps

    def _stop(self, _: ctypes.c_int32) -> None:
        self.streaming = False
        self.queued.clear()
        self.full.clear()

    def _only_one(self) -> None:
        if self.camera.in_use or any(d.streaming for d in self.camera.opened if d is not self):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    def _about_knob(self, answer: abi.QueryCtrl) -> None:
        knob = self._knob(answer.id)
        answer.minimum, answer.maximum, answer.step = knob.low, knob.high, knob.step

    def _choice(self, answer: abi.QueryMenu) -> None:
        if answer.index not in self._knob(answer.id).choices:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    def _turn(self, answer: Argument, *, set_it: bool = False) -> None:
        assert isinstance(answer, abi.Control)
        knob = self._knob(answer.id)
        if set_it:
            knob.value = answer.value
        answer.value = knob.value

    def _knob(self, name: int) -> Knob:
        if name not in self.camera.knobs:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return self.camera.knobs[name]


def _nth(choices: Sequence[T], index: int) -> T:
    if index >= len(choices):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return choices[index]
