"""The physical scale that red cells give, window by window, on public data sets.

Every field is cut into windows of 256, 384 and 640 px (a smaller one stays whole), and each is measured
alone. For every set and size: the share of windows within 12% of the set's known scale and of what the whole
field gives, the share without an estimate (where at least five red cells show, by the set's boxes, or in all
windows where it has none), the error of all windows as one slide, how far the errors exceed the stated
uncertainty, and milliseconds a window. Sets and photographs without red cells must give none. Then the time
for fields of usual sizes.

    python benchmarks/scale.py --data ../shared/data --limit 40
    python benchmarks/scale.py --data ../shared/data --sets chula --ruler without-chula.onnx
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from results import Results, parser_of

from edge.cameras.demo.camera import SimulatedCamera
from edge.optics import redcells, ruler
from edge.runtimes import open_runtime
from edge.types import U8
from train.data.dataset import DataError
from train.data.pictures import SUFFIXES, load_picture
from train.data.registry import dataset
from train.data.sets.fields import FIELDS, RED_CELL
from train.ruler.pictures import pictures

SETS = ("bccd", "chula", "txl-pbc", "deepapl", "pbc", "aria-fields", "zheng-2")
WITHOUT = ("zheng-1", "cnmc")
"""Those that show no red cells, or none that can be measured."""

WITH_RED_CELL_BOXES = ("bccd", "txl-pbc")
SIDES = (256, 384, 640)
NEAR = 0.12
SHOWN = 5
"""Red cells in a window from which on it should be measured."""

WINDOWS_A_FIELD = 4
SIZES = ((480, 640), (900, 1440), (1080, 1920), (1944, 2592), (2160, 3840))


@dataclass(frozen=True)
class Window:
    """A part of a field, and what it gave alone: µm per pixel (nan for none), its uncertainty, time."""

    found: redcells.RedCells
    um_per_px: float
    uncertainty: float
    whole: float
    shows: bool
    ms: float


def fields(data: Path, name: str, limit: int) -> Iterator[tuple[U8, np.ndarray | None]]:
    """Pictures of a set, and the (n, 2) centres of their red cells where those are known."""
    if name not in WITH_RED_CELL_BOXES:
        yield from ((picture, None) for picture in pictures(data, name, limit))
        return
    known = sorted(FIELDS[name](dataset(name).root(data), print), key=lambda field: field.path)
    for field in known[:: max(len(known) // limit, 1)][:limit]:
        boxes = np.array([box[1:] for box in field.boxes if box[0] == RED_CELL]).reshape(-1, 2, 2)
        yield load_picture(field.path), boxes.mean(axis=1)


def windows(picture: U8, centres: np.ndarray | None, side: int, rng: np.random.Generator) -> Iterator[Window]:
    """Some windows of a picture, measured; the whole where it is smaller."""
    height, width = picture.shape[:2]
    whole = _measured(picture)[1]
    corners = [(y, x) for y in range(0, height - side + 1, side) for x in range(0, width - side + 1, side)]
    chosen = [corners[i] for i in rng.permutation(len(corners))[:WINDOWS_A_FIELD]] or [(0, 0)]
    for top, left in chosen:
        part = picture[top : top + side, left : left + side]
        shows = True
        if centres is not None:
            inside = (centres >= (left, top)) & (centres < (left + side, top + side))
            shows = int(inside.all(axis=1).sum()) >= SHOWN
        started = perf_counter()
        found, um_per_px, uncertainty = _measured(part)
        yield Window(found, um_per_px, uncertainty, whole, shows, (perf_counter() - started) * 1e3)


def _measured(picture: U8) -> tuple[redcells.RedCells, float, float]:
    found = redcells.find(picture)
    measured = redcells.estimate([found])
    if measured is None:
        return found, np.nan, np.nan
    return found, measured.um_per_px, measured.uncertainty


def score(all_windows: list[Window], true: float) -> dict[str, float]:
    """Figures of the windows of a set."""
    alone = np.array([window.um_per_px for window in all_windows])
    wholes = np.array([window.whole for window in all_windows])
    shows = np.array([window.shows for window in all_windows])
    off = np.log(alone / true)
    stated = np.array([window.uncertainty for window in all_windows])
    fused = redcells.estimate([window.found for window in all_windows])
    return {
        "windows": len(alone),
        "near": float(np.mean(np.abs(alone[shows] / true - 1) <= NEAR)),
        "near whole": float(np.mean(np.abs(alone[shows] / wholes[shows] - 1) <= NEAR)),
        "none": float(np.mean(np.isnan(alone[shows]))),
        "median": float(np.nanmedian(alone)) if np.isfinite(alone).any() else np.nan,
        "fused": fused.um_per_px / true - 1 if fused else np.nan,
        "error by stated": float(np.sqrt(np.nanmean((off / stated) ** 2))),
        "ms": float(np.median([window.ms for window in all_windows])),
    }


def photographs() -> Iterator[tuple[str, U8]]:
    """Pictures of anything but blood that come with packages which the workstation has, at three sizes."""
    import matplotlib
    import skimage
    import sklearn

    folders = (
        (skimage, "data"),
        (sklearn, "datasets/images"),
        (matplotlib, "mpl-data/sample_data"),
    )
    for package, folder in folders:
        for path in sorted((Path(package.__file__).parent / folder).iterdir()):
            if path.suffix.lower() in SUFFIXES:
                try:
                    picture = load_picture(path)
                except DataError:  # of a kind that OpenCV does not read
                    continue
                for scale in (0.5, 1.0, 2.0):
                    yield path.name, np.asarray(cv2.resize(picture, None, fx=scale, fy=scale), np.uint8)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument("--limit", type=int, default=40, help="fields of each set (default 40)")
    parser.add_argument("--sets", default=",".join(SETS), help="by comma; default all")
    parser.add_argument("--ruler", type=Path, help="another graph than the shipped, python -m export.ruler")
    arguments = parser.parse_args()
    results = Results("scale", parser, arguments)
    cv2.setNumThreads(1)
    if arguments.ruler is not None:
        other = open_runtime("ort", arguments.ruler.read_bytes(), precision="fp32", threads=1)
        ruler.network = lambda: other
    present = [name for name in arguments.sets.split(",") if dataset(name).there(arguments.data)]
    if not present:
        parser.error(f"--data {arguments.data}: none of the data sets lies there")
    details = {name: _tell_set(results, arguments.data, name, arguments.limit) for name in present}
    _tell_without(results, arguments.data, arguments.limit)
    _tell_times(results)
    results.write(details)


def um_per_px(name: str) -> float:
    """Of a data set's pictures."""
    scale = dataset(name).scale
    assert scale is not None
    return scale.um_per_px


def _tell_set(results: Results, data: Path, name: str, limit: int) -> dict[int, dict[str, float]]:
    true = um_per_px(name)
    listed = list(fields(data, name, limit))
    print(
        f"{name}, {true} µm per pixel\n{'side':>6}{'windows':>9}{'in 12%':>8}{'of whole':>10}"
        f"{'none':>7}{'median':>9}{'fused':>8}{'err/unc':>9}{'ms':>6}"
    )
    scores = {}
    largest = max(max(picture.shape[:2]) for picture, _ in listed)
    for smaller, side in zip((0, *SIDES), SIDES, strict=False):
        if smaller >= largest:
            continue  # they would be the same whole pictures again
        rng = np.random.default_rng(0)
        found = [window for picture, centres in listed for window in windows(picture, centres, side, rng)]
        s = scores[side] = score(found, true)
        print(
            f"{side:>6}{s['windows']:>9.0f}{s['near']:>8.0%}{s['near whole']:>10.0%}{s['none']:>7.0%}"
            f"{s['median']:>9.4f}{s['fused']:>+8.1%}{s['error by stated']:>9.2f}{s['ms']:>6.1f}"
        )
        about = {"what": f"{name}, windows of {side} px", "n": int(s["windows"]), "of": "windows"}
        results.add("within 12%", s["near"], **about, wanted="≥ 0.90")
        results.add("without estimate", s["none"], **about, wanted="≤ 0.05")
        results.add("error of all as one slide", s["fused"], **about, wanted="≤ 0.06 either way")
    return scores


def _tell_without(results: Results, data: Path, limit: int) -> None:
    shown = [(name, picture) for name in WITHOUT for picture in pictures(data, name, 3 * limit)]
    for what, listed in (("cells without red cells", shown), ("photographs", list(photographs()))):
        measured = [name for name, picture in listed if np.isfinite(_measured(picture)[1])]
        print(f"{what}: {len(measured)} of {len(listed)} measured {' '.join(sorted(set(measured)))}")
        if listed:
            share = len(measured) / len(listed)
            results.add("measured alone", share, what=what, n=len(listed), of="pictures", wanted="0")


def _tell_times(results: Results) -> None:
    """Of a drawn field at usual sizes: when nothing is known, and when the slide's scale is."""
    camera = SimulatedCamera(1)
    camera.open()
    drawn, across_px = camera.read().pixels, redcells.RED_CELL_UM / camera.um_per_px
    camera.close()
    for height, width in SIZES:
        picture = np.asarray(cv2.resize(drawn, (width, height)), np.uint8)
        expected = across_px * width / drawn.shape[1]
        for state, known in (("first look", None), ("scale known", expected)):
            ms = float(np.median([_took_ms(picture, known) for _ in range(15)][3:]))
            print(f"{width} × {height} px, {state}: {ms:.1f} ms")
            what = f"{width} × {height} px, {state}"
            results.add("time", ms, what=what, unit="ms", n=12, of="runs", wanted="≤ 15")


def _took_ms(picture: U8, expected_px: float | None) -> float:
    started = perf_counter()
    redcells.find(picture, expected_px=expected_px)
    return (perf_counter() - started) * 1e3


if __name__ == "__main__":
    main()
