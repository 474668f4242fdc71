"""What the fields and slides of each month were like, gathered a batch of rows at a time.

What is kept is counts alone: of each month, and of each value that a measure had in it, rounded; so a median
is as exact as that, and memory depends on the months, not on the rows.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch, Table

SOMEBODY = ("refer", "read-film")
"""Findings with which somebody has to look at the slide."""

I64 = NDArray[np.int64]

UNKNOWN = ""
"""Name of the month of what has no date."""

FIELDS = ("taken_at", "um_per_px", "um_per_px_from", "problems", "sharpness", "brightness", "fault")
SLIDES = ("taken_at", "cells_counted", "uncertain", "blast_fraction", "finding")
"""Columns that are read."""

_BINS = {"sharpness": (1e-3, 1.0), "brightness": (1e-3, 1.0), "um_per_px": (1e-4, 2.0), "blasts": (1e-3, 1.0)}
"""Measure -> what its values are rounded to, and the largest that is told from larger ones."""

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
    asking : share of its slides that need somebody, by their finding, 0 to 1.

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
    asking: float | None


@dataclass
class Months:
    """Gathers months."""

    _counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    _values: dict[tuple[str, str], I64] = field(default_factory=dict)

    def fields(self, batch: RecordBatch) -> None:
        """Take a batch of fields, with the columns `FIELDS`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        month, readable = _month(batch["taken_at"]), batch["fault"].is_null()
        rejected = pc.cast(pc.greater(pc.list_value_length(batch["problems"]), 0), pa.int64())
        self._add(pa.table({"month": month, "rejected": rejected}), "fields")
        for measure in ("sharpness", "brightness"):
            self._spread(measure, month, pc.if_else(readable, batch[measure], None))
        measured = pc.and_(readable, pc.not_equal(batch["um_per_px_from"], "nominal"))
        self._spread("um_per_px", month, pc.if_else(measured, batch["um_per_px"], None))

    def slides(self, batch: RecordBatch) -> None:
        """Take a batch of slides, with the columns `SLIDES`."""
        import pyarrow as pa
        import pyarrow.compute as pc

        month = _month(batch["taken_at"])
        counts = {name: pc.cast(batch[name], pa.int64()) for name in ("cells_counted", "uncertain")}
        asking = pc.is_in(batch["finding"], value_set=pa.array(SOMEBODY))
        self._add(pa.table({"month": month, "asking": pc.cast(asking, pa.int64()), **counts}), "slides")
        self._spread("blasts", month, batch["blast_fraction"])

    def all(self) -> tuple[Month, ...]:
        """In order; what has no date comes last."""
        return tuple(map(self._one, sorted(self._counts, key=lambda name: (name == UNKNOWN, name))))

    def _one(self, name: str) -> Month:
        counts = self._counts[name]
        cells = counts["cells_counted"] + counts["uncertain"]
        return Month(
            name=name,
            fields=counts["fields"],
            slides=counts["slides"],
            rejected=counts["rejected"] / counts["fields"] if counts["fields"] else None,
            sharpness=self._median(name, "sharpness"),
            brightness=self._median(name, "brightness"),
            um_per_px=self._median(name, "um_per_px"),
            cells=cells,
            uncertain=counts["uncertain"] / cells if cells else None,
            blasts=self._median(name, "blasts"),
            asking=counts["asking"] / counts["slides"] if counts["slides"] else None,
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
        """Count the values of a measure by month; null is none."""
        step, largest = _BINS[measure]
        bins = round(largest / step) + 1
        coded = month.dictionary_encode()
        found = values.to_numpy(zero_copy_only=False)
        known = np.isfinite(found)
        rows = coded.indices.to_numpy()[known].astype(np.int64)
        places = np.clip(np.rint(found[known] / step), 0, bins - 1).astype(np.int64)
        counts = np.bincount(rows * bins + places, minlength=len(coded.dictionary) * bins)
        for name, row in zip(coded.dictionary.to_pylist(), counts.reshape(-1, bins), strict=True):
            before = self._values.get((name, measure))
            self._values[name, measure] = row.astype(np.int64) if before is None else before + row

    def _median(self, name: str, measure: str) -> float | None:
        """The lower of the two middle values where there are two."""
        counts = self._values.get((name, measure))
        if counts is None or not (n := int(counts.sum())):
            return None
        step, _ = _BINS[measure]
        return round(int(np.searchsorted(np.cumsum(counts), (n + 1) // 2)) * step, 4)


def _month(taken_at: Array[Any]) -> Array[Any]:
    """Of ISO 8601; `UNKNOWN` for what is none."""
    import pyarrow.compute as pc

    dated = pc.match_substring_regex(taken_at, _DATE)
    return pc.if_else(pc.fill_null(dated, False), pc.utf8_slice_codeunits(taken_at, 0, 7), UNKNOWN)
