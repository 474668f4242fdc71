"""How large a picture may be, told before any of it is decoded."""

from __future__ import annotations

from typing import BinaryIO

MEGAPIXELS = 128
"""Most pixels of a picture, in millions.

Decoded, so many are 384 MB: with the file and a decoder's own buffers (a progressive JPEG keeps six bytes a
pixel) about what a board with 2 GB can give. Microscopes' cameras have up to 50 megapixels, phones 12 to 50,
and 108 where somebody asks for them.
"""

FILE_BYTES = 512 * 2**20
"""Most bytes of a file that is read into memory as a whole; pages of a TIFF are read one by one.

More than 128 megapixels of noise take as a PNG.
"""


class TooLargeError(ValueError):
    """A picture has too many pixels, or a file too many bytes."""


def check(width: int, height: int) -> None:
    """Refuse a picture without pixels or with too many.

    Raises
    ------
    TooLargeError : with the size, and what to do. ValueError : it has no pixels.
    """
    if width < 1 or height < 1:
        raise ValueError(f"the file is damaged: its picture has {width} x {height} pixels")
    if width * height > MEGAPIXELS * 1_000_000:
        raise TooLargeError(
            f"the picture has {width} x {height} pixels ({width * height / 1e6:.0f} megapixels); "
            f"at most {MEGAPIXELS} megapixels are read: save a smaller one or crop it"
        )


def whole(file: BinaryIO) -> bytes:
    """All of a file.

    Raises
    ------
    TooLargeError : it is larger than `FILE_BYTES`.
    """
    file.seek(0)
    data = file.read(FILE_BYTES + 1)
    if len(data) > FILE_BYTES:
        raise TooLargeError(
            f"the file has more than {FILE_BYTES >> 20} MB, more than is read: save it as JPEG or crop it"
        )
    return data
