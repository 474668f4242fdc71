"""The physical scale that red cells give, picture by picture, on public data sets.

For every set: how many pictures gave an estimate by themselves, its median and quartiles, and the
milliseconds a picture takes. Sets without red cells must give none.

    python benchmarks/scale.py --data ../shared/data --limit 300
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from results import Results, parser_of

from edge.optics import redcells
from edge.types import U8
from train.data.dataset import DataError
from train.data.pictures import load_picture
from train.data.registry import dataset
from train.data.sets.fields import FIELDS

SETS = (
    "bccd", "deepapl", "pbc", "chula", "txl-pbc", "aria-fields", "zheng-1", "zheng-2", "cnmc",
)  # fmt: skip
WITHOUT = ("zheng-1", "cnmc")
"""Those that show no red cells, or none that can be measured."""


def pictures(data: Path, name: str, limit: int) -> Iterator[U8]:
    """Up to `limit` pictures spread evenly over a data set, RGB; none where it is not there."""
    source = dataset(name)
    if not source.there(data):
        return
    root = source.root(data)
    load: dict[str, Callable[[], U8]]
    if name in FIELDS:  # quicker than with all that can be cut from them
        paths = [field.path for field in FIELDS[name](root, _quiet)]
        load = {str(path.relative_to(root)): partial(load_picture, path) for path in paths}
    else:
        load = {picture.name: picture.load for picture in source.read(root, _quiet)}
    names = sorted(load, key=lambda name: Path(name).parts)
    step = max(len(names) / limit, 1.0)
    for chosen in (names[int(i * step)] for i in range(min(limit, len(names)))):
        try:
            yield load[chosen]()
        except DataError:
            continue


def _quiet(line: str) -> None:
    """`edge-train datasets --check` tells what is odd."""


def um_per_px(name: str) -> float:
    """Of a data set's pictures."""
    scale = dataset(name).scale
    assert scale is not None
    return scale.um_per_px


def score(data: Path, name: str, limit: int) -> dict[str, float]:
    """Share of pictures measured, quartiles of µm per pixel, red cells and milliseconds a picture."""
    scales, cells, times = [], [], []
    for picture in pictures(data, name, limit):
        started = perf_counter()
        found = redcells.find(picture)
        measured = redcells.estimate([found])
        times.append((perf_counter() - started) * 1e3)
        cells.append(len(found))
        if measured is not None:
            scales.append(measured.um_per_px)
    low, middle, high = np.percentile(scales, [25, 50, 75]) if scales else np.full(3, np.nan)
    return {
        "pictures": len(times),
        "measured": len(scales),
        "um_per_px": float(middle),
        "iqr": float((high - low) / middle),
        "cells": float(np.median(cells)),
        "ms": float(np.median(times)),
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument("--limit", type=int, default=300, help="pictures of each set (default 300)")
    arguments = parser.parse_args()
    results = Results("scale", parser, arguments)
    cv2.setNumThreads(1)
    scores = {}
    present = [name for name in SETS if next(pictures(arguments.data, name, 1), None) is not None]
    if not present:
        parser.error(f"--data {arguments.data}: none of the data sets lies there")
    print(
        f"{'set':20}{'pictures':>9}{'measured':>10}{'µm per px':>11}{'IQR/median':>12}{'cells':>7}{'ms':>6}"
    )
    for name in present:
        s = scores[name] = score(arguments.data, name, arguments.limit)
        print(
            f"{name:20}{s['pictures']:>9.0f}{s['measured'] / s['pictures']:>10.0%}{s['um_per_px']:>11.4f}"
            f"{s['iqr']:>12.3f}{s['cells']:>7.0f}{s['ms']:>6.0f}"
        )
        _add(results, name, s)
    results.write(scores)


def _add(results: Results, name: str, s: dict[str, float]) -> None:
    pictures = int(s["pictures"])
    none = "0" if name in WITHOUT else ""
    results.add("measured alone", s["measured"] / pictures, what=name, n=pictures, of="pictures", wanted=none)
    about = {"what": name, "n": int(s["measured"]), "of": "pictures"}
    results.add("scale, median", s["um_per_px"], unit="µm per pixel", **about)
    results.add("scale, interquartile range by median", s["iqr"], **about, wanted="" if none else "≤ 0.12")


if __name__ == "__main__":
    main()
