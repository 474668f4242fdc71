"""What the kernel's answers mean to a user, and what to do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence

from edge.cameras.v4l2.nodes import Node

_MENDED_BY = {
    errno.EBUSY: "is used by another program; close it or choose another with --camera",
    errno.ENOSPC: "gets no room on its USB bus; plug it into another port, or other cameras out",
    errno.EACCES: "may not be used without permission; add yourself to its group with "
    "`sudo usermod -aG video $USER` and log in again",
}
_MENDED_BY[errno.EPERM] = _MENDED_BY[errno.EACCES]

_ABSENT = (errno.ENOENT, errno.ENODEV, errno.ENXIO)
_NO_CAMERA = (errno.ENOTTY, errno.EISDIR, errno.ENOTDIR)


def problem(number: int) -> str:
    """What this errno means of a camera that is attached, and what to do, after '/dev/videoN '."""
    return _MENDED_BY.get(number, f"has failed ({os.strerror(number)}); unplug it and plug it in again")


def words(path: str, error: OSError, nodes: Callable[[], Sequence[Node]], known: str | None) -> str:
    """The same of one that should be at `path`; `known` is its name if it was ever seen."""
    number = error.errno or errno.EIO
    if number in _ABSENT and known is None:
        return f"there is no {path}; {listing(nodes())}"
    if number in _ABSENT:
        return f"{path} ({known}) was unplugged; plug it in again"
    if number in _NO_CAMERA:
        return f"{path} is not a camera; {listing(nodes())}"
    return f"{path} {problem(number)}"


def listing(nodes: Sequence[Node]) -> str:
    """What there is instead."""
    if not nodes:
        return "no camera is attached; plug one in, or try --camera demo"
    return "attached: " + ", ".join(f"{node.path} ({node.model})" for node in nodes)
