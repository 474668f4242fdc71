"""The line and its classifier against others, on the same fields, cores and threads, in turn in one run.

    pip install --no-deps -r benchmarks/requirements.txt
    python benchmarks/peers.py [--rounds 15] [--json OUT]

Detectors get one 640 px picture already resized and in floating point, classifiers one cell and nine cells at
once: what these networks need before and after is not counted, while ours counts from the camera's 1080p
frame to the finding, its scale given, records on (what a round leaves to be written is written before the
next contestant). It reads drawn fields with about two, nine and thirty leukocytes; others are compared with
nine.
Every network runs on ONNX Runtime with the threads of our profile, none of which spins (--spin lets the
others' spin). Each round runs everything once; the ratio is the median of the rounds' ratios. What cannot be
installed is listed with the reason. Graphs are made once, by `benchmarks/peer_graphs.py`, into --cache.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from contestants import AT_ONCE, CACHE, OurLine, Runs, fuzzy, milliseconds, networks, other_runtimes, ours
from results import Results, parser_of

from edge import command
from edge.bench import fields, machine
from edge.bench.rig import rig
from edge.bundle import model_input
from edge.cells import segment
from edge.line.engine import Engine
from edge.optics import specimen
from edge.types import U8

WARM_UP = 8
LINES_A_ROUND = 3
SLOW_MS, SLOW_ROUNDS = 2000.0, 3
"""What takes so long runs in the first rounds only."""
WANTED = {"line_of_yolo26n": 0.20, "crowded_line_of_yolo26n": 0.30, "resnet50_by_cell": 80.0}
PACKAGES = (
    "onnxruntime", "torch", "torchvision", "ultralytics", "scikit-learn", "scikit-fuzzy", "openvino", "ncnn"
)  # fmt: skip


def our_line(engine: Engine, drawn: Iterator[U8], held: ExitStack) -> Callable[[], float]:
    """Reads the next fields each time it is called; median milliseconds a field."""
    one = OurLine(engine, held)
    one.begin(fields.UM_PER_PX)

    def read(n: int = LINES_A_ROUND) -> float:
        times = [one.read(next(drawn))[1] for _ in range(n)]
        one.flush()
        return float(np.median(times))

    read(WARM_UP)
    return read


def timed(runs: Runs, rounds: int, lines: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Milliseconds of everything, round by round; each of `lines` gives its own."""
    times: dict[str, list[float]] = {name: [] for name in (*lines, *runs)}
    slow = {name for name, run in runs.items() if milliseconds(run) > SLOW_MS}
    with command.Progress(rounds) as bar:
        for done in range(rounds):
            bar.show(done, f"round {done + 1} of {rounds}")
            for name, line in lines.items():
                times[name].append(line())
            for name, run in runs.items():
                if name not in slow or done < SLOW_ROUNDS:
                    times[name].append(milliseconds(run))
    return times


def crops_of(engine: Engine, drawn: list[U8]) -> U8:
    """Nine cells of the drawn fields, as the classifier sees them."""
    manifest = engine.bundle.manifest
    cut: list[U8] = []
    for pixels in drawn:
        view = specimen.specimen(pixels, fields.UM_PER_PX, manifest.pitch_um)
        cells = segment.segment(view)
        centres = view.in_pitches(cells.centres[~cells.cut])
        cut += list(model_input.crops(view, centres, manifest.size_px))
        if len(cut) >= AT_ONCE:
            break
    return np.stack(cut[:AT_ONCE])


def figures(times: Mapping[str, list[float]], fast: str) -> list[dict[str, Any]]:
    """A row for each: milliseconds, of one cell where it names cells, and how many times ours it takes."""
    rows = []
    for name, ms in times.items():
        n = int(name.split()[-1]) if name.split()[-1] in ("1", str(AT_ONCE)) else 0
        base = times[f"{fast} {n}"] if n else times["line"]
        each = np.array(ms) / max(n, 1)
        rows.append(
            {
                "name": name.rsplit(" ", 1)[0] if n else name,
                "cells_at_once": n or None,
                "median_ms": round(float(np.median(each)), 3),
                "p95_ms": round(float(np.percentile(each, 95)), 3),
                "times_ours": round(float(np.median(np.divide(ms, base[: len(ms)]))), 2),
                "rounds": len(ms),
            }
        )
    return rows


def table(result: Mapping[str, Any]) -> str:
    about = result["graphs"]
    lines = [
        f"{result['machine']['name']}, {result['machine']['cores']} cores, {result['threads']} threads, "
        f"{result['line_variant']} on {result['machine']['instructions']}, {result['rounds']} rounds",
        f"{'':<24}{'cells':>6}{'median ms':>11}{'95% ms':>10}{'times ours':>12}   parameters, GFLOPs",
    ]
    for row in result["rows"]:
        graph = about.get(row["name"], {})
        size = (
            f"   {graph['parameters_m']} M, {graph['gflops']} (published {graph['published']})"
            if graph
            else ""
        )
        name = f"{row['name']} at {graph['size_px']} px" if graph else row["name"]
        lines.append(
            f"{name:<24}{row['cells_at_once'] or '':>6}{row['median_ms']:>11.2f}{row['p95_ms']:>10.2f}"
            f"{row['times_ours']:>12.2f}{size}"
        )
    lines += [f"left out: {name}: {why}" for name, why in result["left_out"].items()]
    for name, value in result["ratios"].items():
        lines.append(f"{name}: {value}" + (f" (wanted {_wanted(name)})" if name in WANTED else ""))
    lines.append(", ".join(f"{name} {number}" for name, number in result["versions"].items()))
    return "\n".join(lines)


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def compare(rounds: int, spin: bool, cache: Path, path: Path | None) -> dict[str, Any]:
    subprocess.run([sys.executable, Path(__file__).with_name("peer_graphs.py"), cache], check=True)
    left_out: dict[str, str] = {}
    with ExitStack() as held:
        engine = held.enter_context(rig(path, path is not None)).engine
        threads = engine.profile.runtime.threads
        drawn = _drawn(WARM_UP + LINES_A_ROUND * rounds)
        usual = drawn["line"]
        crops = crops_of(engine, usual)
        detectors, classifiers = networks(cache, threads, spin, left_out)
        runs = detectors | fuzzy(usual[0], left_out) | ours(engine, crops, threads, held)
        runs |= other_runtimes(engine, crops, threads, cache, left_out) | classifiers
        lines = {name: our_line(engine, iter(pixels), held) for name, pixels in drawn.items()}
        times = timed(runs, rounds, lines)
        own = {name: np.median(ms) for name, ms in times.items() if name.startswith("ort-")}
        fast = min((n for n in own if n.endswith(str(AT_ONCE))), key=lambda n: own[n]).split()[0]
    rows = figures(times, fast)
    return {
        "kind": "peers",
        "machine": machine.describe(),
        "versions": versions(),
        "threads": threads,
        "spin": spin,
        "rounds": rounds,
        "line_variant": engine.classifier.runtime,
        "fastest_variant": fast,
        "graphs": json.loads((cache / "graphs.json").read_text(encoding="utf-8")),
        "rows": rows,
        "left_out": left_out,
        "ratios": _ratios(times, rows),
    }


def _drawn(n: int) -> dict[str, list[U8]]:
    """So many fields of each kind, by the name of the line that reads them; the usual ones first."""
    kinds = sorted(fields.KINDS, key=lambda kind: kind != fields.USUAL)
    found = {}
    with command.Progress(n * len(kinds)) as bar:
        count = iter(range(n * len(kinds)))
        for kind in kinds:
            found["line" if kind == fields.USUAL else f"{kind} line"] = fields.watched(
                fields.draw(fields.KINDS[kind](), n),
                lambda text: bar.show(next(count), text),
                f"drawing {kind} fields",
            )
    return found


def _ratios(times: Mapping[str, list[float]], rows: list[dict[str, Any]]) -> dict[str, float]:
    found = {(row["name"], row["cells_at_once"]): row["times_ours"] for row in rows}
    ratios = {}
    if yolo := times.get("yolo26n"):
        for name in (name for name in times if name.endswith("line")):
            each = np.divide(times[name][: len(yolo)], yolo)
            ratios[f"{name.replace(' ', '_')}_of_yolo26n"] = round(float(np.median(each)), 3)
    if ("resnet50", AT_ONCE) in found:
        ratios["resnet50_by_cell"] = found["resnet50", AT_ONCE]
    return ratios


def _wanted(name: str) -> str:
    """What was set as a goal for a ratio; nothing for most."""
    if name not in WANTED:
        return ""
    return f"{'≤' if name.endswith('yolo26n') else '≥'} {WANTED[name]:g}"


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--spin", action="store_true", help="let the others' waiting threads spin")
    parser.add_argument("--bundle", type=Path, help="another than the one in use")
    parser.add_argument("--cache", type=Path, default=CACHE, help=f"graphs of the others (default {CACHE})")
    arguments = parser.parse_args()
    results = Results("peers", parser, arguments)
    result = compare(arguments.rounds, arguments.spin, arguments.cache, arguments.bundle)
    print(table(result))
    for row in result["rows"]:
        cells = row["cells_at_once"]
        about = {"what": f"{row['name']}, {cells} at once" if cells else row["name"], "n": row["rounds"]}
        results.add(
            "time", row["median_ms"], unit="ms a cell" if cells else "ms a field", of="rounds", **about
        )
        results.add("times ours", row["times_ours"], of="rounds", **about)
    for name, ratio in result["ratios"].items():
        results.add(name, ratio, n=arguments.rounds, of="rounds", wanted=_wanted(name))
    results.write(result)


if __name__ == "__main__":
    main()
