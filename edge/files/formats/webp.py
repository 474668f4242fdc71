"""WebP (Google's "WebP Container Specification")."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import cv2
import numpy as np

from edge.files.formats import DAMAGED, limits, opencv
from edge.files.formats.animation import frames
from edge.files.formats.upright import of_exif, upright
from edge.types import U8


def pages(file: BinaryIO) -> Iterator[U8 | str]:
    """The picture, or those of an animation. Transparency is dropped."""
    data = limits.whole(file)
    chunks = _chunks(data)
    width, height = _size(chunks)
    limits.check(width, height)
    orientation = of_exif(bytes(chunks.get(b"EXIF", [b""])[0]))
    if b"ANMF" in chunks:
        yield from frames(data, len(chunks[b"ANMF"]), width, height, orientation)
        return
    pixels = opencv.decode(data, opencv.COLOUR)
    if pixels is None:
        raise ValueError(DAMAGED)
    yield upright(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels), np.uint8), orientation)


def check(data: bytes) -> None:
    """Refuse a file that is cut short or whose picture is too large; raises ValueError."""
    limits.check(*_size(_chunks(data)))


def _chunks(data: bytes) -> dict[bytes, list[memoryview]]:
    """The chunks by their kind; raises ValueError where the file ends before the end that it announces."""
    chunks: dict[bytes, list[memoryview]] = {}
    try:
        end = struct.unpack_from("<I", data, 4)[0] + 8
        at = 12
        while at < end and end <= len(data):
            kind, length = struct.unpack_from("<4sI", data, at)
            if at + 8 + length > end:
                break
            chunks.setdefault(kind, []).append(memoryview(data)[at + 8 : at + 8 + length])
            at += 8 + length + length % 2
    except struct.error as error:
        raise ValueError(DAMAGED) from error
    if at < end:
        raise ValueError(DAMAGED)
    return chunks


def _size(chunks: dict[bytes, list[memoryview]]) -> tuple[int, int]:
    """Width and height: of the canvas, else from the head of the only picture (RFC 9649, 2.7 and 3.4)."""
    try:
        if b"VP8X" in chunks:
            head = bytes(chunks[b"VP8X"][0][4:10])
            return int.from_bytes(head[:3], "little") + 1, int.from_bytes(head[3:], "little") + 1
        if b"VP8L" in chunks:
            (packed,) = struct.unpack_from("<I", chunks[b"VP8L"][0], 1)
            return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
        width, height = struct.unpack_from("<HH", chunks[b"VP8 "][0], 6)
    except (KeyError, struct.error) as error:
        raise ValueError(DAMAGED) from error
    return width & 0x3FFF, height & 0x3FFF
