"""The workers: an actor a processor, each of which holds the line and screens one task after the other."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import gethostname
from tempfile import gettempdir
from typing import IO, TYPE_CHECKING, Any

from edge.archive.cluster import in_a_line
from edge.archive.done import Done
from edge.archive.entry import Task
from edge.archive.order import MODEL, SITE, Order
from edge.archive.place import ArchiveError, Place
from edge.archive.planning.plan import entries_of, tasks_of
from edge.archive.screening import shards
from edge.types import LeukoscopeError

if TYPE_CHECKING:
    from edge.archive.screening.screener import Screener

Batch = Mapping[str, Sequence[Any]]
"""Rows as Ray Data hands them over: name of a column -> its values."""

_COLUMNS = ("shard", "number", "fields")  # of a task
_GIVE_UP = 3  # times in a row without a task done
_DEATHS = 20  # of workers that begin, one after another: somebody may be at it
_COMMITS = 2  # shards put together at a time: a worker's node may be as small as a box


class Worker:
    """Screens tasks; lives in a process of its own on some node.

    What it needs lies in the output's place, so that no node can have another model than the others. What
    goes wrong is told as a row: Ray would try again what fails each time.
    """

    def __init__(self, order: Order, place: Place, run: str) -> None:
        self._order, self._place, self._run = order, place, run
        self._screener: Screener | None = None
        self._core: IO[bytes] | None = None  # held as long as this worker lives

    def __call__(self, batch: Batch) -> dict[str, Sequence[Any]]:
        """The rows of tasks, each with `done` as JSON or with `error` as a line."""
        rows = zip(*(batch[name] for name in _COLUMNS), strict=True)
        told = [self._told(Task(*map(int, row))) for row in rows]
        return {**batch, "done": [done for done, _ in told], "error": [error for _, error in told]}

    def _told(self, task: Task) -> tuple[str, str]:
        try:
            if self._screener is None:
                self._screener = self._opened()
            return self._screener.screen(task, entries_of(self._place, task)).encoded().decode(), ""
        except LeukoscopeError as error:
            return "", str(error)
        except (OSError, MemoryError) as error:
            return "", f"node {gethostname()}: {type(error).__name__}: {error}; mend that and run it again"

    def _opened(self) -> Screener:
        from edge.archive.screening.screener import Screener

        if Order.read(self._place) != self._order:
            raise ArchiveError(
                f"node {gethostname()}: does not see {self._place.address} as the others do; give --out a "
                "folder that all nodes share, or object storage"
            )
        self._core = _own_core()
        site = self._place.read(SITE) if self._order.site else None
        return Screener(self._order, self._place, self._place.read(MODEL), site, run=self._run)


def _own_core() -> IO[bytes] | None:
    """Keep this process to a processor that no other worker of this node has; None where there is none left.

    Threads that read ahead else run on those of the neighbours. A lock tells who has which: it is let go of
    whatever becomes of a worker.
    """
    folder = Path(gettempdir()) / f"leukoscope-cores-{os.getuid()}"
    with suppress(OSError, AttributeError):  # not every system has that
        folder.mkdir(mode=0o700, exist_ok=True)
        for core in sorted(os.sched_getaffinity(0)):
            file = open(folder / str(core), "wb")  # noqa: SIM115
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                continue
            os.sched_setaffinity(0, {core})
            return file
    return None


def screened(
    order: Order,
    place: Place,
    run: str,
    tasks: Sequence[Task],
    workers: int,
    *,
    worker: type[Worker] = Worker,
) -> Iterator[tuple[Task, Done]]:
    """Have these tasks screened, in the order given as far as workers are free; gives each when it is done.

    A worker or a node that dies costs the task that it had in hand, which another does again. Where Ray
    itself gives up, it begins anew with what is left.

    Raises
    ------
    ArchiveError : one could not be screened, for a reason that would stop the others too; or Ray gives up
        again and again.
    """
    left, failures = dict.fromkeys(tasks), 0
    while left:
        try:
            for task, done in _once(order, place, run, list(left), workers, worker):
                left.pop(task, None)
                failures = 0
                yield task, done
        except LeukoscopeError:
            raise
        except Exception as error:  # Ray's own are of many kinds
            failures += 1
            if failures > _GIVE_UP:
                raise ArchiveError(f"Ray gives up: {in_a_line(error)}; run it again, it goes on") from error


def _once(
    order: Order, place: Place, run: str, tasks: Sequence[Task], workers: int, worker: type[Worker]
) -> Iterator[tuple[Task, Done]]:
    """The same in one go."""
    import ray.data
    from ray.data import ActorPoolStrategy, DataContext

    _set_up(DataContext.get_current())
    rows = [{name: getattr(task, name) for name in _COLUMNS} for task in tasks]
    # none waits behind a long slide while another worker is free
    pool = ActorPoolStrategy(size=min(workers, len(tasks)), max_tasks_in_flight_per_actor=1)
    told = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        worker, fn_constructor_args=(order, place, run), batch_size=None, batch_format="numpy", num_cpus=1,
        compute=pool,
    )  # fmt: skip
    for row in told.iter_rows():
        if row["error"]:
            raise ArchiveError(row["error"])
        yield Task(*(int(row[name]) for name in _COLUMNS)), Done.decoded(row["done"].encode())


@contextmanager
def committing(place: Place) -> Iterator[Callable[[int], None]]:
    """Gives what has a shard put together, on any node and beside what else is done; all are when it ends.

    Raises
    ------
    ArchiveError : one could not be put together.
    """
    import ray

    together = ray.remote(num_cpus=0)(_committed)  # hardly any work, and every processor has some
    under_way: list[Any] = []

    def commit(shard: int) -> None:
        while len(under_way) >= _COMMITS:
            (one,), rest = ray.wait(under_way)
            under_way[:] = rest
            _see(ray.get(one))
        under_way.append(together.remote(place, shard))

    yield commit
    for error in ray.get(under_way):
        _see(error)


def _committed(place: Place, shard: int) -> str:
    """Put a shard together; what went wrong as a line."""
    try:
        shards.commit(place, shard, tasks_of(place, shard))
    except LeukoscopeError as error:
        return str(error)
    return ""


def _see(error: str) -> None:
    if error:
        raise ArchiveError(error)


def _set_up(context: Any) -> None:
    """Ray Data says nothing for itself, for the bar is the command's, and bears with workers that die."""
    context.enable_progress_bars = False
    context.max_consecutive_actor_init_deaths = _DEATHS
    context.print_on_execution_start = False
    for name in ("ray.data", "ray"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
