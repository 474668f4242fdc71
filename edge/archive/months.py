"""What the fields and slides of each month were like, gathered a batch of rows at a time.

What is kept is counts alone: of each month, and of each value that a measure had in it, rounded as it is
shown; so a median is exact and memory depends on the months, not on the rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.types.problems import UNREADABLE

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch, Table

UNKNOWN = ""
"""Name of the month of what has no date."""

FIELDS = ("slide", "taken_at", "um_per_px", "um_per_px_from", "problems", "sharpness", "brightness")
SLIDES = ("slide", "cells_counted", "uncertain", "blast_fraction")
"""Columns that are read."""

_DIGITS = {"sharpness": 3, "brightness": 3, "um_per_px": 4, "blasts": 3}
_DATE = r"^[0-9]{4}-(0[1-9]|1[0-2])-[0-9]{2}"


@dataclass(frozen=True)
class Month:
    """A month of the archive.

    Attributes
    ----------
    name : `2025-03`; `UNKNOWN` for what has no date.
    fields, slides : how many; a slide is of the month of its first field.
    rejected : share of its fields that were turned down, 0 to 1.
    sharpness, brightness : medians over its readable fields, 0 to 1.
    um_per_px : median over those whose scale somebody gave or measured, µm.
    cells : leukocytes counted, and those left out as uncertain. uncertain : share of the latter, 0 to 1.
    blasts : median over slides of the share of blasts as counted, 0 to 1: one patient does not move it.

    None where there is nothing to tell it by.
    """

    name: str
    fields: int
    slides: int
    rejected: float | None
    sharpness: float | None
    brightness: float | None
    um_per_px: float | None
    cells: int
    uncertain: float | None
    blasts: float | None


@dataclass
class Months:
    """Gathers months; `fields` before `slides` of the same shard."""

    _counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _values: dict[tuple[str, str], Counter[float]] = field(default_factory=lambda: defaultdict(Counter))
    _of_slides: list[Table] = field(default_factory=list)

    def fields(self, batch: RecordBatch) -> None:
        """Take a batch of fields, with the columns `FIELDS`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        month, problems = _month(batch["taken_at"]), batch["problems"]
        rejected = pc.greater(pc.list_value_length(problems), 0)
        readable = pc.invert(_has(problems, UNREADABLE))
        self._add(pa.table({"month": month, "rejected": pc.cast(rejected, pa.int64())}), "fields")
        for measure in ("sharpness", "brightness"):
            self._spread(measure, month, pc.if_else(readable, batch[measure], None))
        measured = pc.not_equal(batch["um_per_px_from"], "nominal")
        self._spread("um_per_px", month, pc.if_else(pc.and_(measured, readable), batch["um_per_px"], None))
        first = pa.table({"slide": batch["slide"], "month": month}).group_by("slide")
        self._of_slides.append(_renamed(first.aggregate([("month", "min")]), month_min="month"))

    def slides(self, batches: Iterable[RecordBatch]) -> None:
        """Take the slides of the shard whose fields were taken, with the columns `SLIDES`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if not self._of_slides:
            return
        months = pa.concat_tables(self._of_slides).group_by("slide").aggregate([("month", "min")])
        months = _renamed(months, month_min="month").combine_chunks()
        self._of_slides = []
        for batch in batches:
            place = pc.index_in(batch["slide"], months["slide"].combine_chunks())
            month = pc.fill_null(months["month"].combine_chunks().take(place), UNKNOWN)
            counts = {name: pc.fill_null(batch[name], 0) for name in ("cells_counted", "uncertain")}
            self._add(pa.table({"month": month, **counts}), "slides")
            self._spread("blasts", month, batch["blast_fraction"])

    def all(self) -> tuple[Month, ...]:
        """In order; what has no date comes last."""
        return tuple(map(self._one, sorted(self._counts, key=lambda name: (name == UNKNOWN, name))))

    def _one(self, name: str) -> Month:
        counts = self._counts[name]
        cells = counts["cells_counted"] + counts["uncertain"]
        return Month(
            name,
            counts["fields"],
            counts["slides"],
            counts["rejected"] / counts["fields"] if counts["fields"] else None,
            *(_median(self._values[name, measure]) for measure in ("sharpness", "brightness", "um_per_px")),
            cells,
            counts["uncertain"] / cells if cells else None,
            _median(self._values[name, "blasts"]),
        )

    def _add(self, table: Table, rows: str) -> None:
        """Add up columns by month, and rows under this name."""
        names = [name for name in table.column_names if name != "month"]
        sums = table.group_by("month").aggregate([*((name, "sum") for name in names), ([], "count_all")])
        for row in sums.to_pylist():
            counts = self._counts[row["month"]]
            counts[rows] += row["count_all"]
            counts.update({name: row[f"{name}_sum"] or 0 for name in names})

    def _spread(self, measure: str, month: Array[Any], values: Array[Any]) -> None:
        """Count the values of a measure by month."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table = pa.table({"month": month, "value": pc.round(values, _DIGITS[measure])}).drop_null()
        for row in table.group_by(["month", "value"]).aggregate([([], "count_all")]).to_pylist():
            self._values[row["month"], measure][row["value"]] += row["count_all"]


def _month(taken_at: Array[Any]) -> Array[Any]:
    """Of ISO 8601; `UNKNOWN` for what is none."""
    import pyarrow.compute as pc

    dated = pc.match_substring_regex(taken_at, _DATE)
    return pc.if_else(pc.fill_null(dated, False), pc.utf8_slice_codeunits(taken_at, 0, 7), UNKNOWN)


def _has(problems: Array[Any], kind: str) -> Array[Any]:
    """(n,) which rows of lists hold such a problem."""
    import pyarrow as pa
    import pyarrow.compute as pc

    such = pc.starts_with(pc.list_flatten(problems), kind)
    rows = pc.list_parent_indices(problems).filter(such)
    return pc.is_in(pa.array(range(len(problems)), rows.type), value_set=rows)


def _renamed(table: Table, **names: str) -> Table:
    return table.rename_columns([names.get(name, name) for name in table.column_names])


def _median(values: Counter[float]) -> float | None:
    """The lower of the two middle ones where there are two."""
    half = (sum(values.values()) + 1) // 2
    return next((value for value, upto in _running(values) if upto >= half), None) if half else None


def _running(values: Counter[float]) -> Iterator[tuple[float, int]]:
    upto = 0
    for value, times in sorted(values.items()):
        upto += times
        yield value, upto
