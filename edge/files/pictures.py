"""Bytes of an image file to RGB pixels, or the reason why not.

OpenCV decodes some damaged files without a word, with grey or garbage where data are missing, and
prints its doubts on standard error, which belongs to the terminal screen. So a file's structure is
checked first, and only a whole file is decoded.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from edge.types import U8

JPEG_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The next marker within coded data: stuffed zeros and restart markers are part of them (ITU T.81, B.1.1)."""


def readable() -> tuple[str, ...]:
    """Suffixes of the files that `pages` reads, in lower case."""
    return (".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def pages(path: Path) -> Iterator[U8 | str]:
    """Every picture of a file in its order, (H, W, 3) uint8 RGB, or in its place the reason; never raises."""
    try:
        data = path.read_bytes()
        if data[:4] in (b"II*\0", b"MM\0*"):
            ok, found = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
            if ok and len(found) > 1:
                yield from (np.asarray(cv2.cvtColor(page, cv2.COLOR_BGR2RGB), np.uint8) for page in found)
                return
        yield decode(data)
    except OSError as error:
        yield f"the file cannot be read: {error.strerror}"
    except ValueError as error:
        yield str(error)


def decode(data: bytes) -> U8:
    """The picture in the bytes of a JPEG, PNG, BMP, TIFF or WebP file, (H, W, 3) uint8 RGB.

    Whatever the file holds (grey, palette, 16 bits, transparency) comes as 8-bit RGB, transparency
    dropped. Orientation tags are ignored, in every format alike: pixels stay as the camera stored them.

    Raises
    ------
    ValueError : the file is empty, cut short, damaged, or nothing that can be decoded; says which.
    """
    if not data:
        raise ValueError("the file is empty")
    if not _whole(data):
        raise ValueError("the file is cut short or damaged")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise ValueError(f"the picture cannot be decoded: {error.err}") from error
    if pixels is None:
        raise ValueError("the picture cannot be decoded")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels), np.uint8)


def _whole(data: bytes) -> bool:
    """Whether the file reaches the end that its own structure announces."""
    try:
        if data.startswith(b"\xff\xd8"):
            return _jpeg_ends(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png_ends(data)
        if data.startswith(b"BM"):
            return _bmp_ends(data)
        if data.startswith(b"RIFF"):
            return int(struct.unpack_from("<I", data, 4)[0]) + 8 <= len(data)
    except struct.error:
        return False
    return True


def _jpeg_ends(data: bytes) -> bool:
    """Whether the picture itself, not a thumbnail within, has an end-of-image marker (ITU T.81, annex B)."""
    at = 2
    while True:
        found = JPEG_MARKER.search(data, at)
        if found is None:
            return False
        marker, at = data[found.end() - 1], found.end()
        if marker == 0xD9:
            return True
        if marker not in (0x01, 0xD8):  # these two stand alone, every other one has a length
            at += int(struct.unpack_from(">H", data, at)[0])


def _png_ends(data: bytes) -> bool:
    """Whether every chunk up to IEND is there with the right checksum (PNG specification, section 5)."""
    at = 8
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body_end = at + 8 + length
        (checksum,) = struct.unpack_from(">I", data, body_end)
        if zlib.crc32(memoryview(data)[at + 4 : body_end]) != checksum:
            return False
        if kind == b"IEND":
            return True
        at = body_end + 4
    return False


def _bmp_ends(data: bytes) -> bool:
    """Whether the rows of an uncompressed BMP are all there (BITMAPINFOHEADER, Windows GDI)."""
    offset, _, width, height, _, bits, compression = struct.unpack_from("<IIiiHHI", data, 10)
    if compression not in (0, 3):
        return int(struct.unpack_from("<I", data, 2)[0]) <= len(data)
    row_bytes = (width * bits + 31) // 32 * 4
    return bool(offset + row_bytes * abs(height) <= len(data))
