"""Files that a power cut cannot tear, that nobody else reads, and that are the folder's owner's."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file so that whoever reads it, even after a power cut, finds all of it or all of the old.

    The content reaches the disk before the name does (fsync(2), rename(2)).

    Raises
    ------
    OSError : the old file stays.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            if mode != 0o600:  # as mkstemp makes it
                os.fchmod(stream.fileno(), mode)
            os.fsync(stream.fileno())
        Path(name).replace(path)
    except OSError:
        with suppress(OSError):
            Path(name).unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def opener(path: str, flags: int) -> int:
    """For `open`: a file that it makes is its owner's alone; one that is there stays as it is."""
    return os.open(path, flags, 0o600)


def make_folder(path: Path) -> None:
    """Make a folder, and those missing on the way to it, for its owner alone (0700); others stay as they are.

    Raises
    ------
    OSError : it cannot be made, or is no folder.
    """
    if not path.is_dir():
        if path.parent != path:
            make_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def as_owner(path: Path) -> Iterator[None]:
    """Let root write below a folder of another user as that user, all threads of the process included.

    Whoever may write in a folder may put a link there, at any moment, that leads root where the user may not
    go. So what lies below the first folder on the way that is not root's is written as its owner, and is his.

    Raises
    ------
    OSError : root may not become that user.
    """
    owner = _owner(path.absolute()) if os.geteuid() == 0 else None
    if owner is None:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    try:
        os.setgroups([owner.st_gid])
        os.setegid(owner.st_gid)
        os.seteuid(owner.st_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _owner(path: Path) -> os.stat_result | None:
    """Of the first folder on the way that is not root's; None where all are, or none is."""
    for place in reversed((path, *path.parents)):
        try:
            found = place.stat()
        except OSError:
            return None
        if found.st_uid != 0:
            # where even / is another's, this root is one of a namespace and has no rights beyond its own
            return None if place == place.parent else found
    return None
