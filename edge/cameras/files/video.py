"""The pictures of a video in their order, and in the place of each that is damaged or lost the reason."""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from edge.cameras import CameraError
from edge.cameras.files.packets import Damage, packets
from edge.files.pictures import decode
from edge.files.text import printable
from edge.types import U8, Content, Reduced

# they name no picture, so that what was left out can be counted by its reason
DAMAGED = "a picture of the video is damaged"
BUILT_ON_DAMAGE = "a picture of the video is damaged, or built on one that is"
LOST = "a picture of the video is lost: the file is damaged"

_EACH_TOLD = 1000  # pictures that are missing, each a fault
_PATIENCE = 5000  # pictures in a row that cannot be decoded, after which nothing more is expected

_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def is_video(path: Path) -> bool:
    """Whether a file begins as videos do, whatever it is called."""
    try:
        with open(path, "rb") as file:
            head = file.read(189)
    except OSError:
        return False
    if head[4:8] == b"ftyp":  # ISO base media: pictures too, which say so (ISO/IEC 23008-12, 10)
        return head[8:12] not in (
            b"heic",
            b"heix",
            b"heim",
            b"heis",
            b"hevc",
            b"mif1",
            b"msf1",
            b"avif",
            b"avis",
        )
    return (
        (head[:4] == b"RIFF" and head[8:12] == b"AVI ")
        or head[4:8] in (b"moov", b"mdat", b"wide")  # QuickTime before it had a type
        or head[:4] in (b"\x1a\x45\xdf\xa3", b"\0\0\1\xba", b"\x30\x26\xb2\x75", b"FLV\1", b"OggS")
        or (head[:1] == head[188:] == b"G")  # transport streams are packets of 188 bytes
    )


def pictures_of(path: Path, reduction: Callable[[], int] = lambda: 1) -> Iterator[Content]:
    """Every picture of a video, (H, W, 3) uint8 RGB as players show it, or why there is none.

    Motion JPEG is decoded picture by picture as images are, at the `reduction` that is asked for by then. Of
    other codecs a picture that cannot be decoded, or is built on such a one, is a fault. Where pictures are
    missing in the file, they are told after the last; where it is cut short, one line says how many there
    should be.

    Raises
    ------
    CameraError : it cannot be opened.
    """
    # one thread: it decodes ahead while the line has the other cores
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise CameraError(
            f"camera {printable(path)}: cannot be opened as a video; it may be damaged or of another kind"
        )
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode("latin-1")
    jpegs = codec == "MJPG" and _one_a_packet(path)
    course = _Course.announced_by(capture, path)
    pictures = _jpegs(path, capture, course, reduction) if jpegs else _frames(path, capture, codec, course)
    given, last = 0, None
    try:
        for picture in pictures:
            if last is not None:
                yield last
                given += 1
            last = picture
        if course.cut_short:
            # decoders fill the last one up with parts of the one before
            if jpegs and isinstance(last, np.ndarray | Reduced):
                yield last
                given += 1
            yield f"the video ends after {given} of {course.announced} frames; the rest cannot be read"
            return
        if last is not None:
            yield last
        yield from [LOST] * course.missing
    finally:
        capture.release()


def _one_a_packet(path: Path) -> bool:
    """Whether a packet is one JPEG; of interlaced video it is two, one for every other row."""
    first = next(packets(path), None)
    return first is not None and first.data.count(b"\xff\xd8\xff") == 1


def _jpegs(
    path: Path, capture: cv2.VideoCapture, course: _Course, reduction: Callable[[], int]
) -> Iterator[Content]:
    turn = _TURNS.get(int(capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360)
    for packet in packets(path):
        course.took(packet.shown_ms)
        try:
            picture = decode(packet.data, reduction())
        except ValueError:
            yield DAMAGED
            continue
        if turn is None:
            yield picture
        else:
            turned = partial(_turned, turn=turn)
            yield picture.turned(turned) if isinstance(picture, Reduced) else turned(picture)


def _turned(pixels: U8, turn: int) -> U8:
    return np.asarray(cv2.rotate(pixels, turn), np.uint8)


def _frames(path: Path, capture: cv2.VideoCapture, codec: str, course: _Course) -> Iterator[U8 | str]:
    damage = Damage(path, codec, course.period_ms)
    lost, broken = 0, False
    while lost < _PATIENCE:
        ok, pixels = capture.read()
        if not ok:  # a packet that cannot be decoded, or the end
            lost += 1
            continue
        for _ in range(lost):
            course.took(None)
            yield DAMAGED
        broken = (broken or lost > 0) and chr(int(capture.get(cv2.CAP_PROP_FRAME_TYPE))) != "I"
        lost = 0
        shown_ms = capture.get(cv2.CAP_PROP_POS_MSEC)
        course.took(shown_ms)
        if damage.at(shown_ms) or broken:
            yield BUILT_ON_DAMAGE
        else:
            yield np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels), np.uint8)
    course.packets = damage.counted()
    course.exact &= course.packets > 0


@dataclass
class _Course:
    """How many pictures a video announces, and when those that came were to be shown.

    Attributes
    ----------
    announced : pictures; 0 where nothing is known. period_ms : between two of them.
    exact : the number is that of packets; else it may come from duration and rate, and be off by one or two.
    whole : the file is as long as it should be, so that nothing was cut off.
    shown_ms : of each picture that came.
    packets : that were in the file; some give no picture. 0 where each gives one, or nobody counted.
    """

    announced: int
    period_ms: float
    exact: bool = False
    whole: bool = False
    shown_ms: list[float] = field(default_factory=list)
    packets: int = 0

    @classmethod
    def announced_by(cls, capture: cv2.VideoCapture, path: Path) -> _Course:
        count, rate = capture.get(cv2.CAP_PROP_FRAME_COUNT), capture.get(cv2.CAP_PROP_FPS)
        usable = math.isfinite(rate) and rate > 0
        course = cls(int(count) if math.isfinite(count) else 0, 1000 / rate if usable else 0.0)
        with open(path, "rb") as file:
            kind, length, form = struct.unpack("<4sI4s", file.read(12).ljust(12))
            course.exact = (kind, form) == (b"RIFF", b"AVI ")
            course.whole = course.exact and 0 < length + 8 <= file.seek(0, os.SEEK_END)
        return course

    def took(self, shown_ms: float | None) -> None:
        """A picture came; None for one of which no time is known."""
        before = self.shown_ms[-1] if self.shown_ms else -self.period_ms
        self.shown_ms.append(before + self.period_ms if shown_ms is None else shown_ms)

    @property
    def cut_short(self) -> bool:
        """Whether pictures are missing at the end: by their number, and by the time of the last.

        Or so many that nobody would read of each, as where the number itself is damaged.
        """
        if self.missing > max(len(self.shown_ms), _EACH_TOLD):
            return True
        slack = max(2, self.announced // 50)
        least = self.announced - slack
        ended_ms = self.shown_ms[-1] + self.period_ms if self.shown_ms else 0.0
        return not self.whole and len(self.shown_ms) < least and ended_ms < least * self.period_ms

    @property
    def missing(self) -> int:
        """How many are missing in between.

        An exact number counts pictures that the recorder left out, after which the next is shown later. By
        any other, pictures are missing only where they come regularly but for gaps.
        """
        missing = max(self.announced - max(len(self.shown_ms), self.packets), 0)
        steps = np.diff(self.shown_ms) / self.period_ms if self.period_ms and missing else np.zeros(0)
        gaps = int(np.sum(np.round(steps[steps > 1.5]) - 1))
        if self.exact:
            return max(missing - gaps, 0)
        regular = len(steps) > 0 and float(np.mean(np.abs(steps - 1) < 0.3)) >= 0.8
        return min(missing, gaps) if regular else 0
