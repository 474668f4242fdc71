"""A tree of folders, folder by folder in natural order, wherever it lies."""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Container, Iterator
from enum import Enum
from pathlib import Path, PurePath
from typing import NamedTuple, Protocol

_SYSTEM = frozenset(("$RECYCLE.BIN", "System Volume Information", "lost+found", "__MACOSX", "@eaDir"))
"""Folders of systems: bins, and small copies of pictures. They are read as little as hidden ones."""


class Kind(Enum):
    """What something in a folder is."""

    FILE = "file"
    FOLDER = "folder"
    OTHER = "pipe, socket or device"


class Thing(NamedTuple):
    """Something in a folder.

    Attributes
    ----------
    name : in the folder. kind : what it is, or leads to. link : it leads elsewhere.
    modified_s : when it was written, seconds since 1970; None where looking costs more.
    """

    name: str
    kind: Kind
    link: bool = False
    modified_s: float | None = None


class Tree(Protocol):
    """Folders, called by their paths below the top, which is the empty path."""

    def look(self, folder: str) -> list[Thing]:
        """What is in it, in any order; raises OSError where it cannot be read."""

    def real(self, folder: str) -> str:
        """Its path without links: the same for all ways that lead to it."""


def walked(tree: Tree) -> Iterator[tuple[str, list[Thing] | OSError]]:
    """Each folder, in natural order, with what it holds, in any, or why it cannot be read.

    Nothing of a folder is kept but its sub-folders' names. What is hidden or the system's is not among it.
    Links to folders are followed, each folder once: of two ways into one it is named by the way without a
    link, so that links come last.
    """
    ways = deque([""])
    tops = set[str]()
    while ways:
        way = ways.popleft()
        top = tree.real(way)
        if _within(top, tops):
            continue
        folders = [way]
        while folders:
            folder = folders.pop()
            if tops and folder != way and tree.real(folder) in tops:
                continue
            try:
                here = [thing for thing in tree.look(folder) if _seen(thing)]
            except OSError as error:
                yield folder, error
                continue
            yield folder, here
            inside = sorted((it for it in here if it.kind is Kind.FOLDER), key=lambda it: natural(it.name))
            folders += [below(folder, it.name) for it in reversed(inside) if not it.link]
            ways += [below(folder, it.name) for it in inside if it.link]
        tops.add(top)


def below(folder: str, name: str) -> str:
    """The path of something in a folder."""
    return f"{folder}/{name}" if folder else name


def natural(path: str) -> tuple[str, str]:
    r"""Sort key by which Im2 comes before Im10 and a folder's files stay together.

    Each run of digits stands as the number of its digits and these, each part of the path and each text
    between two numbers ends in `\0`: so strings, which are small, compare as lists of texts and numbers do.
    """
    return "".join(f"{_NUMBER.sub(_numbered, part.lower())}\0\0" for part in PurePath(path).parts), path


_NUMBER = re.compile(r"\d+")


def _numbered(run: re.Match[str]) -> str:
    digits = str(int(run[0]))
    return f"\0{chr(len(digits))}{digits}"


def _seen(thing: Thing) -> bool:
    return not thing.name.startswith(".") and not (thing.kind is Kind.FOLDER and thing.name in _SYSTEM)


def _within(folder: str, tops: Container[str]) -> bool:
    """Whether it was met below one of these."""
    path = PurePath(folder)
    for depth, above in enumerate((path, *path.parents)):
        if str(above) in tops:
            return True
        if depth < len(path.parts) and (above.name.startswith(".") or above.name in _SYSTEM):
            return False
    return False


class Disk:
    """A tree on this machine.

    Parameters
    ----------
    root : its top.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def look(self, folder: str) -> list[Thing]:
        """What is in it; raises OSError where it cannot be read."""
        with os.scandir(self.root / folder) as entries:
            return [Thing(entry.name, _kind(entry), entry.is_symlink()) for entry in entries]

    def real(self, folder: str) -> str:
        """Its path without links."""
        return os.path.realpath(self.root / folder)


def _kind(entry: os.DirEntry[str]) -> Kind:
    if _is(entry.is_dir):
        return Kind.FOLDER
    return Kind.FILE if _is(entry.is_file) or _leads_nowhere(entry) else Kind.OTHER


def _is(what: Callable[[], bool]) -> bool:
    """What an entry says of itself; a link that leads to itself is nothing."""
    try:
        return what()
    except OSError:
        return False


def _leads_nowhere(entry: os.DirEntry[str]) -> bool:
    """Whether it is a link to nothing, which is told when it is its turn: it may be mended until then."""
    return entry.is_symlink() and not os.path.exists(entry.path)
