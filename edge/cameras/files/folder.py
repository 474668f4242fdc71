"""What lies in a folder, or fits a glob: the pictures in natural order, and what is left out and why."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from edge.cameras import CameraError
from edge.cameras.files import kinds
from edge.cameras.files.walk import Disk, Kind, Thing, below, natural, walked
from edge.files.labels import is_label_image, label_images_among
from edge.files.pictures import readable
from edge.files.text import printable

Found = Iterable[tuple[str, str | None]]
"""Files as paths below a root, and why they cannot be read whatever their suffix is."""


@dataclass(frozen=True)
class Listing:
    """Files that were found.

    Attributes
    ----------
    root : the folder that sources are named from. names : pictures as paths below it, in natural order.
    left_out : what is not read, as reason and name, in natural order too.
    """

    root: Path
    names: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]


def listed(path: str) -> Listing:
    """The pictures in a folder and its sub-folders, or those that fit a glob.

    Hidden files are left out without a word, and so is what lies beside pictures and is none
    (see `kinds.why_left_out`). Links to folders are followed, each folder once.

    Raises
    ------
    CameraError : the folder cannot be read. Of a sub-folder that cannot, the listing tells.
    """
    if os.path.isdir(path):
        root, found = Path(path), _walked(Path(path))
    else:
        root, found = _globbed(path)
    names, left = selected(found, lambda name: is_label_image(root / name))
    return Listing(root, tuple(names), tuple((reason, shown(name)) for reason, name in left))


def selected(
    found: Found, is_label: Callable[[str], bool], silent: Callable[[str], None] = lambda _name: None
) -> tuple[list[str], list[tuple[str, str]]]:
    """Of the files of a folder or of several: the pictures, and what is left out as reason and name.

    Both in natural order.

    Parameters
    ----------
    found : see above.
    is_label : whether a file, called by its path, is a label image by what it holds.
    silent : is told of each file that is left out without a word.
    """
    names, left = [], []
    wanted = readable()
    for name, reason in found:
        if reason is None and name.lower().endswith(wanted):
            names.append(name)
        elif reason := reason or kinds.why_left_out(name):
            left.append((reason, name))
        else:
            silent(name)
    labels = label_images_among(names, is_label)
    left += [(kinds.LABELS, name) for name in labels]
    return (
        sorted((name for name in names if name not in labels), key=natural),
        sorted(left, key=lambda one: natural(one[1])),
    )


def shown(name: str) -> str:
    """How a file inside the folder is named to people and programs."""
    return printable(PurePath(name).as_posix())


def files_of(folder: str, here: Iterable[Thing]) -> Iterator[tuple[str, str | None]]:
    """What lies in a walked folder and is no folder, for `selected`."""
    for thing in here:
        if thing.kind is not Kind.FOLDER:
            yield below(folder, thing.name), None if thing.kind is Kind.FILE else kinds.NO_FILE


def unread(error: OSError) -> str:
    """The reason by which a sub-folder is left out."""
    return f"folders that cannot be read: {error.strerror or error}"


def _walked(root: Path) -> Found:
    """What lies below a folder, but what is hidden or the system's."""
    for folder, here in walked(Disk(root)):
        if not isinstance(here, OSError):
            yield from files_of(folder, here)
        elif folder:
            yield folder, unread(here)
        else:
            raise CameraError(f"camera {printable(root)}: cannot be read: {here.strerror}") from here


def _globbed(pattern: str) -> tuple[Path, Found]:
    """The folder where a pattern's first wildcard stands, and what matches, relative to it.

    A part of the pattern that exists as it stands is a name, brackets and all.
    """
    parts = Path(pattern).parts
    fixed = 0
    while fixed < len(parts) - 1 and (
        not glob.has_magic(parts[fixed]) or os.path.lexists(Path(*parts[: fixed + 1]))
    ):
        fixed += 1
    root = Path(*parts[:fixed])
    matches = glob.glob(os.path.join(*parts[fixed:]), root_dir=root, recursive=True)
    return root, _matched(root, matches)


def _matched(root: Path, matches: list[str]) -> Found:
    above = {str(folder) for name in matches for folder in PurePath(name).parents}
    for name in dict.fromkeys(os.path.normpath(match) for match in matches):
        path = root / name
        if not os.path.isdir(path):
            yield name, None if os.path.isfile(path) or not os.path.exists(path) else kinds.NO_FILE
        elif name not in above:
            yield name, kinds.NOT_ENTERED
