"""CSV: a slide's cells, one a row, and slides, one a row. RFC 4180, UTF-8."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from edge.report.formats import Layout
from edge.report.report import Report, Reported

SLIDES = "slides.csv"
"""Name of the table of all slides that are exported together."""

_CELL = (
    "slide", "cell", "class", "machine", "people", "words", "suspicion", "counted", "uncertain", "cut",
    "area_um2", "nucleus_area_um2", "source", "frame", "um_per_px", "x0", "y0", "x1", "y1", "map_x_um",
    "map_y_um",
)  # fmt: skip
_SLIDE = (
    "slide", "patient", "age", "sex", "state", "started_at", "finished_at", "clock", "finding", "headline",
    "reason", "advice", "machine_finding", "cells_counted", "blast_fraction", "blast_interval",
    "blast_fraction_corrected", "blast_interval_corrected", "blast_interval_at_end", "interval_level",
    "readers", "signed_by", "signed_at", "device", "camera", "runtime", "version",
)  # fmt: skip
_FORMULA = tuple("=+-@\t\r＝＋－＠")
"""What a spreadsheet takes for the beginning of something to compute, in wide letters too."""


def files(report: Report, layout: Layout) -> Iterator[tuple[str, bytes]]:
    """The slide's cells as `.csv`: one a row, the suspicious first, a column of probability a class."""
    classes = report.rules.classes
    rows = (_cell(report, cell) for cell in report.cells)
    yield ".csv", table([*_CELL, *(f"p_{name}" for name in classes)], rows)


def slide_row(report: Report) -> dict[str, Any]:
    """A slide's row in the table of slides, by column; counts, one a class of its bundle, come last."""
    record = report.record
    return {
        **{name: _joined(record[name]) for name in _SLIDE},
        "status": report.status,
        "fields": report.quality.fields,
        "rejected": report.quality.rejected,
        "bundle": report.made_with["bundle"],
        "trusted": int(report.made_with["trusted"]),
        "caveats": "; ".join(report.made_with["caveats"]) or None,
        "checksum": report.checksum,
        **{f"n_{name}": n for name, n in record["counts"].items()},
    }


def slides_table(slides: Sequence[Mapping[str, Any]]) -> bytes:
    """The table of these rows; a class that a slide's bundle does not have is empty there."""
    header = list(dict.fromkeys(name for slide in slides for name in slide))
    return table(header, ([slide.get(name) for name in header] for slide in slides))


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows under their header; what a spreadsheet would compute gets an apostrophe in front."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(header)
    writer.writerows([_harmless(value) for value in row] for row in rows)
    return out.getvalue().encode()


def _cell(report: Report, cell: Reported) -> list[Any]:
    seen = cell.seen
    words = {word.by: word.named for word in cell.words}
    x, y = (None, None) if cell.place_um is None else (round(part, 1) for part in cell.place_um)
    return [
        report.slide, seen.id, cell.named, seen.named, cell.people,
        json.dumps(words, ensure_ascii=False) if words else None,
        round(seen.suspicion, 4), int(seen.counted), int(seen.uncertain), int(seen.cut),
        round(seen.area_um2, 1), round(seen.nucleus_area_um2, 1), seen.source, seen.frame,
        round(seen.um_per_px, 5), *seen.box_px, x, y, *(round(p, 4) for p in seen.probabilities.tolist()),
    ]  # fmt: skip


def _joined(value: Any) -> Any:
    """Intervals as `0.1 to 0.2`, lists of initials with spaces between."""
    if not isinstance(value, list):
        return value
    return (
        " to ".join(map(str, value)) if value and isinstance(value[0], float) else " ".join(map(str, value))
    )


def _harmless(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(_FORMULA):
        return value
    try:
        float(value)
    except ValueError:
        return f"'{value}"
    return value
