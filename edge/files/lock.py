"""A lock on a file that is let go of whatever becomes of who holds it (flock(2))."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.files import atomic


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold the lock of this file, which is made where it is not there; gives False where another holds it.

    A disk of the network that knows no locks has nobody who holds one.

    Raises
    ------
    OSError : the file cannot be made or opened.
    """
    with atomic.as_owner(path):
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:
            pass
        yield True
    finally:
        os.close(handle)
