"""The shipped recipe trained without one laboratory at a time, and judged on the one left out.

    python benchmarks/leftout.py --data ../shared/data --out runs/leftout --epochs 8 --cache runs/cache

Every cell of the laboratory that is in no test part is judged, at one threshold for blasts: the lowest that
the healthy laboratories left out can bear, it itself not asked (`train.judging.threshold`). `aria-cells`,
labelled by their field and in no recipe, are judged by every run; `zheng-2`, all of it a test part, with
--test alone. A training takes ten to fifteen minutes on two cores; what was trained already stays, and an
interrupted run goes on. One such training alone is `edge-train fit --leave-out NAME`. `edge-train operation
--leftout OUT` makes of these runs what a bundle says of its errors elsewhere, `benchmarks/leftout_slides.py`
slides.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from results import Results, parser_of

from edge.bundle import bundle
from train.data.classes import CLASSES, LEUKOCYTES, POSITIVE
from train.data.dataset import OF_ONE_PERSON, Notice
from train.data.registry import dataset
from train.data.windows import middle, read
from train.fitting.fit import fit
from train.judging import threshold
from train.judging.leftout import LeftOut, Unseen, asked
from train.judging.runs import of_run
from train.recipes import recipe as recipes
from train.statistics.metrics import roc_area

LEFT_OUT = {
    "deepapl": ("deepapl",),
    "cnmc": ("cnmc",),
    "pbc": ("pbc",),
    "fields": ("bccd", "chula", "txl-pbc", "zheng-1"),
}
NEVER, TEST = "aria-cells", "zheng-2"
WANTED = {
    "sensitivity": "",
    "false blasts": "≤ 0.03",
    "false blasts, worst slide": "",
    "ROC area": "≥ 0.92",
    "six types": "≥ 0.85",
    "deepapl, sensitivity": "≥ 0.60",
    "deepapl, ROC area": "≥ 0.93",
    "deepapl, false blasts": "",
    "deepapl, six types": "",
    "cnmc, sensitivity": "≥ 0.50",
    "cnmc, false blasts": "",
    "cnmc, six types": "",
}
"""Goals, by data set where it has one of its own."""

TAUGHT = [name for names in LEFT_OUT.values() for name in names]
"""Those that a recipe learns from: the others have no say in the threshold."""

LEAST_CELLS = 20
"""Other leukocytes of a patient or slide whose own share of false blasts is told."""

SIX = ("neutrophil", "eosinophil", "basophil", "lymphocyte", "monocyte", "erythroblast")


def judged(cells: Unseen, threshold: float) -> Iterator[tuple[str, float, int, str]]:
    """How a run calls the cells of a data set: name, value, and on how many cells of what it stands."""
    labels, probabilities = cells.labels, cells.probabilities
    score = probabilities[:, [CLASSES.index(name) for name in POSITIVE]].sum(axis=1)
    blasts, others = cells.sides(POSITIVE, LEUKOCYTES)
    typed = np.isin(labels, SIX)
    if blasts.any():
        yield "sensitivity", float(np.mean(score[blasts] >= threshold)), int(blasts.sum()), "blasts"
    if others.any():
        yield "false blasts", float(np.mean(score[others] >= threshold)), int(others.sum()), "other cells"
    slides = [others & (cells.groups == name) for name in np.unique(cells.groups)]
    slides = [slide for slide in slides if slide.sum() >= LEAST_CELLS]
    if cells.source.groups in OF_ONE_PERSON and slides:
        worst = max(float(np.mean(score[slide] >= threshold)) for slide in slides)
        yield (
            "false blasts, worst slide",
            worst,
            len(slides),
            f"{cells.source.groups}s",
        )
    if blasts.any() and others.any():
        either = blasts | others
        area = roc_area(score[either].astype(np.float32), blasts[either])
        yield "ROC area", float(area), int(either.sum()), "cells"
    if typed.any():
        likeliest = np.array(CLASSES)[probabilities[typed].argmax(axis=1)]
        right = np.mean(likeliest == labels[typed])
        yield "six types", float(right), int(typed.sum()), "cells of the six types"


def main() -> None:
    """Train what is not trained yet, and print the matrix."""
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with the data sets")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the runs")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="of cut cells (default: OUT/cache)")
    parser.add_argument("--epochs", type=int, default=8, metavar="N", help="of each training (default: 8)")
    parser.add_argument("--test", action="store_true", help=f"open {TEST} too")
    parser.add_argument("--only", nargs="+", choices=LEFT_OUT, default=list(LEFT_OUT), help="some of them")
    arguments = parser.parse_args()
    results = Results("leftout", parser, arguments)
    cache = arguments.cache or arguments.out / "cache"

    def notice(message: str) -> None:
        print(message, file=sys.stderr, flush=True)

    about = bundle.load().manifest
    asked_of: list[tuple[str, Unseen]] = []
    for name in arguments.only:
        names = LEFT_OUT[name]
        recipe = recipes.changed(recipes.load("leukocytes"), [f"training.epochs={arguments.epochs}"])
        recipe = recipes.without(recipe, names)
        path = fit(recipe, arguments.data, arguments.out / name, cache=cache, left_out=names, notice=notice)
        run = LeftOut(path, recipe, names, 0)
        asked_of += [(name, cells) for cells in asked(run, arguments.data, cache, notice, (NEVER,))]
        if arguments.test and name == "fields":
            asked_of += [(name, cells) for cells in tested(run, arguments.data, notice)]
    healthy = threshold.healthy([cells for _, cells in asked_of if cells.source.name in TAUGHT], about)
    for name, cells in asked_of:
        source, said = cells.source.name, []
        limit = threshold.lowest(healthy, without=source)
        for figure, value, n, of in judged(cells, limit):
            said.append(f"{figure} {value:.3f} of {n}")
            wanted = WANTED.get(f"{source}, {figure}", WANTED[figure]) if source != NEVER else ""
            what = f"{source}, trained without {name}"
            results.add(figure, value, what=what, n=n, of=of, wanted=wanted)
        print(f"without {name}, at {limit}: {source}: {', '.join(said)}", flush=True)
    print(f"all of them, for a bundle: {threshold.lowest(healthy)}")
    results.write()


def tested(run: LeftOut, data: Path, notice: Notice) -> Iterator[Unseen]:
    """What a run says of the cells of a data set that is a test part as a whole."""
    windows, model = read(dataset(TEST), data, run.recipe.window, notice, parts=("test",)), of_run(run.path)
    crops = middle(windows.pixels, run.recipe.input.size_px)
    yield Unseen(dataset(TEST), windows.labels, windows.groups, model.answer(crops))


if __name__ == "__main__":
    main()
