"""Gathers what the summary of an archive tells, in one pass over the tables of its whole shards."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edge.archive.done import Done, total
from edge.archive.overview.months import FIELDS, SLIDES, SOMEBODY, Month, Months
from edge.archive.overview.scan import BadFile, bad_files, rows
from edge.archive.overview.status import Status, of
from edge.archive.place import Place
from edge.archive.screening.shards import done_of
from edge.types.problems import kind_of

if TYPE_CHECKING:
    from pyarrow import RecordBatch, Table

MOST_SLIDES, MOST_BAD = 200, 50
"""Slides that need somebody, and bad files, that are named; the rest are counted."""

SHOWN = (
    "slide", "finding", "blast_fraction_corrected", "blast_interval_corrected", "cells_counted",
    "blast_fraction", "frames", "rejected",
)  # fmt: skip
"""Columns of those slides."""

_ORDER = [("blast_fraction_corrected", "descending"), ("finding", "descending"), ("slide", "ascending")]


@dataclass(frozen=True)
class Gathered:
    """What an archive's output comes to.

    Attributes
    ----------
    status : how far it is.
    done : numbers of the shards that are whole, which all else here is of.
    slides : those that need somebody: rows with the columns `SHOWN`, the largest corrected fraction first.
    reasons : why fields were turned down -> how many; one may have several.
    bad : the first files that could not be read.
    months : what fields and slides were like, by month.
    """

    status: Status
    done: Done
    slides: tuple[dict[str, Any], ...]
    reasons: Counter[str]
    bad: tuple[BadFile, ...]
    months: tuple[Month, ...]


def gather(place: Place) -> Gathered:
    """Read all whole shards, one after the other.

    Raises
    ------
    ArchiveError : this is no archive's output, or a table of it cannot be read.
    """
    status = of(place)
    shards = sorted(name.removesuffix(".json") for name in place.names("done") if name.endswith(".json"))
    done = total({shard: done for shard in shards if (done := done_of(place, int(shard))) is not None})
    months, reasons, chosen = Months(), Counter[str](), _Chosen()
    for shard in shards:
        for batch in rows(place, f"fields/{shard}.parquet", FIELDS):
            months.fields(batch)
            reasons.update(_reasons(batch))
        columns = tuple(dict.fromkeys([*SLIDES, *SHOWN]))
        for batch in rows(place, f"slides/{shard}.parquet", columns):
            months.slides(batch)
            chosen.take(batch)
    bad = bad_files(place, (f"fields/{shard}.parquet" for shard in shards), MOST_BAD)
    return Gathered(status, done, chosen.rows(), reasons, bad, months.all())


def _reasons(batch: RecordBatch) -> dict[str, int]:
    import pyarrow.compute as pc

    counts = pc.value_counts(pc.list_flatten(batch["problems"]))
    kinds = Counter[str]()
    for one in counts.to_pylist():
        kinds[kind_of(one["values"])] += one["counts"]
    return kinds


class _Chosen:
    """Keeps, of the slides that pass, those to be shown."""

    def __init__(self) -> None:
        self._table: Table | None = None

    def rows(self) -> tuple[dict[str, Any], ...]:
        """In order."""
        return () if self._table is None else tuple(self._table.to_pylist())

    def take(self, batch: RecordBatch) -> None:
        """Look at a batch of slides."""
        import pyarrow as pa
        import pyarrow.compute as pc

        asked = pc.is_in(batch["finding"], value_set=pa.array(SOMEBODY))
        found = pa.table(batch.filter(asked).select(list(SHOWN)))
        tables = [found] if self._table is None else [self._table, found]
        self._table = pa.concat_tables(tables).sort_by(_ORDER).slice(0, MOST_SLIDES).combine_chunks()
