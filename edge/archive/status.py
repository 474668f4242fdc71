"""What has become of an archive: how far it is, how fast, what was found, and what could not be read.

Read from what is written as tasks and shards end, never from all rows; so it costs little, and holds while a
run writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import Any

from edge.archive import runs
from edge.archive.done import Done
from edge.archive.order import Order
from edge.archive.place import ArchiveError, Place
from edge.archive.plan import Plan
from edge.archive.runs import Run
from edge.archive.scan import BadFile, bad_files
from edge.files.text import printable

SHOWN = 5
"""Bad files, and reasons for what was left out, that are named; the rest are counted."""

_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True)
class Status:
    """An archive as it stands.

    Attributes
    ----------
    place : its address. order : what it is made with.
    plan : what is to be done, None while the input is still being listed.
    run, state : the last run and what has become of it; None where none began.
    done : of all tasks that are done. shards : how many of the plan are whole.
    bad : the first files that could not be read.
    rate : fields a second in this run, None where nothing is known of it yet, or no longer.
    left_s : seconds until all is done, at this rate; None where none is known.
    """

    place: str
    order: Order
    plan: Plan | None
    run: Run | None
    state: runs.State | None
    done: Done
    shards: int
    bad: tuple[BadFile, ...]
    rate: float | None
    left_s: float | None

    @property
    def whole(self) -> bool:
        """All that was planned is done."""
        return self.plan is not None and self.shards == len(self.plan.shards)


def of(place: Place) -> Status:
    """Look at an output, whether or not a run is writing it.

    Raises
    ------
    ArchiveError : this is none, or what is written of it is damaged.
    """
    order = Order.read(place)
    if order is None:
        what = "is no archive's output" if place.has("") else "does not exist"
        raise ArchiveError(f"{place.address}: {what}; give the --out of an edge-archive run")
    plan, run = Plan.read(place), Run.last(place)
    parts, shards = _parts(place)
    done = reduce(add, parts.values(), Done())
    state = run.state if run else None
    rate = None
    if run is not None and state in ("under way", "elsewhere", "ended"):
        seconds = run.seconds()
        rate = (done.fields - run.fields) / seconds if seconds and done.fields > run.fields else None
    under_way = rate is not None and plan is not None and state in ("under way", "elsewhere")
    left_s = (plan.fields - done.fields) / rate if under_way and plan and rate else None
    faulty = (name for name, part in parts.items() if part.faults)
    return Status(
        place.address, order, plan, run, state, done, shards, bad_files(place, faulty, SHOWN), rate, left_s
    )


def _parts(place: Place) -> tuple[dict[str, Done], int]:
    """What is done, by the table that has its fields; and how many shards of it are whole.

    What is under way is listed before what is whole: a shard that is put together meanwhile is seen
    twice and told once, instead of never.
    """
    tasks = {f"work/{shard}/{name}" for shard in place.names("work") for name in place.names(f"work/{shard}")}
    whole = {f"done/{name}" for name in place.names("done")}
    shards = {name.removeprefix("done/").removesuffix(".json") for name in whole}
    tasks = {name for name in tasks if name.split("/")[1] not in shards}
    found = {}
    for name in sorted(name for name in whole | tasks if name.endswith(".json")):
        kind, rest = name.removesuffix(".json").split("/", 1)
        table = f"fields/{rest}.parquet" if kind == "done" else f"work/{rest}.fields.parquet"
        try:
            found[table] = Done.read(place, name)
        except FileNotFoundError:  # of a task whose shard was put together just now: the next look has it
            continue
    return found, len(shards)


def lines(status: Status) -> list[str]:
    """It for a terminal: a line each for what it is, how far, how fast, what was found and what was not."""
    rows = [*_made(status), *_far(status), *_found(status), *_missing(status), *_nodes(status)]
    wide = max(len(name) for name, _ in rows) + 2
    return [printable(f"{name:<{wide}}{text}") for name, text in rows]


def record(status: Status) -> dict[str, Any]:
    """It as an object for JSON; docs/archives.md has its fields."""
    order, plan, run, done = status.order, status.plan, status.run, status.done
    return {
        "out": status.place,
        "input": order.source,
        "bundle": {"name": order.bundle, "sha256": order.bundle_sha256},
        "precision": order.precision,
        "version": order.version,
        "state": status.state,
        "whole": status.whole,
        "run": None if run is None else {key: getattr(run, key) for key in _RUN},
        "fields": done.fields,
        "fields_planned": plan.fields if plan else None,
        "slides": done.slides,
        "slides_planned": plan.slides if plan else None,
        "shards": status.shards,
        "shards_planned": len(plan.shards) if plan else None,
        "fields_per_s": None if status.rate is None else round(status.rate, 3),
        "left_s": None if status.left_s is None else round(status.left_s),
        "rejected": done.rejected,
        "repeated": done.repeated,
        "cells": done.cells,
        "findings": dict(done.findings),
        "faults": done.faults,
        "bad": [asdict(one) for one in status.bad],
        "left_out": [asdict(one) for one in plan.left_out] if plan else [],
        "nodes": {name: dict(node) for name, node in sorted(done.nodes.items())},
    }


_RUN = ("started", "ended", "how", "host", "address")


def _made(status: Status) -> Iterator[tuple[str, str]]:
    order = status.order
    yield "archive", f"{order.source} → {status.place}"
    yield "model", f"{order.bundle}, {order.precision}, program {order.version}"
    yield "run", _run(status)


def _run(status: Status) -> str:
    run = status.run
    if run is None:
        return "none began yet"
    began = f"{run.started[:19].replace('T', ' ')} UTC on {run.host}"
    again = "; run it again: it goes on where it stopped"
    match status.state:
        case "under way":
            return f"under way since {began}"
        case "elsewhere":
            return f"begun {began}; whether it still runs can be seen there"
        case "cut off":
            return f"begun {began}; it was cut off{again}"
        case _:
            after = f"{run.how or 'ended'} after {duration(run.seconds())}"
            return f"begun {began}; {after}" + ("" if status.whole else again)


def _far(status: Status) -> Iterator[tuple[str, str]]:
    plan, done = status.plan, status.done
    if plan is None:
        yield "done", "nothing; the input is being listed" if status.state == "under way" else "nothing"
        return
    share = f" ({done.fields / plan.fields * 100:.1f}%)" if plan.fields else ""
    yield "fields", f"{done.fields:,} of {plan.fields:,}{share}"
    yield "slides", f"{done.slides:,} of {plan.slides:,}"
    yield "shards", f"{status.shards:,} of {len(plan.shards):,}"
    if status.rate is not None:
        left = f", {duration(status.left_s)} left" if status.left_s else ""
        yield "rate", f"{status.rate:.1f} fields/s{left}"


def _found(status: Status) -> Iterator[tuple[str, str]]:
    done = status.done
    if not done.fields:
        return
    yield "quality", f"{_share(done.rejected, done)} turned down, {_share(done.repeated, done)} repeated"
    yield "cells", f"{done.cells:,}"
    findings = sorted(done.findings.items(), key=lambda one: -one[1])
    yield "findings", ", ".join(f"{kind} {n:,}" for kind, n in findings) or "none yet"


def _share(n: int, done: Done) -> str:
    return f"{n:,} ({n / done.fields * 100:.1f}%)"


def _missing(status: Status) -> Iterator[tuple[str, str]]:
    if faults := status.done.faults:
        yield "bad files", f"{faults:,}, counted as turned down" + (": the first" if faults > SHOWN else "")
        for bad in status.bad:
            yield "", f"{bad.source}: {bad.reason}"
    left = sorted(status.plan.left_out, key=lambda one: -one.count) if status.plan else []
    for i, one in enumerate(left[:SHOWN]):
        yield "" if i else "left out", f"{one.count:,}: {one.reason} (first: {one.first})"
    if len(left) > SHOWN:
        yield "", f"{sum(one.count for one in left[SHOWN:]):,} for other reasons"


def _nodes(status: Status) -> Iterator[tuple[str, str]]:
    for i, (name, node) in enumerate(sorted(status.done.nodes.items())):
        rate = f", {node['fields'] / node['seconds']:.2f} fields/s a worker" if node["seconds"] else ""
        yield "" if i else "nodes", f"{name}: {node['fields']:,.0f} fields{rate}"


def duration(seconds: float) -> str:
    """The two largest units of so long: `2 d 5 h`, `40 s`."""
    whole, parts = max(round(seconds), 0), []
    for long, unit in _STEPS:
        n, whole = divmod(whole, long)
        if n or parts:
            parts.append(f"{n} {unit}" if n else "")
    return " ".join(part for part in parts[:2] if part) or "0 s"
