"""Fields as eyepieces, letterboxes and sensors cut them: what is still found, and what finding that costs.

Fields of public data sets with boxes are shown behind stops: round, round and vignetted, round and cut by the
sensor, between bars. For each, over the leukocytes that lie wholly inside: recall behind the stop and without
it, by the bundle's own segmenter with the scale given; how many of those that the rim cuts would be counted;
how many of the fields, all of different places, the slide map takes for one seen before. Then, over pictures
of every data set as they are, how many are taken for anything but whole, and the milliseconds that takes;
those with bars that its makers left in are told.

    python benchmarks/litfield.py --data ../shared/data --limit 40
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from results import Results, parser_of
from scale import SETS, WITHOUT, pictures
from segmentation import ratio, vignetted

from edge.bundle import bundle
from edge.cells.segment import Segmenter, segmenter
from edge.line.slidemap import SlideMap
from edge.optics import litfield
from edge.optics.specimen import specimen
from edge.types import F32, U8, Bools, Cells
from train.data.dataset import spread
from train.data.pictures import load_picture
from train.data.registry import dataset
from train.data.sets.fields import FIELDS, Field, leukocytes
from train.judging.fields import score

PITCH_UM = 0.25
BOXES = ("bccd", "chula")
BLUR = 1 / 150  # of a picture's height, in which an eyepiece's rim falls from light to black
CLEAR_UM = 1.0  # by which a cell clears the rim, or is cut by it
MARGIN = 1 / 8  # of a picture's height or width is bar
Stop = Callable[[U8], tuple[U8, Bools]]


def disc(x: float, y: float, radius: float, lamp: Callable[[U8], U8] = lambda pixels: pixels) -> Stop:
    """A round stop: its middle in shares of the picture's width and height, its radius in heights."""

    def stop(pixels: U8) -> tuple[U8, Bools]:
        height, width = pixels.shape[:2]
        down, across = np.ogrid[:height, :width]
        away = np.hypot(across - x * width, down - y * height)
        share = np.clip((radius * height - away) / (BLUR * height) + 0.5, 0, 1)[..., None]
        return np.asarray(lamp(pixels) * share, np.uint8), np.asarray(share[..., 0] > 0.5)

    return stop


def bars(colour: int, top: float, bottom: float, left: float, right: float) -> Stop:
    """Bars of one grey level, in shares of the picture's height and width."""

    def stop(pixels: U8) -> tuple[U8, Bools]:
        height, width = pixels.shape[:2]
        inside = np.zeros((height, width), np.bool_)
        rows = slice(round(top * height), round((1 - bottom) * height))
        inside[rows, round(left * width) : round((1 - right) * width)] = True
        return np.where(inside[..., None], pixels, np.uint8(colour)), inside

    return stop


STOPS: Mapping[str, Stop] = {
    "nothing": lambda pixels: (pixels, np.ones(pixels.shape[:2], np.bool_)),
    "round": disc(0.5, 0.5, 0.48),
    "round, vignetted": disc(0.5, 0.5, 0.48, vignetted),
    "round, cut by the sensor": disc(0.35, 0.4, 0.7),
    "black bars": bars(0, MARGIN, MARGIN, 0, 0),
    "white bars": bars(255, MARGIN, MARGIN, MARGIN, MARGIN),
}


def taken(pixels: U8) -> U8:
    """As a camera's JPEG has it."""
    coded = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    return np.ascontiguousarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)[..., ::-1], np.uint8)


def whole(boxes: F32, inside: Bools, clear_px: int) -> Bools:
    """Which boxes lie wholly inside, by so many pixels, but for their corners: cells are round."""
    kernel = np.ones((2 * clear_px + 1, 2 * clear_px + 1), np.uint8)
    outside = cv2.erode(inside.astype(np.uint8), kernel) == 0
    out = np.zeros(len(boxes), np.bool_)
    for i, (x0, y0, x1, y1) in enumerate(boxes.astype(int).tolist()):
        y, x = np.ogrid[max(y0, 0) : y1, max(x0, 0) : x1]
        cell = (2 * x - x0 - x1) ** 2 / (x1 - x0) ** 2 + (2 * y - y0 - y1) ** 2 / (y1 - y0) ** 2 <= 1
        part = outside[max(y0, 0) : y1, max(x0, 0) : x1]
        out[i] = not part[cell[: part.shape[0], : part.shape[1]]].any()
    return out


def crossed(plain: Cells, boxes: F32, inside: Bools) -> Bools:
    """Which boxes hold a cell, as found without the stop, that the rim cuts by more than `CLEAR_UM`."""
    height, width = plain.labels.shape
    grid = cv2.resize(inside.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    size = 2 * round(CLEAR_UM / PITCH_UM) + 1
    hidden = plain.labels[cv2.dilate(grid, np.ones((size, size), np.uint8)) == 0]
    x, y = np.minimum(plain.centres, (width - 1, height - 1)).astype(int).T
    cut = np.isin(np.arange(1, len(plain) + 1), hidden) & (grid[y, x] > 0)
    return held(boxes, plain.in_frame(*inside.shape).centres_px[cut])


def held(boxes: F32, centres: F32) -> Bools:
    """In which boxes one of these centres lies."""
    within = (centres[:, None] >= boxes[:, :2]) & (centres[:, None] <= boxes[:, 2:])
    return np.asarray(within.all(axis=2).any(axis=0), np.bool_)


def behind(find: Segmenter, fields: list[tuple[Field, U8]], stop: Stop) -> dict[str, list[float]]:
    """What is found of each field with and without a stop."""
    out: dict[str, list[float]] = {
        key: [] for key in ("asked", "with", "without", "crossed", "counted", "again")
    }
    slide = SlideMap()
    for field, pixels in fields:
        size = pixels.shape[:2]
        shown, inside = stop(pixels)
        boxes = leukocytes(field)
        plain = find(specimen(pixels, field.um_per_px, PITCH_UM))
        shown = taken(shown)
        view = specimen(shown, field.um_per_px, PITCH_UM, None, litfield.find(shown))
        cells = find(view)
        well_in = boxes[whole(boxes, inside, max(round(CLEAR_UM / field.um_per_px), 1))]
        with_stop, without = (score(well_in, size, found.in_frame(*size))[0] for found in (cells, plain))
        cut = boxes[crossed(plain, boxes, inside)]
        placed = slide.place(view, cells.centres * PITCH_UM)
        out["asked"].append(with_stop.asked)
        out["with"].append(with_stop.found)
        out["without"].append(without.found)
        out["crossed"].append(len(cut))
        out["counted"].append(held(cut, cells.in_frame(*size).centres_px[~cells.cut]).sum())
        out["again"].append(placed.repeated)
    return out


def on_stops(data: Path, name: str, find: Segmenter, limit: int, results: Results) -> None:
    """Recall behind every stop."""
    listed = spread(list(FIELDS[name](dataset(name).root(data), lambda line: None)), limit)
    fields = [(field, load_picture(field.path)) for field in listed]
    groups = [field.group for field in listed]
    for title, stop in STOPS.items():
        found = behind(find, fields, stop)
        recalls = [ratio(groups, found[key], found["asked"]) for key in ("with", "without")]
        asked, crossed, wrongly, again = (
            int(sum(found[k])) for k in ("asked", "crossed", "counted", "again")
        )
        print(
            f"{name:8}{title:26}{asked:>6}{recalls[0].value:>9.3f}{recalls[1].value:>9.3f}"
            f"{wrongly:>6} of {crossed:<4}{again:>5} of {len(fields)}",
            flush=True,
        )
        about = {"n": asked, "of": "leukocytes"}
        for recall, how in zip(recalls, ("behind it", "without it"), strict=True):
            results.add("recall of cells wholly inside", recall, what=f"{name}, {title}, {how}", **about)
        what = f"{name}, {title}"
        results.add(
            "counted of the cells that the rim cuts",
            wrongly,
            what=what,
            n=crossed,
            of="leukocytes",
            wanted="0",
        )
        results.add("taken for a place seen before", again, what=what, n=len(fields), of="fields", wanted="0")


def as_they_are(data: Path, name: str, limit: int, results: Results) -> None:
    """How many pictures of a set are not taken for whole, and what looking takes."""
    times, parts = [], []
    for pixels in pictures(data, name, limit):
        started = perf_counter()
        lit = litfield.find(pixels)
        times.append((perf_counter() - started) * 1e3)
        if lit.corners is not None:
            parts.append(cv2.contourArea(lit.corners))
    if times:
        print(
            f"{name:12}{len(times):>9}{len(parts):>7}{np.median(times):>8.2f}  {np.round(parts, 3).tolist()}"
        )
        about = {"what": name, "n": len(times), "of": "pictures"}
        results.add("pictures that are not whole", len(parts), **about)
        results.add("finding the lit field", float(np.median(times)), unit="ms", **about)


def times(results: Results) -> None:
    """Milliseconds on a drawn field of 1080 and 2160 lines, whole and behind a round stop."""
    rng = np.random.default_rng(0)
    field = np.full((1080, 1920, 3), 220, np.uint8)
    for x, y in rng.integers(0, (1920, 1080), (250, 2)).tolist():
        cv2.circle(field, (x, y), 37, (180, 120, 140), -1)
    for lines in (1080, 2160):
        pixels = np.asarray(cv2.resize(field, (lines * 16 // 9, lines)), np.uint8)
        for title, shown in (("whole", pixels), ("round", STOPS["round"](pixels)[0])):
            for how, find in (("alone", litfield.find), ("after another of its slide", litfield.Finder())):
                taken_ms = []
                for _ in range(50):
                    started = perf_counter()
                    find(shown)
                    taken_ms.append((perf_counter() - started) * 1e3)
                what = f"{lines} lines, {title}, {how}"
                print(f"{what:50}{np.median(taken_ms):>8.2f} ms")
                results.add(
                    "finding the lit field", float(np.median(taken_ms)), what=what, unit="ms", wanted="≤ 0.3"
                )


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the data sets")
    parser.add_argument("--limit", type=int, default=40, help="fields of each set (default 40)")
    parser.add_argument("--bundle", type=Path, help="model bundle; without it the one that ships")
    args = parser.parse_args()
    results = Results("litfield", parser, args)
    cv2.setNumThreads(1)
    times(results)
    print(f"{'set':12}{'pictures':>9}{'parts':>7}{'ms':>8}  their shares")
    for name in (*SETS, *WITHOUT):
        as_they_are(args.data, name, args.limit, results)
    find = segmenter(bundle.load(args.bundle, allow_unsigned=True))
    print(
        f"{'set':8}{'behind':26}{'asked':>6}{'recall':>9}{'without':>9}{'cut, counted':>14}{'repeated':>10}"
    )
    for name in BOXES:
        on_stops(args.data, name, find, args.limit, results)
    results.write()


if __name__ == "__main__":
    main()
