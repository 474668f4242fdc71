"""Fields decoded at half size against the same fields decoded whole: what is found, and what each takes.

Fields of public data sets, enlarged where their pixels are too coarse for it, are written as JPEG (quality
90, colours halved as cameras do) and go through the line twice, the scale given. Told are the cells found
both ways and in one way only, how far their boxes are apart, the Dice coefficient of what is labelled, the
calls that differ, the fields that are turned down, the difference of the red cells' scale, and the
milliseconds of decoding, of the specimen and of quality, each time the least of several. What a difference
means is told by the same fields whole but moved by a pixel, as no stage stands still.

    python benchmarks/reduced.py --data ../shared/data --limit 40
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from results import Results, parser_of
from scale import pictures, um_per_px

from edge.bundle import bundle
from edge.cells.classify import Classifier
from edge.cells.segment import segmenter
from edge.files.pictures import decode
from edge.line.pipeline import Line
from edge.optics import redcells
from edge.optics.litfield import WHOLE
from edge.optics.scale import Scales, red_cells
from edge.types import U8, Frame, Reading

SETS = {"bccd": 640, "chula": 1440, "chula, 1920 px": 1920, "aria-fields, 1440 px": 1440}
"""Data sets, and how wide their fields are made, pixels."""

QUALITY = 90
REPEATS = 3


class _Files:
    """What the scale takes for a camera of files."""

    live = False
    name = serial = ""


@dataclass
class Ways:
    """What the fields of a set gave two ways, whole first."""

    moved_px: int = 0
    both: int = 0
    only: list[int] = field(default_factory=lambda: [0, 0])
    changed: int = 0
    refused: list[int] = field(default_factory=lambda: [0, 0])
    apart_px: list[float] = field(default_factory=list)
    dice: list[float] = field(default_factory=list)
    probability: list[float] = field(default_factory=list)
    scale: list[float] = field(default_factory=list)
    ms: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(lambda: [[], []]))

    def see(self, readings: Sequence[Reading]) -> None:
        """Hold two readings of one field against each other."""
        whole, half = readings
        for which, reading in enumerate(readings):
            self.refused[which] += bool(reading.problems)
        if whole.problems or half.problems:
            return
        pairs = matched(whole.cells.boxes_px, half.cells.boxes_px)
        self.both += len(pairs)
        for which, reading in enumerate(readings):
            self.only[which] += len(reading.cells) - len(pairs)
        for i, j in pairs:
            away = np.abs(whole.cells.boxes_px[i] - half.cells.boxes_px[j] - self.moved_px)
            self.apart_px.append(float(away.max()))
            self.changed += int(whole.classes[i] != half.classes[j])
            self.probability.append(float(np.abs(whole.probabilities[i] - half.probabilities[j]).max()))
        labelled = [reading.cells.found.labels > 0 for reading in readings]
        total = sum(int(one.sum()) for one in labelled)
        if total and labelled[0].shape == labelled[1].shape:
            self.dice.append(2 * int((labelled[0] & labelled[1]).sum()) / total)

    def took(self, what: str, which: int, ms: float) -> None:
        """Note the time of one of the two."""
        self.ms[what][which].append(ms)


def matched(one: np.ndarray, other: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of (n, 4) and (m, 4) boxes that share more than half of what either covers."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=2)
    areas = [np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) for boxes in (one, other)]
    share = shared / np.maximum(areas[0][:, None] + areas[1][None] - shared, 1)
    return [(int(i), int(j)) for i, j in np.argwhere(share > 0.5)]


def jpeg_of(pixels: U8) -> bytes:
    """The picture as a camera sends it."""
    settings = (
        *(cv2.IMWRITE_JPEG_QUALITY, QUALITY),
        *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420),
    )
    return cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)[1].tobytes()


def frames(picture: U8, ways: Ways) -> list[Frame]:
    """The frame decoded whole, at half size, and whole from a pixel further on; the first two are timed."""
    data, moved = jpeg_of(picture), jpeg_of(np.ascontiguousarray(picture[1:, 1:]))
    for _ in range(REPEATS):
        taken = []
        for which, reduction in enumerate((1, 2)):
            began = perf_counter()
            taken.append(decode(data, reduction))
            ways.took("decode", which, (perf_counter() - began) * 1e3)
    return [Frame.of(one, 0, "benchmark", datetime.now(UTC), 0.0) for one in (*taken, decode(moved))]


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets")
    parser.add_argument("--limit", type=int, default=40, help="fields of each set (default 40)")
    arguments = parser.parse_args()
    results = Results("reduced", parser, arguments)
    cv2.setNumThreads(1)
    shipped = bundle.load()
    classifier, find = Classifier(shipped), segmenter(shipped)
    for what, width in SETS.items():
        halved, moved, name = Ways(), Ways(moved_px=1), what.split(",")[0]
        for picture in pictures(arguments.data, name, arguments.limit):
            times = width / picture.shape[1]
            if times > 1:
                picture = np.asarray(
                    cv2.resize(picture, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC)
                )
            scales = Scales(asked=um_per_px(name) / times, nominal=1.0, camera=_Files())
            readings, told = [], []
            for which, frame in enumerate(frames(picture, halved)):
                for _ in range(REPEATS if which < 2 else 1):
                    reading = Line(classifier, scales.for_slide(), find=find).read(frame)
                    for stage in ("preprocess", "quality") if which < 2 else ():
                        halved.took(stage, which, reading.ms[stage])
                readings.append(reading)
                expected_px = redcells.RED_CELL_UM / scales.expected
                told.append(redcells.estimate([red_cells(frame, WHOLE, expected_px)]))
            for ways, which in ((halved, 1), (moved, 2)):
                ways.see((readings[0], readings[which]))
                if (one := told[0]) is not None and (other := told[which]) is not None:
                    ways.scale.append(other.um_per_px / one.um_per_px - 1)
        print(f"{what}: {um_per_px(name) / times:.4f} µm per pixel")
        tell(what, "at half size", halved, results)
        tell(what, "moved", moved, results)
    classifier.close()
    results.write()


def tell(what: str, how: str, ways: Ways, results: Results) -> None:
    """Print and note what one set gave."""
    about = {"what": f"{what}, {how}", "n": ways.both + sum(ways.only), "of": "cells"}
    figures = {
        "cells found both ways": ways.both,
        "cells found whole only": ways.only[0],
        "cells found this way only": ways.only[1],
        "calls that differ": ways.changed,
        "fields turned down whole": ways.refused[0],
        "fields turned down this way": ways.refused[1],
        "boxes apart, median px": float(np.median(ways.apart_px or [0])),
        "boxes apart, 95% px": float(np.quantile(ways.apart_px or [0], 0.95)),
        "probabilities apart, median": float(np.median(ways.probability or [0])),
        "probabilities apart, 95%": float(np.quantile(ways.probability or [0], 0.95)),
        "red cells' scale, median difference": float(np.median(ways.scale or [0])),
        "red cells' scale, 90% differ less": float(np.quantile(np.abs(ways.scale or [0]), 0.9)),
    }
    if ways.dice and not ways.moved_px:
        figures["Dice of what is labelled"] = float(np.mean(ways.dice))
    for stage, pair in ways.ms.items():
        for which, taken in zip(("whole", "at half size"), pair, strict=True):
            # of each field the fastest of several: the machine may have other things to do
            figures[f"{stage} {which}, ms"] = float(
                np.median(np.min(np.reshape(taken, (-1, REPEATS)), axis=1))
            )
    print(f"  {how}")
    for figure, value in figures.items():
        print(f"    {figure:38}{value:10.4g}")
        results.add(figure, value, **about)


if __name__ == "__main__":
    main()
