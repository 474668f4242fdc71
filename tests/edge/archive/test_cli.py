"""`edge-archive` as it is typed: a Ray of this machine, a worker and a driver killed, and bad input."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet as pq
import pytest

from edge.archive import cli, cluster, crew
from edge.archive.done import Done
from edge.archive.entry import Task
from edge.archive.order import Order
from edge.archive.place import Place
from tests.conftest import ROOT
from tests.edge.archive import drawn

pytest.importorskip("ray.data", reason="needs the extra archive")
FLAGS = ("--address", "local", "--um-per-px", "0.2", "--precision", "fp32")
LIMIT_S = 400  # Ray takes its time on a busy machine


@pytest.fixture(scope="module")
def archive(made_once: Callable[[str, Callable[[Path], object]], Path], tmp_path_factory: Any) -> Path:
    """Six slides of two drawn ones."""
    slides = drawn.slides(made_once)
    folder = Path(tmp_path_factory.mktemp("archive"))
    for number in range(3):
        for name in ("healthy", "blasts"):
            shutil.copytree(slides / name, folder / f"{number}" / name)
    return folder


def start(archive: Path, out: Path, *flags: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "edge.archive.cli", "run", str(archive), "--out", str(out), *FLAGS, *flags]
    return subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )


def run(archive: Path, out: Path, *flags: str) -> tuple[int, str, str]:
    told, wrong = (running := start(archive, out, *flags)).communicate(timeout=LIMIT_S)
    return running.returncode, told, wrong


def rows(out: Path, table: str) -> list[str]:
    return sorted(
        str(row) for path in (out / table).glob("*.parquet") for row in pq.read_table(path).to_pylist()
    )


def workers_of(running: subprocess.Popen[str]) -> Iterator[psutil.Process]:
    """The processes that hold the line of this run: Ray's are children of the command's."""
    with suppress(psutil.Error):
        for child in psutil.Process(running.pid).children(recursive=True):
            with suppress(psutil.Error):
                if "MapWorker" in " ".join(child.cmdline()):
                    yield child


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + LIMIT_S
    while not true() and time.monotonic() < end:
        time.sleep(0.05)


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """One worker, in this process, that nobody disturbs."""

    def screened(order: Order, place: Place, run: str, tasks: Sequence[Task], _n: int) -> Iterator[Any]:
        worker = crew.Worker(order, place, run)
        for task in tasks:
            (done,) = worker({name: [value] for name, value in asdict(task).items()})["done"]
            yield task, Done.decoded(done.encode())

    @contextmanager
    def committing(place: Place) -> Iterator[Callable[[int], None]]:
        yield lambda shard: crew._see(crew._committed(place, shard))

    monkeypatch.setattr(cluster, "connected", lambda *_how, **_more: nullcontext(1))
    monkeypatch.setattr(crew, "screened", screened)
    monkeypatch.setattr(crew, "committing", committing)
    monkeypatch.setattr(crew, "_own_core", lambda: None)  # the tests after this one want the others too


@pytest.mark.usefixtures("without_ray")
def test_whoever_is_killed_the_rows_are_those_of_a_run_left_alone(archive: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert cli.main(["run", str(archive), "--out", str(whole), *FLAGS]) == 0

    small = ("--shard-fields", "12", "--task-fields", "6", "--records")
    running = start(archive, cut, *small)
    until(lambda: any(cut.glob("work/*/*.json")) or running.poll() is not None)
    found = list(workers_of(running))
    assert found or running.poll() is not None  # a fast machine may be done
    for worker in found:
        with suppress(psutil.NoSuchProcess):
            worker.kill()
    until(
        lambda: len([*cut.glob("work/*/*.json"), *cut.glob("done/*.json")]) > 1 or running.poll() is not None
    )
    running.kill()
    running.communicate()
    code, told, wrong = run(archive, cut, *small)
    assert (code, wrong) == (0, "")
    assert "6 slides, 36 fields" in told
    assert "6 files could not be read" in told
    for table in drawn.TABLES:
        assert rows(cut, table) == rows(whole, table)
    assert not any((cut / "work").iterdir())
    assert (cut / "summary.html").is_file()
    assert len(list((cut / "records").glob("*.db"))) == len(list((cut / "done").iterdir())) > 1


def test_a_run_that_nobody_disturbs_and_once_more_without_a_cluster(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, told, wrong = run(archive / "0", out, "--records")
    assert (code, wrong) == (0, "")
    assert "2 slides, 12 fields" in told
    assert "2 files could not be read" in told
    assert len(list((out / "records").glob("*.db"))) == 1
    monkeypatch.setattr(cluster, "connected", lambda *_how, **_more: pytest.fail("it waits for a cluster"))
    assert cli.main(["run", str(archive / "0"), "--out", str(out), *FLAGS, "--records"]) == 0
    assert capfd.readouterr().out == told


def fails(capfd: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert cli.main([*map(str, words)]) == 1
    told = capfd.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    return line


def test_an_address_where_nobody_listens(
    archive: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = fails(capfd, "run", archive, "--out", tmp_path / "out", "--address", "127.0.0.1:9")
    assert "nobody answers there" in said
    said = fails(capfd, "run", archive, "--out", tmp_path / "out", "--address", "the cluster")
    assert "is no address; give auto, local" in said
    notes = [json.loads(path.read_text()) for path in (tmp_path / "out" / "runs").iterdir()]
    assert all("--address" in note["how"] for note in notes)


def test_what_was_begun_otherwise_is_not_gone_on_with(
    archive: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    fails(capfd, "run", archive, "--out", out, "--address", "127.0.0.1:9")
    said = fails(capfd, "run", archive, "--out", out, "--address", "127.0.0.1:9", "--um-per-px", "0.1")
    assert "um_per_px None, now 0.1" in said
    assert "another --out" in said


def test_a_folder_that_holds_something_else_stays_as_it_is(
    archive: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said = fails(capfd, "run", archive, "--out", archive)
    assert "holds something else" in said
    assert not (archive / "run.json").exists()


def test_no_two_runs_at_once(archive: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import fcntl

    out = tmp_path / "out"
    out.mkdir()
    handle = os.open(out / ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    assert "another run is at work there" in fails(capfd, "run", archive, "--out", out)
    os.close(handle)


def test_an_archive_without_pictures(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    said = fails(capfd, "run", tmp_path / "empty", "--out", tmp_path / "out", "--address", "local")
    assert "has no pictures" in said


def test_status_of_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "does not exist" in fails(capfd, "status", tmp_path / "nowhere")
