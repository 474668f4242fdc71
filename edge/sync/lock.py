"""One run at a time for a record store."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.files import atomic
from edge.records.database import RecordsError


@contextmanager
def alone(records: Path) -> Iterator[bool]:
    """Hold the sending from these records; gives False where another run does.

    It ends with the process, however that ends (flock(2)).

    Raises
    ------
    RecordsError : nothing can be written beside the records.
    """
    path = records.with_name(f".{records.name}.sync")
    try:
        with atomic.as_owner(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise RecordsError(f"records {records}: cannot be sent from ({path}: {error.strerror})") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
    finally:
        os.close(handle)
