"""Reads what an archive's output says, rows by the batch: memory stays flat, however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from edge.archive.place import ArchiveError, Place

if TYPE_CHECKING:
    from pyarrow import RecordBatch

ROWS = 65_536
"""Of a batch, at the most."""


@dataclass(frozen=True)
class BadFile:
    """A picture that could not be read: its name inside the input, its slide, and why."""

    source: str
    slide: str
    reason: str


def batches(place: Place, name: str, columns: Sequence[str]) -> Iterator[RecordBatch]:
    """These columns of a file of the output.

    Raises
    ------
    FileNotFoundError : there is no such file (any more).
    ArchiveError : it is damaged, or lacks a column.
    """
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    with place.files.open(place.path(name), "rb") as stream:
        try:
            table = ParquetFile(stream)
            if missing := set(columns) - set(table.schema_arrow.names):
                raise ArrowInvalid(f"it has no column {', '.join(sorted(missing))}")
            yield from table.iter_batches(ROWS, columns=list(columns))
        except (ArrowInvalid, OSError) as error:
            reason = str(error).splitlines()[0]
            raise ArchiveError(f"{place.address}: {name} is damaged ({reason}); {_again(name)}") from error


def rows(place: Place, name: str, columns: Sequence[str]) -> Iterator[RecordBatch]:
    """As `batches`, of a file that has to be there.

    Raises
    ------
    ArchiveError : it is not, is damaged, or lacks a column.
    """
    try:
        yield from batches(place, name, columns)
    except FileNotFoundError:
        raise ArchiveError(f"{place.address}: {name} is gone; {_again(name)}") from None


def _again(name: str) -> str:
    """What to do: without its JSON a shard or task is not done."""
    folder, _, rest = name.partition("/")
    done = f"{'work' if folder == 'work' else 'done'}/{rest.split('.')[0]}.json"
    return f"remove {done} and run it again: what it stands for is screened anew"


def bad_files(place: Place, names: Iterable[str], most: int) -> tuple[BadFile, ...]:
    """The first pictures that could not be read, of these tables of fields; those that are gone are none."""
    return tuple(islice((bad for name in names for bad in _bad_files(place, name)), most))


def _bad_files(place: Place, name: str) -> Iterator[BadFile]:
    try:
        for batch in batches(place, name, ("source", "slide", "fault")):
            for row in batch.filter(batch["fault"].is_valid()).to_pylist():
                yield BadFile(row["source"], row["slide"], row["fault"])
    except FileNotFoundError:  # its shard was put together meanwhile
        return
