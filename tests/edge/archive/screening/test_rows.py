"""Columns are the JSON lines' fields; what varies from run to run stands in `timing` alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from edge.archive.done import Done, Work
from edge.archive.entry import Entry
from edge.archive.screening.fields import Field, SlideCamera
from edge.archive.screening.rows import STAGES, TABLES, Rows, schemas
from edge.records.jsonl import finding_record, reading_record
from edge.types import Apl, Reading
from tests.edge.records.example import CLASSES, FINDING, HEADER, TALLY, reading

STARTED = {"trusted", "caveats"}  # in every JSON line
TAKEN = "2024-03-01T14:05:00+00:00"


def camera(slide: str, frames: int) -> SlideCamera:
    """The camera of a slide, its frames read."""

    def fields(_reduction: Callable[[], int]) -> Iterator[Field]:
        for i in range(frames):
            entry = Entry(slide, i, f"{i}.png", f"/{i}.png", taken_at=TAKEN)
            yield Field(entry, f"{i:064x}", 1, entry.source, np.zeros((4, 4, 3), np.uint8))

    made = SlideCamera(slide, fields)
    made.open()
    while made.read():
        pass
    return made


def collected(readings: list[Reading], node: str = "n", slides: int = 1) -> Rows:
    rows = Rows(CLASSES, node)
    for i in range(slides):
        rows.begin(f"s{i}", camera(f"s{i}", len(readings)))
        rows.start(f"s{i}", replace(HEADER, caveats=("of mice",)), 0.1)
        for each in readings:
            rows.reading(each)
        rows.finding(readings[-1])
    return rows


def table(rows: Rows, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rows.table(name).to_pylist()
    return found


def test_columns_are_the_fields_of_json_lines() -> None:
    names = {name: set(schema.names) for name, schema in schemas(CLASSES).items()}
    line = reading_record(reading(0), CLASSES)
    assert set(line) - {"kind", "t_s", "ms"} <= names["fields"]
    assert {"t_s", "ms", "index", "source", "slide"} <= names["timing"]
    assert set(line["cells"][0]) | {"slide", "source", "index"} == names["cells"]
    assert set(finding_record("s", reading(0))) - {"kind"} <= names["slides"]
    assert not {"t_s", "ms", "node", "at"} & (names["fields"] | names["cells"] | names["slides"])


def test_rows_hold_what_the_lines_hold() -> None:
    apl = replace(FINDING, apl=Apl(-1.5, True, 0.05))
    readings = [reading(0), reading(1, cells=0, problems=("too dark",)), replace(reading(2), finding=apl)]
    rows = collected(readings)
    for row, each in zip(table(rows, "fields"), readings, strict=True):
        line = reading_record(each, CLASSES)
        assert row["cells"] == len(line.pop("cells"))
        assert {name: row[name] for name in line if name not in ("kind", "t_s", "ms")} == {
            name: value for name, value in line.items() if name not in ("kind", "t_s", "ms")
        }
        assert (row["slide"], row["sha256"], row["taken_at"]) == ("s0", f"{row['index']:064x}", TAKEN)
    cells = [cell for each in readings for cell in reading_record(each, CLASSES)["cells"]]
    assert [{name: row[name] for name in cells[0]} for row in table(rows, "cells")] == cells
    (slide,) = table(rows, "slides")
    line = finding_record("s0", readings[-1])
    confirmed = dict.fromkeys(CLASSES, 0)
    assert {name: slide[name] for name in line if name != "kind"} == {
        name: value for name, value in line.items() if name != "kind"
    } | {"confirmed": confirmed}
    assert slide["apl"] == {"score": -1.5, "alert": True}
    assert (slide["fields"], slide["faults"], slide["taken_at"]) == (3, 0, TAKEN)
    assert (slide["bundle"], slide["trusted"], slide["caveats"]) == ("leukocytes 4", True, ["of mice"])
    assert (slide["runtime"], slide["version"], slide["specimen"]) == ("ort-fp32", "1.2.3", "blood")
    (first, *_) = table(rows, "timing")
    assert first["ms"] == dict.fromkeys(STAGES) | {"total": 8.1}
    assert (first["node"], first["t_s"]) == ("n", 0.5)


def test_numbers_are_those_of_the_rows() -> None:
    readings = [
        reading(0), reading(1, cells=0, problems=("cannot be read: x",), fault="x"),
        reading(2, cells=0, problems=("too dark",)), replace(reading(3), repeated=True),
    ]  # fmt: skip
    done = collected(readings, slides=2).done_in(2.5)
    assert done == Done(8, 2, 4, 2, 12, 2, {"refer": 2}, 2.5, {"n": Work(8, 2.5)})
    assert [row["faults"] for row in table(collected(readings, slides=2), "slides")] == [1, 1]


def test_a_slide_of_faults_alone_has_no_scale() -> None:
    (slide,) = table(collected([reading(0, cells=0, problems=("x",), fault="x")]), "slides")
    assert (slide["um_per_px"], slide["um_per_px_from"]) == (None, None)


@pytest.mark.parametrize("frames", [1, 255, 256, 257, 600])
def test_no_row_is_lost_where_many_come(frames: int) -> None:
    rows = collected([reading(i, cells=1) for i in range(frames)])
    for name in TABLES:
        assert rows.table(name).num_rows == (1 if name == "slides" else frames)
    assert rows.table("fields")["index"].to_pylist() == list(range(frames))


def test_names_in_any_script_and_what_is_no_text_are_kept() -> None:
    odd = [replace(reading(0), note="größer \u202e \x00 白血球", tally=replace(TALLY, counts={}))]
    rows = collected(odd)
    assert table(rows, "fields")[0]["note"] == "größer \u202e \x00 白血球"
    assert table(rows, "slides")[0]["counts"] == dict.fromkeys(CLASSES, 0)
    assert isinstance(rows.table("cells"), pa.Table)
