"""Laboratories that the network never saw, each taught by its own cells: `edge-device adapt`, measured.

    python benchmarks/adapt.py --leftout runs/leftout --data ../shared/data --cache runs/cache

Of every laboratory that a run in --leftout left out (python benchmarks/leftout.py makes them), and of the
data sets in --also, which no run learned from and the first run is asked about:

- `healthy`: the threshold, and the rate of false blasts, from half of its normal cells (half of its people,
  where it knows them); judged on the other half and on its blasts, beside the run's own threshold, which is
  one for all, and beside the threshold as the share of the cells themselves has it, without a tail fitted;
- `labelled`: the last layer fitted to 20, 50 and 100 of its cells with names, as the device does it; judged
  on the rest (2000 of them at most). What the gate refuses is judged as it ships, and counted. There are no
  golden cells here: a run has none.

Each figure is the mean over the seeds, with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from results import Results, parser_of
from tqdm import tqdm

from edge.adapt import gate, healthy, labelled
from edge.adapt.healthy import Scores
from edge.adapt.labelled import Named
from edge.bundle import bundle, spreads
from edge.bundle.manifest import Manifest, Thresholds
from edge.bundle.site import Correction
from train.data.classes import CLASSES
from train.data.dataset import OF_ONE_PERSON
from train.fitting.provenance import METRICS
from train.judging import leftout
from train.judging.leftout import LeftOut, Unseen

CELLS = (20, 50, 100)
REST = 2000
"""Cells that a fit is judged on."""

LEAST = 30
"""Cells that there are on either side, or nothing is judged."""

Index = NDArray[np.int64]
Figures = Iterator[tuple[str, float]]


def main() -> None:
    """Judge every laboratory, and print what comes out."""
    parser = parser_of(__doc__)
    add = parser.add_argument
    add(
        "--leftout", type=Path, required=True, metavar="DIR", help="folder of runs that left laboratories out"
    )
    add("--data", type=Path, required=True, metavar="DIR", help="folder with the data sets")
    add("--cache", type=Path, metavar="DIR", help="of cut cells and answers (default: LEFTOUT/cache)")
    add("--also", nargs="+", default=[], metavar="NAME", help="data sets that no run learned from")
    add("--cells", nargs="+", type=int, default=list(CELLS), metavar="N", help="named cells to learn from")
    add("--seeds", type=int, default=10, metavar="N", help="draws of each (default: 10)")
    arguments = parser.parse_args()
    results = Results("adapt", parser, arguments)
    for run, cells in asked(arguments):
        about = replace(bundle.load().manifest, thresholds=point_of(run))
        judge(cells, about, arguments, results)
    results.write()


def asked(arguments: argparse.Namespace) -> Iterator[tuple[LeftOut, Unseen]]:
    """Every run, and each data set that it says something of."""

    def notice(message: str) -> None:
        print(message, file=sys.stderr, flush=True)

    cache, also = arguments.cache or arguments.leftout / "cache", arguments.also
    for run in leftout.runs_in(arguments.leftout, notice):
        others = [name for name in also if name not in run.names]
        for cells in leftout.asked(run, arguments.data, cache, notice, others, features=True):
            yield run, cells
        also = ()


def point_of(run: LeftOut) -> Thresholds:
    """A run's operating point."""
    point = json.loads((run.path / METRICS).read_text(encoding="utf-8"))["operating_point"]
    return Thresholds(**{name: point[name] for name in ("positive", "confidence", "certain")})


def judge(cells: Unseen, about: Manifest, arguments: argparse.Namespace, results: Results) -> None:
    """Add a laboratory's figures to the results, and print them."""
    name, seeds = cells.source.name, range(arguments.seeds)
    ways = {"healthy": lambda seed: of_healthy(cells, about, seed)}
    if cells.features is not None:
        ways |= {
            f"{n} named cells": lambda seed, n=n: of_labelled(cells, about, n, seed) for n in arguments.cells
        }
    for way, measure in ways.items():
        drawn = [dict(measure(seed)) for seed in tqdm(seeds, f"{name}, {way}", disable=None)]
        said = []
        for figure in dict.fromkeys(figure for each in drawn for figure in each):
            values = [each[figure] for each in drawn if np.isfinite(each.get(figure, np.nan))]
            if not values:
                continue
            value = SimpleNamespace(value=float(np.mean(values)), low=min(values), high=max(values))
            results.add(figure, value, what=f"{name}, {way}", n=len(values), of="draws")
            said.append(f"{figure} {value.value:.3f} ({value.low:.3f} to {value.high:.3f})")
        print(f"{name}, {way}: {', '.join(said) or 'too few cells'}", flush=True)


def of_healthy(cells: Unseen, about: Manifest, seed: int) -> Figures:
    """One threshold for all, and the laboratory's own, on cells that had no part in it."""
    blast, is_normal = cells.sides(about.positive, about.leukocytes)
    normal = np.flatnonzero(is_normal)
    half, rest = halves(cells, normal, np.random.default_rng(seed))
    if min(len(half), len(rest)) < LEAST:
        return
    values = cells.probabilities[:, list(about.positive_indices)].sum(axis=1)
    _, fields = np.unique(cells.groups[half], return_inverse=True)
    seen = Scores(values[half], cells.labels[half], fields.astype(np.int32), len(half))
    called = healthy.called(seen)
    rate = spreads.of_healthy_slides([(called, len(half))], healthy.between_slides(about))
    own = healthy.threshold(values[half])
    limits = {
        "one for all": about.thresholds.positive, "its own": own, "no tail": healthy.empirical(values[half]),
    }  # fmt: skip
    yield "threshold", own
    for way, limit in limits.items():
        yield f"false blasts, {way}", float((values[rest] >= limit).mean())
        yield f"sensitivity, {way}", float((values[blast] >= limit).mean()) if blast.any() else float("nan")
    yield "false blasts, as told", called / len(half)
    yield "no more than told", float((values[rest] >= own).mean() <= rate.high)


def halves(cells: Unseen, among: Index, rng: np.random.Generator) -> tuple[Index, Index]:
    """Two halves of some cells, no person in both where it is known who they are of."""
    if cells.source.groups in OF_ONE_PERSON:
        people = rng.permutation(np.unique(cells.groups[among]))
        first = np.isin(cells.groups[among], people[::2])
        if min(first.sum(), (~first).sum()) >= LEAST:
            return among[first], among[~first]
    mixed = rng.permutation(among)
    return mixed[::2], mixed[1::2]


def of_labelled(cells: Unseen, about: Manifest, n: int, seed: int) -> Figures:
    """Types, blasts and false blasts of the rest, as the model ships and after so many named cells."""
    assert cells.features is not None
    order = np.random.default_rng(seed).permutation(np.flatnonzero(np.isin(cells.labels, CLASSES)))
    learned, rest = order[:n], order[n : n + REST]
    labels = np.array([CLASSES.index(name) for name in cells.labels[order].tolist()], np.int32)
    if len(rest) < LEAST or len(np.unique(labels[:n])) < labelled.LEAST_CLASSES:
        return
    known = cells.source.groups in OF_ONE_PERSON
    groups = cells.groups[learned] if known else np.full(n, "")
    shown = Named(cells.probabilities[learned], cells.features[learned], labels[:n], groups)
    strength, answers = labelled.chosen(shown)
    before, after = (gate.figures(said, labels[:n], about) for said in (shown.probabilities, answers))
    refused = bool(gate.objections(before, after, (0, 1)))
    correction = Correction(*labelled.fit(shown, strength), {}, "", {})
    ships, fitted = cells.probabilities[rest], correction(cells.probabilities[rest], cells.features[rest])
    for way, said in (
        ("as it ships", ships),
        ("fitted", fitted),
        ("behind the gate", ships if refused else fitted),
    ):
        found = gate.figures(said, labels[n : n + REST], about)
        yield f"types, {way}", found.accuracy
        if found.others:
            yield f"false blasts, {way}", found.false_blasts / found.others
        if found.blasts:
            yield f"sensitivity, {way}", found.called / found.blasts
    yield "refused", float(refused)


if __name__ == "__main__":
    main()
