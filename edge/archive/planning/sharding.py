"""Slides put together into tasks, and tasks into shards, as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from edge.archive.entry import Aside, Entry
from edge.archive.place import Place
from edge.archive.planning.spool import SCHEMA, Spool

FOLDER = "plan"
TWICE = "pictures that stand in a slide twice: they are read twice"


@dataclass(frozen=True)
class Shard:
    """A part of a plan, whose output is one file of each kind.

    Attributes
    ----------
    number : from 0. fields : pictures in it. slides, tasks : how many.
    """

    number: int
    fields: int
    slides: int
    tasks: int

    @property
    def file(self) -> str:
        """Its name in the output."""
        return file_of(self.number)


def file_of(shard: int) -> str:
    """The name of a shard's plan in the output."""
    return f"{FOLDER}/{shard:05d}.parquet"


def shards(
    entries: Iterable[Entry], place: Place, folder: Path, shard_fields: int, task_fields: int, notes: Aside
) -> Iterator[Shard]:
    """Write pictures, those of a slide following one another, as shards of about so many, and tell each.

    A slide is never parted: one that is larger than a task or a shard is one by itself.

    Parameters
    ----------
    place : of the output. folder : where a shard waits until it is whole. notes : is told what seems odd.
    """
    coming = _slides(entries, notes)
    first = next(coming, None)
    number = 0
    while first is not None:
        with Spool(folder / "shard.arrow") as spool:
            shard = _Filling(number, task_fields, spool)
            while first is not None and shard.takes(first, shard_fields):
                shard.add(first)
                first = next(coming, None)
            yield shard.written(place)
        number += 1


def _slides(entries: Iterable[Entry], notes: Aside) -> Iterator[list[Entry]]:
    """Each slide's pictures, numbered in the order in which they come."""
    for _, found in groupby(entries, attrgetter("slide")):
        slide = [
            entry if entry.place == place else replace(entry, place=place)
            for place, entry in enumerate(found)
        ]
        if len(slide) > 1 and len({entry.path for entry in slide}) < len(slide):
            _tell_twice(slide, notes)
        yield slide


def _tell_twice(slide: Sequence[Entry], notes: Aside) -> None:
    seen = set[str]()
    for entry in slide:
        if entry.path in seen:
            notes.add(TWICE, f"{entry.source} of slide {entry.slide}")
        seen.add(entry.path)


class _Filling:
    """A shard that tasks are put into."""

    def __init__(self, number: int, task_fields: int, spool: Spool) -> None:
        self._number, self._task_fields, self._spool = number, task_fields, spool
        self._fields = self._slides = 0
        self._tasks: list[int] = []  # pictures of each
        self._small: list[Entry] = []  # slides of the task that is being filled

    def takes(self, slide: Sequence[Entry], most: int) -> bool:
        """Whether there is room for it; there is for the first."""
        return not self._fields or self._fields + len(slide) <= most

    def add(self, slide: list[Entry]) -> None:
        """Put it into a task: with other small ones, or alone."""
        self._fields += len(slide)
        self._slides += 1
        if len(slide) >= self._task_fields:
            self._close(slide)
            return
        if len(self._small) + len(slide) > self._task_fields:
            self._close(self._small)
            self._small = []
        self._small += slide

    def written(self, place: Place) -> Shard:
        """Write it, the largest tasks first: one that is begun last would be waited for by all others."""
        import pyarrow.parquet as parquet

        if self._small:
            self._close(self._small)
        order = sorted(range(len(self._tasks)), key=lambda task: -self._tasks[task])
        shard = Shard(self._number, self._fields, self._slides, len(order))
        with (
            place.writing(shard.file) as stream,
            parquet.ParquetWriter(stream, SCHEMA, compression="zstd", write_statistics=False) as writer,
        ):
            for batch in self._spool.groups(order):
                writer.write_batch(batch, row_group_size=batch.num_rows)
        return shard

    def _close(self, task: Sequence[Entry]) -> None:
        self._spool.add(task)
        self._tasks.append(len(task))
