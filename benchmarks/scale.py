"""The physical scale that red cells give, picture by picture, on public data sets.

For every set: how many pictures gave an estimate by themselves, its median and quartiles, and the
milliseconds a picture takes. Sets without red cells must give none.

    python benchmarks/scale.py --data ../shared/data --limit 300
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np

from edge.optics import redcells
from edge.types import U8

SETS = {
    "bccd": "bccd/BCCD/JPEGImages/*",
    "deepapl": "deepapl/Data/All/*/*/*/*",
    "PBC": "PBC_dataset_normal_DIB/*/*",
    "chula_wbc": "chula_wbc/images/*",
    "txl_pbc": "txl_pbc/images/*/*",
    "aria_all": "aria_all/Original/*/*",
    "segmentation_WBC 1": "segmentation_WBC/Dataset 1/*.bmp",
    "segmentation_WBC 2": "segmentation_WBC/Dataset 2/*.bmp",
    "C-NMC": "C-NMC_Leukemia/training_data/*/*/*",
}
"""Where the pictures of each set lie."""


def pictures(data: Path, name: str, limit: int) -> Iterator[U8]:
    """Up to `limit` pictures spread evenly over a set, RGB; aria_all's stretched back to 4:3."""
    paths = sorted(p for p in data.glob(SETS[name]) if p.is_file())
    step = max(len(paths) / limit, 1.0)
    for path in (paths[int(i * step)] for i in range(min(limit, len(paths)))):
        image = cv2.imread(str(path))
        if image is None:
            continue
        if name == "aria_all":
            image = cv2.resize(image, (298, 224))
        yield np.ascontiguousarray(image[..., ::-1], np.uint8)


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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument("--limit", type=int, default=300, help="pictures of each set (default 300)")
    parser.add_argument("--json", type=Path, help="write the figures there as JSON too")
    arguments = parser.parse_args()
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
    if arguments.json:
        arguments.json.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
