"""The line on real fields: stage by stage, by the number of cells, and beside YOLO26n in the same run.

Leukemic test fields of aria, enlarged to 1080 lines, in which the line finds 14 to 24 leukocytes, and those
with 1 to 4; and fields of chula and bccd as they are. Each goes from the frame to the finding, records on,
its scale given: aria's and bccd's is known, chula's is measured on the red cells of each slide first. A round
reads every field once; YOLO26n at 640 px runs after every eighth, its picture ready, if its graph is in
--cache (`benchmarks/peer_graphs.py`). Fields that the line turns down are left out. A straight line through
aria's fields tells what a further cell takes. The crowded ones are also read from an MJPEG file, and that is
held against decoding alone.

    python benchmarks/line.py --data DATA [--rounds 5] [--limit 140] [--json OUT]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from contestants import CACHE, OurLine, Runs, detector, milliseconds
from real_fields import SETS, Field, listed
from results import Results, parser_of

from edge import command
from edge.bench import fields, measure
from edge.bench.rig import Rig, rig
from edge.machine.processor import instructions

CROWDED, SPARSE = (14, 24), (1, 4)
YOLO, EVERY = "yolo26n", 8
"""The network that runs beside the line, once after so many fields."""


@dataclass(frozen=True)
class Read:
    """A field that was read once: cells found, whether it was turned down, milliseconds by stage."""

    field: Field
    cells: int
    rejected: bool
    ms: dict[str, float]


@dataclass(frozen=True)
class Kind:
    """Fields of one kind, by the words under which they are reported."""

    name: str
    of: str
    cells: tuple[int, int] | None = None

    def holds(self, read: Read) -> bool:
        """Whether this is a field of the kind, by what was found in it."""
        low, high = self.cells or (0, read.cells)
        return read.field.of == self.of and not read.rejected and low <= read.cells <= high


KINDS = (
    Kind("crowded, aria", "aria-fields", CROWDED),
    Kind("sparse, aria", "aria-fields", SPARSE),
    Kind("chula", "chula"),
    Kind("bccd", "bccd"),
)
ARIA = Kind("aria, any number", "aria-fields")
LEAST_FILMED = 4


def read_all(one: OurLine, chosen: Sequence[Field], yolo: Runs) -> tuple[list[Read], list[float]]:
    """Every field once, each slide as a new one; and milliseconds of the network in between."""
    reads: list[Read] = []
    others: list[float] = []
    for _, slide in groupby(chosen, key=lambda field: (field.of, field.slide)):
        for i, field in enumerate(slide):
            if i == 0:
                one.begin(field.um_per_px)
            reading, ms = one.read(field.load())
            stages = dict(reading.ms)
            stages |= {"records": ms - stages.pop("total"), "total": ms}
            reads.append(Read(field, len(reading.cells), bool(reading.problems), stages))
            if len(reads) % EVERY == 0:
                one.flush()
                others += [milliseconds(run) for run in yolo.values()]
    return reads, others


@dataclass(frozen=True)
class Rounds:
    """What was read: once to see what is in the fields, and round by round; the network's ms by round."""

    seen: list[Read]
    reads: list[list[Read]]
    yolo: list[list[float]]

    def of(self, kind: Kind) -> dict[str, Any] | None:
        """Figures of a kind of field; None where there is none."""
        which = [i for i, read in enumerate(self.seen) if kind.holds(read)]
        if not which:
            return None
        found = [[reads[i] for i in which] for reads in self.reads]
        ratios = [
            median(read.ms["total"] for read in reads) / median(yolo)
            for reads, yolo in zip(found, self.yolo, strict=True)
            if yolo
        ]
        return {
            "kind": kind.name,
            "fields": len(which),
            "um_per_px": round(median(self.seen[i].field.um_per_px for i in which), 4),
            "cells_per_field": round(float(np.mean([self.seen[i].cells for i in which])), 1),
            **measure.staged([read.ms for reads in found for read in reads]),
            "of_yolo26n": round(median(ratios), 3) if ratios else None,
        }

    def slope(self) -> dict[str, Any] | None:
        """The straight line through aria's fields of every number of cells; None where all have as many."""
        which = [i for i, read in enumerate(self.seen) if ARIA.holds(read)]
        cells = [self.seen[i].cells for i in which]
        if len(set(cells)) < 2:
            return None
        return measure.slope(cells, [median(reads[i].ms["total"] for reads in self.reads) for i in which])


def film(rigged: Rig, seen: Sequence[Read], rounds: int) -> dict[str, Any] | None:
    """The crowded fields from an MJPEG file; None where there are too few."""
    crowded = [read.field for read in seen if KINDS[0].holds(read)]
    if len(crowded) < LEAST_FILMED:
        return None
    with tempfile.TemporaryDirectory() as name:
        video = Path(name) / "crowded.mjpeg"
        fields.write_mjpeg([field.load() for field in crowded], video)
        scale = crowded[0].um_per_px
        return measure.film(rigged, video, Path(name) / "records.db", 1, rounds, scale)


def table(kinds: Sequence[dict[str, Any]]) -> str:
    """The kinds side by side."""
    lines = [f"{'ms, median and 95%':<18}" + "".join(f"{each['kind']:>18}" for each in kinds)]
    for name in kinds[0]["stages"]:
        lines.append(_row(name, [each["stages"][name] for each in kinds]))
    lines.append(_row("the whole line", kinds))
    for name in ("fields", "cells_per_field", "um_per_px", "of_yolo26n"):
        told = ("–" if each[name] is None else each[name] for each in kinds)
        lines.append(f"{name.replace('_', ' '):<18}" + "".join(f"{value:>18}" for value in told))
    return "\n".join(lines)


def _row(name: str, figures: Sequence[dict[str, Any]]) -> str:
    return f"{name:<18}" + "".join(f"{each['median_ms']:>10.2f}{each['p95_ms']:>8.2f}" for each in figures)


def add_figures(results: Results, found: dict[str, Any], rounds: int) -> None:
    """What was measured, in the shape of all benchmarks."""
    for each in found["kinds"]:
        about = {"what": each["kind"], "n": each["fields"], "of": "fields"}
        results.add("cells found", each["cells_per_field"], **about)
        for name, stage in (("the whole line", each), *each["stages"].items()):
            results.add(f"{name}, median", stage["median_ms"], unit="ms", **about)
            results.add(f"{name}, 95%", stage["p95_ms"], unit="ms", **about)
        results.add("by YOLO26n", each["of_yolo26n"], what=each["kind"], n=rounds, of="rounds")
    for name, (down, n) in found["turned_down"].items():
        results.add("turned down", down / n, what=name, n=n, of="fields")
    if (further := found["further_cell"]) is not None:
        n = len(further["fields"])
        results.add("a further cell", further["ms_per_cell"], what=ARIA.name, unit="ms", n=n, of="fields")
    if (video := found["video"]) is not None:
        of_what = f"MJPEG file, {KINDS[0].name}"
        results.add("by decoding alone", video["ratio"], what=of_what, n=video["fields"], of="fields")


def turned_down(seen: Sequence[Read]) -> dict[str, tuple[int, int]]:
    """How many fields of each set were turned down, and of how many."""
    sets = {name: [read.rejected for read in seen if read.field.of == name] for name in SETS}
    return {name: (sum(down), len(down)) for name, down in sets.items() if down}


def run(arguments: argparse.Namespace, left_out: dict[str, str]) -> dict[str, Any]:
    """Read and measure everything."""
    chosen = [field for name in SETS for field in listed(arguments.data, name, arguments.limit)]
    with ExitStack() as held:
        rigged = held.enter_context(rig(arguments.bundle, arguments.bundle is not None))
        engine = rigged.engine
        yolo = detector(arguments.cache, YOLO, engine.profile.runtime.threads, False, left_out)
        one = OurLine(engine, held)
        rounds = []
        with command.Progress(arguments.rounds + 1) as bar:
            for done in range(arguments.rounds + 1):
                bar.show(done, f"reading {len(chosen)} fields")
                rounds.append(read_all(one, chosen, yolo))
        (seen, _), *measured = rounds
        read = Rounds(seen, [reads for reads, _ in measured], [others for _, others in measured])
        return {
            "variant": engine.classifier.runtime,
            "threads": engine.profile.runtime.threads,
            "rounds": arguments.rounds,
            "kinds": [found for kind in KINDS if (found := read.of(kind)) is not None],
            "yolo26n_ms": [round(median(ms), 2) for ms in read.yolo if ms],
            "turned_down": turned_down(seen),
            "further_cell": read.slope(),
            "video": film(rigged, seen, arguments.rounds),
            "left_out": left_out,
        }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with the data sets")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="over all fields (default: 5)")
    parser.add_argument("--limit", type=int, default=140, metavar="N", help="fields of a set (default: 140)")
    parser.add_argument("--bundle", type=Path, help="another than the one in use")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"graphs of others (default: {CACHE})")
    arguments = parser.parse_args()
    results = Results("line", parser, arguments)
    found = run(arguments, {})
    print(f"{found['variant']} on {instructions()}, {found['threads']} threads, {found['rounds']} rounds")
    if found["kinds"]:
        print(table(found["kinds"]))
    for name, (down, n) in found["turned_down"].items():
        print(f"{name}: {down} of {n} fields turned down")
    if (further := found["further_cell"]) is not None:
        print(f"a further cell: {further['ms_per_cell']:.2f} ms (r² {further['r2']:.3f})")
    if (video := found["video"]) is not None:
        print(f"MJPEG file of crowded fields: {video['ratio']:.1%} of decoding alone")
    for name, why in found["left_out"].items():
        print(f"left out: {name}: {why}")
    add_figures(results, found, arguments.rounds)
    results.write(found)


if __name__ == "__main__":
    main()
