"""What has become of an archive: how far it is, how fast, what was found, and what could not be read.

Read from what is written as tasks and shards end, never from all rows; so it costs little, and holds while a
run writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edge.archive import runs
from edge.archive.done import Done
from edge.archive.order import Order
from edge.archive.place import ArchiveError, Place
from edge.archive.plan import Plan, tasks_of
from edge.archive.runs import Run
from edge.archive.scan import BadFile, bad_files
from edge.files.text import printable
from edge.types import LeftOut

SHOWN = 5
"""Bad files, and reasons for what was left out, that are named; the rest are counted."""

_PART = re.compile(r"done/\d+\.json|work/\d+/\d+\.json")
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True)
class Status:
    """An archive as it stands.

    Attributes
    ----------
    place : its address. order : what it is made with.
    plan : what is to be done, None while the input is still being listed.
    run, state : the last run and what has become of it; None where none began.
    done : of all tasks that are done. pictures, shards : how many of the plan's are done.
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
    pictures: int
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
    parts = _parts(place)
    pictures = _pictures(place, plan, parts)
    state = run.state if run else None
    rate = left_s = None
    if run is not None and state != "cut off" and pictures > run.fields:
        rate = (pictures - run.fields) / max(run.seconds(), 1e-3)
        left_s = (plan.fields - pictures) / rate if plan and state != "ended" else None
    bad = bad_files(place, (part.table for part in parts if part.done.faults), SHOWN)
    shards = sum(part.task is None for part in parts)
    done = sum((part.done for part in parts), Done())
    return Status(place.address, order, plan, run, state, done, pictures, shards, bad, rate, left_s)


def pictures_done(place: Place, plan: Plan) -> int:
    """How many of the plan's pictures are done."""
    return _pictures(place, plan, _parts(place))


@dataclass(frozen=True)
class _Part:
    """A shard that is whole, or a task that is done of another one."""

    shard: int
    task: int | None
    done: Done

    @property
    def table(self) -> str:
        """Of its fields."""
        if self.task is None:
            return f"fields/{self.shard:05d}.parquet"
        return f"work/{self.shard:05d}/{self.task:06d}.fields.parquet"


def _parts(place: Place) -> list[_Part]:
    """What is done.

    What is under way is listed before what is whole: a shard that is put together meanwhile is then seen
    twice and told once, instead of never.
    """
    tasks = [f"work/{shard}/{name}" for shard in place.names("work") for name in place.names(f"work/{shard}")]
    whole = [f"done/{name}" for name in place.names("done")]
    shards = {name.removeprefix("done/").removesuffix(".json") for name in whole}
    names = sorted([*whole, *(name for name in tasks if name.split("/")[1] not in shards)])
    paths = {place.path(name): name for name in names if _PART.fullmatch(name)}
    # all at once: object storage answers many questions in the time of one
    found = place.files.cat(list(paths), on_error="omit") if paths else {}
    return [_part(place, paths[path], content) for path, content in sorted(found.items())]


def _part(place: Place, name: str, content: bytes) -> _Part:
    numbers = [int(number) for number in name.removesuffix(".json").split("/")[1:]]
    try:
        return _Part(numbers[0], numbers[1] if len(numbers) > 1 else None, Done.decoded(content))
    except ValueError as error:
        raise ArchiveError(
            f"{place.address}: {name} cannot be read ({error}); remove it and run again: it is done again"
        ) from None


def _pictures(place: Place, plan: Plan | None, parts: Sequence[_Part]) -> int:
    """Of the plan, done: rows of `fields` may be more, for each page of a file is one."""
    if plan is None:
        return 0
    of_shards = {shard.number: shard.fields for shard in plan.shards}
    of_tasks = {
        (task.shard, task.number): task.fields
        for shard in {part.shard for part in parts if part.task is not None}
        for task in tasks_of(place, shard)
    }
    return sum(
        of_shards.get(part.shard, 0) if part.task is None else of_tasks.get((part.shard, part.task), 0)
        for part in parts
    )


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
        "pictures": status.pictures,
        "pictures_planned": plan.fields if plan else None,
        "slides": done.slides,
        "slides_planned": plan.slides if plan else None,
        "shards": status.shards,
        "shards_planned": len(plan.shards) if plan else None,
        "pictures_per_s": None if status.rate is None else round(status.rate, 3),
        "left_s": None if status.left_s is None else round(status.left_s),
        "rejected": done.rejected,
        "repeated": done.repeated,
        "cells": done.cells,
        "findings": dict(done.findings),
        "faults": done.faults,
        "bad": [asdict(one) for one in status.bad],
        "left_out": [asdict(one) for one in plan.left_out] if plan else [],
        "notes": [asdict(one) for one in plan.notes] if plan else [],
        "nodes": {name: asdict(work) for name, work in sorted(done.by_node.items())},
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
    share = f" ({status.pictures / plan.fields * 100:.1f}%)" if plan.fields else ""
    more = f", with all their pages {done.fields:,}" if done.fields > status.pictures else ""
    yield "fields", f"{status.pictures:,} of {plan.fields:,}{share}{more}"
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
    if status.plan:
        yield from _counted("left out", status.plan.left_out)
        yield from _counted("to look at", status.plan.notes)


def _counted(name: str, of: Sequence[LeftOut]) -> Iterator[tuple[str, str]]:
    most = sorted(of, key=lambda one: -one.count)
    for i, one in enumerate(most[:SHOWN]):
        yield "" if i else name, f"{one.count:,}: {one.reason} (first: {one.first})"
    if len(most) > SHOWN:
        yield "", f"{sum(one.count for one in most[SHOWN:]):,} for other reasons"


def _nodes(status: Status) -> Iterator[tuple[str, str]]:
    for i, (name, work) in enumerate(sorted(status.done.by_node.items())):
        rate = f", {work.fields / work.seconds:.2f} fields/s a worker" if work.seconds else ""
        yield "" if i else "nodes", f"{name}: {work.fields:,} fields{rate}"


def duration(seconds: float) -> str:
    """The two largest units of so long: `2 d 5 h`, `40 s`."""
    whole = max(round(seconds), 0)
    parts: list[str] = []
    for long, unit in _STEPS:
        n, whole = divmod(whole, long)
        if n or parts:
            parts.append(f"{n} {unit}" if n else "")
    return " ".join(part for part in parts[:2] if part) or "0 s"
