"""JSON: a slide as `edge-slides show --json -` gives it, with its status and checksum."""

from __future__ import annotations

import json
from collections.abc import Iterator

from edge.records.slidejson import cell_records
from edge.report.formats import Layout
from edge.report.report import RESEARCH_USE, Report


def files(report: Report, layout: Layout) -> Iterator[tuple[str, bytes]]:
    """The slide as `.json`; its fields are in docs/json.md."""
    made = {
        "status": report.status,
        "made_at": report.made_at,
        "origin": report.origin,
        "checksum": report.checksum,
        "fields": report.quality.fields,
        "rejected": report.quality.rejected,
        "repeated": report.quality.repeated,
        "problems": dict(report.quality.problems),
        "note": RESEARCH_USE,
    }
    cells = cell_records(report.views, report.rules.classes, report.said)
    slide = report.record | {"cells": cells, "report": made}
    text = json.dumps(slide, ensure_ascii=False, allow_nan=False, indent=1)
    yield ".json", f"{text}\n".encode()
