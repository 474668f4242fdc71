"""The directories of a TIFF file, of which Exif data are one too (TIFF 6.0, section 2; BigTIFF)."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from edge.files.formats import DAMAGED

NEW_SUBFILE_TYPE, SUBFILE_TYPE = 254, 255
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
FILL_ORDER, DESCRIPTION, STRIP_OFFSETS, ORIENTATION, SAMPLES = 266, 270, 273, 274, 277
ROWS_PER_STRIP, STRIP_BYTES, MAX_SAMPLE, PLANAR = 278, 279, 281, 284
PREDICTOR, COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES = 317, 320, 322, 323, 324, 325
INK_SET, SAMPLE_FORMAT, JPEG_TABLES, SUBSAMPLING = 332, 339, 347, 530
HAMAMATSU, DNG_VERSION = 65420, 50706
WANTED = frozenset({
    NEW_SUBFILE_TYPE, SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, DESCRIPTION,
    STRIP_OFFSETS, ORIENTATION, SAMPLES, ROWS_PER_STRIP, STRIP_BYTES, MAX_SAMPLE, PLANAR, PREDICTOR,
    COLOUR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTES, INK_SET, SAMPLE_FORMAT, JPEG_TABLES,
    SUBSAMPLING, HAMAMATSU, DNG_VERSION,
})  # fmt: skip
"""The tags that are looked at; whatever else a file carries is not read."""

CODES = {1: "B", 2: "s", 3: "H", 4: "I", 6: "b", 7: "s", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
"""A field's type -> its code in `struct`; fractions and floating-point numbers are not needed."""

MOST_VALUES = 1 << 20
"""Most values of one tag: a picture of 128 megapixels in strips of a row has a tenth of that."""
MOST_PAGES = 65_536
"""Most pages of a file: more than any stack has, so a list of them that runs on for ever ends."""


@dataclass(frozen=True)
class Directory:
    """The tags of one page, with the file's byte order as `struct` names it."""

    order: str
    tags: dict[int, tuple[int, ...] | bytes]

    def numbers(self, tag: int, default: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The numbers of a tag, `default` where it is missing or holds something else."""
        value = self.tags.get(tag, default)
        return value if isinstance(value, tuple) and value else default

    def number(self, tag: int, default: int) -> int:
        """The first number of a tag."""
        return self.numbers(tag, (default,))[0]

    def moved(self, by: int) -> Directory:
        """The same with its strips `by` bytes further on."""
        offsets = tuple(at + by for at in self.numbers(STRIP_OFFSETS))
        return Directory(self.order, {**self.tags, STRIP_OFFSETS: offsets})

    def text(self, tag: int) -> bytes:
        """The bytes of a tag that holds text or anything at all, empty where it is missing."""
        value = self.tags.get(tag, b"")
        return value if isinstance(value, bytes) else bytes(n & 0xFF for n in value)


def first(data: bytes) -> Directory:
    """The first directory of a TIFF structure in memory; raises ValueError where there is none."""
    return next(directories(io.BytesIO(data)))


def directories(file: BinaryIO) -> Iterator[Directory]:
    """The directories of a file in order.

    Raises
    ------
    ValueError : there is no further one where one is announced, or their list leads back into itself.
    """
    file.seek(0)
    head = file.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
    if not order or len(head) < 8:
        raise ValueError(DAMAGED)
    big = struct.unpack_from(order + "H", head, 2)[0] == 43
    if big and len(head) < 16:
        raise ValueError(DAMAGED)
    at = struct.unpack_from(order + ("Q" if big else "I"), head, 8 if big else 4)[0]
    seen: set[int] = set()
    while at or not seen:
        if at in seen or len(seen) == MOST_PAGES:
            raise ValueError(f"the file is damaged: the list of pages runs in a circle after {len(seen)}")
        seen.add(at)
        directory, at = _directory(file, order, big, at, len(seen))
        yield directory


def _directory(file: BinaryIO, order: str, big: bool, at: int, page: int) -> tuple[Directory, int]:
    """The directory that stands at `at`, and where the next one does (0 after the last)."""
    count_code, entry_bytes, offset_code = ("Q", 20, "Q") if big else ("H", 12, "I")
    missing = f"{DAMAGED}: page {page} is not where the file says"
    count_bytes, offset_bytes = struct.calcsize(count_code), struct.calcsize(offset_code)
    head = _read(file, at, count_bytes)
    if len(head) < count_bytes:
        raise ValueError(missing)
    (count,) = struct.unpack(order + count_code, head)
    if not 0 < count < 4096:
        raise ValueError(missing)
    body = _read(file, at + count_bytes, count * entry_bytes + offset_bytes)
    if len(body) < count * entry_bytes:
        raise ValueError(missing)
    tags: dict[int, tuple[int, ...] | bytes] = {}
    for entry in range(0, count * entry_bytes, entry_bytes):
        tag, kind, length = struct.unpack_from(order + "HH" + offset_code, body, entry)
        if tag in WANTED and kind in CODES and 0 < length <= MOST_VALUES:
            code = f"{order}{length}{CODES[kind]}"
            value = body[entry + 4 + offset_bytes : entry + entry_bytes]
            if struct.calcsize(code) > len(value):
                value = _read(file, struct.unpack(order + offset_code, value)[0], struct.calcsize(code))
            if len(value) >= struct.calcsize(code):
                values = struct.unpack_from(code, value)
                tags[tag] = values[0] if CODES[kind] == "s" else values
    following = body[count * entry_bytes :]
    # a directory at the very end of a file that was cut off after it is as good as the last
    at = struct.unpack(order + offset_code, following)[0] if len(following) == offset_bytes else 0
    return Directory(order, tags), at


def _read(file: BinaryIO, at: int, count: int) -> bytes:
    """`count` bytes from `at`, or as many as there are."""
    if at >= 2**63:
        return b""
    file.seek(at)
    return file.read(count)
