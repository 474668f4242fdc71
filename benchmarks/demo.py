"""Simulated slides, whose truth is known: is the finding right, and the blast fraction within its interval?

    python benchmarks/demo.py [--frames 200] [--seeds 0-20]

A healthy slide must not be referred. Elsewhere the interval must hold the slide's true fraction, in 19 of 20
seeds. Cells found, placed and counted are compared with the truth as well.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from results import Results, parser_of


def screen(seed: int, frames: int, folder: Path) -> dict[str, Any]:
    """One slide through `edge-run`, and its truth."""
    out, truth = folder / f"{seed}.jsonl", folder / f"{seed}.json"
    command = ["--camera", f"demo:{seed}", "--headless", "--json", out, "--truth", truth, "--no-records"]
    command += ["--max-frames", frames]
    subprocess.run(
        [sys.executable, "-m", "edge.cli", *map(str, command)], check=True, stdout=subprocess.DEVNULL
    )
    finding = json.loads(out.read_text().splitlines()[-1])
    return finding | {"truth": json.loads(truth.read_text())["blast_fraction"]}


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--seeds", default="0-20", help="first-last (default 0-20)")
    arguments = parser.parse_args()
    results = Results("demo", parser, arguments)
    first, last = (int(n) for n in arguments.seeds.split("-"))
    held = slides = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, last + 1):
            said = screen(seed, arguments.frames, Path(folder))
            low, high = said["blast_interval"] or (0.0, 1.0)
            holds = low <= said["truth"] <= high
            slides, held = slides + 1, held + holds
            read = SimpleNamespace(value=said["blast_fraction"] or 0.0, low=low, high=high)
            about = {"n": said["cells_counted"], "of": "leukocytes", "wanted": f"{said['truth']:.3f}"}
            results.add("blast fraction", read, what=f"demo:{seed}, {said['finding']}", **about)
            print(
                f"demo:{seed:<3} truth {said['truth']:.3f}  read {said['blast_fraction'] or 0:.3f} "
                f"[{low:.3f}, {high:.3f}] {'held' if holds else 'MISSED':6} of {said['cells_counted']:4} "
                f"leukocytes, {said['uncertain']} uncertain, {said['rejected']} rejected: {said['finding']}",
                flush=True,
            )
    print(f"interval held the truth in {held} of {slides} slides")
    results.add("interval holds the truth", held / slides, n=slides, of="slides", wanted="≥ 0.95")
    results.write()


if __name__ == "__main__":
    main()
