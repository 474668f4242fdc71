"""A picture as a layout lists it: what is labelled in it, under the names that are used there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from train.data.dataset import Split
from train.data.pictures import SUFFIXES

PARTS: dict[str, Split] = {
    "train": "train", "training": "train", "train2017": "train",
    "val": "validation", "valid": "validation", "validation": "validation", "val2017": "validation",
    "test": "test", "testing": "test", "test2017": "test",
}  # fmt: skip
"""What folders and tables call the parts."""

WHOLE = (1.0, 1.0)
"""`Listed.size` of boxes that are told as shares of the picture."""

_NAMED = 3
_RUN = ("settings.json", "environment.json")  # what a folder of edge-train fit holds


@dataclass(frozen=True)
class Cell:
    """Something labelled.

    Attributes
    ----------
    called : its class as it is called there.
    centre : x and y in pixels; None for the picture's middle, or the box's, or the label image's.
    box : x0, y0, x1, y1 in units of `Listed.size`.
    number : of the cell in the label image; 0 for all of them, or for the one in the middle.
    """

    called: str
    centre: tuple[float, float] | None = None
    box: tuple[float, float, float, float] | None = None
    number: int = 0


@dataclass(frozen=True)
class Listed:
    """A picture.

    Attributes
    ----------
    cells : what is labelled in it; none in a field without cells.
    patient : as folders or a table tell; empty where nothing does.
    part : as folders or a table tell.
    um_per_px : as a table tells; 0 where none does.
    size : width and height that boxes are drawn on, WHOLE for shares of the picture, (0, 0) where nothing
        says it; None without boxes.
    labels, nuclei : label images of its cells and of their nuclei.
    middle : it shows one cell, in its middle.
    """

    path: Path
    cells: tuple[Cell, ...]
    patient: str = ""
    part: Split | None = None
    um_per_px: float = 0.0
    size: tuple[float, float] | None = None
    labels: Path | None = None
    nuclei: Path | None = None
    middle: bool = False


def files_in(root: Path, suffixes: Iterable[str] = SUFFIXES) -> Iterator[Path]:
    """Files at any depth, in order of name, but for what systems leave behind and for folders of runs."""
    wanted, everything = frozenset(suffixes), sorted(root.rglob("*"))
    names = {path for path in everything if path.name in _RUN}
    runs = {path.parent for path in names if all(path.with_name(name) in names for name in _RUN)}
    for path in everything:
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if path.suffix.lower() in wanted and not hidden and path.is_file() and not runs & set(path.parents):
            yield path


def split_off(folders: Sequence[str]) -> tuple[list[str], Split | None]:
    """The folders above a picture without one that is called after a part, and that part."""
    for i, name in enumerate(folders):
        if part := PARTS.get(name.lower()):
            return [*folders[:i], *folders[i + 1 :]], part
    return list(folders), None


def patient_of(folders: Sequence[str], usual: Iterable[str] = ()) -> tuple[str, Split | None]:
    """The patient and the part that the folders above a picture tell, `usual` ones of the layout aside."""
    others, part = split_off(folders)
    return "/".join(name for name in others if name.lower() not in usual), part


def several(names: Sequence[object]) -> str:
    """The first of many in words."""
    told = ", ".join(map(str, names[:_NAMED]))
    return told if len(names) <= _NAMED else f"{told} and {len(names) - _NAMED} more"


def grouped(listed: Listed, root: Path, group: str) -> str:
    """The patient of a picture, by a regular expression where one is given; itself where nothing tells."""
    inside = listed.path.relative_to(root).as_posix()
    if not group:
        return listed.patient or inside
    match = re.search(group, inside)
    if match is None:
        return inside
    return str(match.group(1) if match.re.groups else match.group())
