"""Our network against well-known ones, trained on the same cells and judged on laboratories left out.

    python benchmarks/published/rivals.py --data ../shared/data --out runs/rivals --longer 90000
    python benchmarks/published/rivals.py --costs

Every network gets the recipe's windows, crops of the same size, augmentation, batches, schedule and number of
crops, all from nothing; only its learning rate is its own, the usual one for its kind with AdamW, fixed
beforehand. With --longer, ours is trained once more on as many crops as it can see in the others' time. Each
trial leaves the laboratories of one kind of blast out of training altogether. Parts for testing are never
opened. Figures are ROC areas, blasts against the rest, with 95% intervals by a bootstrap over patients (or
blocks of fields), the same draws for all; a difference is to ours. Times are of ONNX Runtime in FP32 on one
thread, all taking turns. What was trained already stays, and an interrupted run goes on.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where `results` lies

from results import Results, parser_of

from edge.bench import machine
from edge.runtimes import Runtime, open_runtime
from edge.types import F32, U8, Bools, LeukoscopeError
from export.graph.folded import Folded
from export.graph.graph import exported, to_onnx
from train.data.classes import CLASSES, LEUKOCYTES, POSITIVE
from train.data.windows import Windows
from train.fitting.fit import fit, load_network, settings_of
from train.fitting.gather import gather
from train.fitting.operating_point import softmax
from train.fitting.validation import logits_of
from train.judging import speed
from train.network.backbones import BACKBONES
from train.network.model import Architecture, DeviceGraph, Network, build
from train.recipes import recipe as recipes
from train.recipes.recipe import Recipe
from train.statistics.bootstrap import Figure, draw
from train.statistics.metrics import Floats, roc_areas

OURS, LONGER = "ours", "ours-longer"
RATES = {OURS: 2e-3, LONGER: 2e-3, "resnet50": 1e-3, "densenet169": 1e-3, "convnext_tiny": 5e-4}
"""Learning rates; the names of the others are those of `train.network.backbones`."""
ALIKE = [name for name in RATES if name != LONGER]
USUAL_PX = 224
MOST = 1500
"""Cells judged on either side of a question, spread evenly over those there are."""
OTHERS = tuple(name for name in CLASSES if name not in POSITIVE)


@dataclass(frozen=True)
class Side:
    """Cells of a data set: of these parts and labels, in groups whose names hold one of `within`."""

    dataset: str
    labels: tuple[str, ...]
    parts: tuple[str, ...] = ("train", "validation")
    within: tuple[str, ...] = ("",)

    def of(self, windows: Windows) -> NDArray[np.int64]:
        """Which windows they are."""
        inside = (windows.datasets == self.dataset) & np.isin(windows.labels, self.labels)
        inside &= np.isin(windows.splits, self.parts)
        inside &= [any(name in group for name in self.within) for group in windows.groups.tolist()]
        found = np.flatnonzero(inside)
        return found[np.linspace(0, len(found) - 1, min(len(found), MOST)).round().astype(np.int64)]


@dataclass(frozen=True)
class Trial:
    """What is left out of training, and what is asked: title -> (blasts, the rest)."""

    left_out: tuple[str, ...]
    questions: Mapping[str, tuple[Side, Side]]


HELD_OUT = ("validation",)
HEALTHY = Side("pbc", LEUKOCYTES, HELD_OUT)
ALL_NUCLEI = Side("aria", ("nucleated",), within=("/Early/", "/Pre/", "/Pro/"))
TRIALS = {
    "lymphoblasts": Trial(
        ("cnmc", "aria"),
        {
            "home: deepapl, new patients": (
                Side("deepapl", POSITIVE, HELD_OUT),
                Side("deepapl", OTHERS, HELD_OUT),
            ),
            "away: C-NMC, ALL against normal": (Side("cnmc", POSITIVE), Side("cnmc", OTHERS)),
            "away: C-NMC's ALL against PBC's healthy": (Side("cnmc", POSITIVE), HEALTHY),
            "away: Aria, nuclei of ALL fields against benign": (
                ALL_NUCLEI,
                Side("aria", ("nucleated",), within=("/Benign/",)),
            ),
            "away: Aria's ALL fields against PBC's healthy": (ALL_NUCLEI, HEALTHY),
        },
    ),
    "myeloblasts": Trial(
        ("deepapl",),
        {
            # of the two normal subjects of C-NMC with many cells none is held out for validation
            "home: C-NMC's ALL, new subjects, against PBC's healthy": (
                Side("cnmc", POSITIVE, HELD_OUT),
                HEALTHY,
            ),
            "away: deepapl": (Side("deepapl", POSITIVE), Side("deepapl", OTHERS)),
        },
    ),
}


def recipe_of(name: str, base: Recipe, trial: Trial, samples: int) -> Recipe:
    """The recipe with another network, without some laboratories, in one pass of so many crops."""
    architecture = base.architecture if name in (OURS, LONGER) else Architecture(backbone=name)
    kept = {key: share for key, share in base.shares.items() if key not in trial.left_out}
    judging = tuple(key for key in base.operation.datasets if key in kept)
    rate = RATES[name]
    return replace(
        base,
        name=f"{base.name}-{name}",
        shares=kept,
        architecture=architecture,
        training=replace(base.training, epochs=1, samples=samples, learning_rate=rate, patience=0, watch=()),
        operation=replace(base.operation, datasets=judging),
    )


def scores_of(run: Path, windows: Windows) -> F32:
    """(n,) calibrated probability of a blast."""
    recipe, _ = settings_of(run)
    network, metrics = load_network(run)
    logits = logits_of(network, windows, recipe, torch.device("cpu"))
    probabilities = softmax(logits, metrics["operating_point"]["temperature"])
    columns = [CLASSES.index(name) for name in POSITIVE]
    return np.asarray(probabilities[:, columns].sum(axis=1), np.float32)


def answers(runs: Mapping[str, Path], trial: Trial, windows: Windows) -> dict[str, dict[str, Any]]:
    """Question -> cells and groups asked about, and each network's ROC area and difference to ours."""
    sides = {title: [side.of(windows) for side in pair] for title, pair in trial.questions.items()}
    needed = np.unique(np.concatenate([part for pair in sides.values() for part in pair]))
    few = windows.pick(needed)
    scores = {name: scores_of(run, few) for name, run in runs.items()}
    out = {}
    for title, pair in sides.items():
        blasts, rest = (np.searchsorted(needed, part) for part in pair)
        asked = np.concatenate([blasts, rest])
        truth: Bools = np.arange(len(asked)) < len(blasts)
        draws = draw(few.groups[asked].tolist(), few.datasets[asked].tolist())
        areas = {name: roc_areas(draws, found[asked], truth) for name, found in scores.items()}
        out[title] = {
            "cells": [len(blasts), len(rest)],
            "groups": [len(set(few.groups[part].tolist())) for part in (blasts, rest)],
            "roc_area": {name: Figure.of(found) for name, found in areas.items()},
            "minus_ours": {name: Figure.of(found - areas[OURS]) for name, found in _others(areas)},
        }
    return out


def _others(areas: Mapping[str, Floats]) -> Iterator[tuple[str, Floats]]:
    return ((name, found) for name, found in areas.items() if name != OURS and OURS in areas)


@dataclass(frozen=True, eq=False)
class Timed:
    """A graph on ONNX Runtime, one thread."""

    runtime: Runtime

    def probabilities(self, crops: U8) -> F32:
        return np.asarray(self.runtime.run({"crops": crops})["probabilities"])


def graph_of(architecture: Architecture, size_px: int) -> bytes:
    """The network as it would be deployed: the time it takes does not depend on its weights."""
    torch.manual_seed(0)
    network = build(architecture, len(CLASSES)).eval()
    if isinstance(network, Network):
        return to_onnx(Folded(network, 1.0), size_px)
    crops = torch.zeros((2, size_px, size_px, 3), dtype=torch.uint8)
    free = {0: torch.export.Dim("n")}
    graph = DeviceGraph(network, 1.0).eval()
    return exported(graph, crops, free, inputs=["crops"], outputs=["probabilities"])


def costs(names: Sequence[str], base: Recipe, rounds: int = 15) -> dict[str, dict[str, Any]]:
    """Parameters, and milliseconds a cell at the recipe's size and, of the others, at their usual one."""
    kinds = {name: base.architecture if name == OURS else Architecture(backbone=name) for name in names}
    own = base.input.size_px
    sizes = [(name, px) for name in names for px in ((own,) if name == OURS else (own, USUAL_PX))]
    rng = np.random.default_rng(0)
    with ExitStack() as held:
        models, crops = [], []
        for name, px in sizes:
            runtime = open_runtime("ort", graph_of(kinds[name], px), precision="fp32", threads=1)
            models.append(Timed(held.enter_context(closing(runtime))))
            crops.append(rng.integers(0, 256, (speed.CELLS, px, px, 3), np.uint8))
        times = dict(zip(sizes, speed.per_cell(models, crops, rounds=rounds), strict=True))
    out: dict[str, dict[str, Any]] = {}
    for name in names:
        count = sum(p.numel() for p in build(kinds[name], len(CLASSES)).parameters())
        ms = {px: times[name, px] for other, px in sizes if other == name}
        ratio = {px: value / times[OURS, own] for px, value in ms.items()} if OURS in names else {}
        out[name] = {"parameters": count, "ms_per_cell": ms, "times_ours": ratio}
    return out


def add_costs(results: Results, found: Mapping[str, Any]) -> None:
    """A cell's time of every network, and how many times ours that is."""
    for name, cost in found.items():
        results.add("parameters", cost["parameters"], what=name)
        for px, ms in cost["ms_per_cell"].items():
            results.add("time of a cell", ms, what=f"{name} at {px} px", unit="ms")
        for px, ratio in cost["times_ours"].items():
            results.add("times ours", ratio, what=f"{name} at {px} px")


def _cost_lines(found: Mapping[str, Any]) -> Iterator[str]:
    for name, cost in found.items():
        times = ", ".join(
            f"{ms:.3f} ms a cell at {px} px" + (f" ({cost['times_ours'][px]:.0f} x)" if name != OURS else "")
            for px, ms in cost["ms_per_cell"].items()
        )
        yield f"{name:<14} {cost['parameters'] / 1e6:7.3f} M parameters, {times}"


def table(result: Mapping[str, Any]) -> str:
    about = result["machine"]
    crops = ", ".join(f"{name} {count}" for name, count in result["samples"].items())
    lines = [f"crops seen in each trial: {crops}; times: {about['name']}, one thread"]
    lines += _cost_lines(result["costs"])
    for trial, found in result["trials"].items():
        lines += ["", f"{trial}: trained without {', '.join(TRIALS[trial].left_out)}"]
        for title, told in found.items():
            (blasts, rest), (some, more) = told["cells"], told["groups"]
            lines.append(f"  {title}: {blasts} cells of {some} groups against {rest} of {more}")
            for name, area in told["roc_area"].items():
                apart = told["minus_ours"].get(name)
                lines.append(f"    {name:<14} {area}" + (f"   minus ours {apart}" if apart else ""))
    return "\n".join(lines)


def rivals(
    base: Recipe,
    data: Path,
    out: Path,
    cache: Path,
    samples: Mapping[str, int],
    trials: Sequence[str],
) -> dict[str, Any]:
    """Train what is not trained, and judge all of it. `samples` : name -> crops."""
    say = partial(print, file=sys.stderr, flush=True)
    found = {}
    for title in trials:
        trial, runs = TRIALS[title], {}
        for name, crops in samples.items():
            run, recipe = out / title / name, recipe_of(name, base, trial, crops)
            if not ((run / "model.pt").is_file() and settings_of(run)[0] == recipe):
                say(f"{title}: training {name}")
                fit(recipe, data, run, cache=cache, checkpoint_s=300, notice=say)
            runs[name] = run
        asked = {side.dataset for pair in trial.questions.values() for side in pair}
        shares = {name: 1.0 for name in base.shares if name in asked}
        found[title] = answers(runs, trial, gather(replace(base, shares=shares), data, 0, cache, say))
    return {
        "kind": "rivals",
        "machine": machine.describe(),
        "samples": samples,
        "recipe": asdict(base),
        "learning_rates": {name: RATES[name] for name in samples},
        "trials": found,
        "costs": costs([name for name in samples if name != LONGER], base),
    }


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for runs and results")
    parser.add_argument(
        "--costs", action="store_true", help="only what each network costs, untrained, one at a time"
    )
    parser.add_argument("--recipe", default="leukocytes", metavar="NAME", help="(default: leukocytes)")
    parser.add_argument("--samples", type=int, default=12000, metavar="N", help="crops (default: 12000)")
    parser.add_argument("--only", nargs="+", choices=ALIKE, default=ALIKE, metavar="NAME")
    parser.add_argument("--longer", type=int, default=0, metavar="N", help="ours once more, on N crops")
    parser.add_argument("--trials", nargs="+", choices=TRIALS, default=list(TRIALS), metavar="NAME")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep cut cells here (default: OUT/cache)")
    args = parser.parse_args()
    results = Results("published/rivals", parser, args)
    torch.set_num_threads(1)
    if args.costs:
        base = recipes.load(args.recipe)
        for name in BACKBONES:  # all at once would fill the memory
            found = costs([OURS, name], base, rounds=5)
            print("\n".join(_cost_lines(found)), flush=True)
            add_costs(results, {name: found[name]})
        results.write()
        return 0
    if args.data is None or args.out is None:
        parser.error("--data and --out are needed to train")
    try:
        base, cache = recipes.load(args.recipe), args.cache or args.out / "cache"
        samples = dict.fromkeys(args.only, args.samples) | ({LONGER: args.longer} if args.longer else {})
        result = rivals(base, args.data, args.out, cache, samples, args.trials)
    except LeukoscopeError as error:
        print(error, file=sys.stderr)
        return 1
    print(table(result))
    text = json.dumps(result, indent=1, default=asdict) + "\n"
    (args.out / "rivals.json").write_text(text, encoding="utf-8")
    add_costs(results, result["costs"])
    results.add_nested(json.loads(text)["trials"])
    results.write(json.loads(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
