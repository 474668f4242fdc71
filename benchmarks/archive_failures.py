"""An archive whose screening is cut off in every way, beside one that is left alone: both must be the same.

Two Ray nodes with a processor each run on this machine. A worker and a node are killed, and the driver twice;
then it is run to its end. Pictures are windows of drawn fields, small ones, in slides of which one is long.

    python benchmarks/archive_failures.py [--fields 20000] [--width 320] [--height 240] [--json OUT]
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import psutil
import pyarrow.dataset
import pyarrow.parquet
from results import Results, parser_of

from edge.cameras.demo.camera import SimulatedCamera

TABLES = ("fields", "cells", "slides")
_DRAWN = 40  # different fields
_LONG = 10  # the share of all pictures that one slide has, as 1 in so many
_SHORT = 25  # pictures of every other slide


def drawn(folder: Path, fields: int, width: int, height: int) -> None:
    """Write the archive: windows of drawn fields, each somewhat brighter or darker than the others."""
    pictures = []
    for seed in (0, 1):
        camera = SimulatedCamera(seed)
        camera.open()
        frames = (camera.read() for _ in range(_DRAWN // 2))
        pictures += [frame.pixels for frame in frames if frame is not None]
        camera.close()
    for number in range(fields):
        pixels = pictures[number % len(pictures)]
        y = number * 37 % (pixels.shape[0] - height + 1)
        x = number * 53 % (pixels.shape[1] - width + 1)
        window = cv2.convertScaleAbs(pixels[y : y + height, x : x + width], alpha=1 - number % 7 / 100)
        long = number < fields // _LONG
        slide = folder / ("long" if long else f"{number // _SHORT % 12:02d}/S-{number // _SHORT:05d}")
        slide.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(slide / f"{number:06d}.jpg"), window[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    (folder / "long" / "damaged.jpg").write_bytes(b"\xff\xd8 nothing")


def command(archive: Path, out: Path, address: str, um_per_px: float, shard: int) -> list[str]:
    """The command as it would be typed."""
    words = ["run", archive, "--out", out, "--address", address, "--um-per-px", um_per_px,
             "--shard-fields", shard, "--task-fields", 100]  # fmt: skip
    return [sys.executable, "-m", "edge.archive.cli", *map(str, words)]


def workers() -> list[psutil.Process]:
    """The processes that hold the line."""
    found = []
    for process in psutil.process_iter(["cmdline", "name"]):
        told = " ".join(process.info["cmdline"] or ()) or process.info["name"] or ""
        if told.startswith("ray::MapWorker") or "ray::MapWorker" in told:
            found.append(process)
    return found


def fields_done(out: Path) -> int:
    """By what the tasks left, roughly: files of those that are done."""
    work = len(list(out.glob("work/*/*.json")))
    return work * 100 + sum(pyarrow.parquet.read_metadata(p).num_rows for p in out.glob("fields/*.parquet"))


def until(out: Path, running: subprocess.Popen[bytes], fields: int) -> None:
    """Wait until so many fields are done."""
    while fields_done(out) < fields and running.poll() is None:
        time.sleep(0.5)


def chaos(archive: Path, out: Path, fields: int, um_per_px: float, shard: int) -> list[str]:
    """Run it with all that may go wrong, and then to its end; what was done to it."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    second = cluster.add_node(num_cpus=1)
    told: list[str] = []

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command(archive, out, cluster.address, um_per_px, shard))

    def note(what: str) -> None:
        told.append(f"{what} after about {fields_done(out)} fields")
        print(told[-1], flush=True)

    def kill_worker() -> None:
        if found := workers():
            found[0].kill()

    steps: list[tuple[float, str, Callable[[], None]]] = [
        (0.1, "a worker was killed", kill_worker),
        (0.2, "the driver was killed", lambda: running.kill()),
        (0.35, "a node was killed", lambda: cluster.remove_node(second, allow_graceful=False)),
        (0.45, "a node joined", lambda: cluster.add_node(num_cpus=1) and None),
        (0.6, "the driver was killed again", lambda: running.kill()),
        (0.75, "it was stopped as by Ctrl-C", lambda: running.send_signal(signal.SIGINT)),
        (0.85, "a worker was killed again", kill_worker),
    ]
    running = start()
    for share, what, do in steps:
        until(out, running, int(share * fields))
        note(what)
        do()
        if running.poll() is not None or "driver" in what or "Ctrl-C" in what:
            running.wait()
            running = start()
    status = running.wait()
    cluster.shutdown()
    if status:
        raise SystemExit(f"the last run ended with {status}")
    return told


def compared(one: Path, other: Path) -> dict[str, tuple[int, bool, int]]:
    """Table -> rows of the first, whether both have the same, and how many rows the second has twice."""
    found = {}
    for table in TABLES:
        read = [pyarrow.dataset.dataset(out / table).to_table() for out in (one, other)]
        keys = {"fields": ["slide", "index"], "cells": ["slide", "index", "box_px"], "slides": ["slide"]}[
            table
        ]
        rows = [str(tuple(row.values())) for row in read[1].select(keys).to_pylist()]
        lines = [sorted(map(str, each.to_pylist())) for each in read]
        found[table] = (read[0].num_rows, lines[0] == lines[1], len(rows) - len(set(rows)))
    return found


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--fields", type=int, default=20_000)
    parser.add_argument("--width", type=int, default=320)
    parser.add_argument("--height", type=int, default=240)
    parser.add_argument("--folder", type=Path, help="where pictures and output lie (default: temporary)")
    arguments = parser.parse_args()
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    results = Results("archive_failures", parser, arguments)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
        folder = Path(temporary)
        os.environ["LEUKOSCOPE_HOME"] = str(folder / "home")
        results.write(measure(folder, arguments, results))


def measure(folder: Path, arguments: argparse.Namespace, results: Results) -> dict[str, object]:
    """Both runs, and how they compare; what was done to the second."""
    archive, clean, cut = (folder / name for name in ("archive", "clean", "cut"))
    drawn(archive, arguments.fields, arguments.width, arguments.height)
    um_per_px = SimulatedCamera(0).um_per_px or 0.1
    shard = max(arguments.fields // 5, 1)
    began = time.monotonic()
    subprocess.run(command(archive, clean, "local", um_per_px, shard), check=True)
    print(f"clean run: {time.monotonic() - began:.0f} s", flush=True)
    told = chaos(archive, cut, arguments.fields, um_per_px, shard)
    for table, (rows, same, twice) in compared(clean, cut).items():
        print(f"{table}: {rows} rows, {'the same' if same else 'OTHERS'}, {twice} twice")
        about = {"what": table, "n": rows, "of": "rows"}
        results.add("rows are the same", float(same), wanted="1", **about)
        results.add("rows twice", float(twice), wanted="0", **about)
    return {"done to it": told}


if __name__ == "__main__":
    main()
