"""The one reader for pictures: a file's pictures as RGB pixels, or the reason why not.

Read are JPEG, PNG, TIFF, BMP and WebP, and HEIC and AVIF with the extra `heif`, by what the file holds and
not by its name. Of every format alike: a picture stands as viewers show it (orientation tags are applied),
size is checked before anything is decoded, transparency and ICC profiles are ignored, and nothing that is
known to be damaged is handed out as a picture.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, overload

from edge.files.formats import heif, jpeg, kinds
from edge.types import U8, Content, Reduced

IMAGES: tuple[str, ...] = (
    ".apng", ".bmp", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Suffixes that are always read, in lower case."""

_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def readable() -> tuple[str, ...]:
    """Suffixes that are read on this machine: `IMAGES`, and HEIC's and AVIF's with the extra `heif`."""
    return (*IMAGES, *heif.SUFFIXES) if heif.available() else IMAGES


@overload
def pages(path: Path) -> Iterator[U8 | str]: ...
@overload
def pages(path: Path, reduction: int) -> Iterator[Content]: ...


def pages(path: Path, reduction: int = 1) -> Iterator[Content]:
    """Every picture of a file in order, each decoded when it is asked for.

    Parameters
    ----------
    reduction : 2 takes half of the pixels each way where that takes less time, which is of JPEG.

    Yields
    ------
    (H, W, 3) uint8 RGB, or in its place the reason in one line. A damaged page does not lose the others.
    There is at least one item, and no content of a file raises.
    """
    try:
        with opened(path) as file:
            yield from pages_of(file, path.suffix.lower(), reduction)
    except ValueError as error:
        yield str(error)
    except OSError as error:
        yield f"the file cannot be read: {error.strerror or error}"


def opened(path: Path) -> io.BufferedReader:
    """A file to read from, without waiting for what is none.

    Raises
    ------
    OSError : it cannot be opened. ValueError : it is no file; says what it is.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise ValueError(f"is {_KINDS.get(stat.S_IFMT(mode), 'something else')} and no file")
    # a pipe may have taken the file's place meanwhile: without O_NONBLOCK opening it would wait for ever
    return open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")


@overload
def decode(data: bytes) -> U8: ...
@overload
def decode(data: bytes, reduction: int) -> U8 | Reduced: ...


def decode(data: bytes, reduction: int = 1) -> U8 | Reduced:
    """The first picture in the bytes of a file, (H, W, 3) uint8 RGB, or the half of it; see `pages`.

    Raises
    ------
    ValueError : the file is empty, cut short, damaged, too large, or nothing that is read; says which.
    """
    first = next(pages_of(io.BytesIO(data), "", reduction))
    if isinstance(first, str):
        raise ValueError(first)
    return first


def pages_of(file: BinaryIO, suffix: str, reduction: int = 1) -> Iterator[Content]:
    """As `pages`, of a file that is open at its beginning; `suffix` is that of its name, in lower case.

    Raises
    ------
    OSError : it cannot be read.
    """
    try:
        reader = kinds.reader_of(file.read(kinds.HEAD_BYTES), suffix)
        pictures = jpeg.pages(file, reduction) if reader is jpeg.pages else reader(file)
        yield next(pictures, "the file is damaged: there is no picture in it")
        yield from pictures
    except ValueError as error:
        yield " ".join(str(error).split())  # libraries' words may have lines
    except MemoryError:
        yield "the picture needs more memory than there is: save a smaller one or crop it"
