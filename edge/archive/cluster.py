"""The machines that screen an archive: a Ray cluster that is there, or this machine alone."""

from __future__ import annotations

import logging
import os
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from edge.archive.place import ArchiveError

AUTO, LOCAL, CLIENT = "auto", "local", "ray://"
_ADDRESS = re.compile(r"(?:ray://)?(\[[^\]]+\]|[^:/\s]+):(\d{1,5})")
_REACHED_S = 5.0
_TOLD = 300  # characters
_STORE_BYTES = 128 << 20  # numbers of tasks go through it, and no pictures


@contextmanager
def connected(address: str, workers: int | None, *, dashboard: bool = False) -> Iterator[int]:
    """Ray, connected while this lasts; gives the number of workers that it has processors for.

    Ray reports nothing to its makers unless the environment asks for that.

    Parameters
    ----------
    address : `local` begins Ray on this machine; `auto` takes the cluster that runs here or that RAY_ADDRESS
        names, else does the same; anything else is where a cluster's head listens.
    workers : at most so many; None leaves it to the processors.
    dashboard : Ray's page in a browser, where Ray is begun here.

    Raises
    ------
    ArchiveError : nobody answers there, or it is no cluster of this version of Ray; or Ray fails within.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # else it warns of itself between our lines
    import ray
    import ray.exceptions

    _begin(address, workers or len(os.sched_getaffinity(0)), dashboard)
    _without_its_news()
    try:
        processors = int(ray.cluster_resources().get("CPU", 0))
        if processors < 1:
            raise ArchiveError(f"--address {address}: the cluster has no processors; start a node with some")
        yield min(workers or processors, processors)
    except ray.exceptions.RayError as error:
        raise ArchiveError(f"Ray gives up: {in_a_line(error)}; run it again, it goes on") from error
    finally:
        ray.shutdown()


def _begin(address: str, processors: int, dashboard: bool) -> None:
    """Connect to Ray, or begin it on this machine with so many processors."""
    import ray

    quiet: dict[str, object] = {"logging_level": logging.ERROR, "log_to_driver": False}
    own = {
        "num_cpus": processors,
        "include_dashboard": dashboard,
        "object_store_memory": _STORE_BYTES,
        **quiet,
    }
    try:
        with _silent():
            if address == LOCAL:
                ray.init(address=LOCAL, **own)
            elif address == AUTO:
                _init_auto(own, quiet)
            else:
                _look(address)
                ray.init(address=address, **quiet)
    except ArchiveError:
        raise
    except Exception as error:  # Ray's own are of many kinds
        raise ArchiveError(
            f"--address {address}: cannot be used: {in_a_line(error)}; see that every node has the same Ray "
            "and Python; where the cluster wants tokens, as after `ray start`, set RAY_AUTH_MODE=token here"
        ) from None


def in_a_line(error: Exception) -> str:
    """What Ray says, which may be pages."""
    told = " ".join(str(error).split()) or type(error).__name__
    return told if len(told) <= _TOLD else f"{told[:_TOLD]}…"


@contextmanager
def _silent() -> Iterator[None]:
    """Standard error led nowhere: Ray's core writes there how it was set up. What fails comes as an error."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _without_its_news() -> None:
    """Keep Ray from printing that workers and nodes died, at length, on standard output: they are replaced.

    It has no setting for that.
    """
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *_told, **_how: None


def _init_auto(own: dict[str, object], quiet: dict[str, object]) -> None:
    """The cluster that is there; one of this machine alone where none is."""
    import ray

    named = os.environ.get("RAY_ADDRESS")
    if named:
        _look(named)
    try:
        ray.init(address=AUTO, **quiet)
    except ConnectionError:
        if named:
            raise
        ray.init(address=LOCAL, **own)


def _look(address: str) -> None:
    """See that somebody listens there before Ray waits for minutes."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ArchiveError(
            f"--address {address}: is no address; give auto, local, HOST:6379 or ray://HOST:10001"
        )
    host, port = found[1].strip("[]"), int(found[2])
    try:
        socket.create_connection((host, port), timeout=_REACHED_S).close()
    except (OSError, OverflowError) as error:
        raise ArchiveError(
            f"--address {address}: nobody answers there ({error}); see that the head runs: ray start --head"
        ) from None
