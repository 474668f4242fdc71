"""`edge-run --headless` in a process of its own: how soon it reads a field and how much memory it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.bench.machine import memory_mb
from edge.types import LeukoscopeError

EVERY = 50  # readings between two looks at the memory


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
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env=_found()) as edge_run,
    ):
        assert edge_run.stdout is not None
        for text in edge_run.stdout:
            kind = json.loads(text)["kind"]
            seen.frames += kind == "reading"
            tell(seen.frames)
            if kind == "reading" and seen.frames == 1:
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


def _found() -> dict[str, str]:
    """The environment in which another Python finds this `edge`, wherever ours found it."""
    places = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
