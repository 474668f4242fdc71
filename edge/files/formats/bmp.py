"""BMP (Windows GDI, BITMAPCOREHEADER and BITMAPINFOHEADER): whether it is all there, then OpenCV."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

import cv2
import numpy as np

from edge.files.formats import DAMAGED, limits, opencv
from edge.types import U8

CORE_HEADER = 12
PLAIN, BITFIELDS, ALPHA_BITFIELDS = 0, 3, 6
RUN_LENGTHS = (1, 2)
END_OF_PICTURE = b"\x00\x01"


def pages(file: BinaryIO) -> Iterator[U8]:
    """The picture."""
    data = limits.whole(file)
    try:
        announced, _, offset, header = struct.unpack_from("<IIII", data, 2)
        if header == CORE_HEADER:
            width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
            compression = PLAIN
        else:
            width, height, _, bits, compression = struct.unpack_from("<iiHHI", data, 18)
    except struct.error as error:
        raise ValueError(DAMAGED) from error
    limits.check(width, abs(height))
    if compression in (PLAIN, BITFIELDS, ALPHA_BITFIELDS):
        row_bytes = (width * bits + 31) // 32 * 4
        whole = offset + row_bytes * abs(height) <= len(data)
    elif compression in RUN_LENGTHS:
        whole = announced <= len(data) and END_OF_PICTURE in data[announced - 4 : announced]
    else:
        raise ValueError("the BMP holds another format inside: save it as PNG or JPEG")
    pixels = opencv.decode(data, opencv.COLOUR) if whole else None
    if pixels is None:
        raise ValueError(DAMAGED)
    yield np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels), np.uint8)
