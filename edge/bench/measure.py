"""What `edge-device bench` measures: each part by itself, on the real line, camera feed and records."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge import __version__
from edge.bench import FORMAT, FRAMES, QUICK_FRAMES, fields, machine, process
from edge.bench.fields import Tell
from edge.bench.rig import Rig
from edge.cameras import Camera
from edge.cameras.files.camera import FileCamera
from edge.cells.classify import Classifier
from edge.line.options import ScreeningOptions
from edge.line.pipeline import Line
from edge.line.screening import Screening
from edge.optics.scale import Scales
from edge.records.store import Store
from edge.types import U8

BATCHES = (1, 2, 4, 8, 16, 32, 64)
PARTS = 5
"""Measured one after the other: lines, videos, cells, classifier, process."""
FILMED = (fields.USUAL, fields.CROWDED)
"""The kinds of field that are read from a file too."""
OTHERS, QUICK_OTHERS = 20, 4
SCALED = 3
"""Fields on which the scale is measured."""


@dataclass(frozen=True)
class Passed:
    """A field that went through the line: its crops, ms by stage, when it was done, whether it counts."""

    crops: U8
    ms: dict[str, float]
    done_s: float
    rejected: bool


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Attributes
    ----------
    quick : a rough look. frames, others : usual fields measured, and sparse and crowded ones each.
    warm_up : fields before the usual ones; the scale is measured on the first three, and caches fill.
    densities, crowded : cells in the crowded fields, and fields of each density.
    rounds, batch_rounds, starts : repetitions of the video and the crowded fields, of the classifier's
        batches, and of starting `edge-run`.
    long : fields of the long run; 0 for none.
    """

    quick: bool
    frames: int
    others: int
    densities: tuple[int, ...]
    crowded: int
    rounds: int
    batch_rounds: int
    starts: int
    warm_up: int = 8
    long: int = 0

    def warm_up_of(self, kind: str) -> int:
        """How many of a kind are not measured: of those that come later only what the scale takes."""
        return self.warm_up if kind == fields.USUAL else SCALED

    def fields_of(self, kind: str) -> int:
        """How many are drawn of a kind."""
        return self.warm_up_of(kind) + (self.frames if kind == fields.USUAL else self.others)

    @classmethod
    def full(cls, frames: int | None = None) -> Extent:
        return cls(
            False, frames or FRAMES, min(frames or OTHERS, OTHERS), (2, 12, 25, 50, 75, 95), 4, 5, 25, 3
        )

    @classmethod
    def short(cls, frames: int | None = None) -> Extent:
        n = frames or QUICK_FRAMES
        return cls(True, n, min(n, QUICK_OTHERS), (4, 50, 95), 2, 2, 5, 1)

    @property
    def steps(self) -> int:
        """How often `measure` tells."""
        long = self.long // process.EVERY + bool(self.long)
        return sum(map(self.fields_of, fields.KINDS)) + len(self.densities) * self.crowded + PARTS + long


def measure(rigged: Rig, extent: Extent, tell: Tell) -> dict[str, Any]:
    """Everything that `edge-device bench` reports; `edge.bench` documents the fields."""
    with tempfile.TemporaryDirectory(prefix="leukoscope-bench-") as name:
        folder, records = Path(name), Path(name) / "records.db"
        watch = machine.Watch()
        kinds = sorted(fields.KINDS, key=lambda kind: kind != fields.USUAL)  # `first_ms` is told of these
        passed = {kind: sample(rigged, kind, extent, folder, tell) for kind in kinds}
        watch.sample()
        crops = np.concatenate([p.crops for p in passed[fields.USUAL]])
        parts: dict[str, Callable[[], Any]] = {
            "lines": lambda: [
                {"field": kind} | line(passed[kind], extent.warm_up_of(kind)) for kind in fields.KINDS
            ],
            "videos": lambda: [
                {"field": kind}
                | film(rigged, _video(folder, kind), records, extent.warm_up_of(kind), extent.rounds)
                for kind in FILMED
            ],
            "cells": lambda: crowds(rigged, extent, tell),
            "classifier": lambda: batches(rigged.engine.classifier, crops, extent.batch_rounds),
            "process": lambda: process.screening(
                _video(folder, fields.USUAL), rigged.options, records, extent.starts
            ),
        }
        if extent.long:
            store = folder / "long.db"
            parts["long_run"] = lambda: process.long_run(
                rigged.options, store, extent.long, extent.starts, tell
            )
        figures: dict[str, Any] = {"kind": "bench", "format": FORMAT, "version": __version__}
        figures |= {"measured": datetime.now(UTC).date().isoformat(), "quick": extent.quick}
        figures |= {"machine": machine.describe(), "runtime": rigged.describe()}
        for part, of in parts.items():
            tell(f"measuring: {part.replace('_', ' ')}")
            figures[part] = of()
            watch.sample()
        usual = {"line": _usual(figures["lines"]), "video": _usual(figures["videos"])}
        return figures | usual | {"conditions": watch.summary()}


def _usual(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The row of the usual fields, without their name."""
    (row,) = (row for row in rows if row["field"] == fields.USUAL)
    return {name: value for name, value in row.items() if name != "field"}


def _video(folder: Path, kind: str) -> Path:
    return folder / f"{kind}.mjpeg"


def sample(rigged: Rig, kind: str, extent: Extent, folder: Path, tell: Tell) -> list[Passed]:
    """Fields of a kind through the line, drawn before; those to be read from a file are written there."""
    n = extent.fields_of(kind)
    pixels = fields.watched(fields.draw(fields.KINDS[kind](), n), tell, f"drawing {n} {kind} fields")
    if kind in FILMED:
        fields.write_mjpeg(pixels, _video(folder, kind))
    return through(rigged, fields.DrawnFields(pixels), folder / "records.db")


def through(rigged: Rig, camera: Camera, records: Path, asked: float | str = "auto") -> list[Passed]:
    """Everything the camera gives, through the line with records on, as one slide.

    `asked` is the scale given, µm per pixel, or 'auto' to measure it.
    """
    with Store(records) as store:
        screening = Screening(
            camera=camera,
            bundle=rigged.engine.bundle,
            classifier=rigged.engine.classifier,
            find=rigged.engine.find,
            scales=Scales(asked=asked, nominal=fields.UM_PER_PX, camera=camera),
            store=store,
            profile=rigged.engine.profile.name,
            options=ScreeningOptions(),
        )
        return [Passed(r.crops, dict(r.ms), r.t_s, bool(r.problems)) for r in screening.readings()]


def line(passed: Sequence[Passed], warm_up: int) -> dict[str, Any]:
    """Figures of the line; fields that quality turned down are left out, for they cost less."""
    settled = passed[warm_up:]
    measured = [p for p in settled if not p.rejected] or list(settled)
    return {
        "width": fields.SIZE_PX[0],
        "height": fields.SIZE_PX[1],
        "um_per_px": fields.UM_PER_PX,
        "fields": len(measured),
        "cells_per_field": round(float(np.mean([len(p.crops) for p in measured])), 1),
        "warm_up_fields": warm_up,
        "first_ms": round(passed[0].ms["total"], 3),
        **staged([p.ms for p in measured]),
        "fields_per_s": per_s([p.done_s for p in passed[warm_up - 1 :]]),
    }


def staged(ms: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Median and 95th percentile of the whole of some readings, and in `stages` of each stage."""
    stages = {name: spread([each[name] for each in ms]) for name in ms[0]}
    return {**stages.pop("total"), "stages": stages}


def film(
    rigged: Rig, video: Path, records: Path, warm_up: int, rounds: int, asked: float | str = "auto"
) -> dict[str, Any]:
    """The fields from a file, and decoding alone, in turn; both after the warm-up."""
    alone, whole = [], []
    for _ in range(rounds):
        camera, moments = FileCamera(str(video)), []
        camera.open()
        while camera.read() is not None:
            moments.append(time.monotonic())
        camera.close()
        alone.append(per_s(moments[warm_up - 1 :]))
        passed = through(rigged, FileCamera(str(video)), records, asked)
        whole.append(per_s([p.done_s for p in passed[warm_up - 1 :]]))
    return {
        "fields": len(moments) - warm_up,
        "quality": fields.JPEG_QUALITY,
        "mb_per_field": round(video.stat().st_size / len(moments) / 1e6, 2),
        "rounds": rounds,
        "fields_per_s": round(float(np.median(whole)), 1),
        "decode_fields_per_s": round(float(np.median(alone)), 1),
        "ratio": round(float(np.median(np.divide(whole, alone))), 3),
    }


def crowds(rigged: Rig, extent: Extent, tell: Tell) -> dict[str, Any]:
    """Time of a field against its number of cells: the median of several passes over the same fields."""
    scopes = map(fields.crowded, extent.densities)
    drawing = (field for scope in scopes for field in fields.draw(scope, extent.crowded))
    drawn = fields.watched(drawing, tell, "drawing crowded fields")
    camera = fields.DrawnFields(drawn)
    cells, passes = [], []
    for _ in range(extent.rounds + 1):
        one = Line(
            rigged.engine.classifier,
            Scales(
                asked=fields.CROWDED_UM_PER_PX, nominal=fields.CROWDED_UM_PER_PX, camera=camera
            ).for_slide(),
            find=rigged.engine.find,
        )
        readings = [one.read(fields.frame_of(pixels, i)) for i, pixels in enumerate(drawn)]
        cells = [len(reading.cells) for reading in readings]
        passes.append([reading.ms["total"] for reading in readings])
    return {"um_per_px": fields.CROWDED_UM_PER_PX} | slope(cells, np.median(passes[1:], axis=0).tolist())


def slope(cells: Sequence[int], ms: Sequence[float]) -> dict[str, Any]:
    """The straight line through times against cells (least squares), and how straight it is."""
    x, y = np.asarray(cells, float), np.asarray(ms, float)
    middle = np.median(x)
    steep, base = np.polyfit(x, y, 1)
    residual, spread_of_y = ((y - base - steep * x) ** 2).sum(), ((y - y.mean()) ** 2).sum()
    return {
        "fields": [{"cells": int(n), "ms": round(float(t), 3)} for n, t in zip(x, y, strict=True)],
        "ms_per_cell": round(float(steep), 4),
        "base_ms": round(float(base), 3),
        "r2": round(1 - float(residual / spread_of_y), 4),
        "ms_per_cell_lower": _steepness(x[x <= middle], y[x <= middle]),
        "ms_per_cell_upper": _steepness(x[x >= middle], y[x >= middle]),
    }


def _steepness(x: NDArray[np.float64], y: NDArray[np.float64]) -> float | None:
    """Of the line through these points, None where they lie above each other."""
    return round(float(np.polyfit(x, y, 1)[0]), 4) if np.ptp(x) else None


def batches(classifier: Classifier, crops: U8, rounds: int) -> list[dict[str, Any]]:
    """The classifier by batch, each cell looked at as in the line.

    Sizes come in turn, so that a busy moment hits all of them.
    """
    times: dict[int, list[float]] = {n: [] for n in BATCHES}
    given = {n: np.ascontiguousarray(np.resize(crops, (n, *crops.shape[1:]))) for n in BATCHES}
    for _ in range(rounds + 1):
        for n in BATCHES:
            begun = time.perf_counter()
            classifier(given[n])
            times[n].append((time.perf_counter() - begun) * 1e3)
    rows = []
    for n in BATCHES:
        figures = spread(times[n][1:])
        per_cell = figures["median_ms"] / n
        rows.append(
            {"batch": n, **figures, "ms_per_cell": round(per_cell, 4), "cells_per_s": round(1e3 / per_cell)}
        )
    return rows


def spread(ms: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile."""
    middle, high = np.percentile(ms, [50, 95])
    return {"median_ms": round(float(middle), 3), "p95_ms": round(float(high), 3)}


def per_s(moments: Sequence[float]) -> float:
    """How many came per second after the first."""
    return round((len(moments) - 1) / (moments[-1] - moments[0]), 2)
