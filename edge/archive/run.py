"""`edge-archive run`: an archive is listed once, then screened shard by shard until all of it is there."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import uuid4

from edge import __version__
from edge.archive import crew
from edge.archive.done import Done
from edge.archive.entry import Task
from edge.archive.order import Order
from edge.archive.place import ArchiveError, Place
from edge.archive.planning.plan import Plan, tasks_of
from edge.archive.planning.sharding import Shard
from edge.archive.screening import shards
from edge.files.lock import held
from edge.machine import clock, processes
from edge.types import LeukoscopeError

PASS_TASKS, PASS_TASKS_A_WORKER = 500, 50
"""Tasks that Ray is given at once, at least: it keeps 10 kB of each, and at a pass's end workers are idle for
the length of a task, and are begun anew."""

RUNS = "runs"

_LOOK_S = 1.0


@dataclass(frozen=True)
class Progress:
    """Where a run is.

    Attributes
    ----------
    done : of the whole archive, earlier runs included. fields : planned in all.
    per_s : fields a second of this run, None before the first task. left_s : seconds that the rest will take.
    """

    done: Done
    fields: int
    per_s: float | None
    left_s: float | None


Tell = Callable[[Progress], None]


def run(order: Order, place: Place, plan: Plan, workers: int, name: str, tell: Tell) -> Done:
    """Screen what is not done yet, and put every shard together once all of it is; what came of all.

    Stopped at any moment, by whatever, it goes on from the last finished task when it is run again.

    Parameters
    ----------
    workers : how many at a time; Ray is connected, unless `nothing_left`. name : of this run, see `running`.
    tell : hears of every task.

    Raises
    ------
    ArchiveError : what stops it: a full disk, a node with another program.
    """
    meter = _Meter(plan.fields, tell)
    at_once = max(PASS_TASKS, PASS_TASKS_A_WORKER * workers)
    for several in _passes(place, plan.shards, at_once, meter):
        left = _left(place, several, meter)
        with crew.committing(place) as commit:
            for shard, numbers in left.items():
                if not numbers:
                    commit(shard)
            todo = [task for shard in several for task in shard if task.number in left[task.shard]]
            for task, done in crew.screened(order, place, name, todo, workers) if todo else ():
                meter.add(done)
                left[task.shard].discard(task.number)
                if not left[task.shard]:
                    commit(task.shard)
    return meter.done


def nothing_left(place: Place, plan: Plan) -> bool:
    """Whether every shard is put together, so that `run` does without Ray."""
    return all(shards.is_done(place, shard.number) for shard in plan.shards)


def run_inside(order: Order, place: Place, plan: Plan, workers: int, name: str, tell: Tell) -> Done:
    """The same where Ray is connected as a client: it has no data sets outside of a cluster.

    So the run itself goes to a process in the cluster, which ends with this one.
    """
    import ray

    board = ray.remote(num_cpus=0)(_Board).remote()
    going = ray.remote(num_cpus=0, max_retries=0)(_inside).remote(order, place, plan, workers, name, board)
    while True:
        ended, _ = ray.wait([going], timeout=_LOOK_S)
        if (now := ray.get(board.read.remote())) is not None:
            tell(now)
        if ended:
            done: Done
            done, error = ray.get(going)
            if error:
                raise ArchiveError(error)
            return done


class _Board:
    """Where a run in the cluster writes how far it is."""

    def __init__(self) -> None:
        self._now: Progress | None = None

    def write(self, now: Progress) -> None:
        self._now = now

    def read(self) -> Progress | None:
        return self._now


def _inside(order: Order, place: Place, plan: Plan, workers: int, name: str, board: Any) -> tuple[Done, str]:
    """A run in the cluster; what came of it, and what stopped it as a line."""
    try:
        return run(order, place, plan, workers, name, board.write.remote), ""
    except LeukoscopeError as error:
        return Done(), str(error)


def _passes(
    place: Place, planned: Sequence[Shard], at_once: int, meter: _Meter
) -> Iterator[list[list[Task]]]:
    """The tasks of the shards that are not done, in passes of so many tasks or more."""
    several: list[list[Task]] = []
    for shard in planned:
        if shards.is_done(place, shard.number):
            meter.had(shards.done_of(place, shard.number) or Done())
            place.remove(f"work/{shard.number:05d}")  # a run was cut off just after
            continue
        several.append(tasks_of(place, shard.number))
        if sum(map(len, several)) >= at_once:
            yield several
            several = []
    if several:
        yield several


def _left(place: Place, several: Sequence[Sequence[Task]], meter: _Meter) -> dict[int, set[int]]:
    """Shard -> the numbers of its tasks that are still to be done."""
    left: dict[int, set[int]] = {}
    for tasks in several:
        shard = tasks[0].shard
        done = shards.done_tasks(place, shard)
        for one in done.values():
            meter.had(one)
        left[shard] = {task.number for task in tasks} - set(done)
    return left


class _Meter:
    """Sums up what is done, and how fast."""

    def __init__(self, fields: int, tell: Tell) -> None:
        self.done, self._fields, self._tell = Done(), fields, tell
        self._since = monotonic()
        self._now = 0  # fields of this run

    def had(self, done: Done) -> None:
        """Add what an earlier run did."""
        self.done += done

    def add(self, done: Done) -> None:
        self.done += done
        self._now += done.fields
        per_s = self._now / max(monotonic() - self._since, 1e-3)
        left = max(self._fields - self.done.fields, 0)
        self._tell(Progress(self.done, self._fields, per_s, left / per_s if per_s else None))


@contextmanager
def running(place: Place, address: str) -> Iterator[str]:
    """A run's name, noted in the output when it begins and when it ends.

    On a disk no second run may work on the output at the same time.

    Raises
    ------
    ArchiveError : another does.
    """
    began = datetime.now(UTC)
    name = f"{began:%Y%m%dT%H%M%S}-{uuid4().hex[:6]}"
    noted = {
        "started": began.isoformat(timespec="seconds"), "address": address, "version": __version__,
        "host": socket.gethostname(), "boot": clock.boot_id(), "process": processes.name(),
    }  # fmt: skip

    def note(how: str | None) -> None:
        ended = datetime.now(UTC).isoformat(timespec="seconds") if how else None
        told = noted | {"ended": ended, "how": how}
        place.write(f"{RUNS}/{name}.json", (json.dumps(told, indent=1) + "\n").encode())

    with _alone(place):
        note(None)
        how = "stopped"
        try:
            yield name
            how = "done"
        except ArchiveError as error:
            how = str(error)
            raise
        finally:
            try:
                note(how)
            except ArchiveError:
                if how == "done":
                    raise  # else what stopped the run is what is to be told


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    """Hold the output's lock. Of object storage nobody knows who else is at it; nothing is lost by that."""
    if place.local is None:
        yield
        return
    with ExitStack() as stack:
        try:
            place.local.mkdir(parents=True, exist_ok=True)
            mine = stack.enter_context(held(place.local / ".lock"))
        except OSError as error:
            raise ArchiveError(
                f"--out {place.address}: cannot be written ({error.strerror}); give another"
            ) from None
        if not mine:
            raise ArchiveError(
                f"--out {place.address}: another run is at work there; wait for it, or stop it"
            )
        yield
