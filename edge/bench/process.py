"""`edge-run --headless` in a process of its own: how soon it reads a field, how much memory it takes, and
whether that grows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from edge.bench.machine import memory_mb
from edge.types import LeukoscopeError

EVERY = 50  # readings between two looks at the memory
SETTLED = 500
"""Fields after which memory should no longer grow."""
_LOOKS = 5  # whose median stands for the memory early and late


@dataclass
class Run:
    """One run of `edge-run`: seconds to its first reading, and memory (now, peak; MB) by readings done."""

    first_reading_s: float = 0.0
    frames: int = 0
    memory: dict[int, tuple[float, float]] = field(default_factory=dict)


def run(arguments: Sequence[str], tell: Callable[[int], None] = lambda n: None) -> Run:
    """Run `edge-run --headless --json -` with these arguments to its end, and watch it.

    `tell` takes the number of readings so far.

    Raises
    ------
    LeukoscopeError : it failed; says what it said.
    """
    begun, seen = time.perf_counter(), Run()
    command = [sys.executable, "-m", "edge.cli", "--headless", "--json", "-", *arguments]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said,
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=said, encoding="utf-8", errors="replace", env=_found()
        ) as edge_run,
    ):
        assert edge_run.stdout is not None
        for text in edge_run.stdout:
            kind = json.loads(text)["kind"]
            if kind == "reading":
                seen.frames += 1
                tell(seen.frames)
                if seen.frames == 1:
                    seen.first_reading_s = time.perf_counter() - begun
            # at the end the process is about to let everything go: its last look is at its last reading
            if kind == "finding" or (seen.frames and seen.frames % EVERY == 0):
                memory = memory_mb(edge_run.pid)
                if memory is not None:
                    seen.memory[seen.frames] = memory
        status = edge_run.wait()
        said.seek(0)
        told = said.read().strip()
    if status or not seen.frames:
        raise LeukoscopeError(f"edge-run ended with status {status}: {told or 'no reading'}")
    return seen


def screening(video: Path, options: Sequence[str], records: Path, starts: int) -> dict[str, Any]:
    """The `process` part of the bench: a few starts, then the whole video."""
    common = ["--camera", str(video), "--records", str(records), *options]
    first = [run([*common, "--max-frames", "1"]).first_reading_s for _ in range(starts)]
    whole = run(common)
    now, peak = list(whole.memory.values())[-1] if whole.memory else (None, None)
    return {
        "first_reading_s": round(min(first), 3),
        "starts": starts,
        "frames": whole.frames,
        "resident_mb": None if now is None else round(now, 1),
        "peak_mb": None if peak is None else round(peak, 1),
    }


def long_run(
    options: Sequence[str], records: Path, frames: int, starts: int, tell: Callable[[str], None]
) -> dict[str, Any]:
    """The `long_run` part of the bench: the simulated slide for many fields, records on.

    `tell` takes a line at every look at the memory.
    """

    def show(done: int) -> None:
        if done % EVERY == 0:
            tell(f"long run: {done} of {frames} fields")

    common = ["--camera", "demo", "--records", str(records), *options]
    first = [run([*common, "--max-frames", "1"]).first_reading_s for _ in range(starts)]
    seen = run([*common, "--max-frames", str(frames)], show)
    resident = {n: round(now, 1) for n, (now, _) in seen.memory.items()}
    return {
        "first_reading_s": round(min(first), 2),
        "starts": starts,
        "frames": seen.frames,
        "resident_mb": {str(n): mb for n, mb in resident.items()},
        "largest_resident_mb": max(resident.values(), default=None),
        "peak_mb": max((round(peak, 1) for _, peak in seen.memory.values()), default=None),
        "growth_after_500": growth(resident),
    }


def growth(resident: Mapping[int, float]) -> float | None:
    """By what share the memory of the last looks lies above that of the first after `SETTLED` fields.

    The ratio of the medians less one, from the MB `resident` by readings done; None where there are too few
    looks to tell early from late.
    """
    settled = [mb for n, mb in sorted(resident.items()) if n >= SETTLED]
    if len(settled) <= _LOOKS:
        return None
    return round(median(settled[-_LOOKS:]) / median(settled[:_LOOKS]) - 1, 4)


def _found() -> dict[str, str]:
    """The environment in which another Python finds this `edge`, and keeps the bytecode of it.

    A shell that has Python keep no bytecode would have every start compile 300 modules, as no device does.
    """
    places = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, places))}
