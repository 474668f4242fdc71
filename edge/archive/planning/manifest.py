"""A table that lists an archive's pictures: Parquet or CSV, with the columns path, slide and um_per_px."""

from __future__ import annotations

import csv
import io
import math
import posixpath
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, BinaryIO

from edge.archive.entry import Aside, Entry
from edge.archive.place import ArchiveError, Place
from edge.archive.planning.listing import identifier
from edge.cameras.files import kinds
from edge.files.pictures import readable
from edge.files.text import printable
from edge.records.database import RecordsError
from edge.records.identifiers import checked

SUFFIXES = (".parquet", ".pq", ".csv", ".csv.gz")

REQUIRED = ("path", "slide")
_OPTIONAL = ("um_per_px", "taken_at")
_UM_PER_PX = (0.01, 10.0)
_SHOWN = 60
_BATCH = 4096
_PARQUET, _ZIP, _GZIP = b"PAR1", b"PK\3\4", b"\x1f\x8b"
_WIDE = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes
    ----------
    number : as programs count it: of a CSV the line it ends in, of Parquet from 1.
    values : column -> what stands there, None for nothing. comma : decimals may have one.
    """

    number: int
    values: dict[str, Any]
    comma: bool = False


def is_one(source: Place) -> bool:
    """Whether an input is a manifest, by its name; a folder is none.

    Raises
    ------
    ArchiveError : there is nothing of this name, or a file that is neither.
    """
    try:
        files, path = source.files, source.root
        if files.isdir(path):
            return False
        if not files.exists(path):
            raise ArchiveError(f"{source.address}: no such file or folder; give one, or an address of fsspec")
    except ArchiveError:
        raise
    except Exception as error:  # a library of storage raises what it likes
        raise ArchiveError(
            f"{source.address}: cannot be reached: {error}; mend that and run it again"
        ) from error
    if source.address.lower().endswith(SUFFIXES):
        return True
    raise ArchiveError(
        f"{source.address}: is a file and no manifest; give a folder of pictures, or a table that ends in "
        f"{' '.join(SUFFIXES)}"
    )


def entries(source: Place, left_out: Aside, *, independent: bool = False) -> Iterator[Entry]:
    """The pictures that a manifest lists, in its order; those of a slide may stand anywhere in it.

    Paths are absolute, addresses, or relative to the folder of the manifest. A `taken_at` without a time
    zone is UTC.

    Parameters
    ----------
    source : the manifest. left_out : is told of files that are no pictures, such as videos.
    independent : each picture is a slide of its own.

    Raises
    ------
    ArchiveError : names file, row and column, the value and what to do.
    """
    folder = Place(posixpath.dirname(source.address))
    place = -1
    for row in _rows(source):
        asked = _Cells(source, row)
        path = asked.text("path")
        if not path.lower().endswith(readable()) and (reason := kinds.known(path)):
            left_out.add(reason, printable(path))
            continue
        place += 1
        named = printable(path)
        slide = asked.slide()
        yield Entry(
            identifier(named) if independent else slide,
            place,
            named,
            path if "://" in path or posixpath.isabs(path) else folder.address_of(path),
            asked.um_per_px(),
            asked.taken_at(),
        )
    if place < 0 and not left_out.counted:
        raise ArchiveError(f"{source.address}: has no rows; list a picture in each, with {_and(REQUIRED)}")


@dataclass(frozen=True)
class _Cells:
    """The values of a row, asked for by column; ArchiveError names what is wrong."""

    source: Place
    row: Row

    def text(self, column: str) -> str:
        value = self.row.values[column]
        if isinstance(value, float) and value.is_integer():  # a column of numbers with gaps
            value = int(value)
        text = "" if value is None else str(value).strip()
        if not text:
            raise self._wrong(column, "is empty", "fill it in or leave the row out")
        return text

    def slide(self) -> str:
        text = self.text("slide")
        try:
            return checked(text)
        except RecordsError as error:
            raise self._wrong("slide", str(error).removeprefix("slide ")) from None

    def um_per_px(self) -> float | None:
        value = self.row.values.get("um_per_px")
        if isinstance(value, str):
            value = value.strip().replace(",", ".") if self.row.comma else value.strip()
        if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
            return None
        low, high = _UM_PER_PX
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not low <= number <= high:
            what = "is no number" if math.isnan(number) else "is no pixel of a microscope"
            raise self._wrong(
                "um_per_px",
                f"{_short(value)} {what}",
                f"give micrometres per pixel, {low:g} to {high:g}, or nothing",
            )
        return number

    def taken_at(self) -> str | None:
        value = self.row.values.get("taken_at")
        if value is None or value == "":
            return None
        try:
            when = value if isinstance(value, date) else datetime.fromisoformat(str(value).strip())
            if not isinstance(when, datetime):
                when = datetime(when.year, when.month, when.day)
            when = when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise self._wrong(
                "taken_at", f"{_short(value)} is no date", "write it as 2024-03-01T14:05:00Z, or nothing"
            ) from None
        return when.isoformat(timespec="seconds")

    def _wrong(self, column: str, what: str, do: str = "") -> ArchiveError:
        return ArchiveError(
            f"{self.source.address}: row {self.row.number}, column {column}: {what}{f'; {do}' if do else ''}"
        )


def _rows(source: Place) -> Iterator[Row]:
    """Its rows, a few at a time in memory; raises ArchiveError where it is no such table."""
    try:
        with source.files.open(source.root, "rb") as stream:
            head = stream.read(4)
            stream.seek(0)
            if not head:
                raise ArchiveError(f"{source.address}: is empty; list a picture in each row")
            if head == _PARQUET or source.address.lower().endswith((".parquet", ".pq")):
                yield from _of_parquet(source, stream)
            else:
                yield from _of_csv(source, stream, head)
    except ArchiveError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise ArchiveError(f"{source.address}: cannot be read: {reason}; write it again") from error


def _of_parquet(source: Place, stream: BinaryIO) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    try:
        # by pieces: one row group may be the whole file
        file = parquet.ParquetFile(stream, buffer_size=1 << 20, pre_buffer=False)
        columns = _columns(source, file.schema_arrow.names)
        number = 0
        for batch in file.iter_batches(_BATCH, columns=list(columns)):
            for values in zip(*(batch.column(name).to_pylist() for name in columns), strict=True):
                number += 1
                yield Row(number, dict(zip(columns.values(), values, strict=True)))
    except pa.ArrowInvalid as error:
        raise ArchiveError(f"{source.address}: is no Parquet file ({error}); write it again") from error


def _of_csv(source: Place, stream: BinaryIO, head: bytes) -> Iterator[Row]:
    import gzip

    if head == _ZIP or head[:2] in _WIDE:
        what = "a workbook or archive" if head == _ZIP else "UTF-16"
        raise ArchiveError(f"{source.address}: is {what}; save it as CSV in UTF-8")
    content = gzip.GzipFile(fileobj=stream) if head[:2] == _GZIP else stream
    number = 0
    try:
        with io.TextIOWrapper(content, "utf-8-sig", newline="") as text:
            delimiter = _delimiter(text.readline())
            text.seek(0)
            lines = csv.reader(text, delimiter=delimiter, strict=True)
            header = next(lines)
            columns = _columns(source, header)
            at = {header.index(name): column for name, column in columns.items()}
            for cells in lines:
                number = lines.line_num
                if not any(map(str.strip, cells)):
                    continue
                if len(cells) != len(header):
                    raise ArchiveError(
                        f"{source.address}: row {number}: has {len(cells)} columns, not {len(header)}; "
                        f"put what has a {delimiter!r} in it in quotes"
                    )
                yield Row(number, {column: cells[i] for i, column in at.items()}, delimiter != ",")
    except UnicodeDecodeError as error:
        raise ArchiveError(
            f"{source.address}: after row {number}: is no UTF-8 ({error.reason}); save it as CSV in UTF-8"
        ) from None
    except csv.Error as error:
        raise ArchiveError(f"{source.address}: row {number + 1}: {error}; save it as CSV in UTF-8") from None


def _delimiter(line: str) -> str:
    """What parts the columns: of the usual ones that which the first line has most."""
    return max(",;\t|", key=line.count)


def _columns(source: Place, header: Iterable[str]) -> dict[str, str]:
    """A table's own name of each column that is read -> ours; spaces and capitals do not matter."""
    there = list(header)
    known = [name.strip().lower() for name in there]
    if missing := [column for column in REQUIRED if column not in known]:
        shown = ", ".join(_short(name) for name in there[:20])
        raise ArchiveError(
            f"{source.address}: has no column {_and(missing)}; there are {shown}; rename or add it"
        )
    wanted = (*REQUIRED, *_OPTIONAL)
    if twice := [column for column in wanted if known.count(column) > 1]:
        raise ArchiveError(f"{source.address}: has two columns {twice[0]}; leave one out")
    return {there[known.index(column)]: column for column in wanted if column in known}


def _short(value: Any) -> str:
    text = printable(str(value))
    return ascii(text) if not text else f"{text[:_SHOWN]}{'...' if len(text) > _SHOWN else ''}"


def _and(words: Iterable[str]) -> str:
    return " and ".join(words)
