"""An archive's output as a run would leave it, with rows that are made up: 24 months, with a drift in them."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from edge.archive.done import Done, Work
from edge.archive.order import Order
from edge.archive.place import Place
from edge.types import LeftOut

ORDER = Order("s3://laboratory/slides", "leukocytes 3", "ab" * 32, "0.1.0")
LEFT_OUT = (LeftOut("not a picture", 12, "notes.txt"), LeftOut("its name begins with a dot", 3, ".hidden.png"))
_FIELDS = pa.schema([
    ("slide", pa.string()), ("index", pa.int32()), ("source", pa.string()), ("taken_at", pa.string()),
    ("um_per_px", pa.float64()), ("um_per_px_from", pa.string()), ("problems", pa.list_(pa.string())),
    ("repeated", pa.bool_()), ("sharpness", pa.float64()), ("brightness", pa.float64()),
    ("fault", pa.string()),
])  # fmt: skip
_SLIDES = pa.schema([
    ("slide", pa.string()), ("finding", pa.string()), ("cells_counted", pa.int32()),
    ("uncertain", pa.int32()), ("blast_fraction", pa.float64()), ("blast_fraction_corrected", pa.float64()),
    ("blast_interval_corrected", pa.list_(pa.float64(), 2)), ("frames", pa.int32()), ("rejected", pa.int32()),
    ("taken_at", pa.string()), ("trusted", pa.bool_()), ("caveats", pa.list_(pa.string())),
])  # fmt: skip


def begin(place: Place, shards: list[int], order: Order = ORDER) -> None:
    """An output that was begun, and its plan: fields of each shard, in slides of ten."""
    order.write(place)
    plan = {
        "shards": [{"number": i, "fields": n, "slides": n // 10, "tasks": -(-n // 200)} for i, n in enumerate(shards)],
        "left_out": [vars(one) for one in LEFT_OUT], "notes": [],
        "fields": sum(shards), "slides": sum(shards) // 10,
    }  # fmt: skip
    place.write("plan/plan.json", json.dumps(plan).encode())


def shard(place: Place, number: int, fields: list[dict[str, Any]], slides: list[dict[str, Any]], node: str) -> Done:
    """A shard that is whole, of these rows."""
    for name, rows, schema in (("fields", fields, _FIELDS), ("slides", slides, _SLIDES)):
        write(place, f"{name}/{number:05d}.parquet", rows, schema)
    done = counted(fields, slides, node)
    place.write(f"done/{number:05d}.json", done.encoded())
    return done


def task(place: Place, shard: int, number: int, fields: list[dict[str, Any]], slides: list[dict[str, Any]]) -> Done:
    """A task that is done, of a shard that is not."""
    write(place, f"work/{shard:05d}/{number:06d}.fields.parquet", fields, _FIELDS)
    done = counted(fields, slides, "node-a")
    place.write(f"work/{shard:05d}/{number:06d}.json", done.encoded())
    return done


def write(place: Place, name: str, rows: list[dict[str, Any]], schema: pa.Schema) -> None:
    with place.writing(name) as stream:
        pq.write_table(pa.Table.from_pylist(rows, schema), stream)


def counted(fields: list[dict[str, Any]], slides: list[dict[str, Any]], node: str) -> Done:
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


def rows(chance: random.Random, name: str, taken_at: str | None, **changed: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A slide of ten fields, and its own row; `changed` are values of all its fields."""
    fields = list(_fields(chance, name, taken_at, changed))
    blasts = chance.random() < 0.03
    share = round(chance.uniform(0.2, 0.9) if blasts else abs(chance.gauss(0.006, 0.003)), 4)
    cells = chance.randint(150, 400)
    finding = "refer" if share > 0.3 else "read-film" if share > 0.2 else "no-blasts-seen" if cells > 200 else "keep-scanning"
    corrected = round(max(share * 1.1 - 0.006, 0), 4)
    return fields, {
        "slide": name, "finding": finding, "cells_counted": cells,
        "uncertain": round(cells * changed.get("uncertain", 0.05)), "blast_fraction": share,
        "blast_fraction_corrected": corrected,
        "blast_interval_corrected": [round(corrected * 0.8, 4), round(min(corrected * 1.2, 1), 4)],
        "frames": 10, "rejected": sum(bool(row["problems"]) for row in fields), "taken_at": taken_at,
        "trusted": True, "caveats": [],
    }  # fmt: skip


def _fields(chance: random.Random, name: str, taken_at: str | None, changed: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for i in range(10):
        sharp = min(max(chance.gauss(changed.get("sharpness", 0.62), 0.08), 0), 1)
        fault = "the file is damaged" if chance.random() < 0.003 else None
        problems = [f"unreadable: {fault}"] if fault else ["out of focus"] if sharp < 0.45 else []
        yield {
            "slide": name, "index": i, "source": f"{name}/{i:03d}.jpg", "taken_at": taken_at,
            "um_per_px": round(chance.gauss(changed.get("um_per_px", 0.102), 0.0008), 5),
            "um_per_px_from": "nominal" if fault else "red-cells", "problems": problems,
            "repeated": not problems and chance.random() < 0.04, "sharpness": 0.0 if fault else round(sharp, 3),
            "brightness": 0.0 if fault else round(min(max(chance.gauss(0.71, 0.03), 0), 1), 3), "fault": fault,
        }  # fmt: skip


def archive(place: Place, months: int = 24, slides: int = 20) -> None:
    """A whole one, two months a shard: it gets blurred at the end, and one month has a wrong scale."""
    chance = random.Random(1)
    per = 2 * slides * 10
    begin(place, [per] * (months // 2))
    for number in range(months // 2):
        fields, own = [], []
        for month in (2 * number, 2 * number + 1):
            changed: dict[str, Any] = {"sharpness": 0.62 - (0.012 * (month - 14) if month > 14 else 0)}
            changed |= {"um_per_px": 0.125} if month == 9 else {}
            changed |= {"uncertain": 0.05 + (0.01 * (month - 14) if month > 14 else 0)}
            for i in range(slides):
                date = f"{2024 + month // 12}-{month % 12 + 1:02d}-{i % 28 + 1:02d}T09:00:00+00:00"
                some, one = rows(chance, f"S-{month:02d}-{i:03d}", date, **changed)
                fields += some
                own.append(one)
        shard(place, number, fields, own, "node-a" if number % 3 else "node-b")
