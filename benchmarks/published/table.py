"""Published systems, rebuilt: on the split that leaks, on one that does not, away from home, and their cost.

    python benchmarks/published/table.py --data ../shared/data --out runs/published
    python benchmarks/published/table.py --data ../shared/data --out runs/published --only cnmc-cnn resnet50

Each is trained under both kinds of split and judged on the part that is kept from training; figures are with
95% intervals by a bootstrap over whatever must not be divided (subjects, patients, blocks of files). Beside
it stands our own model on the same cells: the shipped bundle on those of parts for testing, and ours trained
without a laboratory (--ours-without takes such runs of leftout.py; what is missing is trained). What is
smaller than a recipe says is in systems.py and under the table. What is trained or judged already stays
unless its settings differ, and an interrupted run goes on. With --set and --limit the whole of it can be
tried in minutes; then the figures mean nothing.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # what `leftout` and `results` share

from asking import Said, asked, judged, minus, said, said_by_cells, together, told
from away import SHIPPED, Ours, answers
from boxes import on_boxes
from costs import costs
from leftout import LEFT_OUT
from page import page
from results import Results, parser_of
from systems import SYSTEMS

from edge.bench import machine
from edge.types import LeukoscopeError
from train.data.dataset import SPLITS
from train.fitting.fit import fit, settings_of
from train.fitting.provenance import source, write_json
from train.judging.contestants import contestant
from train.statistics.bootstrap import plain

ALL = SPLITS
"""Parts, where a model has seen none of them."""


@dataclass(frozen=True)
class Desk:
    """What the work on every system shares: ours, with all that says where things are and how to train."""

    ours: Ours

    def trained(self, name: str, split: str) -> Path:
        """The finished run of a system under a split."""
        system, ours = SYSTEMS[name], self.ours
        recipe, run = system.under(split, ours.more), ours.out / name / (split.replace("/", "-of-") or "own")
        done = (run / "metrics.json").is_file() and any(run.glob("model.*"))
        if not (done and settings_of(run)[0] == recipe):
            ours.say(f"{name}: training on {system.named(split)}")
            fit(recipe, ours.data, run, limit=ours.limit, cache=ours.cache, checkpoint_s=300, notice=ours.say)
        (run / "checkpoint.pt").unlink(missing_ok=True)  # several times as large as the network
        return run

    def at_home(self, name: str, splits: Sequence[str]) -> Said:
        """What a system says of the part kept from training under each of these splits, pooled."""
        system, ours, parts = SYSTEMS[name], self.ours, []
        for split in splits:
            model = contestant(self.trained(name, split))
            ours.say(f"{name}: judging {system.named(split)}")
            about = asked(
                system.named(split), ours.data, (system.part,), model.classes, ours.say, most=ours.limit
            )
            parts.append(said(model, about))
        return together(parts)

    def beside(self, name: str, found: Said, which: str) -> tuple[Said, Said]:
        """What a system and one of ours say of those of the system's cells that ours never learned from."""
        system, ours = SYSTEMS[name], self.ours
        parts = ALL if which in LEFT_OUT else (system.part,)
        about = asked(system.data, ours.data, parts, found.classes, ours.say)
        shared = set(about.places.tolist()) & set(found.places.tolist())
        about = about.only(shared)
        model = ours.model(which)
        whole = system.under(system.honest[0]).task == "field"
        mine = said_by_cells(model, *ours.line(), about) if whole else said(model, about)
        place = {place: i for i, place in enumerate(found.places.tolist())}
        return found.pick(np.array([place[each] for each in mine.places.tolist()])), mine

    def settings(self, name: str) -> dict[str, Any]:
        """What a system's result depends on."""
        system, ours = SYSTEMS[name], self.ours
        used = {*system.beside, *(question.ours for question in system.questions)}
        known = {
            which: str(ours.given[which]) if which in ours.given else asdict(ours.recipe(which))
            for which in used & LEFT_OUT.keys()
        }
        splits = (*system.leaking, *system.honest)
        made = {
            "recipes": {split: asdict(system.under(split, ours.more)) for split in splits},
            "judged": [system.data, system.part, system.leaking, system.honest, system.beside],
            "questions": [asdict(question) for question in system.questions],
            "ours": {SHIPPED: ours.model(SHIPPED).sha256, **known},
            "limit": ours.limit,
        }
        loaded: dict[str, Any] = json.loads(json.dumps(made))
        return loaded


def result(name: str, desk: Desk) -> dict[str, Any]:
    """Everything but the cost of a system; as it was, where its settings are the same."""
    settings, path = desk.settings(name), desk.ours.out / name / "result.json"
    if path.is_file():
        before: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if before["settings"] == settings:
            return before
    system = SYSTEMS[name]
    recipe = system.under(system.honest[0])
    found = of_detector(name, desk) if recipe.task == "detector" else of_namer(name, desk)
    made: dict[str, Any] = plain(
        {
            "name": name,
            "published": recipe.published,
            "note": system.note,
            **found,
            "finished": datetime.now(UTC).date().isoformat(),
            "program": source(),
        }
    )
    write_json(path, {**made, "settings": settings})
    return {**made, "settings": settings}


def of_detector(name: str, desk: Desk) -> dict[str, Any]:
    """Boxes found in fields, by a system and by ours."""
    run = desk.trained(name, SYSTEMS[name].honest[0])
    theirs, mine = on_boxes(run, SYSTEMS[name].data, SYSTEMS[name].part, desk.ours)
    return {"detection": {name: theirs.as_json(), SHIPPED: mine.as_json()}}


def of_namer(name: str, desk: Desk) -> dict[str, Any]:
    """A system that names cells or fields: at home, leaking or not, and away; ours beside it."""
    system = SYSTEMS[name]
    recipe = system.under(system.honest[0])
    types = system.types or recipe.classes
    honest = desk.at_home(name, system.honest)
    figures = judged(honest, honest.draws(), system.positive, types)
    out: dict[str, Any] = {"honest": {**_size(honest), "splits": system.honest, "figures": told(figures)}}
    if system.leaking:
        leaking = desk.at_home(name, system.leaking)
        # rounds of their own: other cells, drawn apart
        flattered = judged(leaking, leaking.draws(seed=1), system.positive, types)
        out["leaking"] = {**_size(leaking), "splits": system.leaking, "figures": told(flattered)}
        out["leakage_is_worth"] = minus(flattered, figures)
    compared = []
    for which in system.beside:
        theirs, mine = desk.beside(name, honest, which)
        shared = types if set(types) <= set(mine.classes) else ()
        both = compare(theirs, mine, system.positive, shared)
        compared.append({"title": "at home", "ours_is": which, **both})
    model = contestant(desk.trained(name, system.honest[0]))
    desk.ours.say(f"{name}: away from home")
    for question, theirs, mine in answers(model, system.questions, desk.ours):
        both = compare(theirs, mine, system.positive, question.types)
        compared.append({"title": question.title, "ours_is": question.ours, **both})
    return {**out, "compared": compared}


def compare(theirs: Said, mine: Said, positive: Sequence[str], types: Sequence[str] = ()) -> dict[str, Any]:
    """Figures of two models on the same cells, and their differences over the same rounds."""
    draws = theirs.draws()
    one, other = (judged(each, draws, positive, types) for each in (theirs, mine))
    return {
        **_size(theirs),
        "theirs": told(one),
        "ours": told(other),
        "ours_minus_theirs": minus(other, one),
    }


def _size(found: Said) -> dict[str, Any]:
    labels, counts = np.unique(found.labels, return_counts=True)
    cells = dict(zip(labels.tolist(), counts.tolist(), strict=True))
    return {"cells": cells, "groups": len(set(found.groups.tolist()))}


def wanted(only: Sequence[str]) -> list[str]:
    """Systems in the order of the table, with those that they are compared with."""
    needed = {which for name in only for which in SYSTEMS[name].beside if which in SYSTEMS}
    return [name for name in SYSTEMS if name in only or name in needed]


def published(desk: Desk, only: Sequence[str]) -> dict[str, Any]:
    """The whole table: train and judge what is not yet."""
    names, runs = wanted(only), {}
    found = []
    for name in names:
        runs[name] = desk.trained(name, SYSTEMS[name].honest[0])
        desk.ours.systems[name] = runs[name]
        found.append(result(name, desk))
    return {
        "kind": "published",
        "machine": machine.describe(),
        "program": source(),
        "changed": desk.ours.more,
        "limit": desk.ours.limit,
        "systems": found,
        "costs": plain(costs(runs, desk.ours)),
    }


def _given(text: str) -> tuple[str, Path]:
    name, equals, path = text.partition("=")
    if name not in LEFT_OUT or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=RUN, NAME one of {', '.join(LEFT_OUT)}")
    return name, Path(path)


def main() -> int:
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of the data sets")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for runs and results")
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="NAME")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep cut cells here (default: OUT/cache)")
    parser.add_argument("--ours-without", nargs="+", type=_given, default=[], metavar="NAME=RUN")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of every recipe")
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="pictures of each data set")
    args = parser.parse_args()
    results = Results("published/table", parser, args)
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    cache = args.cache or args.out / "cache"
    say = partial(print, file=sys.stderr, flush=True)
    ours = Ours(args.data, args.out, cache, args.limit, tuple(args.set), dict(args.ours_without), say)
    try:
        found = published(Desk(ours), args.only)
    except LeukoscopeError as error:
        print(error, file=sys.stderr)
        return 1
    write_json(args.out / "published.json", found)
    results.add_nested({key: found[key] for key in ("systems", "costs")})
    results.write(found)
    print(page(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
