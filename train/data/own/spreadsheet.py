"""Tables as spreadsheet programs save them: commas, semicolons or tabs, in whatever encoding."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from train.data.dataset import DataError

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_DELIMITERS = ",;\t|"


@dataclass(frozen=True)
class Row:
    """A row: its number in the file, and what stands in the columns that are known."""

    number: int
    values: Mapping[str, str]

    def number_of(self, column: str) -> float | None:
        """A number, with a decimal point or comma; None where nothing stands there. ValueError for a word."""
        text = self.values.get(column, "")
        return float(text.replace(",", ".")) if text else None


def rows(path: Path, columns: Mapping[str, Sequence[str]], needed: Sequence[str]) -> Iterator[Row]:
    """The rows of a table, empty ones left out.

    Parameters
    ----------
    columns : column -> what it may be called, in small letters. needed : those that must be there.

    Raises
    ------
    DataError : it cannot be read, or lacks a column; names both.
    """
    lines = _text(path).splitlines()
    first = 1 if lines and lines[0].lower().startswith("sep=") else 0  # what Excel is told the delimiter by
    heading = lines[first] if len(lines) > first else ""
    delimiter = lines[0][4:5] if first and lines[0][4:] else max(_DELIMITERS, key=heading.count)
    table = csv.reader(lines[first:], delimiter=delimiter)
    names = [name.strip().lower().replace(" ", "_") for name in next(table, [])]
    found = {
        column: names.index(called)
        for column, several in columns.items()
        for called in [next((name for name in several if name in names), "")]
        if called
    }
    for column in needed:
        if column not in found:
            raise DataError(
                f"{path}: has no column {column!r}; it has {', '.join(filter(None, names)) or 'none'}, and "
                f"needs {', '.join(needed)}"
            )
    try:
        for row in table:
            number = first + table.line_num
            values = {column: row[i].strip() for column, i in found.items() if i < len(row)}
            if any(values.values()):
                yield Row(number, values)
    except csv.Error as error:
        raise DataError(f"{path}: line {first + table.line_num}: is no table ({error})") from None


def has(path: Path, columns: Mapping[str, Sequence[str]], needed: Sequence[str]) -> bool:
    """Whether a table has these columns."""
    try:
        next(rows(path, columns, needed), None)
    except DataError:
        return False
    return True


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    encodings = ["utf-16"] if content.startswith(_WIDE) else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise DataError(f"{path}: not a text file; save it as CSV in UTF-8")
