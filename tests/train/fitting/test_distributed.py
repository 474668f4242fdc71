"""Two processes on this machine, started as a user would, by torchrun."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from export.bundle.bundle import Options, build
from train.fitting import fit
from train.fitting.distributed import Process, joined

RECIPE = """
name = "small"
title = "for tests"
shares = { deepapl = 1.0 }
input = { size_px = 32, window_px = 48 }
architecture = { stem = 4, widths = [4, 8, 8], blocks = [1, 1, 1] }
training = { epochs = 2, samples = 45, batch = 15 }
operation = { datasets = ["deepapl"] }
"""

SPY = """
import os, sys
from pathlib import Path
import torch
from train import cli
from train.data import windows
from train.fitting import loop
rank, folder = os.environ["RANK"], Path({folder!r})
epoch, read, step = loop._epoch, windows.read, loop._step

def noting(task, run, state, after_step):
    loss = epoch(task, run, state, after_step)
    for name in ("network", "average"):
        torch.save(getattr(state, name).state_dict(), folder / f"{{name}}-{{rank}}.pt")
    return loss

def cutting(*words, **named):
    if words[0].name == "deepapl":  # every process cuts a few drawn fields, to know what the program makes
        (folder / f"cut-{{rank}}").touch()
    return read(*words, **named)

def dying(state, *rest):
    if {dies!r} == f"{{rank}} {{state.epoch}} {{state.step}}":
        os._exit(9)
    return step(state, *rest)

loop._epoch, windows.read, loop._step = noting, cutting, dying
sys.exit(cli.main(sys.argv[1:]))
"""


def _torchrun(folder: Path, data: Path, dies: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "small.toml").write_text(RECIPE)
    (folder / "spy.py").write_text(SPY.format(folder=str(folder), dies=dies))
    words = ["fit", "--recipe", str(folder / "small.toml"), "--data", str(data), "--out", str(folder / "run")]
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(folder / "spy.py")]
    root = str(Path(fit.__file__).parents[2])
    return subprocess.run(
        [sys.executable, *launch, *words],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": root, "PYTHONFAULTHANDLER": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_two_processes_fit_one_network(deepapl: Callable[..., Path], tmp_path: Path) -> None:
    """One of them dies in the second epoch; started again they end alike, with a run that can be exported."""
    data = deepapl(20, 1)
    broken = _torchrun(tmp_path, data, dies="1 1 2")
    assert broken.returncode != 0
    assert "edge-train: process 0 of 2: " in broken.stderr
    assert not (tmp_path / "run" / "model.pt").exists()

    done = _torchrun(tmp_path, data)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / "run")
    assert done.stderr.count("edge-train: epoch ") == 1  # one process talks, of the epoch that was left
    assert (tmp_path / "cut-0").exists()
    assert not (tmp_path / "cut-1").exists()
    for name in ("network", "average"):
        one, other = (torch.load(tmp_path / f"{name}-{rank}.pt", weights_only=True) for rank in (0, 1))
        for key, value in one.items():
            assert torch.equal(value, other[key]), key
    starts = json.loads((tmp_path / "run" / "environment.json").read_text())
    assert [start["processes"] for start in starts] == [2, 2]
    network, _ = fit.load_network(tmp_path / "run")
    assert all(torch.isfinite(value).all() for value in network.state_dict().values())
    assert len(build(tmp_path / "run", Options(even_so=True)).content) > 10_000


def test_the_parts_make_the_batch() -> None:
    batch = np.arange(10)
    parts = [Process(torch.device("cpu"), rank, 3).part(batch) for rank in range(3)]
    assert np.concatenate(parts).tolist() == batch.tolist()
    assert {len(part) for part in parts} == {3, 4}


def test_without_torchrun_a_process_is_alone() -> None:
    with joined("cpu") as process:
        assert process.leads
        assert process.of_leader(lambda: 3) == process.in_turn(lambda: 3) == 3
        tensor = torch.ones(2)
        process.add_up([tensor])
        assert tensor.tolist() == [1.0, 1.0]


def test_torchrun_with_one_process_is_alone_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TORCHELASTIC_RUN_ID": "x",
        "RANK": "0",
        "WORLD_SIZE": "1",
        "LOCAL_RANK": "0",
    }.items():
        monkeypatch.setenv(name, value)
    with joined("cpu") as process:
        assert process.size == 1
