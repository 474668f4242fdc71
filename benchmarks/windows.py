"""Leukocytes found in windows of fields, as small cameras and crops show them, against the whole fields.

Every field goes through the line whole, and cut into windows of so many pixels, each a slide of its own. A
leukocyte is asked for where it lies whole, so that more are asked for in whole fields; those that no window
shows whole are left out of both.

    python benchmarks/windows.py --data ../shared/data --limit 60
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from results import Results, parser_of
from tqdm import tqdm

from edge.bundle import bundle
from edge.types import F32, U8
from train.data.dataset import spread
from train.data.pictures import load_picture
from train.data.registry import dataset
from train.data.sets.fields import FIELDS, leukocytes
from train.judging.fields import WholeLine, score

SIZES_PX = (256, 384, 640)


def windows(pixels: U8, size: int) -> Iterator[tuple[int, int, U8]]:
    """Left, top and pixels of windows that cover a picture with the least overlap; none of a smaller one."""
    height, width = pixels.shape[:2]
    if min(height, width) < size:
        return
    for top in np.linspace(0, height - size, -(-height // size)).astype(int).tolist():
        for left in np.linspace(0, width - size, -(-width // size)).astype(int).tolist():
            yield left, top, np.ascontiguousarray(pixels[top : top + size, left : left + size])


def whole_in(boxes: F32, left: int, top: int, size: int) -> F32:
    """Those of (n, 4) boxes that a window shows whole, in its own pixels."""
    moved = boxes - np.array([left, top, left, top], np.float32)
    return moved[(moved[:, :2] > 2).all(axis=1) & (moved[:, 2:] < size - 2).all(axis=1)]


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the data sets")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="fields of each; default: all")
    arguments = parser.parse_args()
    results = Results("windows", parser, arguments)
    cv2.setNumThreads(1)
    for name in FIELDS:
        source = dataset(name)
        if not source.there(arguments.data):
            continue
        assert source.scale is not None
        listed = spread(list(FIELDS[name](source.root(arguments.data), print)), arguments.limit)
        for size in SIZES_PX:
            # what pictures of one size share must not come from another size's run
            line = WholeLine(bundle.load(), source.scale.um_per_px, print)
            counts = np.zeros(4, int)
            for field in tqdm(listed, f"{name}, {size} px", unit="field", leave=False, disable=None):
                counts += of_field(line, load_picture(field.path), leukocytes(field), size)
            line.close()
            _add(results, name, size, counts)
    results.write()


def of_field(line: WholeLine, pixels: U8, boxes: F32, size: int) -> np.ndarray:
    """Leukocytes asked for and found: in the whole field, in its windows, (4,) int."""
    parts = list(windows(pixels, size))
    if not parts:
        return np.zeros(4, int)
    asked = found = 0
    shown = np.zeros(len(boxes), np.bool_)
    for left, top, part in parts:
        inside = whole_in(boxes, left, top, size)
        shown |= np.isin(boxes[:, 0] - left, inside[:, 0]) & np.isin(boxes[:, 1] - top, inside[:, 1])
        cells, kept = line(part, "window")
        one, _, _ = score(inside, part.shape[:2], cells, kept)
        asked, found = asked + one.asked, found + one.found
    cells, kept = line(pixels, "whole")
    whole, _, _ = score(boxes[shown], pixels.shape[:2], cells, kept)
    return np.array([whole.asked, whole.found, asked, found])


def _add(results: Results, name: str, size: int, counts: np.ndarray) -> None:
    whole_asked, whole_found, asked, found = counts.tolist()
    if not asked:
        return
    whole, recall = whole_found / whole_asked, found / asked
    about = {"what": f"{name}, {size} px", "of": "leukocytes"}
    print(
        f"{name:10}{size:>5} px{whole:>8.3f} whole{recall:>8.3f} in windows ({asked} asked for)", flush=True
    )
    results.add("recall in whole fields", whole, n=whole_asked, **about)
    results.add("recall in windows", recall, n=asked, wanted=f"≥ {whole - 0.02:.3f}", **about)


if __name__ == "__main__":
    main()
