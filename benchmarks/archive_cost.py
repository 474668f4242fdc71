"""What an archive costs: cores, hours and storage for so many fields, reckoned from what was measured.

Nothing is measured here but the output of `edge-archive run`: its workers' seconds and the size of its
tables. How well many workers fare is simulated: whoever is free gets the next task, each costs the driver a
moment, tasks are uneven, and each pass begins workers anew. What else is assumed stands in the table's notes.

    python benchmarks/archive_cost.py OUT --picture-bytes 400000 --json cost.json     of a finished output
    python benchmarks/archive_cost.py cost.json                                       again, of these figures

prints a Markdown table. The JSON:

    {"fields_s_core": 2.1,          fields a second that a core screens, reading them included
     "efficiency": 0.95,            of two workers beside one on a machine; benchmarks/archive.py measures it
     "task_ms": 12, "start_s": 6,   what Ray's driver takes of a task, and workers until their first one
     "bytes_a_field": {"fields": 90, "cells": 600, "slides": 8, "timing": 40},     of each table
     "picture_bytes": 400000,       of a picture as it is read
     "measured_on": "…"}            machine, and what was screened
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from math import ceil
from pathlib import Path

from edge.archive.done import total
from edge.archive.overview import parts
from edge.archive.overview.status import duration
from edge.archive.place import Place
from edge.archive.run import PASS_TASKS, PASS_TASKS_A_WORKER
from edge.files import strictjson

TABLES = ("fields", "cells", "slides", "timing", "records")
CORES = (8, 64, 1000)
TASK_FIELDS = {8: 200, 64: 200, 1000: 2000}
"""Cores -> `--task-fields`: with many, the driver is what they wait for where tasks are short."""
SIZES = (10**5, 10**7, 10**9)

SLIDES_A_YEAR, FIELDS_A_SLIDE = 1_000_000, 150
"""Assumed of a national programme: films that are examined for abnormal leukocytes in a country of some
tens of millions, and fields under a 100x objective until 200 leukocytes are counted on most of them."""

_UNEVEN = 0.3  # of a task's usual time, its standard deviation: fields and cells differ
_BUSY = 0.7  # of the year in which a programme's cores screen: films come by day, machines are serviced
_YEAR_S = 365.25 * 86_400
_UNITS = (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


@dataclass(frozen=True)
class Figures:
    """What was measured; see above."""

    fields_s_core: float
    efficiency: float
    task_ms: float
    start_s: float
    bytes_a_field: Mapping[str, float]
    picture_bytes: float
    measured_on: str

    @classmethod
    def of(cls, content: bytes) -> Figures:
        """Of such JSON; ValueError names the field that is wrong."""
        table = strictjson.read(content)
        sizes = table.table("bytes_a_field")
        return cls(
            table.number("fields_s_core", 1e-6, 1e6),
            table.number("efficiency", 0.01, 1.05),
            table.number("task_ms", 0, 1e4),
            table.number("start_s", 0, 1e4),
            {name: sizes.number(name, 0, 1e9) for name in sizes.keys_among(TABLES)},
            table.number("picture_bytes", 0, 1e12),
            table.text("measured_on", longest=1000),
        )

    @property
    def output_bytes(self) -> float:
        """Of a field, in all tables."""
        return sum(self.bytes_a_field.values())

    def core_s(self, fields: float) -> float:
        """Seconds that a core takes for so many."""
        return fields / (self.fields_s_core * self.efficiency)

    def seconds(self, fields: float, cores: int) -> float:
        """The same for so many cores together; none is done before its first task."""
        task_s = self.core_s(min(TASK_FIELDS.get(cores, 200), fields))
        return max(self.core_s(fields) / cores / scaling(self, cores), self.start_s + task_s)


def scaling(figures: Figures, cores: int) -> float:
    """0 to 1, what many workers do of what as many single ones would: a pass of a run, simulated."""
    tasks = max(PASS_TASKS, PASS_TASKS_A_WORKER * cores)
    usual_s = figures.core_s(TASK_FIELDS.get(cores, 200))
    chance = random.Random(cores)
    free, driver_s, work_s = [figures.start_s] * cores, 0.0, 0.0
    for _ in range(tasks):
        begins_s = max(heapq.heappop(free), driver_s)
        driver_s = begins_s + figures.task_ms / 1e3
        took_s = usual_s * max(chance.gauss(1, _UNEVEN), 0.1)
        work_s += took_s
        heapq.heappush(free, driver_s + took_s)
    return work_s / cores / max(free)


def measured(
    place: Place,
    picture_bytes: float,
    measured_on: str,
    *,
    efficiency: float = 1.0,
    task_ms: float = 12,
    start_s: float = 6,
) -> Figures:
    """Of an output: whole shards alone."""
    whole = [part for part in parts.parts_of(place) if part.task is None]
    done = total(dict(enumerate(part.done for part in whole)))
    if not done.fields or not done.seconds:
        raise ValueError(f"{place.address}: no shard is whole; give the --out of a run that is done")
    sizes = {}
    for table in TABLES:
        names = [f"{table}/{name}" for name in place.names(table)]
        if names:
            sizes[table] = round(sum(place.files.size(place.path(name)) for name in names) / done.fields, 1)
    rate = round(done.fields / done.seconds, 3)
    return Figures(rate, efficiency, task_ms, start_s, sizes, picture_bytes, measured_on)


def table(figures: Figures) -> Iterator[str]:
    """Lines of Markdown."""
    heads = ["fields", "core hours", *(f"{cores:,} cores" for cores in CORES), "output", "pictures read"]
    yield f"| {' | '.join(heads)} |"
    yield f"|{'---|' * len(heads)}"
    year = SLIDES_A_YEAR * FIELDS_A_SLIDE
    for fields, name in [(n, f"{n:,}") for n in SIZES] + [(year, f"a national programme's year: {year:,}")]:
        yield "| " + " | ".join([
            name,
            f"{figures.core_s(fields) / 3600:,.0f}",
            *(duration(figures.seconds(fields, cores)) for cores in CORES),
            size(fields * figures.output_bytes),
            size(fields * figures.picture_bytes),
        ]) + " |"  # fmt: skip
    yield ""
    yield from notes(figures)


def notes(figures: Figures) -> Iterator[str]:
    """What the table rests on."""
    by_table = ", ".join(f"{name} {count:,.0f}" for name, count in figures.bytes_a_field.items())
    yield (
        f"Measured: {figures.fields_s_core:.3g} fields/s a core ({figures.measured_on}); "
        f"{figures.output_bytes:,.0f} bytes of output a field ({by_table})."
    )
    cores = ceil(figures.core_s(SLIDES_A_YEAR * FIELDS_A_SLIDE) / (_YEAR_S * _BUSY))
    keeping_up = f"{cores:,} cores that are" if cores > 1 else "one core that is"
    fare = ", ".join(
        f"{cores:,} workers {scaling(figures, cores) * 100:.0f}% (`--task-fields {TASK_FIELDS[cores]}`)"
        for cores in CORES
    )
    yield (
        f"Simulated: {fare} of what as many single ones would do; a task costs the driver "
        f"{figures.task_ms:.0f} ms, a worker begins in {figures.start_s:.0f} s, neighbours on a machine slow "
        f"each other to {figures.efficiency * 100:.0f}%, which the core hours hold."
    )
    yield (
        f"Assumed: a picture has {size(figures.picture_bytes)}; a national programme examines "
        f"{SLIDES_A_YEAR:,} films a year, {FIELDS_A_SLIDE} fields each, and keeps up with {keeping_up} busy "
        f"{_BUSY * 100:.0f}% of the time."
    )


def size(count: float) -> str:
    """Bytes with two digits: `1.2 TB`."""
    for unit, large in _UNITS:
        if count >= large:
            return f"{count / large:.2g} {unit}" if count < 100 * large else f"{count / large:,.0f} {unit}"
    return f"{count:.0f} B"


def main() -> int:
    """Run the command."""
    form = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=form)
    parser.add_argument("source", help="JSON of figures, or the output of edge-archive run")
    parser.add_argument("--picture-bytes", type=float, default=400_000, help="of a picture (default: 400000)")
    parser.add_argument("--efficiency", type=float, default=1.0, help="of two workers beside one, 0 to 1")
    parser.add_argument("--task-ms", type=float, default=12, help="what Ray takes of a task (default: 12)")
    parser.add_argument("--start-s", type=float, default=6, help="until workers are at work (default: 6)")
    parser.add_argument("--measured-on", default="not said", help="machine, and what was screened")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there")
    arguments = parser.parse_args()
    try:
        if arguments.source.endswith(".json"):
            figures = Figures.of(Path(arguments.source).read_bytes())
        else:
            place, words = Place(arguments.source), arguments.measured_on
            figures = measured(
                place, arguments.picture_bytes, words,
                efficiency=arguments.efficiency, task_ms=arguments.task_ms, start_s=arguments.start_s,
            )  # fmt: skip
    except (OSError, ValueError) as error:
        print(f"archive_cost: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(figures), indent=1) + "\n", encoding="utf-8")
    print("\n".join(table(figures)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
