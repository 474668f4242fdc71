"""What is to be screened: an input's pictures in shards of tasks, written down once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edge.archive.entry import Aside, Entry, Task
from edge.archive.order import Order
from edge.archive.place import ArchiveError, Place
from edge.archive.planning import listing, manifest, sharding
from edge.archive.planning.sharding import Shard
from edge.archive.planning.spool import entries_in, grouped
from edge.files import strictjson
from edge.files.pictures import readable
from edge.types import FilesRead, LeftOut

FILE = f"{sharding.FOLDER}/plan.json"

_TELL_EACH = 1000

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Plan:
    """All that is to be screened.

    Attributes
    ----------
    shards : in order. left_out : what of the input is not, and why. notes : what is, and looks like a slip.
    """

    shards: tuple[Shard, ...]
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[LeftOut, ...] = ()

    @property
    def fields(self) -> int:
        """Pictures in all."""
        return sum(shard.fields for shard in self.shards)

    @property
    def slides(self) -> int:
        """Slides in all."""
        return sum(shard.slides for shard in self.shards)

    @classmethod
    def read(cls, place: Place) -> Plan | None:
        """The plan of an output; None where there is none, or one that was cut off.

        Raises
        ------
        ArchiveError : it cannot be read.
        """
        try:
            found = strictjson.read(place.read(FILE)).values
            return cls(
                tuple(Shard(**each) for each in found["shards"]),
                tuple(LeftOut(**each) for each in found["left_out"]),
                tuple(LeftOut(**each) for each in found["notes"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ArchiveError(
                f"{place.address}: {FILE} cannot be read ({error}); put it back or give another --out"
            ) from None

    @classmethod
    def of(cls, order: Order, place: Place, tell: Tell = lambda _n: None) -> Plan:
        """The plan that is there, or else one of the order's input.

        Raises
        ------
        ArchiveError : as `read` and `make` do, or the input cannot be listed.
        """
        if (plan := cls.read(place)) is not None:
            return plan
        source, left_out = Place(order.source), Aside()
        if is_manifest := manifest.is_one(source):
            entries = manifest.entries(source, left_out, independent=order.independent)
        else:
            entries = listing.entries(source, left_out, independent=order.independent)
        return cls.make(entries, left_out, place, order, tell, together=not is_manifest)

    @classmethod
    def make(
        cls,
        entries: Iterable[Entry],
        left_out: Aside,
        place: Place,
        order: Order,
        tell: Tell = lambda _n: None,
        *,
        together: bool = False,
    ) -> Plan:
        """Write a plan; what is there of one that was cut off is removed. The same input gives the same.

        Memory is that of the largest slide, and of a few thousand pictures.

        Parameters
        ----------
        entries : pictures; those of a slide are numbered anew, in the order in which they come.
        left_out : counts what their source leaves out while it is asked for them.
        tell : is called now and then with how many there are so far.
        together : those of a slide follow one another; else they are brought together.

        Raises
        ------
        ArchiveError : there are none; or something was screened by a plan that is gone.
        """
        if place.names("done") or place.names("work"):
            raise ArchiveError(
                f"{place.address}: {FILE} is gone, by which a part is screened; put it back or give another "
                "--out"
            )
        place.remove(sharding.FOLDER)
        notes = Aside()
        with TemporaryDirectory(prefix="leukoscope-plan-") as name:
            folder, coming = Path(name), _told(entries, tell)
            if not together:
                coming = grouped(coming, folder)
            shards = tuple(
                sharding.shards(coming, place, folder, order.shard_fields, order.task_fields, notes)
            )
        if not shards:
            raise ArchiveError(_nothing(order.source, left_out))
        plan = cls(shards, left_out.counted, notes.counted)
        totals = {"fields": plan.fields, "slides": plan.slides}
        place.write(FILE, (json.dumps(totals | asdict(plan), indent=1) + "\n").encode())
        return plan


def tasks_of(place: Place, shard: int) -> list[Task]:
    """The tasks of a shard, the largest first.

    Raises
    ------
    ArchiveError : its file in the plan is gone or damaged.
    """
    with _parquet(place, shard) as file:
        sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    return [Task(shard, number, fields) for number, fields in enumerate(sizes)]


def entries_of(place: Place, task: Task) -> list[Entry]:
    """The pictures of a task, slide by slide, in order.

    Raises
    ------
    ArchiveError : its shard's file in the plan is gone or damaged.
    """
    with _parquet(place, task.shard) as file:
        return list(entries_in(file.read_row_group(task.number)))


@contextmanager
def _parquet(place: Place, shard: int) -> Iterator[Any]:
    import pyarrow.parquet as parquet

    name = sharding.file_of(shard)
    try:
        with place.files.open(place.path(name), "rb") as stream:
            yield parquet.ParquetFile(stream)
    except (OSError, ValueError, IndexError) as error:  # Arrow's own errors are among them
        raise ArchiveError(
            f"{place.address}: {name} cannot be read ({error}); put it back or give another --out"
        ) from error


def _told(entries: Iterable[Entry], tell: Tell) -> Iterator[Entry]:
    count = 0
    for count, entry in enumerate(entries, 1):
        yield entry
        if count % _TELL_EACH == 0:
            tell(count)
    tell(count)


def _nothing(source: str, left_out: Aside) -> str:
    reasons = FilesRead(0, left_out.counted).reasons
    found = f"; left out: {reasons}" if reasons else ""
    if left_out.passed_over:
        count = left_out.passed_over
        found += f"; {count} other file{'s' if count > 1 else ''}, such as tables and texts"
    return (
        f"{source}: has no pictures{found}; pictures end in "
        f"{' '.join(readable())}, and a manifest in {' '.join(manifest.SUFFIXES)}"
    )
