"""What lies in a folder, or fits a glob: the pictures in natural order, and what is left out and why."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath

from edge.cameras import CameraError
from edge.cameras.files import kinds
from edge.files.labels import label_images_among
from edge.files.pictures import readable
from edge.files.text import printable

_SYSTEM = frozenset(("$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX", "@eaDir"))
"""Folders of systems: bins, and small copies of pictures. They are read as little as hidden ones."""

Found = Iterator[tuple[str, str | None]]
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
    names, left = [], []
    wanted = readable()
    for name, reason in found:
        if reason is None and name.lower().endswith(wanted):
            names.append(name)
        elif reason := reason or kinds.why_left_out(name):
            left.append((reason, name))
    labels = label_images_among(root, names)
    left += [(kinds.LABELS, name) for name in labels]
    return Listing(
        root,
        tuple(sorted((name for name in names if name not in labels), key=_natural)),
        tuple((reason, shown(name)) for reason, name in sorted(left, key=lambda one: _natural(one[1]))),
    )


def shown(name: str) -> str:
    """How a file inside the folder is named to people and programs."""
    return printable(PurePath(name).as_posix())


def _walked(root: Path) -> Found:
    """What lies below a folder, but what is hidden or the system's."""
    folders, links, seen = [""], list[str](), set[str]()
    while folders or links:
        # links last: of two ways into a folder the source is named by the one without
        folder = (folders or links).pop()
        real = os.path.realpath(root / folder)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(root / folder) as entries:
                here = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            if not folder:
                raise CameraError(f"camera {printable(root)}: cannot be read: {error.strerror}") from error
            yield folder, f"folders that cannot be read: {error.strerror}"
            continue
        for entry in here:
            name = os.path.join(folder, entry.name)
            if not _is(entry.is_dir):
                yield name, None if _is(entry.is_file) or _leads_nowhere(entry) else kinds.NO_FILE
            elif entry.name not in _SYSTEM:
                (links if entry.is_symlink() else folders).append(name)


def _is(what: Callable[[], bool]) -> bool:
    """What an entry says of itself; a link that leads to itself is nothing."""
    try:
        return what()
    except OSError:
        return False


def _leads_nowhere(entry: os.DirEntry[str]) -> bool:
    """Whether it is a link to nothing, which is told when it is its turn: it may be mended until then."""
    return entry.is_symlink() and not os.path.exists(entry.path)


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


def _natural(path: str) -> tuple[list[list[str | int]], str]:
    """Sort key by which Im2 comes before Im10 and a folder's files stay together."""
    return [
        [int(run) if run.isdecimal() else run for run in re.split(r"(\d+)", part.lower())]
        for part in Path(path).parts
    ], path
