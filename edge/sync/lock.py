"""One run at a time for a record store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from edge.files.lock import held
from edge.records.database import RecordsError


@contextmanager
def alone(records: Path) -> Iterator[bool]:
    """Hold the sending from these records; gives False where another run does.

    Raises
    ------
    RecordsError : nothing can be written beside the records.
    """
    path = records.with_name(f".{records.name}.sync")
    with ExitStack() as stack:
        try:
            mine = stack.enter_context(held(path))
        except OSError as error:
            raise RecordsError(
                f"records {records}: cannot be sent from ({path}: {error.strerror})"
            ) from error
        yield mine
