"""Fragments of tasks become the files of a shard, once, whatever is cut off in between."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from edge import slides as edge_slides
from edge.archive.done import Done, Work
from edge.archive.entry import Task
from edge.archive.place import ArchiveError, Place
from edge.archive.screening import shards
from edge.archive.screening.rows import TABLES, schemas
from edge.archive.screening.screener import Screener
from tests.conftest import ROOT
from tests.edge.archive import drawn

CLASSES = ("blast", "lymphocyte")


def task(place: Place, number: int, slides: list[str], fields: int = 3, cells: int = 2) -> Task:
    """A task that is done, of made-up rows."""
    frames: list[dict[str, Any]] = [
        {"slide": slide, "index": i, "source": f"{i}.png"} for slide in slides for i in range(fields)
    ]
    rows = {
        "fields": frames,
        "cells": [frame | {"id": i, "class": "blast"} for frame in frames for i in range(cells)],
        "slides": [{"slide": slide, "finding": "refer"} for slide in slides],
        "timing": [frame | {"node": f"n{number}"} for frame in frames],
    }
    tables = {name: pa.Table.from_pylist(rows[name], schema) for name, schema in schemas(CLASSES).items()}
    n, work = len(frames), Work(len(frames), 1.5)
    done = Done(n, 1, 1, 0, n * cells, len(slides), {"refer": len(slides)}, 1.5, {f"n{number}": work})
    made = Task(4, number, n)
    shards.write(place, made, tables, done)
    return made


def several(place: Place) -> list[Task]:
    return [task(place, 0, ["a", "b"]), task(place, 1, ["c"]), task(place, 2, ["d", "e"])]


def files(place: Place) -> set[str]:
    found = place.files.find(place.root)
    return {str(path).removeprefix(place.root).strip("/") for path in found}


WHOLE = {f"{name}/00004.parquet" for name in TABLES} | {"done/00004.json"}


@pytest.fixture(params=["disk", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = Place(str(tmp_path / "out") if request.param == "disk" else "memory://archive-of-a-test")
    yield made
    made.remove("")


def test_a_shard_has_its_tasks_in_order(place: Place) -> None:
    tasks = several(place)
    assert list(shards.done_tasks(place, 4)) == [0, 1, 2]
    assert not shards.is_done(place, 4)
    assert shards.done_of(place, 4) is None
    done = shards.commit(place, 4, tasks[::-1])
    assert (done.fields, done.cells, done.slides, done.seconds) == (15, 30, 5, 4.5)
    assert done.by_node == {"n0": Work(6, 1.5), "n1": Work(3, 1.5), "n2": Work(6, 1.5)}
    assert files(place) == WHOLE
    assert shards.is_done(place, 4)
    assert shards.done_of(place, 4) == done
    with place.files.open(place.path("cells/00004.parquet")) as stream:
        found = pq.ParquetFile(stream)
        assert found.num_row_groups == 1
        assert found.metadata.row_group(0).column(0).compression == "ZSTD"
        rows = found.read()
    assert rows["slide"].to_pylist() == [slide for slide in "abcde" for _ in range(6)]
    assert rows["index"].to_pylist() == 5 * [0, 0, 1, 1, 2, 2]


def test_what_is_done_is_not_done_again(place: Place) -> None:
    tasks = several(place)
    done = shards.commit(place, 4, tasks)
    place.write("work/00004/000001.json", b"of a worker that was late")
    assert shards.commit(place, 4, tasks) == done
    assert files(place) == WHOLE


def test_a_commit_may_be_cut_off_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Cut(BaseException):
        pass

    expected = Place(str(tmp_path / "whole"))
    shards.commit(expected, 4, several(expected))
    for before in range(6):  # four tables, what says that they are there, and the fragments that go
        place = Place(str(tmp_path / str(before)))
        tasks = several(place)
        with monkeypatch.context() as patch:
            steps = [before]
            for name in ("writing", "remove"):
                patch.setattr(Place, name, _until(getattr(Place, name), steps, Cut))
            with pytest.raises(Cut):
                shards.commit(place, 4, tasks)
        assert shards.is_done(place, 4) == (before == 5)
        shards.commit(place, 4, tasks)
        assert files(place) == WHOLE
        assert all(place.read(name) == expected.read(name) for name in WHOLE)


def _until(does: Any, steps: list[int], error: type[BaseException]) -> Any:
    def step(*asked: Any) -> Any:
        if steps[0] == 0:
            raise error
        steps[0] -= 1
        return does(*asked)

    return step


def test_two_that_commit_at_once_do_no_harm(place: Place) -> None:
    tasks = several(place)
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: shards.commit(place, 4, tasks), range(4)))
    assert done == 4 * [done[0]]
    assert files(place) == WHOLE


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda p: p.remove("work/00004/000001.json"), "1 of its 3 tasks are not done, the first is 1"),
        (lambda p: p.remove("work/00004/000001.cells.parquet"), r"000001\.cells\.parquet is gone"),
        (lambda p: p.write("work/00004/000001.cells.parquet", b"PAR1"), r"000001\.cells\.parquet is damaged"),
        (lambda p: p.write("work/00004/000001.json", b"{"), r"000001\.json is damaged"),
        (lambda p: p.write("work/00004/000001.json", Done().encoded()), "has 3 rows, its task says 0"),
        (lambda p: task(p, 1, ["b"]), "slide b for the second time"),
    ],
)  # fmt: skip
def test_a_fragment_that_does_not_fit_is_named(place: Place, spoil: Any, told: str) -> None:
    tasks = several(place)
    spoil(place)
    with pytest.raises(ArchiveError, match=told) as error:
        shards.commit(place, 4, tasks)
    assert "run it again" in str(error.value)
    assert not any(name.startswith("done/") for name in files(place))
    if "remove" in str(error.value):  # what it says helps
        place.remove("work/00004/000001.json")
        task(place, 1, ["c"])
        assert shards.commit(place, 4, tasks).fields == 15


def test_a_fragment_that_lost_its_end_is_damaged(place: Place) -> None:
    tasks = several(place)
    name = "work/00004/000002.fields.parquet"
    place.write(name, place.read(name)[:-20])
    with pytest.raises(
        ArchiveError, match=r"000002\.fields\.parquet is damaged .*remove work/00004/000002\.json"
    ):
        shards.commit(place, 4, tasks)


@pytest.mark.parametrize("room", [0, 1, 3, 4])
def test_a_full_disk_leaves_no_half_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    import os

    place, left = Place(str(tmp_path)), [room]

    replace = os.replace

    def full(old: str, new: str) -> None:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= 1
        replace(old, new)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ArchiveError, match="cannot be written: No space left on device"):
        task(place, 0, ["a"])
    assert len(files(place)) == room
    assert not shards.done_tasks(place, 4)
    left[0] = 5
    made = task(place, 0, ["a"])
    with pytest.raises(ArchiveError, match="cannot be written: No space left on device"):
        shards.commit(place, 4, [made])
    assert not shards.is_done(place, 4)
    left[0] = 5
    assert shards.commit(place, 4, [made]).fields == 3
    assert files(place) == WHOLE


_TOO_LARGE = """
import resource, signal, sys
sys.path.insert(0, {root!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from edge.archive.place import ArchiveError, Place
from tests.edge.archive.screening.test_shards import task
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
try:
    task(Place(sys.argv[1]), 0, [str(i) for i in range(500)])
except ArchiveError as error:
    print(error)
"""


def test_a_file_that_cannot_grow_is_no_fragment(tmp_path: Path) -> None:
    program = [sys.executable, "-c", _TOO_LARGE.format(root=str(ROOT)), str(tmp_path)]
    ran = subprocess.run(program, capture_output=True, text=True, check=True)
    assert "000000.fields.parquet cannot be written: File too large" in ran.stdout
    assert not ran.stderr
    assert files(Place(str(tmp_path))) == set()


def test_records_of_the_tasks_become_one_store(
    tmp_path: Path, made_once: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, content, place = drawn.slides(made_once), drawn.shipped(), Place(str(tmp_path / "out"))
    tasks = []
    with closing(Screener(drawn.order(folder, content, records=True), place, content, None)) as screener:
        for number, slide in enumerate(("healthy", "blasts")):
            its = drawn.entries(folder, slide)[:2]
            tasks.append(Task(4, number, len(its)))
            screener.screen(tasks[-1], its)
    kept = place.read("work/00004/000001.records.db")
    place.remove("work/00004/000001.records.db")
    with pytest.raises(ArchiveError, match=r"000001\.records\.db is gone; remove work/00004/000001\.json"):
        shards.commit(place, 4, tasks)
    place.write("work/00004/000001.records.db", kept[:5000])
    with pytest.raises(ArchiveError, match=r"000001\.records\.db cannot be merged.*remove work"):
        shards.commit(place, 4, tasks)
    place.write("work/00004/000001.records.db", kept)
    shards.commit(place, 4, tasks)
    assert files(place) == WHOLE | {"records/00004.db"}
    assert edge_slides.main(["verify", "--records", str(tmp_path / "out" / "records" / "00004.db")]) == 0
    told = capsys.readouterr().out
    assert "2 slides" in told
