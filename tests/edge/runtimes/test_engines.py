"""Engines are kept, checked, and built again; on stand-ins for NVIDIA's modules."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.files import cachefile
from edge.runtimes import GraphError, open_runtime
from tests.conftest import ROOT, graph
from tests.edge.runtimes.fake_tensorrt import Machine

Begin = Callable[..., Machine]


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Puts the test on an imagined machine."""

    def on(**about: str) -> Machine:
        machine = Machine(**about)
        machine.install(monkeypatch)
        return machine

    return on


def _start(cache: Path | None, content: bytes = b"", precision: str = "int8") -> list[str]:
    """Open, run and close a graph; the lines told."""
    told: list[str] = []
    runtime = open_runtime(
        "trt", content or graph(), precision=precision, threads=1, cache=cache, tell=told.append
    )
    assert runtime.run({"crops": np.zeros((2, 96, 96, 3), np.uint8)})["probabilities"].shape[0] == 2
    runtime.close()
    return told


def _engine(cache: Path) -> Path:
    (engine,) = cache.glob("*.engine")
    return engine


def test_built_once_then_kept(on: Begin, tmp_path: Path) -> None:
    machine = on()
    first = _start(tmp_path)
    assert first[0] == "building the TensorRT engine for int8 on Imagined GPU sm_87: takes minutes, once"
    assert first[-1].startswith("the engine for int8 is built")
    assert _start(tmp_path) == []
    assert machine.builds == 1
    assert not list(tmp_path.glob("*.part"))


@given(at=st.integers(0, 400), junk=st.binary(max_size=40), keep=st.booleans())
def test_a_file_with_anything_else_in_it_is_never_taken(at: int, junk: bytes, keep: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.engine"
        cachefile.write(path, {"GPU": "Thor"}, b"content" * 20)
        good = path.read_bytes()
        path.write_bytes(good[:at] + junk + (good[at:] if keep else b""))
        with contextlib.suppress(cachefile.StaleError):
            assert cachefile.read(path, {"GPU": "Thor"}) == b"content" * 20


def test_each_graph_and_precision_has_its_own(on: Begin, tmp_path: Path) -> None:
    machine = on()
    for content, precision in [(graph(), "int8"), (graph(), "fp16"), (graph(classes=3), "int8")]:
        _start(tmp_path, content, precision)
    assert machine.builds == 3
    assert len(list(tmp_path.glob("*.engine"))) == 3


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        ({"gpu": "Thor"}, "was made for GPU Imagined GPU sm_87, this is Thor sm_87"),
        ({"version": "11.4.0.106"}, "was made for TensorRT 10.16.1.11, this is 11.4.0.106"),
    ],
)
def test_another_gpu_or_version_builds_again(
    on: Begin, tmp_path: Path, about: dict[str, str], reason: str
) -> None:
    on()
    _start(tmp_path)
    machine = on(**about)
    assert reason in _start(tmp_path)[0]
    assert machine.builds == 1
    assert _start(tmp_path) == []


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flip(content: bytes) -> bytes:
    return content[:-5] + bytes([content[-5] ^ 1]) + content[-4:]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (_cut, "is damaged: "),
        (_flip, "its checksum is wrong"),
        (lambda content: b"", "is of another format"),
        (lambda content: content[:60], "has a damaged header"),
        (lambda content: content.replace(b'"made_for": {', b'"made_for": 7, "x": {'), "has a damaged header"),
    ],
)
def test_a_damaged_engine_is_built_again(
    on: Begin, tmp_path: Path, damage: Callable[[bytes], bytes], reason: str
) -> None:
    machine = on()
    _start(tmp_path)
    engine = _engine(tmp_path)
    engine.write_bytes(damage(engine.read_bytes()))
    told = _start(tmp_path)
    assert reason in told[0]
    assert told[0].endswith("it is built again")
    assert machine.builds == 2
    assert _start(tmp_path) == []


def test_an_engine_that_tensorrt_itself_refuses_is_built_again(on: Begin, tmp_path: Path) -> None:
    on()
    _start(tmp_path)
    machine = on()
    machine.version = "10.16.9"  # the module still says 10.16.1, as when a library is replaced under it
    assert "Version tag does not match; it is built again" in _start(tmp_path)[0]
    assert machine.builds == 1


def test_a_full_disk_is_told_and_the_engine_runs_from_memory(
    on: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on()
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9, 3_000_000))
    told = _start(tmp_path)
    (line,) = [line for line in told if "not kept" in line]
    assert "3 MB free, 17 MB needed" in line
    assert str(tmp_path) in line
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_while_writing_leaves_nothing_behind(
    on: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on()
    really = tempfile.mkstemp

    def on_a_full_disk(*arguments: Any, **settings: Any) -> tuple[int, str]:
        handle, name = really(*arguments, **settings)
        os.close(handle)
        return os.open("/dev/full", os.O_WRONLY), name

    monkeypatch.setattr(tempfile, "mkstemp", on_a_full_disk)
    (line,) = [line for line in _start(tmp_path) if "not kept" in line]
    assert os.strerror(errno.ENOSPC) in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(on: Begin, tmp_path: Path) -> None:
    on()
    tmp_path.chmod(0o500)
    assert any("not kept" in line for line in _start(tmp_path))


def test_a_folder_that_cannot_be_made(on: Begin, tmp_path: Path) -> None:
    on()
    (tmp_path / "file").write_text("")
    assert any("not kept" in line for line in _start(tmp_path / "file" / "cache"))


def test_no_cache_keeps_nothing(on: Begin) -> None:
    machine = on()
    _start(None)
    _start(None)
    assert machine.builds == 2


def test_what_a_power_cut_left_is_swept_away(on: Begin, tmp_path: Path) -> None:
    on()
    old, new = tmp_path / ".a.engine.7.part", tmp_path / ".b.engine.8.part"
    for part in (old, new):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    _start(tmp_path)
    assert not old.exists()
    assert new.exists()


def test_two_processes_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, pytest; from pathlib import Path\n"
        "from tests.edge.runtimes.fake_tensorrt import Machine\n"
        "from tests.edge.runtimes.test_engines import _start\n"
        "Machine().install(pytest.MonkeyPatch())\n"
        "for _ in range(8):\n"
        "    _start(Path(sys.argv[1]))\n"
        "    [file.unlink(missing_ok=True) for file in Path(sys.argv[1]).glob('*.engine')]\n"
        "_start(Path(sys.argv[1]))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    both = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert not list(tmp_path.glob("*.part"))
    cachefile.read(_engine(tmp_path), {})


def test_progress_is_told_and_ctrl_c_ends_the_build(
    on: Begin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on()
    from edge.runtimes import engines

    monkeypatch.setattr(engines, "_REPORT_S", 0.0)
    line = next(line for line in _start(tmp_path) if "%" in line)
    assert line.startswith("building the engine for int8: 50%")

    def stop(line: str) -> None:
        if "%" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_runtime("trt", graph(), precision="fp16", threads=1, cache=tmp_path, tell=stop)
    assert len(list(tmp_path.glob("*.engine"))) == 1


def test_the_share_done_of_nested_phases(on: Begin) -> None:
    on()
    from edge.runtimes import engines

    told: list[str] = []
    progress = engines.BuildMonitor("fp32", told.append)
    progress._told = -1e9
    progress.phase_start("outer", None, 4)
    progress.step_complete("outer", 0)
    progress.phase_start("inner", "outer", 2)
    progress._told = -1e9
    progress.step_complete("inner", 0)
    assert [line.split(": ")[1].split(",")[0] for line in told] == ["25%", "38%"]


def test_timings_are_kept_and_used(on: Begin, tmp_path: Path) -> None:
    on()
    _start(tmp_path)
    timings = tmp_path / "timing.cache"
    kept = cachefile.read(timings, {"TensorRT": "10.16.1.11"})
    assert kept == b"timings"
    timings.write_bytes(b"damaged")
    _start(tmp_path, precision="fp16")
    assert cachefile.read(timings, {"TensorRT": "10.16.1.11"}) == b"timings"


def test_a_graph_that_tensorrt_refuses(on: Begin, tmp_path: Path) -> None:
    on()
    with pytest.raises(GraphError, match="TensorRT does not take the graph"):
        open_runtime("trt", b"no graph", precision="fp32", threads=1, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_all_memory_is_given_back(on: Begin) -> None:
    machine = on()
    _start(None)
    assert machine.memory == {}
    assert machine.streams == {}


@pytest.mark.parametrize("allowed", range(4))
def test_memory_is_given_back_too_where_it_does_not_suffice(on: Begin, allowed: int) -> None:
    machine = on()
    machine.out_of_memory_after = allowed
    with pytest.raises(GraphError, match=r"runtime trt: .* out of memory"):
        open_runtime("trt", graph(), precision="fp32", threads=1)
    assert machine.memory == {}
    assert machine.streams == {}
