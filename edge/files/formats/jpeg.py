"""JPEG: decoded by libjpeg-turbo, whose doubts about a file are taken at their word.

libjpeg makes a picture of anything and fills up with grey or garbage what is damaged; it warns of it, but
through OpenCV and Pillow nobody hears. simplejpeg hands the first warning on. What leaves no trace in the
code (a bit that turns one valid value into another) nobody can tell.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

import cv2
import numpy as np

from edge.files.formats import DAMAGED, limits
from edge.files.formats.upright import of_exif, upright
from edge.types import U8, Reduced

START = b"\xff\xd8"
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""The next marker within coded data: stuffed zeros and restart markers are part of them (ITU T.81, B.1.1)."""
START_OF_SCAN, END, EXIF, MULTI_PICTURE, ADOBE = 0xDA, 0xD9, 0xE1, 0xE2, 0xEE
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers that begin a frame and name its process (ITU T.81, table B.1)."""
HUFFMAN = frozenset({0xC0, 0xC1, 0xC2})
PIXELS_A_BYTE = 512
"""Most that Huffman coding gets into a byte: a bit for each block of 8 x 8. What has fewer bytes would be
filled up with grey, which takes seconds where a small file announces a large picture."""
ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
"""Markers without a length after them, and what is none."""
DECODED = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""Baseline, extended and progressive, Huffman or arithmetic coding; the rest is lossless or hierarchical."""

LEAST_PX = 32
"""Shorter side, at the least, of a picture that is decoded at half its size: smaller ones gain nothing by it,
and of tiny ones libjpeg has several sizes that round to the same."""

EXTRANEOUS = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0xd9")
ODD_SCAN = "Invalid SOS parameters for sequential JPEG"
ODD_VERSION = "Warning: unknown JFIF revision number"
UNUSUAL_SAMPLING = "Could not determine subsampling"
"""What simplejpeg says of channels whose sizes libjpeg-turbo has no name for."""


@dataclass(frozen=True)
class Header:
    """What stands before the coded data: size in pixels, process, bits a sample, channels, orientation."""

    width: int
    height: int
    process: int
    bits: int
    channels: int
    orientation: int
    adobe: bool
    """Has Adobe's marker, whose programs store CMYK inverted."""
    multi_picture: bool
    """Is followed by further pictures as CIPA DC-007 lists them: previews, depth, the same for other eyes."""
    scan: int
    """Where the first scan begins."""


def pages(file: BinaryIO, reduction: int = 1) -> Iterator[U8 | Reduced]:
    """The picture, and those of its size that follow without a list of them, as when MJPEG is dumped.

    `reduction` : see `picture`.
    """
    data = limits.whole(file)
    head = header(data)
    yield picture(data, head, reduction)
    while not head.multi_picture and (end := _end(data, head.scan)):
        data, size = data[end:], (head.width, head.height)
        if not data.startswith(START + b"\xff") or size != ((head := header(data)).width, head.height):
            return
        yield picture(data, head, reduction)


def picture(data: bytes, head: Header, reduction: int = 1, *, strict: bool = True) -> U8 | Reduced:
    """A JPEG as viewers show it, (H, W, 3) uint8 RGB; raises ValueError for damage of any kind.

    Parameters
    ----------
    data, head, strict : as of `decode`.
    reduction : 2 for half of its pixels each way, as libjpeg gives them by transforming a quarter of the
        coefficients; what is small or has four channels comes whole.
    """
    if reduction == 1 or min(head.width, head.height) < LEAST_PX or head.channels > 3:
        return upright(decode(data, head, strict=strict), head.orientation)
    half = Reduced(
        decode(data, head, reduction=2, strict=strict),
        (head.width, head.height),
        partial(decode, data, head, strict=strict),
    )
    return half if head.orientation == 1 else half.turned(partial(upright, orientation=head.orientation))


def decode(data: bytes, head: Header, *, reduction: int = 1, strict: bool = True) -> U8:
    """The pixels of a JPEG as stored, (H, W, 3) uint8 RGB; raises ValueError for damage of any kind.

    Parameters
    ----------
    data, head : the file, and what stands in its head.
    reduction : 2 gives half as many pixels each way, rounded up; not of four channels.
    strict : also for what libjpeg only warns of.
    """
    limits.check(head.width, head.height)
    if head.process not in DECODED or head.bits != 8 or head.channels not in (1, 3, 4):
        odd = head.process not in DECODED
        kind = "lossless or hierarchical" if odd else f"of {head.channels} channels, {head.bits} bits"
        raise ValueError(f"the JPEG is {kind} and cannot be decoded: save it as a usual JPEG or as PNG")
    if head.process in HUFFMAN and len(data) * PIXELS_A_BYTE < head.width * head.height:
        raise ValueError(DAMAGED)
    if head.channels < 4:
        least = (-(-head.height // reduction), -(-head.width // reduction)) if reduction > 1 else (0, 0)
        return _decode(data, "RGB", head.scan, least, strict=strict)
    inks = _decode(data, "CMYK", head.scan, strict=strict)
    return ink(inks if head.adobe else 255 - inks)


def ink(light: U8) -> U8:
    """RGB of (H, W, 4) CMYK that is inverted, 255 for no ink: what the black lets through of the others."""
    black = light[..., 3:]
    return np.asarray(cv2.multiply(light[..., :3], np.repeat(black, 3, axis=2), scale=1 / 255), np.uint8)


def _decode(data: bytes, colours: str, scan: int, least: tuple[int, int] = (0, 0), *, strict: bool) -> U8:
    """`least` : rows and columns at the least, of which libjpeg gives the next size; (0, 0) for all."""
    import simplejpeg

    try:
        return np.asarray(
            simplejpeg.decode_jpeg(data, colours, False, False, *least, strict=strict), np.uint8
        )
    except ValueError as error:
        if _is_padding(str(error), data, scan):
            return _decode(data, colours, scan, least, strict=False)
        if (usual := _usual(str(error), data, scan)) is not None:
            return _decode(usual, colours, scan, least, strict=strict)
        if UNUSUAL_SAMPLING in str(error):
            raise ValueError(
                "the JPEG is damaged, or its colours are stored in a way that is not read: save it as PNG"
            ) from error
        detail = str(error).removeprefix("Corrupt JPEG data: ")
        raise ValueError(f"{DAMAGED}: {detail}") from error


def _is_padding(said: str, data: bytes, scan: int) -> bool:
    """Whether libjpeg minds only what some cameras fill up with before the end: bytes of one bit's value."""
    told = EXTRANEOUS.fullmatch(said)
    end = _end(data, scan) - 2
    return told is not None and not data[end - int(told[1]) : end].strip(b"\0\xff")


def _usual(said: str, data: bytes, scan: int) -> bytes | None:
    """The file with what libjpeg minds in its head set right, None where it minds something else.

    Some cameras leave the spectral selection of a baseline scan empty or write a JFIF version of their own;
    neither touches the picture, and the first warning would hide later ones.
    """
    fixed = bytearray(data)
    if said.startswith(ODD_SCAN):
        end = scan + 1 + int.from_bytes(data[scan + 1 : scan + 3], "big")
        fixed[end - 3 : end] = b"\0\x3f\0"
    elif said.startswith(ODD_VERSION):
        at = data.find(b"JFIF\0", 0, scan) + 5
        fixed[at : at + 2] = b"\1\1"
    return bytes(fixed) if fixed != data else None


def header(data: bytes) -> Header:
    """Read what stands before the coded data (ITU T.81, annex B); raises ValueError where it ends early."""
    frame: tuple[int, int, int, int, int] | None = None
    orientation, adobe, multi_picture = 1, False, False
    at = len(START)
    try:
        # between segments stand their markers only, which more of their first byte may fill up
        while data[at] == 0xFF:
            marker, at = data[at + 1], at + 1
            if marker == 0xFF:
                continue
            if marker in (START_OF_SCAN, END):
                break
            at += 1
            if marker in ALONE:
                continue
            (length,) = struct.unpack_from(">H", data, at)
            body = data[at + 2 : at + length]
            if marker in FRAMES and not frame:
                bits, height, width, channels = struct.unpack_from(">BHHB", body)
                frame = width, height, marker, bits, channels
            elif marker == EXIF and body.startswith(b"Exif\0\0"):
                orientation = of_exif(body)
            adobe |= marker == ADOBE and body.startswith(b"Adobe")
            multi_picture |= marker == MULTI_PICTURE and body.startswith(b"MPF\0")
            at += length
    except (IndexError, struct.error) as error:
        raise ValueError(DAMAGED) from error
    if frame is None or data[at] != START_OF_SCAN:
        raise ValueError(DAMAGED)
    width, height, process, bits, channels = frame
    return Header(width, height, process, bits, channels, orientation, adobe, multi_picture, at)


def _end(data: bytes, at: int) -> int:
    """Where the picture whose first scan begins at `at` is over, 0 where its end is missing."""
    while (found := MARKER.search(data, at)) is not None:
        marker, at = data[found.end() - 1], found.end()
        if marker == END:
            return at
        if marker != 0x01:
            at += int.from_bytes(data[at : at + 2], "big")
    return 0
