"""An archive's output as a run would leave it, with rows that are made up."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from edge.archive.done import Done, Work
from edge.archive.entry import Aside, Entry
from edge.archive.order import Order
from edge.archive.place import Place
from edge.archive.planning.plan import Plan
from edge.archive.screening.rows import schemas
from edge.types import LeftOut

Row = dict[str, Any]

PICTURES = 10  # of a slide
AT: datetime | None = None
"""When fields are screened, None for now."""

ORDER = Order(
    "s3://laboratory/slides",
    "leukocytes 3",
    "ab" * 32,
    "0.1.0",
    trusted=True,
    shard_fields=400,
    task_fields=50,
)
LEFT_OUT = (LeftOut("no picture", 12, "notes.txt"), LeftOut("hidden", 3, ".hidden.png"))
_SCHEMAS = schemas(("blast", "neutrophil"))


def begin(place: Place, slides: int, order: Order = ORDER) -> Plan:
    """An output that was begun, with a plan of so many slides."""
    order.write(place)
    entries = (
        Entry(f"S-{slide:03d}", i, f"S-{slide:03d}/{i}.jpg", f"/in/S-{slide:03d}/{i}.jpg")
        for slide in range(slides)
        for i in range(PICTURES)
    )
    return Plan.make(entries, Aside(LEFT_OUT), place, order, together=True)


def shard(place: Place, number: int, made: Sequence[tuple[list[Row], Row]], node: str = "node-a") -> Done:
    """A shard that is whole, of these slides."""
    done = _write(place, lambda table: f"{table}/{number:05d}.parquet", made, node)
    place.write(f"done/{number:05d}.json", done.encoded())
    return done


def task(
    place: Place, shard: int, number: int, made: Sequence[tuple[list[Row], Row]], node: str = "node-a"
) -> Done:
    """A task that is done, of a shard that is not whole."""
    name = f"work/{shard:05d}/{number:06d}"
    done = _write(place, lambda table: f"{name}.{table}.parquet", made, node)
    place.write(f"{name}.json", done.encoded())
    return done


def slide(
    chance: random.Random,
    name: str,
    taken_at: str | None = "2025-03-01T09:00:00+00:00",
    *,
    sharpness: float = 0.62,
    um_per_px: float = 0.102,
    uncertain: float = 0.05,
    blasts: float | None = None,
    fault: str | None = None,
    fields: dict[str, Any] | None = None,
    own: dict[str, Any] | None = None,
) -> tuple[list[Row], Row]:
    """The rows of a slide's fields, and its own; `fields` and `own` stand above all else."""
    rows = [
        _field(chance, name, i, taken_at, sharpness, um_per_px, fault if i == 0 else None) | (fields or {})
        for i in range(PICTURES)
    ]
    share = round(abs(chance.gauss(0.006, 0.003)), 4) if blasts is None else blasts
    cells = chance.randint(150, 400)
    finding = "refer" if share > 0.3 else "read-film" if share > 0.2 else "no-blasts-seen"
    corrected = round(max(share * 1.1 - 0.006, 0), 4)
    return rows, {
        "slide": name, "source": rows[-1]["source"], "cells_counted": cells,
        "uncertain": round(cells * uncertain), "blast_fraction": share,
        "blast_fraction_corrected": corrected,
        "blast_interval_corrected": [round(corrected * 0.8, 4), round(min(corrected * 1.2, 1), 4)],
        "finding": finding if cells > 200 or share > 0.2 else "keep-scanning", "frames": PICTURES,
        "rejected": sum(bool(row["problems"]) for row in rows), "taken_at": taken_at,
    } | (own or {})  # fmt: skip


def months(first: str, count: int) -> Iterator[str]:
    """`2025-11`, `2025-12`, `2026-01`, …"""
    year, month = map(int, first.split("-"))
    for i in range(year * 12 + month - 1, year * 12 + month - 1 + count):
        yield f"{i // 12}-{i % 12 + 1:02d}"


def drifting(place: Place, slides: int = 20) -> None:
    """Two years, two months a shard: the last eight get blurred, and one has another scale."""
    chance = random.Random(1)
    begin(place, 24 * slides, ORDER)
    names = list(months("2024-01", 24))
    for number in range(12):
        made = []
        for month in (2 * number, 2 * number + 1):
            late = max(month - 15, 0)
            made += [
                slide(
                    chance, f"S-{month:02d}-{i:03d}", f"{names[month]}-{i % 28 + 1:02d}T09:00:00+00:00",
                    sharpness=0.62 - 0.012 * late, uncertain=0.05 + 0.01 * late,
                    um_per_px=0.125 if month == 9 else 0.102,
                    blasts=chance.uniform(0.2, 0.9) if chance.random() < 0.03 else None,
                    fault="the file is damaged" if chance.random() < 0.03 else None,
                )
                for i in range(slides)
            ]  # fmt: skip
        shard(place, number, made, "node-a" if number % 3 else "node-b")


def _field(
    chance: random.Random, name: str, i: int, taken_at: str | None, sharpness: float, um_per_px: float,
    fault: str | None,
) -> Row:  # fmt: skip
    sharp = round(min(max(chance.gauss(sharpness, 0.08), 0), 1), 3)
    problems = ["out of focus"] if sharp < 0.45 else []
    row = {
        "slide": name, "index": i, "source": f"{name}/{i}.jpg", "taken_at": taken_at,
        "um_per_px": round(chance.gauss(um_per_px, 0.0008), 5), "um_per_px_from": "red-cells",
        "problems": problems, "repeated": not problems and chance.random() < 0.04, "sharpness": sharp,
        "brightness": round(chance.gauss(0.71, 0.03), 3), "fault": None,
    }  # fmt: skip
    if fault is None:
        return row
    unread = {"um_per_px": 1.0, "um_per_px_from": "nominal", "sharpness": 0.0, "brightness": 0.0}
    return row | unread | {"problems": [f"unreadable: {fault}"], "repeated": False, "fault": fault}


def _write(place: Place, name: Any, made: Sequence[tuple[list[Row], Row]], node: str) -> Done:
    fields, slides = [row for rows, _ in made for row in rows], [own for _, own in made]
    timing = [
        {"slide": row["slide"], "index": row["index"], "node": node, "at": AT or datetime.now(UTC)}
        for row in fields
    ]
    for table, rows in (("fields", fields), ("slides", slides), ("timing", timing)):
        with place.writing(name(table)) as stream:
            pq.write_table(pa.Table.from_pylist(rows, _SCHEMAS[table]), stream)
    seconds = len(fields) * 0.4
    return Done(
        fields=len(fields),
        faults=sum(row["fault"] is not None for row in fields),
        rejected=sum(bool(row["problems"]) for row in fields),
        repeated=sum(row["repeated"] for row in fields),
        cells=sum(row["cells_counted"] for row in slides),
        slides=len(slides),
        findings=dict(Counter(row["finding"] for row in slides)),
        seconds=seconds,
        by_node={node: Work(len(fields), seconds)},
    )
