"""The shipped recipe trained without one laboratory at a time, and judged on the one left out.

    python benchmarks/leftout.py --data ../shared/data --out runs/leftout --epochs 8 --cache runs/cache

Every cell of the laboratory that is in no test part is judged, at the shipped bundle's threshold for blasts;
`aria-cells`, labelled by their field and in no recipe, are judged by every run. A training takes five minutes
on two cores; what was trained already stays, and an interrupted run goes on. One such training
alone is `edge-train fit --leave-out NAME`. `edge-train operation --leftout OUT` makes of these runs what a
bundle says of its errors elsewhere, `benchmarks/leftout_slides.py` slides.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from results import Results, parser_of

from edge.bundle import bundle
from train.data.classes import CLASSES, LEUKOCYTES, NO_BLAST, POSITIVE
from train.fitting.fit import fit
from train.judging.leftout import LeftOut, Unseen, asked
from train.recipes import recipe as recipes
from train.statistics.metrics import roc_area

LEFT_OUT = {
    "deepapl": ("deepapl",),
    "cnmc": ("cnmc",),
    "pbc": ("pbc",),
    "fields": ("bccd", "chula", "txl-pbc"),
}
NEVER = "aria-cells"
WANTED = {
    "sensitivity": "≥ 0.80",
    "specificity": "≥ 0.95",
    "ROC area": "≥ 0.93",
    "six types": "≥ 0.93",
    "deepapl, ROC area": "≥ 0.98",
    **dict.fromkeys([f"{name}, specificity" for name in ("pbc", *LEFT_OUT["fields"])], "≥ 0.97"),
}
"""Goals, by data set where it has one of its own."""

SIX = ("neutrophil", "eosinophil", "basophil", "lymphocyte", "monocyte", "erythroblast")


def judged(cells: Unseen, threshold: float) -> Iterator[tuple[str, float, int, str]]:
    """How a run calls the cells of a data set: name, value, and on how many cells of what it stands."""
    labels, probabilities = cells.labels, cells.probabilities
    score = probabilities[:, [CLASSES.index(name) for name in POSITIVE]].sum(axis=1)
    blasts = np.isin(labels, POSITIVE)
    others = np.isin(labels, (*LEUKOCYTES, NO_BLAST)) & ~blasts
    typed = np.isin(labels, SIX)
    if blasts.any():
        yield "sensitivity", float(np.mean(score[blasts] >= threshold)), int(blasts.sum()), "blasts"
    if others.any():
        yield "specificity", float(np.mean(score[others] < threshold)), int(others.sum()), "other cells"
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
    parser.add_argument("--only", nargs="+", choices=LEFT_OUT, default=list(LEFT_OUT), help="some of them")
    arguments = parser.parse_args()
    results = Results("leftout", parser, arguments)
    cache = arguments.cache or arguments.out / "cache"

    def notice(message: str) -> None:
        print(message, file=sys.stderr, flush=True)

    threshold = bundle.load().manifest.thresholds.positive
    for name in arguments.only:
        names = LEFT_OUT[name]
        recipe = recipes.changed(recipes.load("leukocytes"), [f"training.epochs={arguments.epochs}"])
        recipe = recipes.without(recipe, names)
        path = fit(recipe, arguments.data, arguments.out / name, cache=cache, left_out=names, notice=notice)
        run = LeftOut(path, recipe, names, 0)
        for cells in asked(run, arguments.data, cache, notice, (NEVER,)):
            source, said = cells.source.name, []
            for figure, value, n, of in judged(cells, threshold):
                said.append(f"{figure} {value:.3f} of {n}")
                wanted = WANTED.get(f"{source}, {figure}", WANTED[figure]) if source != NEVER else ""
                what = f"{source}, trained without {name}"
                results.add(figure, value, what=what, n=n, of=of, wanted=wanted)
            print(f"without {name}, at {threshold}: {source}: {', '.join(said)}", flush=True)
    results.write()


if __name__ == "__main__":
    main()
