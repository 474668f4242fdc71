"""Programs that run, ended, or left their number to another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.machine import processes

Tree = Callable[..., Path]


def stat(started: int, state: str = "S") -> str:
    """What Linux tells of a process whose name is meant to mislead."""
    return f"77 (a) b (c) {state} {' '.join('0' for _ in range(18))} {started} 0 0\n"


def test_this_process_runs_and_another_ends() -> None:
    assert processes.runs(processes.name())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        named = processes.name(other.pid)
        assert processes.runs(named)
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # it ended, and nobody asked how
        assert not processes.runs(named)
    assert not processes.runs(named)


def test_a_number_given_again_is_another_process(tree: Tree) -> None:
    assert processes.name(77, tree({"proc/77/stat": stat(5000)})) == "77:5000"
    assert processes.runs("77:5000", tree({"proc/77/stat": stat(5000)}))
    assert not processes.runs("77:5000", tree({"proc/77/stat": stat(9000)}))
    assert not processes.runs("77:5000", tree({"proc/77/stat": stat(5000, "Z")}))


def test_without_proc_the_number_has_to_do(tmp_path: Path) -> None:
    named = processes.name(root=tmp_path)
    assert named == str(os.getpid())
    assert processes.runs(named, tmp_path)


@pytest.mark.parametrize("named", ["", ":", "x:1", "-1", "99999999999999999999"])
def test_what_is_no_name_does_not_run(named: str, tmp_path: Path) -> None:
    assert not processes.runs(named, tmp_path)
    assert not processes.runs(named)
