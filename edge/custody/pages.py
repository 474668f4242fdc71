"""The rows in a SQLite file page by page, whatever its trees have come to: for a file that SQLite refuses.

Every page that holds rows of a table says so itself, and a row says how many columns it has and of what kind
(https://sqlite.org/fileformat2.html, sections 1.6, 2 and 4); so rows are found without the tables' roots,
which a damaged page takes from hundreds of others. To which table a row belongs follows from its shape.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

Value = None | int | float | str | bytes

_MAGIC = b"SQLite format 3\0"
_USUAL_PAGE = 4096
_LEAF = 0x0D
_WAL_MAGIC = (0x377F0682, 0x377F0683)
_LARGEST_ROW = 64 * 1024 * 1024
_WHOLE = (1, 2, 3, 4, 6, 8)
"""Bytes of integers by their serial type, from 1 on."""


class Pages:
    """A database file with its write-ahead log, where there is one; a context manager.

    Raises
    ------
    OSError : it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._map = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        self.size, self._usable = self._sizes()
        self._log, self._logged = _logged(Path(f"{path}-wal"), self.size)
        self.count = max(-(-len(self._map) // self.size), *self._logged, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._map.close()
        self._file.close()

    def _sizes(self) -> tuple[int, int]:
        """Of a page, and what of it is used; as usual where the first page is damaged."""
        size, reserved = struct.unpack(">H2xB", self._map[16:21].ljust(5, b"\0"))
        size = 65536 if size == 1 else size
        if self._map[:16] != _MAGIC or size < 512 or size & (size - 1) or reserved > 64:
            return _USUAL_PAGE, _USUAL_PAGE
        return size, size - reserved

    def page(self, number: int) -> bytes:
        """The page as it was committed last; empty beyond the end."""
        if number in self._logged:
            at = self._logged[number]
            return self._log[at : at + self.size]
        return self._map[(number - 1) * self.size : number * self.size]

    def rows(self, tell: Callable[[int, int], None]) -> Iterator[tuple[int, list[Value]]]:
        """Number and columns of each row, as far as they can be read; None for what cannot.

        `tell` is given pages looked at, and how many there are.
        """
        for number in range(1, self.count + 1):
            if number % 256 == 1:
                tell(number - 1, self.count)
            page, start = self.page(number), 100 if number == 1 else 0
            if len(page) < self.size or page[start] != _LEAF:
                continue
            (cells,) = struct.unpack_from(">H", page, start + 3)
            for i in range(min(cells, self.size // 4)):
                try:
                    (at,) = struct.unpack_from(">H", page, start + 8 + 2 * i)
                    yield self._row(page, at)
                except (ValueError, IndexError, struct.error):
                    continue

    def _row(self, page: bytes, at: int) -> tuple[int, list[Value]]:
        length, at = _varint(page, at)
        number, at = _varint(page, at)
        if not 0 < length <= _LARGEST_ROW:
            raise ValueError("no row has this size")
        usable = self._usable
        most, least = usable - 35, (usable - 12) * 32 // 255 - 23
        if length <= most:
            return number, _columns(page[at : at + length], length)
        here = least + (length - least) % (usable - 4)
        here = here if here <= most else least
        content = [page[at : at + here]]
        left, (follows,) = length - here, struct.unpack_from(">I", page, at + here)
        while left > 0 and 0 < follows <= self.count:
            more = self.page(follows)[:usable]
            if len(more) < usable:
                break
            (follows,) = struct.unpack_from(">I", more)
            content.append(more[4 : 4 + left])
            left -= len(content[-1])
        return number, _columns(b"".join(content), length)


def _columns(content: bytes, length: int) -> list[Value]:
    """A record's columns; None for those whose bytes are missing at its end.

    Raises
    ------
    ValueError, IndexError : it is no record.
    """
    header, at = _varint(content, 0)
    kinds = []
    while at < header:
        kind, at = _varint(content, at)
        kinds.append(kind)
    sizes = [_size(kind) for kind in kinds]
    if at != header or header + sum(sizes) != length:
        raise ValueError("not a record")
    found: list[Value] = []
    for kind, size in zip(kinds, sizes, strict=True):
        part = content[at : at + size]
        found.append(_value(kind, part) if len(part) == size else None)
        at += size
    return found


def _size(kind: int) -> int:
    if kind >= 12:
        return (kind - 12) // 2
    if kind in (10, 11):
        raise ValueError("no such kind")
    return 0 if kind in (0, 8, 9) else 8 if kind == 7 else _WHOLE[kind - 1]


def _value(kind: int, part: bytes) -> Value:
    if kind == 0:
        return None
    if kind in (8, 9):
        return kind - 8
    if kind == 7:
        return float(struct.unpack(">d", part)[0])
    if kind < 7:
        return int.from_bytes(part, "big", signed=True)
    return part.decode() if kind % 2 else part


def _varint(content: bytes, at: int) -> tuple[int, int]:
    """A number of one to nine bytes, and where it ends."""
    value = 0
    for i in range(8):
        byte = content[at + i]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + i + 1
    value = value << 8 | content[at + 8]
    return value - (1 << 64) if value >> 63 else value, at + 9


def _logged(path: Path, size: int) -> tuple[bytes, dict[int, int]]:
    """The write-ahead log, and where in it the newest committed version of each page lies."""
    try:
        log = path.read_bytes()
    except OSError:
        return b"", {}
    if len(log) < 32:
        return b"", {}
    magic, _, page_size, _, *salts = struct.unpack_from(">6I", log)
    if magic not in _WAL_MAGIC or page_size != size:
        return b"", {}
    committed: dict[int, int] = {}
    pending: dict[int, int] = {}
    for at in range(32, len(log) - size - 23, size + 24):
        number, pages, *own = struct.unpack_from(">4I", log, at)
        if own != salts or number == 0:
            break
        pending[number] = at + 24
        if pages:  # the last frame of a transaction
            committed |= pending
            pending = {}
    return log, committed
