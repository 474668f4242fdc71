"""A screening's readings and findings as rows of Parquet: the columns are the JSON lines' fields.

Rows of `fields`, `cells` and `slides` are the same whenever and wherever a slide is screened; what is not,
the clock and the node, stands in `timing` alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from edge.archive.done import Done, Work
from edge.archive.screening.fields import SlideCamera
from edge.records.jsonl import finding_record, reading_record
from edge.types import Reading, Sink, SlideHeader

TABLES = ("fields", "cells", "slides", "timing")

STAGES = ("field", "scale", "preprocess", "quality", "segment", "classify", "map", "total")
"""Of the line, as `Reading.ms` names them."""

_BATCH = 256  # readings that wait as Python's objects, which are large, to become a batch of Arrow's

_TEXT, _WHOLE, _REAL, _YES = pa.string(), pa.int32(), pa.float64(), pa.bool_()


def schemas(classes: Iterable[str]) -> dict[str, pa.Schema]:
    """The schema of each table, by the bundle's classes."""
    classes = tuple(classes)
    by_class = {kind: pa.struct([(name, kind) for name in classes]) for kind in (_WHOLE, _REAL)}
    interval = pa.list_(_REAL, 2)
    frame = [("slide", _TEXT), ("index", _WHOLE), ("source", _TEXT)]
    return {
        "fields": pa.schema([
            *frame, ("sha256", _TEXT), ("taken_at", _TEXT), ("width", _WHOLE), ("height", _WHOLE),
            ("um_per_px", _REAL), ("um_per_px_from", _TEXT), ("problems", pa.list_(_TEXT)), ("note", _TEXT),
            ("counted", _YES), ("repeated", _YES), ("sharpness", _REAL), ("focus", _REAL),
            ("brightness", _REAL), ("fault", _TEXT), ("cells", _WHOLE),
        ]),
        "cells": pa.schema([
            *frame, ("id", _WHOLE), ("new", _YES), ("counted", _YES), ("box_px", pa.list_(_WHOLE, 4)),
            ("area_um2", _REAL), ("nucleus_area_um2", _REAL), ("cut", _YES), ("class", _TEXT),
            ("probabilities", by_class[_REAL]), ("uncertain", _YES),
        ]),
        "slides": pa.schema([
            ("slide", _TEXT), ("source", _TEXT), ("cells_counted", _WHOLE), ("counts", by_class[_WHOLE]),
            ("uncertain", _WHOLE), ("blast_fraction", _REAL), ("blast_interval", interval),
            ("blast_fraction_corrected", _REAL), ("blast_interval_corrected", interval),
            ("interval_level", _REAL), ("confirmed", by_class[_WHOLE]), ("finding", _TEXT),
            ("headline", _TEXT), ("reason", _TEXT), ("advice", _TEXT), ("cells_needed", _WHOLE),
            ("apl", pa.struct([("score", _REAL), ("alert", _YES)])), ("frames", _WHOLE),
            ("rejected", _WHOLE), ("repeated", _WHOLE), ("fields", _WHOLE), ("faults", _WHOLE),
            ("um_per_px", _REAL), ("um_per_px_from", _TEXT), ("taken_at", _TEXT), ("specimen", _TEXT),
            ("bundle", _TEXT), ("bundle_sha256", _TEXT), ("trusted", _YES), ("caveats", pa.list_(_TEXT)),
            ("runtime", _TEXT), ("version", _TEXT),
        ]),
        "timing": pa.schema([
            *frame, ("node", _TEXT), ("t_s", _REAL), ("ms", pa.struct([(name, _REAL) for name in STAGES])),
            ("at", pa.timestamp("ms", "UTC")),
        ]),
    }  # fmt: skip


class Rows(Sink):
    """Follows the screening of a task's slides, one after another, and collects their rows.

    Parameters
    ----------
    classes : of the bundle. node : where it is screened.

    Attributes
    ----------
    done : the numbers of what came so far, but for time and node.
    """

    def __init__(self, classes: tuple[str, ...], node: str) -> None:
        self._classes, self._node = classes, node
        self._schemas = schemas(classes)
        self._open: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self._packed: dict[str, list[pa.RecordBatch]] = {name: [] for name in TABLES}
        self.done = Done()

    def begin(self, slide: str, camera: SlideCamera) -> None:
        """The next slide, whose frames this camera gives."""
        self._slide, self._camera, self._before = slide, camera, self.done
        self._scale: tuple[float | None, str | None] = None, None

    def start(self, slide: str, header: SlideHeader, um_per_px: float) -> None:
        """What it is read with."""
        self._header = header

    def reading(self, reading: Reading) -> None:
        """A row of `fields` and `timing`, and one of `cells` for each cell."""
        record, known = reading_record(reading, self._classes), self._camera.known[reading.frame.index]
        frame = {"slide": self._slide, "index": record["index"], "source": record["source"]}
        fault, cells = reading.frame.fault, record.pop("cells")
        if fault is None:
            self._scale = record["um_per_px"], record["um_per_px_from"]
        self._open["timing"].append(
            frame
            | {"node": self._node, "t_s": record.pop("t_s"), "ms": record.pop("ms"), "at": datetime.now(UTC)}
        )
        of_file = {"sha256": known.sha256, "taken_at": known.entry.taken_at, "fault": fault}
        self._open["fields"].append(record | frame | of_file | {"cells": len(cells)})
        self._open["cells"] += [frame | cell for cell in cells]
        self.done += Done(
            fields=1, faults=int(fault is not None), rejected=int(bool(reading.problems)),
            repeated=int(reading.repeated), cells=len(cells),
        )  # fmt: skip
        if len(self._open["fields"]) >= _BATCH:
            self._pack()

    def finding(self, last: Reading) -> None:
        """The row of `slides`."""
        header, record = self._header, finding_record(self._slide, last)
        scale, scale_from = self._scale
        self._open["slides"].append(record | {
            "counts": _by_class(record["counts"], self._classes),
            "confirmed": _by_class(record["confirmed"], self._classes),
            "fields": self.done.fields - self._before.fields,
            "faults": self.done.faults - self._before.faults,
            "um_per_px": scale, "um_per_px_from": scale_from,
            "taken_at": self._camera.known[0].entry.taken_at,
            "specimen": header.rules.get("specimen", "blood"),
            "bundle": header.bundle, "bundle_sha256": header.bundle_sha256, "trusted": header.trusted,
            "caveats": list(header.caveats), "runtime": header.runtime, "version": header.version,
        })  # fmt: skip
        self.done += Done(slides=1, findings={last.finding.kind: 1})

    def table(self, name: str) -> pa.Table:
        """One of `TABLES`, as far as it has come."""
        self._pack()
        return pa.Table.from_batches(self._packed[name], self._schemas[name])

    def done_in(self, seconds: float) -> Done:
        """The numbers, where it all took so long."""
        work = Work(self.done.fields, round(seconds, 3))
        return self.done + Done(seconds=work.seconds, by_node={self._node: work})

    def _pack(self) -> None:
        for name, rows in self._open.items():
            if rows:
                self._packed[name].append(pa.RecordBatch.from_pylist(rows, self._schemas[name]))
                rows.clear()


def _by_class(counts: Mapping[str, int], classes: tuple[str, ...]) -> dict[str, int]:
    return {name: counts.get(name, 0) for name in classes}
