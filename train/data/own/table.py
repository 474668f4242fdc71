"""A table of what each picture shows: its class, and as far as known patient, scale, part and place."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from train.data.dataset import DataError, Notice
from train.data.own.listed import PARTS, Cell, Listed, several
from train.data.own.spreadsheet import Row, has, rows

LAYOUT = "cells.csv with columns path and class, and if known patient, um_per_px, split, x, y (centre in px)"
NAME = "cells.csv"

_COLUMNS = {
    "path": ("path", "file", "filename", "file_name", "image", "picture"),
    "class": ("class", "label", "type", "cell_type"),
    "patient": ("patient", "patient_id", "subject", "group"),
    "um_per_px": ("um_per_px", "µm_per_px", "scale"),
    "split": ("split", "part", "set"),
    "x": ("x", "x_px"),
    "y": ("y", "y_px"),
}
_NEEDED = ("path", "class")
_OF_LABELS = {"cell": ("cell",)}  # a table of label images has it


def table_in(root: Path, name: str = "") -> Path | None:
    """The table of a folder: the one of that name, `NAME`, or the only one with the columns; None for none.

    DataError where several could be it.
    """
    if name or (root / NAME).is_file():
        return root / (name or NAME)
    found = [
        path
        for path in sorted(root.glob("*.csv"))
        if has(path, _COLUMNS, _NEEDED) and not has(path, _OF_LABELS, ("cell",))
    ]
    if len(found) > 1:
        raise DataError(
            f"{root}: {several([path.name for path in found])} could each be its table; call one {NAME}, or "
            "name it in path"
        )
    return found[0] if found else None


def read(root: Path, name: str, notice: Notice) -> Iterator[Listed]:
    """Every picture of the table, with the cells that its rows tell.

    Raises
    ------
    DataError : there is no table, or a column is missing.
    """
    table = table_in(root, name)
    if table is None or not table.is_file():
        raise DataError(f"{table or root}: no such table; the layout is {LAYOUT}")
    found: dict[str, list[Listed]] = defaultdict(list)
    wrong: dict[str, list[int]] = defaultdict(list)
    for row in rows(table, _COLUMNS, _NEEDED):
        try:
            listed = _listed(root, row)
        except ValueError as error:
            wrong[str(error)].append(row.number)
            continue
        found[str(listed.path)].append(listed)
    for about, numbers in list(wrong.items())[:_TOLD]:
        notice(f"{table}: line {several(numbers)}: {about}, left out")
    if len(wrong) > _TOLD:
        left = sum(map(len, list(wrong.values())[_TOLD:]))
        notice(f"{table}: {left} more lines left out, for reasons like these")
    for several_rows in found.values():
        yield from _together(several_rows, table, notice)


_TOLD = 10


def _listed(root: Path, row: Row) -> Listed:
    """The picture and cell of a row; ValueError says what is wrong with it."""
    told = row.values["path"].replace("\\", "/")
    path = root / told
    if not told or not path.is_file():
        raise ValueError(f"no picture {told!r} in {root}")
    if not path.resolve().is_relative_to(root.resolve()) or ".." in Path(told).parts:
        raise ValueError(f"picture {told!r} lies outside of {root}")
    called = row.values.get("class", "")
    if not called:
        raise ValueError("no class")
    try:
        x, y, scale = (row.number_of(column) for column in ("x", "y", "um_per_px"))
    except ValueError as error:
        raise ValueError(str(error).replace("could not convert string to float:", "no number:")) from None
    if (x is None) != (y is None):
        raise ValueError("one of x and y alone")
    if scale is not None and not 0.01 <= scale <= 10:
        raise ValueError(f"um_per_px {scale:g} is not within 0.01 to 10")
    part = row.values.get("split", "").lower()
    if part and part not in PARTS:
        raise ValueError(f"split {part!r} is not train, validation or test")
    centre = None if x is None or y is None else (x, y)
    cells = (Cell(called, centre),)
    return Listed(
        path, cells, row.values.get("patient", ""), PARTS.get(part), scale or 0.0, middle=centre is None
    )


def _together(rows_of_one: list[Listed], table: Path, notice: Notice) -> Iterator[Listed]:
    """One picture of its rows, unless they contradict each other."""
    first = rows_of_one[0]
    cells = tuple(dict.fromkeys(cell for listed in rows_of_one for cell in listed.cells))
    about = {(r.patient, r.part, r.um_per_px) for r in rows_of_one}
    middle = [cell for cell in cells if cell.centre is None]
    if len(about) > 1:
        notice(f"{table}: {first.path.name} has rows of different patients, splits or scales, left out")
    elif len(middle) > 1 or (middle and len(cells) > 1):
        called = several([cell.called for cell in cells])
        notice(f"{table}: {first.path.name} has several classes and no x and y ({called}), left out")
    else:
        yield replace(first, cells=cells, middle=bool(middle))
