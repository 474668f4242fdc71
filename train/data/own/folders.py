"""A folder a class, one cell in the middle of each picture; patients are folders too, or nowhere told.

Where not one folder is named after a class, those nearest to the root are taken for classes of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from train.data.dataset import Notice
from train.data.own.listed import Cell, Listed, files_in, patient_of, several, split_off
from train.data.own.names import Names, key

LAYOUT = "<class>/*, <class>/<patient>/* or <patient>/<class>/*"

Levels = Callable[[Sequence[str]], int | None]
"""The folders above a picture -> which of them tells the class."""


def read(root: Path, names: Names, notice: Notice) -> Iterator[Listed]:
    """Every picture in some folder, the folder of its class by name."""
    paths = list(files_in(root))
    yield from in_folders(root, paths, names, notice)
    _tell_empty(root, paths, notice)


def in_folders(root: Path, paths: Sequence[Path], names: Names, notice: Notice) -> Iterator[Listed]:
    """The same of some of the pictures below a folder; those in no folder are told and left out."""
    level = levels([path.relative_to(root).parts[:-1] for path in paths], names)
    loose = []
    for path in paths:
        folders, part = split_off(path.relative_to(root).parts[:-1])
        at = level(folders)
        if at is None:
            loose.append(path.name)
            continue
        patient, _ = patient_of(folders[:at] + folders[at + 1 :])
        yield Listed(path, (Cell(folders[at]),), patient, part, middle=True)
    if loose:
        notice(
            f"{root}: {len(loose)} pictures in no folder left out ({several(loose)}); the layout is {LAYOUT}"
        )


def levels(above: Sequence[Sequence[str]], names: Names) -> Levels:
    """Which folder above a picture tells its class: the nearest of a known name, else the usual one."""
    plain = [split_off(folders)[0] for folders in above]
    known = Counter(
        max(i for i, name in enumerate(folders) if names.of(name))
        for folders in plain
        if any(map(names.of, folders))
    )
    usual = known.most_common(1)[0][0] if known else 0

    def level(folders: Sequence[str]) -> int | None:
        told = [i for i, name in enumerate(folders) if names.of(name)]
        if told:
            return told[-1]
        return min(usual, len(folders) - 1) if folders else None

    return level


def none_known(cells: Sequence[Listed], names: Names) -> bool:
    """Whether not one folder is named after a class that is known."""
    return bool(cells) and not any(names.of(cell.called) for listed in cells for cell in listed.cells)


def _tell_empty(root: Path, paths: Sequence[Path], notice: Notice) -> None:
    """Say which folders hold no picture."""
    full = {folder for path in paths for folder in path.parents}
    for folder in sorted(path for path in root.rglob("*") if path.is_dir()):
        inside = folder.relative_to(root)
        hidden = any(part.startswith(".") for part in inside.parts)
        if folder not in full and folder.parent in (full | {root}) and not hidden:
            notice(f"{folder}: no pictures in folder {inside.as_posix()!r}")


def unfound(root: Path, called: Sequence[str], cells: Sequence[Listed]) -> Iterator[str]:
    """Names of classes in the recipe's table that no picture has."""
    there = {key(cell.called) for listed in cells for cell in listed.cells}
    return (name for name in called if key(name) not in there)
