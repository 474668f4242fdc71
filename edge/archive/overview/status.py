"""What has become of an archive: how far it is, how fast, what was found, and what could not be read.

Read from what is written as tasks and shards end, never from all rows; so it costs little, and holds while a
run writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from edge.archive import runs
from edge.archive.done import Done, total
from edge.archive.order import Order
from edge.archive.overview.parts import fields_per_s, parts_of, pictures_of
from edge.archive.overview.scan import BadFile, bad_files
from edge.archive.place import ArchiveError, Place
from edge.archive.planning.plan import Plan
from edge.archive.runs import Run, now
from edge.files.text import printable
from edge.types import LeftOut

SHOWN = 5
"""Bad files, and reasons for what was left out, that are named; the rest are counted."""

_WINDOW = timedelta(hours=1)  # over which a rate is taken: what was long ago tells little of what is left
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
    last : when a task or shard was done last, None where none was or nobody knows.
    rate : fields a second in this run's last hour; None without a run, or before its first task is done.
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
    last: datetime | None
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
    parts = parts_of(place)
    pictures = pictures_of(place, plan, parts)
    done = total({(part.shard, part.task): part.done for part in parts})
    state = run.state if run else None
    rate = left_s = None
    if plan is not None and run is not None and state in ("under way", "elsewhere"):
        rate = fields_per_s(place, parts, max(run.started, now() - _WINDOW))
        pages = done.fields / pictures if pictures else 1.0  # of a picture
        left_s = (plan.fields - pictures) * pages / rate if rate else None
    return Status(
        place=place.address,
        order=order,
        plan=plan,
        run=run,
        state=state,
        done=done,
        pictures=pictures,
        shards=sum(part.task is None for part in parts),
        bad=bad_files(place, (part.table("fields") for part in parts if part.done.faults), SHOWN),
        last=max((part.written for part in parts if part.written), default=None),
        rate=rate,
        left_s=left_s,
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
        "run": None if run is None else _run_record(run),
        "last_done": _iso(status.last),
        "fields": done.fields,
        "pictures": status.pictures,
        "pictures_planned": plan.fields if plan else None,
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
        "notes": [asdict(one) for one in plan.notes] if plan else [],
        "nodes": {name: asdict(work) for name, work in sorted(done.by_node.items())},
    }


def _run_record(run: Run) -> dict[str, Any]:
    told = {"how": run.how, "host": run.host, "address": run.address}
    return {"started": _iso(run.started), "ended": _iso(run.ended)} | told


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _made(status: Status) -> Iterator[tuple[str, str]]:
    order = status.order
    yield "archive", f"{order.source} → {status.place}"
    yield "model", f"{order.bundle}, {order.precision}, program {order.version}"
    yield "run", _run(status)


def _run(status: Status) -> str:
    run = status.run
    if run is None:
        return "none began yet"
    began = f"{run.started:%Y-%m-%d %H:%M} UTC on {run.host}"
    again = "; run it again: it goes on where it stopped"
    since = (now() - status.last).total_seconds() if status.last else None
    last = f"; the last task was done {duration(since)} ago" if since is not None else ""
    match status.state:
        case "under way":
            return f"under way since {began}{last}"
        case "elsewhere":
            return f"begun {began}; whether it still runs can be seen there{last}"
        case "cut off":
            return f"begun {began}; it was cut off{again}"
        case _:
            took = duration((run.ended - run.started).total_seconds()) if run.ended else ""
            return f"begun {began}; {run.how or 'ended'} after {took}" + ("" if status.whole else again)


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
