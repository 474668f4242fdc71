"""The line's speed, memory and start on this machine: `edge-device bench`, and a long run beside it.

    python benchmarks/line.py [--frames 60] [--long 5000] [--json OUT]

Speed, video, crowded fields, classifier and the process are measured by `edge.bench`, which says how. The
long run is `edge-run --headless` on the simulated slide in a process of its own: its resident memory by
frames, and how much the median of the last looks at it lies above the median of those from frame 500 on. The
start is from typing that command to its first reading, the best of three, warm disk.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from results import Results, add_json

from edge import command
from edge.bench import process, table
from edge.bench.measure import Extent, measure
from edge.bench.rig import rig

SETTLED = 500
"""Frames after which memory should no longer grow."""
LOOKS = 5


def long_run(frames: int, starts: int, folder: Path) -> dict[str, Any]:
    """Memory and start of `edge-run --headless` on the simulated slide, MB and seconds."""
    demo = ["--camera", "demo", "--records", str(folder / "long.db")]
    first = min(process.run([*demo, "--max-frames", "1"]).first_reading_s for _ in range(starts))
    with command.Progress(frames) as bar:
        seen = process.run(
            [*demo, "--max-frames", str(frames)], lambda n: bar.show(n, f"long run: {n} of {frames} fields")
        )
    resident = {n: round(now, 1) for n, (now, _) in seen.memory.items()}
    settled = [mb for n, mb in resident.items() if n >= SETTLED]
    early, late = (np.median(part) if part else np.nan for part in (settled[:LOOKS], settled[-LOOKS:]))
    return {
        "first_reading_s": round(first, 2),
        "frames": seen.frames,
        "resident_mb": resident,
        "largest_resident_mb": max(resident.values()),
        "peak_mb": round(max(peak for _, peak in seen.memory.values()), 1),
        "growth_after_500": round(float(late / early - 1), 4) if len(settled) > LOOKS else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=60, help="1080p fields to measure (default 60)")
    parser.add_argument(
        "--long", type=int, default=5000, help="frames of the long run (default 5000); 0 for none"
    )
    add_json(parser)
    arguments = parser.parse_args()
    results = Results("line", parser, arguments)
    figures: dict[str, Any] = {}
    if arguments.frames:
        extent = Extent.full(arguments.frames)
        steps = iter(range(extent.steps))
        with rig() as rigged, command.Progress(extent.steps) as bar:
            figures = measure(rigged, extent, lambda text: bar.show(next(steps), text))
        print(table.table(figures), flush=True)
    if arguments.long:
        with tempfile.TemporaryDirectory() as name:
            figures["long_run"] = run = long_run(arguments.long, 3, Path(name))
        grown = "too few frames" if run["growth_after_500"] is None else f"{run['growth_after_500']:+.1%}"
        print(
            f"long run of {run['frames']} fields: at most {run['largest_resident_mb']} MB resident, "
            f"{grown} after the first {SETTLED}; first reading after {run['first_reading_s']} s"
        )
        about = {"what": "edge-run --headless, simulated slide", "n": run["frames"], "of": "fields"}
        results.add("first reading", run["first_reading_s"], unit="s", wanted="≤ 1.5 s", **about)
        results.add("memory, largest", run["largest_resident_mb"], unit="MB", wanted="≤ 200 MB", **about)
        results.add(f"memory, growth after {SETTLED}", run["growth_after_500"], wanted="≤ 0.01", **about)
    results.write(figures)


if __name__ == "__main__":
    main()
