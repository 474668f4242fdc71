"""The pictures of a folder tree, on a disk or in object storage: each folder that holds some is a slide."""

from __future__ import annotations

import os
import re
from base64 import b32encode
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any
from unicodedata import normalize

from edge.archive.entry import Aside, Entry
from edge.archive.place import ArchiveError, Place
from edge.cameras.files import walk
from edge.cameras.files.folder import files_of, selected, shown, unread
from edge.files.labels import HEAD_BYTES, begins_label_image, is_label_image
from edge.records.database import RecordsError
from edge.records.identifiers import LONGEST, checked

_WRITTEN = ("LastModified", "last_modified", "mtime", "updated", "modified", "created")
_HASHED = re.compile(r"~[a-z2-7]{13}$")
_HASH_BYTES = 8


def entries(source: Place, aside: Aside, *, independent: bool = False) -> Iterator[Entry]:
    """The pictures of a tree, folder by folder in natural order; a slide's follow one another.

    Memory is that of the largest folder.

    Parameters
    ----------
    source : the top of the tree. aside : is told what is left out.
    independent : each picture is a slide of its own.

    Raises
    ------
    ArchiveError : the top cannot be listed, or storage fails meanwhile. Sub-folders without right of
        access are left out.
    """
    tree = _tree(source)
    slide_of_top = ""
    for folder, here in walk.walked(tree):
        if isinstance(here, OSError):
            if not folder:
                raise ArchiveError(f"{source.address}: cannot be listed: {here.strerror or here}") from here
            aside.add(unread(here), shown(folder))
            continue
        if not folder:
            slide_of_top = _top(source, here)
        names, left = selected(files_of(folder, here), tree.is_label, aside.pass_over)
        for reason, name in left:
            aside.add(reason, shown(name))
        slide = identifier(folder) if folder else slide_of_top
        for place, name in enumerate(names):
            yield Entry(
                identifier(name) if independent else slide,
                0 if independent else place,
                shown(name),
                source.address_of(name),
                None,
                _utc(tree.modified_s(name)),
            )


def identifier(path: str) -> str:
    """The identifier of a slide by its path below the input: the path itself where that is one.

    Else, where it is too long or has what cannot be seen, the end of it and a hash. No two paths have the
    same: what looks as if it had a hash is given one.
    """
    try:
        if checked(path) == path and not _HASHED.search(path):
            return path
    except RecordsError:
        pass
    drawn = blake2b(path.encode("utf-8", "surrogateescape"), digest_size=_HASH_BYTES).digest()
    ending = f"~{b32encode(drawn).decode().lower().rstrip('=')}"
    readable = normalize("NFC", "".join(letter for letter in shown(path) if _can_be_seen(letter)))
    room = LONGEST - len(ending)
    start = readable if len(readable) <= room else f"…{readable[1 - room :]}"
    return checked(f"{start}{ending}")


def _can_be_seen(letter: str) -> bool:
    try:
        return bool(checked(f"a{letter}a"))
    except RecordsError:
        return False


def _top(source: Place, here: list[walk.Thing]) -> str:
    """The slide of the pictures that lie in the input's own folder: called as that, unless one in it is."""
    name = PurePosixPath(source.root).name or "input"
    if any(thing.name == name for thing in here):
        name = f"./{name}"  # which is no path of a folder in it
    return identifier(name)


def _utc(modified_s: float | None) -> str | None:
    if modified_s is None:
        return None
    try:
        return datetime.fromtimestamp(modified_s, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):  # of a clock that was far off
        return None


def _tree(source: Place) -> _Disk | _Storage:
    local = source.local
    return _Storage(source) if local is None else _Disk(local)


class _Disk(walk.Disk):
    """A tree on this machine."""

    def is_label(self, name: str) -> bool:
        return is_label_image(self.root / name)

    def modified_s(self, name: str) -> float | None:
        try:
            return os.stat(self.root / name).st_mtime
        except OSError:  # gone, or a link to nothing: told when it is its turn
            return None


class _Storage:
    """A tree in object storage, or on another machine."""

    def __init__(self, source: Place) -> None:
        self._source = source
        self._modified: dict[str, float | None] = {}  # of the folder that was looked at last

    def look(self, folder: str) -> list[walk.Thing]:
        """What is in it; raises PermissionError, or ArchiveError where storage fails."""
        path = self._source.path(folder)
        try:
            found = self._source.files.ls(path, detail=True)
        except (PermissionError, FileNotFoundError):
            raise
        except Exception as error:  # what a library of storage raises is its own; half a listing is none
            raise ArchiveError(
                f"{self._source.address_of(folder)}: cannot be listed: {error}; mend that and run it again"
            ) from error
        things = [thing for each in found if (thing := _thing(each, path)) is not None]
        self._modified = {walk.below(folder, thing.name): thing.modified_s for thing in things}
        return things

    def real(self, folder: str) -> str:
        """There are no links."""
        return f"/{folder}"

    def is_label(self, name: str) -> bool:
        try:
            head = self._source.files.cat_file(self._source.path(name), start=0, end=HEAD_BYTES)
        except OSError:
            return False
        return begins_label_image(head)

    def modified_s(self, name: str) -> float | None:
        return self._modified.get(name)


def _thing(found: dict[str, Any], folder: str) -> walk.Thing | None:
    """What fsspec tells of a file or folder; None of the empty object that stands for the folder itself."""
    path = str(found["name"])
    if path.strip("/") == folder.strip("/") or (path.endswith("/") and found["type"] == "file"):
        return None
    kinds = {"file": walk.Kind.FILE, "directory": walk.Kind.FOLDER}
    name = PurePosixPath(path).name
    return walk.Thing(name, kinds.get(found["type"], walk.Kind.OTHER), False, written(found))


def written(found: dict[str, Any]) -> float | None:
    """When a file was, seconds since 1970, by whatever name and in whatever form a file system tells it."""
    told = next((found[key] for key in _WRITTEN if found.get(key)), None)
    if isinstance(told, str):
        try:
            told = datetime.fromisoformat(told)
        except ValueError:
            return None
    if isinstance(told, datetime):
        return (told if told.tzinfo else told.replace(tzinfo=UTC)).timestamp()
    return float(told) if isinstance(told, (int, float)) else None
