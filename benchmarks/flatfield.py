"""What a flat field measured on empty glass is worth when the light is bad.

Vignetting and the soft shadows of dust are drawn onto fields, and onto an empty one from which the flat
field is measured as `edge-device calibrate` does. For every set, with and without it: how far the corrected
field is from that of the field as it was (mean grey levels), how many of the cells found there are found
again within 3 µm and how many are new, and the milliseconds `preprocess.specimen` takes.

    python benchmarks/flatfield.py --data ../shared/data --limit 30
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from quality import PITCH_UM
from results import Results, parser_of
from scale import pictures, um_per_px

from edge.calibrate import flatfield
from edge.cameras.demo.camera import SimulatedCamera
from edge.cells import segment
from edge.optics import specimen
from edge.types import F32, U8

DRAWN = "simulated"
LOST, DUST = 0.6, 0.25  # of the light, in the corners and in the shadows
SHADOWS = ((0.5, 0.3, 0.15), (-0.4, -0.5, 0.1), (-0.6, 0.5, 0.2))
"""x, y and radius (standard deviation) by half the height."""

NEAR_UM = 3.0


def light(height: int, width: int) -> F32:
    """What reaches each part of the field, (height, width, 1) float32, 0 to 1."""
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    out = 1 - LOST * ((x - 0.1) ** 2 + (y + 0.1) ** 2) / 2.42
    for centre_x, centre_y, radius in SHADOWS:
        far = ((x - centre_x) * width / height) ** 2 + (y - centre_y) ** 2
        out *= 1 - DUST * np.exp(-far / (2 * radius**2))
    return np.asarray((out / out.max())[..., None], np.float32)


def through(picture: U8 | float, lit: F32, seed: int) -> U8:
    """A picture in this light, with the noise of a camera."""
    noise = np.random.default_rng(seed).normal(0, 1.5, (*lit.shape[:2], 3))
    return np.asarray(np.clip(picture * lit + noise, 0, 255), np.uint8)


def fields(data: Path | None, name: str, limit: int) -> Iterator[U8]:
    """Fields of a set."""
    if name != DRAWN:
        assert data is not None
        yield from pictures(data, name, limit)
        return
    camera = SimulatedCamera(1)
    camera.open()
    for _ in range(limit):
        yield camera.read().pixels
    camera.close()


def cells_um(view: specimen.Specimen, picture: U8, scale: float) -> F32:
    """(n, 2) centres of the cells found, µm."""
    found = segment.segment(view).in_frame(*picture.shape[:2])
    return np.asarray(found.centres_px * scale, np.float32)


def again(before: F32, now: F32) -> int:
    """How many cells of before are there now, each of now standing for one."""
    left = list(range(len(now)))
    for centre in before:
        near = [i for i in left if np.hypot(*(now[i] - centre)) < NEAR_UM]
        if near:
            left.remove(min(near, key=lambda i: float(np.hypot(*(now[i] - centre)))))
    return len(now) - len(left)


def row(shown: Sequence[U8], name: str, scale: float, results: Results) -> str:
    """Figures of a set, without and with the flat field."""
    lit = light(*shown[0].shape[:2])
    flat = flatfield.measure([through(235.0, lit, 1000 + i) for i in range(10)]).flat
    out = ""
    for given in (None, flat):
        off, times, counts = [], [], np.zeros(3)
        for seed, field in enumerate(shown):
            as_it_was = specimen.specimen(field, scale, PITCH_UM)
            dim = through(field, lit, seed)
            started = perf_counter()
            view = specimen.specimen(dim, scale, PITCH_UM, given)
            times.append(perf_counter() - started)
            off.append(np.abs(view.pixels.astype(int) - as_it_was.pixels).mean())
            before, now = cells_um(as_it_was, field, scale), cells_um(view, dim, scale)
            counts += len(before), again(before, now), len(now)
        cells, kept, found = counts
        about = {"what": f"{name}, {'without' if given is None else 'with'} a flat field", "n": len(shown)}
        results.add("background off by", np.mean(off), unit="grey levels", of="fields", **about)
        about |= {"n": int(cells), "of": "cells"}
        results.add("cells found again", kept / cells, **about)
        results.add("cells found that are new", (found - kept) / cells, **about)
        out += (
            f"{np.mean(off):>9.2f}{kept / cells:>8.1%}{(found - kept) / cells:>7.1%}{min(times) * 1e3:>7.2f}"
        )
    return f"{len(shown):>7}{counts[0]:>7.0f}{out}"


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument(
        "--data", type=Path, help="folder of the data sets; without it the simulated fields only"
    )
    parser.add_argument("--limit", type=int, default=30, help="fields of each set (default 30)")
    arguments = parser.parse_args()
    results = Results("flatfield", parser, arguments)
    cv2.setNumThreads(1)
    columns = f"{'off':>9}{'found':>8}{'new':>7}{'ms':>7}"
    print(f"{'':28}{'without':^31}{'with':^31}\n{'set':14}{'fields':>7}{'cells':>7}{columns * 2}")
    scales = {DRAWN: 0.1} | (
        {n: um_per_px(n) for n in ("chula", "bccd", "txl-pbc")} if arguments.data else {}
    )
    for name, scale in scales.items():
        shown = list(fields(arguments.data, name, arguments.limit))
        same = [field for field in shown if field.shape == shown[0].shape]
        if same:
            print(f"{name:14}{row(same, name, scale, results)}")
    results.write()


if __name__ == "__main__":
    main()
