"""PNG (W3C, third edition): every chunk and the compressed rows are checked before OpenCV decodes them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import cv2
import numpy as np

from edge.files.formats import DAMAGED, levels, limits, opencv
from edge.files.formats.animation import frames
from edge.files.formats.upright import of_exif, upright
from edge.types import U8

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Colour type -> samples a pixel."""
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""The seven passes of an interlaced picture: first column and row, steps across and down."""
PIECE = 1 << 20


def pages(file: BinaryIO) -> Iterator[U8 | str]:
    """The picture, or those of an animated PNG. Transparency is dropped: pixels keep the colour they have."""
    data = limits.whole(file)
    chunks = _chunks(data)
    try:
        width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", chunks[b"IHDR"][0])
        samples = CHANNELS[colour]
    except (KeyError, struct.error) as error:
        raise ValueError(DAMAGED) from error
    limits.check(width, height)
    if not _inflates(chunks.get(b"IDAT", []), _packed_bytes(width, height, bits * samples, bool(interlaced))):
        raise ValueError(f"{DAMAGED}: rows of the picture are missing")
    orientation = of_exif(bytes(chunks.get(b"eXIf", [b""])[0]))
    count = struct.unpack_from(">I", chunks[b"acTL"][0])[0] if len(chunks.get(b"acTL", [b""])[0]) == 8 else 1
    if count > 1:
        yield from frames(data, count, width, height, orientation)
        return
    yield upright(_pixels(data, bits, chunks), orientation)


def _pixels(data: bytes, bits: int, chunks: dict[bytes, list[memoryview]]) -> U8:
    flags = opencv.COLOUR | (cv2.IMREAD_ANYDEPTH if bits == 16 else 0)
    pixels = opencv.decode(data, flags)
    if pixels is None:
        raise ValueError(f"{DAMAGED}: its rows cannot be decoded")
    if pixels.dtype != np.uint8:
        told = max(chunks[b"sBIT"][0], default=0) if b"sBIT" in chunks else 0
        pixels = levels.to_bytes(pixels, levels.Range().with_samples(pixels).full_scale(told))
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels), np.uint8)


def _chunks(data: bytes) -> dict[bytes, list[memoryview]]:
    """The chunks by their kind; raises ValueError unless all up to IEND are there with the right checksum."""
    chunks: dict[bytes, list[memoryview]] = {}
    view, at = memoryview(data), len(SIGNATURE)
    try:
        while True:
            length, kind = struct.unpack_from(">I4s", data, at)
            end = at + 8 + length
            (checksum,) = struct.unpack_from(">I", data, end)
            if zlib.crc32(view[at + 4 : end]) != checksum:
                raise ValueError(f"{DAMAGED}: a checksum does not fit")
            if kind == b"IEND":
                return chunks
            chunks.setdefault(kind, []).append(view[at + 8 : end])
            at = end + 4
    except struct.error as error:
        raise ValueError(DAMAGED) from error


def _packed_bytes(width: int, height: int, bits: int, interlaced: bool) -> int:
    """How many bytes the rows take before compression, each with the number of its filter."""
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        total += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
    return total


def _inflates(chunks: list[memoryview], expected: int) -> bool:
    """Whether the rows' stream is whole: a lost chunk leaves the checksums of the others right.

    Counted piece by piece, so that what a hostile file blows up to never stands in memory.
    """
    stream, count = zlib.decompressobj(), 0
    try:
        for chunk in chunks:
            waiting: bytes | memoryview = chunk
            while len(waiting) and count <= expected:
                count += len(stream.decompress(waiting, PIECE))
                waiting = stream.unconsumed_tail
        return count >= expected
    except zlib.error:
        return False
