"""The file that says which patients train, validate and test, for programs and people to read."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from edge.files import atomic
from train.data.dataset import DataError, Split
from train.data.own.listed import PARTS
from train.data.own.spreadsheet import rows

_COLUMNS = {"group": ("group", "patient"), "part": ("part", "split")}
_COUNTED = ("group", "part", "pictures")


def read(path: Path) -> dict[str, Split]:
    """Group -> its part.

    Raises
    ------
    DataError : a column is missing, a part is none, or a group stands in two parts; names it.
    """
    parts: dict[str, Split] = {}
    for row in rows(path, _COLUMNS, ("group", "part")):
        group, told = row.values.get("group", ""), row.values.get("part", "").lower()
        if told not in PARTS:
            raise DataError(
                f"{path}: line {row.number}: part {told!r} of {group!r} is not train, validation or test"
            )
        if parts.setdefault(group, PARTS[told]) != PARTS[told]:
            raise DataError(f"{path}: {group!r} stands in two parts, {parts[group]} and {told}; choose one")
    return parts


def write(
    path: Path, parts: Mapping[str, Split], pictures: Mapping[str, int], cells: Mapping[str, Counter[str]]
) -> None:
    """Write it, all of it or nothing; groups that are not there any more keep their part. OSError."""
    labels = sorted(set().union(*cells.values()))
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*_COUNTED, *labels])
    for group, part in sorted(parts.items(), key=lambda item: (list(PARTS.values()).index(item[1]), item[0])):
        counts = cells.get(group, Counter())
        table.writerow([group, part, pictures.get(group, 0), *(counts[label] for label in labels)])
    atomic.write(path, text.getvalue().encode(), 0o644)
