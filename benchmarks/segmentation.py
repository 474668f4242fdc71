"""The classical segmenter and the learned one side by side, on every set that says where cells are.

Fields with boxes (recall and precision, plain and under a lamp that loses most of its light towards the
corners), masks drawn by hand (Dice of nucleus and cell), single cells (how often the one in the middle is
found), drawn fields (all of that, exactly), and what they cost: milliseconds a field of 1080 lines, taking
turns, and memory. Scale is given, no quality check and no classifier takes part. Intervals are
95%, by a bootstrap over whatever must not be divided: patients, slides, else pictures.

    python benchmarks/segmentation.py --data ../shared/data --segmenter runs/segmenter --split validation
    python benchmarks/segmentation.py --data ../shared/data --bundle leukocytes.bundle --json out.json
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from masks import dice
from results import Results, parser_of

from edge.bench import fields as drawn_fields
from edge.bundle import bundle
from edge.cells.fcn import Learned
from edge.cells.segment import Segmenter, segment, segmenter, single
from edge.optics.specimen import specimen
from edge.records.labels import label_images
from edge.types import U8, CellsInFrame
from train.data.dataset import NUCLEUS
from train.data.pictures import load_picture
from train.data.registry import dataset
from train.data.sets.fields import FIELDS, leukocytes
from train.judging.fields import Score, score
from train.statistics import metrics
from train.statistics.bootstrap import Figure, draw, plain

PITCH_UM = 0.25
BOXES = ("bccd", "txl-pbc", "chula")
SINGLE = ("deepapl", "pbc")
NEAR_PX = 25  # 2.5 µm from the middle of its picture the cell in the middle lies
VIGNETTE = 0.6  # of the light is lost in the corners
_NO_CELLS = ("platelet", "artefact", "smudge-cell")


def ratio(groups: Sequence[str], over: Sequence[float], under: Sequence[float]) -> Figure:
    """Sum over sum, with an interval by a bootstrap over groups."""
    return Figure.of(metrics.ratio(*draw(groups).sums(np.stack([over, under], axis=1)).T))


def vignetted(pixels: U8) -> U8:
    """A picture under a lamp that loses `VIGNETTE` of its light in the corners, less of the red."""
    height, width = pixels.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    lost = np.array([0.8, 1.0, 0.95], np.float32) * VIGNETTE
    return np.asarray(pixels * (1 - ((x**2 + y**2) / 2)[..., None] * lost), np.uint8)


def on_boxes(
    find: Segmenter, data: Path, name: str, split: str, lamp: Callable[[U8], U8]
) -> dict[str, Figure]:
    """Recall and precision on fields with boxes, in the official part."""
    groups, scores = [], []
    for field in FIELDS[name](dataset(name).root(data), print):
        if (field.official == "test") != (split == "test"):
            continue
        pixels = lamp(load_picture(field.path))
        cells = find(specimen(pixels, field.um_per_px, PITCH_UM)).in_frame(*pixels.shape[:2])
        scores.append(score(leukocytes(field), pixels.shape[:2], cells)[0])
        groups.append(field.group)
    return _found(groups, scores)


def _found(groups: Sequence[str], scores: Sequence[Score]) -> dict[str, Figure]:
    found = [s.found for s in scores]
    return {
        "recall": ratio(groups, found, [s.asked for s in scores]),
        "precision": ratio(groups, found, [s.found + s.beyond for s in scores]),
    }


def on_masks(find: Segmenter, data: Path, name: str, split: str) -> dict[str, Figure]:
    """Mean Dice of nucleus and cell where somebody drew both."""
    source, scores = dataset(name), []
    for picture in source.read(source.root(data), lambda line: None):
        if picture.load_mask is None or (split and picture.spots[0].split != split):
            continue
        pixels, drawn = picture.load(), picture.load_mask()
        view = specimen(pixels, picture.um_per_px, PITCH_UM)
        cells, nuclei = label_images(single(view, find).in_frame(*pixels.shape[:2]))
        scores.append((dice(nuclei > 0, drawn == NUCLEUS), dice(cells > 0, drawn > 0)))
    names = [str(i) for i in range(len(scores))]
    columns = np.array(scores).T
    return {
        part: ratio(names, column, np.ones(len(column)))
        for part, column in zip(("nucleus Dice", "cell Dice"), columns, strict=True)
    }


def on_single_cells(find: Segmenter, data: Path, name: str, split: str, most: int) -> dict[str, Figure]:
    """How often the leukocyte in the middle of its picture is found, and as one cell."""
    source = dataset(name)
    listed = [
        p
        for p in source.read(source.root(data), lambda line: None)
        if p.spots[0].split == split and p.spots[0].label not in _NO_CELLS
    ]
    groups, found = [], []
    for picture in listed[:: max(len(listed) // most, 1)]:
        pixels = picture.load()
        cells = find(specimen(pixels, picture.um_per_px, PITCH_UM)).in_frame(*pixels.shape[:2])
        groups.append(picture.spots[0].group)
        found.append(_middle_found(cells))
    return {"middle cell found": ratio(groups, found, np.ones(len(found)))}


def _middle_found(cells: CellsInFrame) -> bool:
    middle = np.array([cells.width / 2, cells.height / 2])
    return bool((np.linalg.norm(cells.centres_px - middle, axis=1) < NEAR_PX * 1.6).any())


def on_drawn(find: Segmenter, split: str) -> dict[str, Figure]:
    """Recall, precision and Dice on fields of the simulated microscope, whose cells are known exactly."""
    from train.segmentation.simulated import drawn

    groups: list[str] = []
    scores: list[Score] = []
    overlap: list[tuple[float, float]] = []
    for _, group, um_per_px, pixels, (labels, nuclei, known) in drawn(0, parts=(split,)):
        cells = find(specimen(pixels, um_per_px, PITCH_UM)).in_frame(*pixels.shape[:2])
        groups.append(group)
        boxes = [cv2.boundingRect(np.asarray(labels == i, np.uint8)) for i in np.unique(labels[labels > 0])]
        corners = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], np.float32).reshape(-1, 4)
        places = np.minimum(cells.centres_px.astype(int), np.array(pixels.shape[1::-1]) - 1)
        kept = known[places[:, 1], places[:, 0]] > 0
        scores.append(score(corners, pixels.shape[:2], cells, kept)[0])
        outline, nucleus = label_images(cells)
        there = known > 0
        overlap.append((dice((nucleus > 0) & there, nuclei > 0), dice((outline > 0) & there, labels > 0)))
    ones, columns = np.ones(len(groups)), np.array(overlap).T
    return _found(groups, scores) | {
        "nucleus Dice": ratio(groups, columns[0], ones),
        "cell Dice": ratio(groups, columns[1], ones),
    }


def times(finders: Mapping[str, Segmenter], rounds: int) -> dict[str, Any]:
    """Milliseconds a field of 1080 lines with few and with many cells, the segmenters taking turns."""
    scopes = {
        "a field of few cells": (drawn_fields.microscope(), drawn_fields.UM_PER_PX),
        "a field of many cells": (drawn_fields.crowded(50), drawn_fields.CROWDED_UM_PER_PX),
    }
    out: dict[str, Any] = {}
    for title, (scope, um_per_px) in scopes.items():
        pictures = list(drawn_fields.draw(scope, 6))
        views = [specimen(pixels, um_per_px, PITCH_UM) for pixels in pictures]
        taken: dict[str, list[float]] = {name: [] for name in finders}
        cells: dict[str, list[int]] = {name: [] for name in finders}
        for turn in range(rounds + 1):
            for view in views:
                for name, find in finders.items():
                    view.__dict__.pop("half", None)  # whoever finds cells halves the specimen
                    started = time.perf_counter()
                    found = find(view)
                    if turn:
                        taken[name].append((time.perf_counter() - started) * 1e3)
                        cells[name].append(len(found))
        out[title] = {
            name: {
                "cells": float(np.mean(cells[name])),
                "ms": float(np.median(values)),
                "least_ms": float(np.min(values)),
                "lower_quarter_ms": float(np.percentile(values, 25)),
            }
            for name, values in taken.items()
        }
    return out


def memory_mb(argv: Sequence[str], name: str) -> float:
    """By how much the memory of a process peaks while it finds the cells of a field of 1080 lines."""
    command = [sys.executable, __file__, *argv, "--memory-of", name]
    return float(subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout)


def _peak_of(find: Segmenter) -> float:
    pixels = next(drawn_fields.draw(drawn_fields.microscope(), 1))
    view = specimen(pixels, drawn_fields.UM_PER_PX, PITCH_UM)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak begins anew (man 5 proc)
    before = _status_kb("VmRSS")
    for _ in range(10):
        find(view)
    return (_status_kb("VmHWM") - before) / 1024


def _status_kb(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def comparisons(
    data: Path, split: str, most: int
) -> Iterator[tuple[str, Callable[[Segmenter], dict[str, Figure]]]]:
    """What is compared: a title, and how a segmenter is judged."""
    for name in BOXES:
        yield name, lambda find, name=name: on_boxes(find, data, name, split, lambda pixels: pixels)
        yield f"{name}, vignetted", lambda find, name=name: on_boxes(find, data, name, split, vignetted)
    yield "zheng-1, validation", lambda find: on_masks(find, data, "zheng-1", "validation")
    yield "zheng-1, whole", lambda find: on_masks(find, data, "zheng-1", "")
    if split == "test":
        yield "zheng-2", lambda find: on_masks(find, data, "zheng-2", "")
    for name in SINGLE:
        yield name, lambda find, name=name: on_single_cells(find, data, name, split, most)
    yield "simulated", lambda find: on_drawn(find, split)


def learned(run: Path | None, path: Path | None, threads: int) -> Segmenter:
    """The learned segmenter of a finished run, of an ONNX file or of a bundle."""
    if run is None:
        return segmenter(bundle.load(path, allow_unsigned=True), threads)
    if run.is_file():
        return Learned(run.read_bytes(), threads=threads)
    from export.graph.segmenter import MEMBER, read

    return Learned(read(run, PITCH_UM).members[MEMBER], threads=threads)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the data sets")
    parser.add_argument("--segmenter", type=Path, metavar="RUN", help="finished run, or its graph")
    parser.add_argument("--bundle", type=Path, help="instead: a bundle with a segmenter")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=20, help="of timing; 0 leaves time and memory out")
    parser.add_argument("--most", type=int, default=600, metavar="N", help="single cells of a data set")
    parser.add_argument("--only", metavar="TEXT", help="sets whose name holds this")
    parser.add_argument("--memory-of", choices=("classical", "learned"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    cv2.setNumThreads(args.threads)
    if args.memory_of == "classical":
        print(_peak_of(segment))
        return
    finders: dict[str, Segmenter] = {
        "classical": segment,
        "learned": learned(args.segmenter, args.bundle, args.threads),
    }
    if args.memory_of:
        print(_peak_of(finders["learned"]))
        return
    results = Results("segmentation", parser, args)
    out: dict[str, Any] = {}
    for title, judge in comparisons(args.data, args.split, args.most):
        if args.only and args.only not in title:
            continue
        rows = {name: judge(find) for name, find in finders.items()}
        print(f"{title} ({args.split})")
        for figure in rows["classical"]:
            print(f"  {figure:18s}" + "".join(f"  {n} {row[figure]}" for n, row in rows.items()), flush=True)
        out[title] = plain(rows)
        for finder, row in rows.items():
            for figure, value in row.items():
                results.add(figure, value, what=f"{title}, {args.split}, {finder}")
    if args.rounds:
        out["times"] = times(finders, args.rounds)
        for title, row in out["times"].items():
            print(f"{title}, {args.threads} threads")
            for name, f in row.items():
                results.add("time of a field", f["ms"], what=f"{title}, {name}", unit="ms")
                print(
                    f"  {name:10s} {f['cells']:.0f} cells, {f['ms']:.2f} ms "
                    f"(lower quarter {f['lower_quarter_ms']:.2f}, least {f['least_ms']:.2f})"
                )
        argv = [f"--{k}={v}" for k, v in vars(args).items() if k in ("data", "segmenter", "bundle") and v]
        peaks = {name: memory_mb(argv, name) for name in finders}
        print(
            "memory, at its peak beyond what was there before: "
            + ", ".join(f"{name} {mb:.0f} MB" for name, mb in peaks.items())
        )
        out["memory_mb"] = peaks
        for name, mb in peaks.items():
            results.add("memory, peak beyond what was there", mb, what=name, unit="MB")
    results.write(out)


if __name__ == "__main__":
    main()
