"""The line's speed, memory and start on this machine.

    python benchmarks/line.py [--frames 60] [--long 500] [--json OUT]

Speed: 1440 × 900 fields of the simulated slide that show six whole cells, one Screening with records on, each
frame new; median and 95th percentile from quality to finding, and the ratio to decoding the same field from
JPEG on the same cores in the same run (these machines are shared; a ratio travels, milliseconds do not).
Memory: `edge-run --headless` in a process of its own, resident after 100 and after `--long` frames.
Start: from typing the command to the first JSON line of a reading, the best of three, warm disk.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

from edge import bundle
from edge.cameras.simulated import SimulatedCamera
from edge.classify import Classifier
from edge.config import load_profile
from edge.optics import Scales
from edge.pipeline import Order, Screening
from edge.records.store import Store
from edge.types import Frame

CELLS = 6


class Fields:
    """A camera that shows fields drawn beforehand, so that drawing is not measured."""

    live = False
    um_per_px: float | None = 0.1
    name = "drawn fields"

    def __init__(self, frames: list[Frame]) -> None:
        self.frames = frames

    def open(self) -> None:
        self._left = iter(self.frames)

    def read(self) -> Frame | None:
        return next(self._left, None)

    def close(self) -> None:
        self._left = iter(())


def drawn(n: int, seed: int = 1) -> list[Frame]:
    """The next `n` sharp fields of the simulated slide, as `edge-run --camera demo` sees them."""
    camera = SimulatedCamera(seed)
    camera.open()
    sharp = [field["defocus_um"] < 0.5 for field in camera.truth()["fields"]]
    frames: list[Frame] = []
    while len(frames) < n:
        frame = camera.read()
        if sharp[frame.index % len(sharp)]:
            now = datetime.now(UTC)
            frames.append(Frame(frame.pixels, len(frames), frame.source, now, time.monotonic()))
    camera.close()
    return frames


def speed(frames: list[Frame], folder: Path) -> dict[str, Any]:
    """Milliseconds of the line over `frames`, records on."""
    profile = load_profile()
    cv2.setNumThreads(profile.images.threads)
    model = bundle.load()
    classifier = Classifier(model, threads=profile.runtime.threads)
    camera = Fields(frames)
    with Store(folder / "records.db") as store:
        screening = Screening(
            camera=camera,
            bundle=model,
            classifier=classifier,
            scales=Scales(asked="auto", nominal=0.1, camera=camera),
            store=store,
            profile=profile.name,
            order=Order(),
        )
        readings = list(screening.readings())
    settled = [r for r in readings[10:] if not r.problems and r.ms["scale"] < 1]
    around = [r for r in settled if abs(len(r.cells) - CELLS) <= 1] or settled
    total = np.array([r.ms["total"] for r in around])
    jpeg = [cv2.imencode(".jpg", r.frame.pixels)[1] for r in around[:30]]
    decode = []
    for content in jpeg:
        begun = time.perf_counter()
        cv2.imdecode(content, cv2.IMREAD_COLOR)
        decode.append((time.perf_counter() - begun) * 1e3)
    stages = {name: round(float(np.median([r.ms[name] for r in around])), 2) for name in around[0].ms}
    return {
        "fields": len(around),
        "cells_per_field": round(float(np.mean([len(r.cells) for r in around])), 1),
        "median_ms": round(float(np.median(total)), 1),
        "p95_ms": round(float(np.percentile(total, 95)), 1),
        "stages_ms": stages,
        "jpeg_decode_ms": round(float(np.median(decode)), 1),
        "ratio_to_jpeg_decode": round(float(np.median(total) / np.median(decode)), 2),
    }


def start(folder: Path) -> float:
    """Seconds from typing `edge-run` to its first reading."""
    command = [
        "--camera", "demo", "--headless", "--json", "-", "--max-frames", "1",
        "--records", str(folder / "s.db"),
    ]  # fmt: skip
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "edge.cli", *command], stdout=subprocess.PIPE, text=True
        ) as run:
            assert run.stdout is not None
            for line in run.stdout:
                if json.loads(line)["kind"] == "reading":
                    times.append(time.perf_counter() - begun)
    return min(times)


def memory(frames: int, folder: Path) -> dict[str, Any]:
    """Resident megabytes of `edge-run --headless` while it runs."""
    command = [
        "--camera", "demo", "--headless", "--json", "-", "--max-frames", str(frames),
        "--records", str(folder / "m.db"),
    ]  # fmt: skip
    resident: dict[int, float] = {}
    with subprocess.Popen(
        [sys.executable, "-m", "edge.cli", *command], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        process, n = psutil.Process(run.pid), 0
        for line in run.stdout:
            if json.loads(line)["kind"] != "reading":
                continue
            n += 1
            if n % 50 == 0 and n < frames:
                resident[n] = round(process.memory_info().rss / 1e6, 1)
    last = resident[max(resident)]
    first = resident.get(100, last)
    return {
        "resident_mb": resident,
        "after": max(resident),
        "mb": last,
        "growth_since_100": round(last - first, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--long", type=int, default=520)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = {
            "speed": speed(drawn(arguments.frames), folder),
            "first_reading_s": round(start(folder), 2),
            "memory": memory(arguments.long, folder),
        }
    text = json.dumps(figures, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
