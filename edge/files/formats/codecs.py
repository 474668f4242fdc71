"""What TIFF compresses its strips and tiles with (TIFF 6.0; libtiff's list of later ones)."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.files.formats import jpeg, limits, opencv, webp

NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS, LZMA = 1, 5, 7, 8, 32946, 32773, 34925
JPEG_2000 = frozenset({33003, 33004, 33005, 34712})
WEBP = 50001
PICTURES = frozenset({JPEG, WEBP}) | JPEG_2000
"""What is a picture of its own, with channels, inside the strip or tile."""
BYTES = frozenset({NONE, LZW, DEFLATE, OLD_DEFLATE, PACKBITS, LZMA})
"""What gives back the bytes of the rows."""
NAMES = {
    2: "CCITT fax", 3: "CCITT fax", 4: "CCITT fax", 6: "old-style JPEG", 32809: "ThunderScan",
    34661: "JBIG", 34676: "SGI log", 34677: "SGI log", 34887: "LERC", 34892: "lossy JPEG of a raw picture",
    50000: "Zstandard", 50002: "JPEG XL", 52546: "JPEG XL",
} | dict.fromkeys(JPEG_2000, "JPEG 2000")  # fmt: skip

MOST_BEYOND = 1 << 24
"""Most bytes that are unpacked after the rows that are wanted."""
SIZE_MARKER = b"\xff\x51"
"""Begins the segment with the picture's edges (ISO/IEC 15444-1, A.5.1)."""
ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
"""Adobe's marker up to its last byte, which says whether the colours were transformed."""


def check(compression: int) -> None:
    """Refuse what nothing here decodes; raises ValueError with its name and what to do."""
    if compression not in BYTES | PICTURES:
        name = NAMES.get(compression, f"compression {compression}")
        raise ValueError(
            f"the picture cannot be decoded ({name} in a TIFF): "
            "save it as TIFF without compression, as PNG or as JPEG"
        )


def unpack(data: bytes, compression: int, rows: int, row_bytes: int) -> bytes:
    """The bytes of `rows` rows of a strip or tile, no more; raises ValueError where there are fewer."""
    wanted = rows * row_bytes
    try:
        if compression == NONE:
            whole = data[:wanted]
        elif compression in (DEFLATE, OLD_DEFLATE):
            whole = _inflate(data, wanted)
        elif compression == LZMA:
            whole = _by_lzma(data, wanted)
        else:
            whole = _by_libtiff(data, compression, rows, row_bytes)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(whole) < wanted:
        raise ValueError("rows are missing")
    return whole


def _inflate(data: bytes, wanted: int) -> bytes:
    """The first `wanted` bytes of a zlib stream that is read to its end, where its checksum stands."""
    stream = zlib.decompressobj()
    whole = stream.decompress(data, wanted)
    beyond = 0
    # a last strip may hold the rows of a whole one
    while not stream.eof and beyond <= MOST_BEYOND:
        piece = stream.decompress(stream.unconsumed_tail, MOST_BEYOND)
        if not piece and not stream.eof:
            raise ValueError("its end is missing")
        beyond += len(piece)
    return whole


def _by_lzma(data: bytes, wanted: int) -> bytes:
    import lzma  # which some builds of Python lack

    try:
        return lzma.LZMADecompressor().decompress(data, wanted)
    except lzma.LZMAError as error:
        raise ValueError(str(error)) from error


def _by_libtiff(data: bytes, compression: int, rows: int, row_bytes: int) -> bytes:
    """LZW and PackBits by the libtiff in OpenCV, which gets the bytes as a grey picture of one strip.

    Of 16 bits where their number is even, because OpenCV passes damage over in silence where there are eight.
    """
    bits = 16
    if row_bytes % 2 and rows % 2:
        # the last row has no other to share its words with: damage in it alone is not found
        if rows > 1:
            _by_libtiff(data, compression, rows - 1, row_bytes)
        bits, width, height = 8, row_bytes, rows
    elif row_bytes % 2:
        width, height = row_bytes, rows // 2
    else:
        width, height = row_bytes // 2, rows
    tags = [
        (256, width), (257, height), (258, bits), (259, compression), (262, 1), (273, 0), (277, 1),
        (278, height), (279, len(data)),
    ]  # fmt: skip
    begin = 8 + 2 + 12 * len(tags) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, begin if tag == 273 else n) for tag, n in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    pixels = opencv.decode(head + data, opencv.STORED)
    return b"" if pixels is None else pixels.tobytes()


def picture(data: bytes, compression: int, *, tables: bytes, transformed: bool) -> NDArray[Any]:
    """The samples of a strip or tile that is a picture, (h, w, channels), colours as RGB.

    Parameters
    ----------
    tables : the tables that all the JPEGs of a page share.
    transformed : whether colours of a JPEG are stored as luma and chroma.
    """
    if compression == JPEG:
        # without the marker a decoder would have to guess what the page's tags say
        between = tables[2:-2] + ADOBE + bytes([int(transformed)])
        whole = jpeg.START + between + data[2:]
        return jpeg.decode(whole, jpeg.header(whole))
    _check_size(data, compression)
    pixels = opencv.decode(data, opencv.STORED)
    if pixels is None:
        raise ValueError("it cannot be decoded")
    if pixels.ndim == 2:
        return pixels[..., None]
    code = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(pixels, code))


def _check_size(data: bytes, compression: int) -> None:
    """Refuse a picture that is larger than any is read, before it is decoded."""
    if compression == WEBP:
        webp.check(data)
        return
    try:
        right, below, left, above = struct.unpack_from(">4I", data, data.index(SIZE_MARKER) + 6)
    except (ValueError, struct.error) as error:
        raise ValueError("it begins like no JPEG 2000 picture") from error
    limits.check(right - left, below - above)
