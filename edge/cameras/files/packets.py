"""A video's packets as they lie in the file: one coded picture each, and whether it is damaged."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2

_HOLE = bytes(32)
_REAL_HOLE = re.compile(re.escape(_HOLE) + rb"\0*[^\0\1]")
"""Zeros that no coder writes. H.264 and H.265 (emulation prevention, 7.4.1) and MPEG-1, -2 and -4 (start
codes of 23 zeros and a one) exclude them but for stuffing, at the end or before a start code. In the
arithmetic codes of VP8, VP9 and AV1 they would be thousands of decisions in a row that all went the most
probable way. A Huffman code (JPEG) may have them in a black picture."""

_WITHOUT_ZEROS = frozenset((
    "av01", "avc1", "divx", "dx50", "fmp4", "h264", "hev1", "hevc", "hvc1", "mp4v", "mpeg", "mpg1", "mpg2",
    "vp80", "vp90", "x264", "xvid",
))  # fmt: skip

_REORDERED = 17  # pictures by which coding runs ahead of showing (H.264, A.3.1: at most 16), and one


class Packet(NamedTuple):
    """A coded picture: its bytes, when it is shown in ms, and whether it stands on no other."""

    data: bytes
    shown_ms: float
    key: bool


def packets(path: Path) -> Iterator[Packet]:
    """The packets of a video in the order in which they are decoded; none where it cannot be opened."""
    raw = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    try:
        while True:
            ok, data = raw.read()
            if not ok:
                return
            yield Packet(
                data.tobytes(),
                raw.get(cv2.CAP_PROP_POS_MSEC),
                bool(raw.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME)),
            )
    finally:
        raw.release()


class Damage:
    """Tells which pictures of a video are damaged though their decoder says nothing, or built on such a one.

    It reads the packets a little ahead of whoever decodes, so that the file comes from the disk once.

    Parameters
    ----------
    path : of the video. codec : its four letters. period_ms : between two pictures.
    """

    def __init__(self, path: Path, codec: str, period_ms: float) -> None:
        self._packets = packets(path) if codec.lower() in _WITHOUT_ZEROS else iter(())
        self._ahead_ms = _REORDERED * period_ms
        self._read_ms = -math.inf
        self._count = 0
        self._broken = False
        self._damaged: set[int] = set()

    def at(self, shown_ms: float) -> bool:
        """Whether the picture that is shown at this time is one of them; asked in the order of showing."""
        self._look(shown_ms + self._ahead_ms)
        return round(shown_ms) in self._damaged

    def counted(self) -> int:
        """How many packets there are; 0 where zeros say nothing of the codec and none was looked at."""
        self._look(math.inf)
        return self._count

    def _look(self, until_ms: float) -> None:
        while self._read_ms < until_ms and (packet := next(self._packets, None)) is not None:
            self._count += 1
            self._read_ms = max(self._read_ms, packet.shown_ms)
            self._broken = (self._broken and not packet.key) or _has_hole(packet.data)
            if self._broken:
                self._damaged.add(round(packet.shown_ms))


def _has_hole(data: bytes) -> bool:
    return _HOLE in data and _REAL_HOLE.search(data) is not None
