"""What Ray costs an archive: fields a second beside the bare line, with one worker and with two, and of an
empty line, which does nothing.

The bare line is a worker's own, in a process without Ray; it writes what a worker writes. Ray's start, which
is told by itself, is not in the rates: they stand from the first task's end to the last one's.

    python benchmarks/archive.py [--fields 800] [--width 1920] [--height 1080] [--empty 2000] [--json OUT]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import NamedTuple

import cv2
from results import Results, parser_of

from edge.archive import crew
from edge.archive.cluster import connected
from edge.archive.done import Done
from edge.archive.entry import Task
from edge.archive.order import MODEL, Order
from edge.archive.place import Place
from edge.archive.planning.plan import Plan, entries_of, tasks_of
from edge.archive.run import PASS_TASKS
from edge.archive.screening.screener import Screener
from edge.cameras.demo.camera import SimulatedCamera
from edge.cameras.demo.scope import scope_of

_SLIDE = 10  # pictures
_TASK = 100
"""Pictures of a task: half the usual, so that what a task costs weighs twice as much."""


class Rate(NamedTuple):
    """Fields a second, and seconds until the first task was done."""

    fields_s: float
    start_s: float


class EmptyWorker(crew.Worker):
    """A worker whose line does nothing."""

    def _told(self, task: Task) -> tuple[str, str]:
        return Done(task.fields).encoded().decode(), ""


def drawn(folder: Path, fields: int, width: int, height: int) -> float:
    """Write the archive; µm per pixel."""
    camera = SimulatedCamera(1, scope=replace(scope_of(1), field_px=(width, height)))
    camera.open()
    for number in range(fields):
        frame = camera.read()
        assert frame is not None
        slide = folder / f"S-{number // _SLIDE:04d}"
        slide.mkdir(parents=True, exist_ok=True)
        path = slide / f"{number:06d}.jpg"
        cv2.imwrite(str(path), frame.pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])
    camera.close()
    return scope_of(1).um_per_px


def begun(archive: Path, out: Path, um_per_px: float) -> tuple[Order, Place, list[Task]]:
    """An output, listed and ready to be screened."""
    from edge import __version__
    from edge.bundle import bundle

    model, place = bundle.load(), Place(str(out))
    order = Order(
        str(archive), f"{model.manifest.name} {model.manifest.version}", model.sha256, __version__,
        trusted=True, um_per_px=um_per_px, task_fields=_TASK,
    )  # fmt: skip
    place.write(MODEL, model.path.read_bytes())
    order.write(place)
    Plan.of(order, place)
    return order, place, tasks_of(place, 0)


def bare(order: Order, place: Place, tasks: list[Task]) -> float:
    """Fields a second of the line alone on one processor, after its first task."""
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_of_them)})
    screener = Screener(order, place, place.read(MODEL), None)
    screener.screen(tasks[0], entries_of(place, tasks[0]))
    began, fields = time.perf_counter(), 0
    for task in tasks[1:]:
        fields += screener.screen(task, entries_of(place, task)).fields
    took = time.perf_counter() - began
    screener.close()
    os.sched_setaffinity(0, all_of_them)
    return fields / took


def under_ray(order: Order, place: Place, tasks: list[Task], workers: int, worker: type[crew.Worker]) -> Rate:
    """Fields a second with so many workers, and how long the first one took to come."""
    with connected("local", workers) as found:
        began = time.perf_counter()
        at, fields = [], []
        for _, done in crew.screened(order, place, "bench", tasks, found, worker=worker):
            at.append(time.perf_counter())
            fields.append(done.fields)
    # the first task of each worker has its start in it
    took = at[-1] - at[workers - 1]
    return Rate(sum(fields[workers:]) / took, at[0] - began)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--fields", type=int, default=800)
    parser.add_argument("--width", type=int, default=1920)
    parser.add_argument("--height", type=int, default=1080)
    parser.add_argument(
        "--empty",
        default="50,500,5000",
        help="tasks of the empty line, of 200 fields each, in passes as a run makes",
    )
    parser.add_argument("--only-empty", type=int, help="this many of them in this process, and nothing else")
    parser.add_argument("--rounds", type=int, default=3, help="in which the three take turns")
    parser.add_argument("--folder", type=Path, help="where pictures and output lie (default: temporary)")
    arguments = parser.parse_args()
    if arguments.only_empty:
        print(json.dumps(empty(arguments.only_empty)))
        return
    results = Results("archive", parser, arguments)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary)
        os.environ["LEUKOSCOPE_HOME"] = str(folder / "home")
        um_per_px = drawn(folder / "archive", arguments.fields, arguments.width, arguments.height)
        order, place, tasks = begun(folder / "archive", folder / "out", um_per_px)
        measure(order, place, tasks, arguments.rounds, f"{arguments.width}×{arguments.height}", results)
    peaks = []
    for tasks in map(int, arguments.empty.split(",")):
        again = [sys.executable, __file__, "--only-empty", str(tasks)]
        told = json.loads(
            subprocess.run(
                again, check=True, capture_output=True, text=True, encoding="utf-8"
            ).stdout.splitlines()[-1]
        )
        print(f"{tasks} empty tasks: {told['ms']:.1f} ms each, driver {told['mb']:.0f} MB")
        peaks.append(told["mb"])
        about = {"what": f"{tasks * 200:,} fields", "n": tasks, "of": "tasks"}
        results.add("empty task", told["ms"], unit="ms", **about)
        results.add("driver's peak", told["mb"], unit="MB", wanted=f"≤ {peaks[0] + 50:.0f}", **about)
    results.write()


def empty(tasks: int) -> dict[str, float]:
    """What Ray takes of a task whose line does nothing, and this process's peak."""
    order, place = Order("nothing", "", "", ""), Place("nowhere")
    nothing = [Task(0, number, 200) for number in range(tasks)]
    with connected("local", 1) as workers:
        next(crew.screened(order, place, "bench", nothing[:2], workers, worker=EmptyWorker))
        began = time.perf_counter()
        for first in range(0, tasks, PASS_TASKS):
            several = nothing[first : first + PASS_TASKS]
            for _ in crew.screened(order, place, "bench", several, workers, worker=EmptyWorker):
                pass
        took = time.perf_counter() - began
    peak = Path("/proc/self/status").read_text("utf-8").partition("VmHWM:")[2].split()[0]
    return {"ms": took / tasks * 1e3, "mb": int(peak) / 1024}


def measure(order: Order, place: Place, tasks: list[Task], rounds: int, what: str, results: Results) -> None:
    """The bare line, one worker and two, in turns; each round is a comparison of its own."""
    alone, one, two, start = [], [], [], []
    for _ in range(rounds):
        alone.append(bare(order, place, tasks))
        single = under_ray(order, place, tasks, 1, crew.Worker)
        one.append(single.fields_s)
        start.append(single.start_s)
        two.append(under_ray(order, place, tasks, 2, crew.Worker).fields_s)
        print(f"bare {alone[-1]:.1f} fields/s, one worker {one[-1]:.1f}, two {two[-1]:.1f}", flush=True)
    overhead = median(a / b - 1 for a, b in zip(alone, one, strict=True))
    gain = median(b / a for a, b in zip(one, two, strict=True))
    print(f"Ray takes {overhead:+.1%}; two workers are {gain:.2f} times one; start {median(start):.1f} s")
    about = {"what": what, "n": sum(task.fields for task in tasks), "of": "fields"}
    results.add("bare line", median(alone), unit="fields/s", **about)
    results.add("one worker", median(one), unit="fields/s", **about)
    results.add("two workers", median(two), unit="fields/s", **about)
    results.add("what Ray takes", overhead, wanted="≤ 0.1", **about)
    results.add("two workers by one", gain, wanted="≥ 1.8", **about)
    of_bare = median(b / a for a, b in zip(alone, two, strict=True))
    results.add("two workers by the bare line", of_bare, wanted="≥ 1.8", **about)
    results.add("start", median(start), unit="s", **about)


if __name__ == "__main__":
    main()
