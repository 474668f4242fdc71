"""Fragments that tasks leave, and the files of a shard that are made of them: each is there whole or not.

A task's fragments are written first and its JSON last, then the task is done; a shard's files first and its
JSON last, then the shard is. What is cut off in between is done again, and gives the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.parquet as pq

from edge.archive.done import Done, damaged, total
from edge.archive.entry import Task
from edge.archive.place import ArchiveError, Place
from edge.archive.screening import records
from edge.archive.screening.rows import TABLES
from edge.types import LeukoscopeError

_ROW_GROUP = 65_536  # rows: enough for readers to skip by, and few enough to hold in memory
_READERS = 16  # small files of object storage asked for at once
_RECORDS = ".records.db"
_AGAIN = "remove it and run it again: what it stands for is done anew"


def records_of(task: Task) -> str:
    """Where a task's record store is put."""
    return f"work/{task.name}{_RECORDS}"


def write(place: Place, task: Task, tables: Mapping[str, pa.Table], done: Done) -> None:
    """Write a task's fragments, and last what says that they are there.

    Raises
    ------
    ArchiveError : they cannot be written.
    """
    for name, table in tables.items():
        with place.writing(f"work/{task.name}.{name}.parquet") as stream:
            pq.write_table(table, stream, row_group_size=_ROW_GROUP, compression="zstd")
    place.write(f"work/{task.name}.json", done.encoded())


def done_tasks(place: Place, shard: int) -> dict[int, Done]:
    """The tasks of a shard that are done, by their numbers; none once the shard is committed.

    Raises
    ------
    ArchiveError : a file is damaged.
    """
    folder = f"work/{shard:05d}"
    numbers = sorted(int(n[:-5]) for n in place.names(folder) if n.endswith(".json") and n[:-5].isdigit())
    with ThreadPoolExecutor(_READERS) as pool:
        found = pool.map(lambda number: _read(place, f"{folder}/{number:06d}.json"), numbers)
        return {number: done for number, done in zip(numbers, found, strict=True) if done is not None}


def is_done(place: Place, shard: int) -> bool:
    """Whether a shard's files are in their places."""
    return place.has(f"done/{shard:05d}.json")


def done_of(place: Place, shard: int) -> Done | None:
    """The numbers of a shard that is done, None of another.

    Raises
    ------
    ArchiveError : the file is damaged.
    """
    return _read(place, f"done/{shard:05d}.json")


def commit(place: Place, shard: int, tasks: Sequence[Task]) -> Done:
    """Make a shard's files of its tasks' fragments, all of which must be done, and remove these.

    May be cut off anywhere and done again, and by two at once.

    Raises
    ------
    ArchiveError : a task is not done, a fragment is damaged or does not fit the others, or no room.
    """
    try:
        done = done_of(place, shard) or _committed(place, shard, sorted(tasks))
    except LeukoscopeError:
        meanwhile = done_of(place, shard)  # by another, who removed the fragments
        if meanwhile is None:
            raise
        done = meanwhile
    place.remove(f"work/{shard:05d}")
    return done


def _committed(place: Place, shard: int, tasks: Sequence[Task]) -> Done:
    done = done_tasks(place, shard)
    if lacking := [task.number for task in tasks if task.number not in done]:
        raise ArchiveError(
            f"{place.address}: shard {shard}: {len(lacking)} of its {len(tasks)} tasks are not done, "
            f"the first is {lacking[0]}; run it again"
        )
    of_shard = total({task.number: done[task.number] for task in tasks})
    for name in TABLES:
        _join(place, f"{name}/{shard:05d}.parquet", name, tasks, done)
    if any(name.endswith(_RECORDS) for name in place.names(f"work/{shard:05d}")):
        records.merged(place, [records_of(task) for task in tasks], f"records/{shard:05d}.db")
    place.write(f"done/{shard:05d}.json", of_shard.encoded())
    return of_shard


def _join(place: Place, target: str, name: str, tasks: Sequence[Task], done: Mapping[int, Done]) -> None:
    """Put one table's fragments one after another, in row groups of a good size."""
    parts = _parts(place, name, tasks, done)
    first = next(parts)
    with (
        place.writing(target) as stream,
        pq.ParquetWriter(stream, first.schema, compression="zstd") as writer,
    ):
        waiting, rows = [first], first.num_rows
        for part in parts:
            waiting.append(part)
            rows += part.num_rows
            if rows >= _ROW_GROUP:
                writer.write_table(pa.concat_tables(waiting))
                waiting, rows = [], 0
        if waiting:
            writer.write_table(pa.concat_tables(waiting))


def _parts(place: Place, name: str, tasks: Sequence[Task], done: Mapping[int, Done]) -> Iterator[pa.Table]:
    """The row groups of a table's fragments, in order; each fragment must hold what its task says."""
    once, schema = _Once(), None
    for task in tasks:
        fragment, rows = f"work/{task.name}.{name}.parquet", 0
        for part in _row_groups(place, fragment):
            if not part.schema.equals(schema := schema or part.schema):
                raise damaged(place, fragment, "has other columns than those before")
            if name in ("fields", "timing") and (twice := once.again(part)):
                raise damaged(place, fragment, f"has {twice} for the second time")
            rows += part.num_rows
            yield part
        numbers = done[task.number]
        said = {"cells": numbers.cells, "slides": numbers.slides}.get(name, numbers.fields)
        if rows != said:
            raise damaged(place, fragment, f"has {rows} rows, its task says {said}")


def _row_groups(place: Place, fragment: str) -> Iterator[pa.Table]:
    try:
        with place.files.open(place.path(fragment), "rb") as stream, pq.ParquetFile(stream) as found:
            for i in range(max(found.num_row_groups, 1)):
                yield found.read_row_group(i) if found.num_row_groups else found.schema_arrow.empty_table()
    except FileNotFoundError:
        raise damaged(place, fragment, "is gone") from None
    except (OSError, pa.ArrowException) as error:
        raise damaged(place, fragment, f"is damaged ({' '.join(str(error).split())})") from None


class _Once:
    """Sees that no field comes twice: a slide's stand together, and their numbers rise."""

    def __init__(self) -> None:
        self._slides: set[str] = set()
        self._slide: str | None = None
        self._index = -1

    def again(self, part: pa.Table) -> str | None:
        """The first field of these rows that came before; None where all are new."""
        for slide, index in zip(part["slide"].to_pylist(), part["index"].to_pylist(), strict=True):
            if slide != self._slide:
                if slide in self._slides:
                    return f"slide {slide}"
                self._slides.add(slide)
                self._slide, self._index = slide, -1
            if index <= self._index:
                return f"field {index} of slide {slide}"
            self._index = index
        return None


def _read(place: Place, name: str) -> Done | None:
    """The numbers in a file, None where there is none."""
    try:
        return Done.decoded(place.read(name))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ArchiveError(f"{place.address}: {name} is damaged ({error}); {_AGAIN}") from None
