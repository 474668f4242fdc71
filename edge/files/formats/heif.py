"""HEIC and AVIF by pillow-heif and Pillow, the extra `heif`, which are imported when such a file is met."""

from __future__ import annotations

import io
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any, BinaryIO

import numpy as np

from edge.files.formats import DAMAGED, limits
from edge.files.formats.upright import upright
from edge.types import U8

ORIENTATION = 0x0112
AVIF = frozenset({b"avif", b"avis"})
SUFFIXES = (".avif", ".heic", ".heif")


def available() -> bool:
    """Whether the extra is installed, without importing it."""
    return find_spec("pillow_heif") is not None


def pages(file: BinaryIO) -> Iterator[U8]:
    """The pictures of the file, transparency dropped.

    How a picture is turned is part of these formats: libheif has turned it already, and what Exif data say is
    to be ignored (ISO/IEC 23008-12); Pillow tells the turn of an AVIF as an orientation.
    """
    data = limits.whole(file)
    what = "an AVIF" if data[8:12] in AVIF else "a HEIC"
    if not available():
        raise ValueError(
            f"is {what} picture and cannot be read here: install leukoscope[heif], set the phone to "
            "'most compatible', or save it as JPEG"
        )
    try:
        yield from _of_avif(data) if data[8:12] in AVIF else _of_heic(data)
    except limits.TooLargeError:
        raise
    except (OSError, RuntimeError, SyntaxError, EOFError, ValueError) as error:
        raise ValueError(f"{DAMAGED}: {error}") from error


def _of_heic(data: bytes) -> Iterator[U8]:
    import pillow_heif

    for picture in pillow_heif.open_heif(data, convert_hdr_to_8bit=True):
        limits.check(*picture.size)
        yield _rgb(np.asarray(picture))


def _of_avif(data: bytes) -> Iterator[U8]:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=["AVIF"]) as picture:
        limits.check(*picture.size)
        orientation = picture.getexif().get(ORIENTATION, 1)
        for number in range(getattr(picture, "n_frames", 1)):
            picture.seek(number)
            yield upright(_rgb(np.asarray(picture)), orientation)


def _rgb(pixels: Any) -> U8:
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    grey = pixels.shape[2] < 3
    return np.ascontiguousarray(np.repeat(pixels[..., :1], 3, axis=2) if grey else pixels[..., :3])
