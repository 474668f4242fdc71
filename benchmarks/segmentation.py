"""How well cells are found, on sets that say where they are: outlines drawn by hand are asked in masks.py.

Fields with boxes (recall and precision, plain and under a lamp that loses most of its light towards the
corners), single cells (how often the one in the middle is found), and drawn fields (recall, precision, and
Dice of nucleus and cell, exactly). Scale is given, no quality check and no classifier takes part. Intervals
are 95%, by a bootstrap over whatever must not be divided: patients, slides, else pictures.

    python benchmarks/segmentation.py --data ../shared/data --split validation
    python benchmarks/segmentation.py --data ../shared/data --only simulated --json out.json
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from masks import dice
from results import Results, parser_of
from truth import drawn

from edge.cells.segment import segment
from edge.optics.specimen import specimen
from edge.records.labels import label_images
from edge.types import U8, CellsInFrame
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


def on_boxes(data: Path, name: str, split: str, lamp: Callable[[U8], U8]) -> dict[str, Figure]:
    """Recall and precision on fields with boxes, in the official part."""
    groups, scores = [], []
    for field in FIELDS[name](dataset(name).root(data), print):
        if (field.official == "test") != (split == "test"):
            continue
        pixels = lamp(load_picture(field.path))
        cells = segment(specimen(pixels, field.um_per_px, PITCH_UM)).in_frame(*pixels.shape[:2])
        scores.append(score(leukocytes(field), pixels.shape[:2], cells)[0])
        groups.append(field.group)
    return _found(groups, scores)


def _found(groups: Sequence[str], scores: Sequence[Score]) -> dict[str, Figure]:
    found = [s.found for s in scores]
    return {
        "recall": ratio(groups, found, [s.asked for s in scores]),
        "precision": ratio(groups, found, [s.found + s.beyond for s in scores]),
    }


def on_single_cells(data: Path, name: str, split: str, most: int) -> dict[str, Figure]:
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
        cells = segment(specimen(pixels, picture.um_per_px, PITCH_UM)).in_frame(*pixels.shape[:2])
        groups.append(picture.spots[0].group)
        found.append(_middle_found(cells))
    return {"middle cell found": ratio(groups, found, np.ones(len(found)))}


def _middle_found(cells: CellsInFrame) -> bool:
    middle = np.array([cells.width / 2, cells.height / 2])
    return bool((np.linalg.norm(cells.centres_px - middle, axis=1) < NEAR_PX * 1.6).any())


def on_drawn(split: str) -> dict[str, Figure]:
    """Recall, precision and Dice on fields of the simulated microscope, whose cells are known exactly."""
    groups: list[str] = []
    scores: list[Score] = []
    overlap: list[tuple[float, float]] = []
    for group, um_per_px, pixels, (labels, nuclei, known) in drawn(split):
        cells = segment(specimen(pixels, um_per_px, PITCH_UM)).in_frame(*pixels.shape[:2])
        groups.append(group)
        boxes = [cv2.boundingRect(np.asarray(labels == i, np.uint8)) for i in np.unique(labels[labels > 0])]
        corners = np.array([(x, y, x + w, y + h) for x, y, w, h in boxes], np.float32).reshape(-1, 4)
        places = np.minimum(cells.centres_px.astype(int), np.array(pixels.shape[1::-1]) - 1)
        kept = known[places[:, 1], places[:, 0]]
        scores.append(score(corners, pixels.shape[:2], cells, kept)[0])
        outline, nucleus = label_images(cells)
        overlap.append((dice((nucleus > 0) & known, nuclei), dice((outline > 0) & known, labels > 0)))
    ones, columns = np.ones(len(groups)), np.array(overlap).T
    return _found(groups, scores) | {
        "nucleus Dice": ratio(groups, columns[0], ones),
        "cell Dice": ratio(groups, columns[1], ones),
    }


def judged(data: Path, split: str, most: int) -> Iterator[tuple[str, Callable[[], dict[str, Figure]]]]:
    """What is asked: a title, and what gives the figures."""
    for name in BOXES:
        yield name, partial(on_boxes, data, name, split, lambda pixels: pixels)
        yield f"{name}, vignetted", partial(on_boxes, data, name, split, vignetted)
    for name in SINGLE:
        yield name, partial(on_single_cells, data, name, split, most)
    yield "simulated", partial(on_drawn, split)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the data sets")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--most", type=int, default=600, metavar="N", help="single cells of a data set")
    parser.add_argument("--only", metavar="TEXT", help="sets whose name holds this")
    args = parser.parse_args()
    results = Results("segmentation", parser, args)
    out: dict[str, Any] = {}
    for title, judge in judged(args.data, args.split, args.most):
        if args.only and args.only not in title:
            continue
        figures = judge()
        print(f"{title} ({args.split})")
        for name, figure in figures.items():
            print(f"  {name:18s} {figure}", flush=True)
            results.add(name, figure, what=f"{title}, {args.split}")
        out[title] = plain(figures)
    results.write(out)


if __name__ == "__main__":
    main()
