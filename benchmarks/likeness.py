"""Whether slides unlike those trained on are told, and the others are not.

For every data set, cut into slides: the share of slides that are called unlike when the ranges are those of
all training laboratories, and when this one was left out of them. Then the same slides with hues turned, red
and blue exchanged, paled, and read at a wrong scale; and the drawn slides of healthy people, which the ranges
hold others of.

    python benchmarks/likeness.py --data ../shared/data --cache runs/cache
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np
from results import Results, parser_of

from edge.bundle import bundle
from edge.cameras.demo.camera import SimulatedCamera
from edge.cameras.demo.scope import scope_of
from edge.cells.classify import Classifier
from edge.cells.segment import segment, single
from edge.line.likeness import FEATURES, LEAST_CELLS, looks, medians, outside
from edge.optics.specimen import Specimen, specimen
from edge.types import F32, U8, Cells
from train.data.dataset import DataError
from train.data.familiar import familiar
from train.data.registry import dataset
from train.data.windows import cached
from train.recipes import recipe as recipes

Picture = tuple[U8, float]
"""RGB, and µm per pixel."""

SINGLE = ("deepapl", "pbc", "cnmc", "zheng-1", "zheng-2")
FIELDS = ("bccd", "chula", "txl-pbc", "aria-fields")
TRAINED = ("deepapl", "pbc", "cnmc", "bccd", "chula", "txl-pbc", "aria", "simulated")
LEFT_OUT = {"aria-fields": "aria"}
SLIDES, CELLS = 8, 2 * LEAST_CELLS
"""At most: slides of a data set, and cells of a slide, which are looked at twice then."""

PLAIN, OUT = "as it is", "left out of the ranges"
Shift = Callable[[U8], U8]
Ranges = Mapping[str, tuple[float, float]]


def turned(pixels: U8) -> U8:
    """Every hue a quarter further round the circle."""
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + 45) % 180
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)


def denser(pixels: U8, factor: float) -> U8:
    """A stain so much denser against the picture's own glass."""
    glass = np.percentile(pixels.reshape(-1, 3), 95, axis=0)
    return np.asarray((glass * (pixels / glass) ** factor).round().clip(0, 255), np.uint8)


SHIFTS: Mapping[str, tuple[Shift, float]] = {
    PLAIN: (lambda p: p, 1.0),
    "hues turned by 90°": (turned, 1.0),
    "red and blue exchanged": (lambda p: np.ascontiguousarray(p[..., ::-1]), 1.0),
    "a third of the stain": (lambda p: denser(p, 1 / 3), 1.0),
    "a fifth of the stain": (lambda p: denser(p, 1 / 5), 1.0),
    "twice the stain": (lambda p: denser(p, 2.0), 1.0),
    "scale twice too large": (lambda p: p, 2.0),
    "scale half too small": (lambda p: p, 0.5),
}
"""Name -> what is done to a picture, and what the scale is taken for."""


@dataclass
class Slide:
    """What was seen of a slide: medians at each look."""

    looked: list[F32] = field(default_factory=list)

    def strange(self, ranges: Ranges) -> list[str]:
        """The features that lay outside at the first look at which any did."""
        found = (outside(look, ranges) for look in self.looked)
        return next(filter(None, found), [])


class Reader:
    """Counts leukocytes as the line does, and keeps their looks; `ms` is what each reading's took."""

    def __init__(self) -> None:
        model = bundle.load()
        self._about = model.manifest
        self._classify = Classifier(model, variant="ort-int8", threads=2)
        self.ms: list[float] = []

    def read(self, pictures: Iterator[Picture], shift: str, *, alone: bool = False) -> Slide:
        """A slide of these pictures after a shift; `alone`: each is one cell in its middle."""
        change, scale = SHIFTS[shift]
        slide, seen, cells = Slide(), [], 0
        for pixels, um_per_px in pictures:
            view = specimen(change(pixels), um_per_px * scale, self._about.pitch_um)
            found = single(view) if alone else segment(view)
            which = self._counted(view, found, alone)
            started = perf_counter()
            seen.append(looks(view, found, which))
            self.ms.append((perf_counter() - started) * 1e3)
            before, cells = cells, cells + len(which)
            if any(before < least <= cells for least in (LEAST_CELLS, CELLS)):
                slide.looked.append(medians(np.concatenate(seen)))
            if cells >= CELLS:
                break
        return slide

    def _counted(self, view: Specimen, found: Cells, alone: bool) -> np.ndarray:
        crops = self._about.model_input.of(view, view.in_pitches(found.centres), view.pixels)
        calls = self._classify(crops)
        leukocytes = [self._about.classes.index(name) for name in self._about.leukocytes]
        counted = np.isin(calls.classes, leukocytes) & ~calls.uncertain & (~found.cut | alone)
        return np.flatnonzero(counted).astype(np.int32)


def slides(data: Path, name: str) -> list[list[Callable[[], Picture]]]:
    """Pictures of a data set by slide: its groups if these are large enough, else lots drawn from all."""
    source = dataset(name)
    groups: dict[str, list[Callable[[], Picture]]] = defaultdict(list)
    for picture in source.read(source.root(data), lambda _: None):
        groups[picture.spots[0].group].append(lambda p=picture: (p.load(), p.um_per_px))
    rng = np.random.default_rng(0)
    enough = CELLS if name in SINGLE else CELLS // 4
    large = [group for _, group in sorted(groups.items()) if len(group) >= enough]
    if len(large) < 3:
        everything = [picture for group in groups.values() for picture in group]
        order = rng.permutation(len(everything))
        lots = max(len(order) // (CELLS * 3 // 2), 1)
        large = [[everything[i] for i in order[lot::lots]] for lot in range(lots)]
    chosen = rng.permutation(len(large))[:SLIDES].tolist()
    return [[large[i][k] for k in rng.permutation(len(large[i]))] for i in chosen]


def loaded(pictures: list[Callable[[], Picture]]) -> Iterator[Picture]:
    for load in pictures:
        try:
            yield load()
        except DataError:
            continue


def healthy() -> Iterator[int]:
    """Seeds of the simulated microscope whose slides hold no blasts."""
    return (seed for seed in count() if not scope_of(seed).composition["blast"])


def drawn(seed: int) -> Iterator[Picture]:
    camera = SimulatedCamera(seed)
    camera.open()
    for _ in range(60):
        yield camera.read().pixels, camera.um_per_px or 0.0
    camera.close()


def _notice(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Row:
    """Slides, how many had too few cells to be judged, and which features of others were told."""

    what: str
    how: str
    slides: int
    few: int
    told: list[list[str]]

    @classmethod
    def of(cls, what: str, how: str, read: list[Slide], ranges: Ranges) -> Row:
        judged = [slide for slide in read if slide.looked]
        told = list(filter(None, (slide.strange(ranges) for slide in judged)))
        row = cls(what, how, len(read), len(read) - len(judged), told)
        why = ", ".join(f"{name} {n}" for name, n in row.features.items())
        print(f"{what:22}{how:24}{row.slides:>7}{row.few:>10}{len(told):>6}   {why}", flush=True)
        return row

    @property
    def features(self) -> dict[str, int]:
        counted = Counter(name for names in self.told for name in names)
        return {name: counted[name] for name in FEATURES if counted[name]}

    def as_json(self) -> dict[str, Any]:
        counts = {"slides": self.slides, "too_few_cells": self.few, "told": len(self.told)}
        return {"what": self.what, "how": self.how, **counts, "features": self.features}


def _figures(results: Results, rows: list[Row]) -> None:
    """Slides as they are by data set; shifted ones of all data sets together."""
    for how in dict.fromkeys(row.how for row in rows):
        some = [row for row in rows if row.how == how]
        wanted = "≤ 0" if how == PLAIN else ""
        parts = {row.what: [row] for row in some} if how in (PLAIN, OUT) else {"all data sets": some}
        for what, part in parts.items():
            judged = sum(row.slides - row.few for row in part)
            share = sum(len(row.told) for row in part) / judged if judged else None
            results.add(
                "slides told to be unlike", share, what=f"{what}, {how}", n=judged, of="slides",
                wanted=wanted if not what.startswith("zheng") else "",
            )  # fmt: skip
        if how not in (PLAIN, OUT):
            slides = sum(row.slides for row in some)
            few = sum(row.few for row in some) / slides
            name = f"slides without {LEAST_CELLS} counted cells, never judged"
            results.add(name, few, what=f"all data sets, {how}", n=slides, of="slides")


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with the data sets")
    parser.add_argument("--cache", type=Path, required=True, metavar="DIR", help="of cut cells")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="pictures of a set to learn from")
    parser.add_argument("--healthy", type=int, default=12, metavar="N", help="drawn slides (default: 12)")
    arguments = parser.parse_args()
    results = Results("likeness", parser, arguments)
    recipe = recipes.load("leukocytes")
    spans = {}
    for name in TRAINED:
        part = cached(dataset(name), arguments.data, recipe.window, _notice, arguments.limit, arguments.cache)
        spans[name] = familiar(part, recipe.counted, recipe.input.pitch_um)

    def ranges(without: str = "") -> Ranges:
        """Those of all laboratories, or of all but one."""
        kept = [span for name, span in spans.items() if name != without]
        return {f: (min(s[f][0] for s in kept), max(s[f][1] for s in kept)) for f in FEATURES}

    known, reader = ranges(), Reader()
    rows: list[Row] = []
    print(f"{'slides of':22}{'':24}{'slides':>7}{'too few':>10}{'told':>6}   of which features")
    for name in filter(lambda name: dataset(name).there(arguments.data), (*SINGLE, *FIELDS)):
        lots, trained = slides(arguments.data, name), LEFT_OUT.get(name, name)
        for shift in SHIFTS:
            read = [reader.read(loaded(lot), shift, alone=name in SINGLE) for lot in lots]
            rows.append(Row.of(name, shift, read, known))
            if shift == PLAIN and trained in TRAINED:
                rows.append(Row.of(name, OUT, read, ranges(without=trained)))
    seeds = islice(healthy(), arguments.healthy)
    rows.append(Row.of("healthy demo slides", PLAIN, [reader.read(drawn(s), PLAIN) for s in seeds], known))
    _figures(results, rows)
    cost = float(np.median(reader.ms))
    results.add("a reading takes", cost, unit="ms", n=len(reader.ms), of="readings", wanted="≤ 0.2 ms")
    print(f"a reading takes {cost:.3f} ms, nine of ten up to {np.percentile(reader.ms, 90):.3f} ms")
    results.write({"familiar": known, "slides": [row.as_json() for row in rows]})


if __name__ == "__main__":
    main()
