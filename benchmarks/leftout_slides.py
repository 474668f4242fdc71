"""Slides put together from cells of a laboratory that the network never saw: is the finding right and steady?

    python benchmarks/leftout_slides.py --leftout runs/leftout --data ../shared/data --cache runs/cache

Of every laboratory that a run in --leftout left out (python benchmarks/leftout.py makes them) slides of 200
cells with 0, 5, 10 and 20% blasts, where it has blasts, else healthy ones. A slide's blasts are of one
patient, its other cells of other patients, mixed more than on a true slide; where a patient or a laboratory
has too few cells they are drawn with replacement. The cells come one by one in random order, and the finding
is asked after each:

- `table`: at the bundle's threshold, by the table of `edge-train operation` without this laboratory, or
- `site`: at the threshold, and with the false blasts, that half of this laboratory's other cells tell as a
  healthy slide (`edge-device adapt --healthy`), sensitivity from that table;
- each also once a person has looked at the 40 cells likeliest to be blasts.

What the networks say of the cells is kept in the cache: the second time takes a minute.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from results import Results, parser_of
from tqdm import tqdm

from edge.adapt import healthy
from edge.adapt.healthy import Scores
from edge.bundle import bundle
from edge.bundle.manifest import Manifest
from edge.bundle.operation import ErrorRates
from edge.bundle.spreads import of_healthy_slides
from edge.cells.classify import decide
from edge.line.finding import judge
from edge.line.ledger import Ledger
from edge.line.rules import Rules
from edge.types import F32, FindingKind, Said
from train.data.dataset import OF_ONE_PERSON
from train.judging import leftout, operation
from train.judging.leftout import Unseen
from train.judging.operation import Operation

SHARES = (0.0, 0.05, 0.1, 0.2)
SHOWN = 40
"""Cells that a person looks at."""

FEW = 10
"""Blasts that a patient has at least: with fewer, a slide would be the same few cells over and over."""

UNKNOWN = 0.1
"""Share of the variance that lies between slides, where nobody tells it."""

POSITIVE = ("refer", "read-film")
Index = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Pool:
    """The cells of a laboratory that slides are put together from.

    Attributes
    ----------
    labels, groups : (n,) of all its cells. probabilities : (n, C) by the run that did not see them.
    blasts : indices of its blasts, by patient. others : of its other leukocytes, those for slides.
    dealt : the rest of them, for the site's rate, as the slides that the site would measure, or its patients.
    """

    name: str
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]
    probabilities: F32
    blasts: tuple[Index, ...]
    others: Index
    dealt: tuple[Index, ...]


def pool(cells: Unseen, about: Manifest, slide: int, rng: np.random.Generator) -> Pool:
    """A laboratory's blasts by patient, and its other leukocytes halved, by patient where it knows them."""
    known = cells.source.groups in OF_ONE_PERSON
    is_blast, is_other = cells.sides(about.positive, about.leukocytes)
    others = np.flatnonzero(is_other)
    patients = rng.permutation(np.unique(cells.groups[is_blast]))
    blasts = [np.flatnonzero(is_blast & (cells.groups == patient)) for patient in patients]
    units = [others[cells.groups[others] == group] for group in np.unique(cells.groups[others])]
    # where most cells are one person's, they must stand on both sides
    by_patient = known and max(map(len, units)) <= len(others) / 2
    if not by_patient:
        mixed = rng.permutation(others)
        half = len(mixed) // 2
        dealt = [mixed[start : min(start + slide, half)] for start in range(0, half, slide)]
        rest = mixed[half:]
    else:
        turns = [units[i] for i in rng.permutation(len(units))]
        dealt, rest = turns[::2], np.concatenate(turns[1::2])
    return Pool(
        cells.source.name,
        cells.labels,
        cells.groups,
        cells.probabilities,
        tuple(each for each in blasts if len(each) >= FEW),
        rest,
        tuple(dealt),
    )


def slide_of(pool: Pool, cells: int, share: float, turn: int, rng: np.random.Generator) -> Index:
    """Cells in the order in which they come; `turn` says whose blasts they are."""
    wanted = round(share * cells)
    if not wanted:
        return _drawn(pool.others, cells, rng)
    blasts = _drawn(pool.blasts[turn % len(pool.blasts)], wanted, rng)
    elsewhere = pool.others[pool.groups[pool.others] != pool.groups[blasts[0]]]
    return rng.permutation(np.concatenate([blasts, _drawn(elsewhere, cells - wanted, rng)]))


def _drawn(among: Index, cells: int, rng: np.random.Generator) -> Index:
    return rng.choice(among, cells, replace=len(among) < cells)


def at_site(pool: Pool, about: Manifest, table: Operation) -> tuple[Manifest, ErrorRates]:
    """The threshold and the rates that the site would measure on its healthy half, as the device does."""
    half = np.concatenate(pool.dealt)
    fields = np.repeat(np.arange(len(pool.dealt), dtype=np.int32), [len(part) for part in pool.dealt])
    scores = Scores.of(pool.probabilities[half], fields.tolist(), about)
    own = replace(about.thresholds, positive=healthy.threshold(scores.values), certain=1.0)
    between = UNKNOWN if table.between_slides is None else table.between_slides
    false = of_healthy_slides([(healthy.called(scores), len(scores.values))], between)
    rates = table.rates
    source = f"{len(half)} cells of {pool.name}; sensitivity of other laboratories"
    sensitivity = rates.sensitivity_at_site or rates.sensitivity
    told = replace(rates, sensitivity=sensitivity, false_blasts=false, source=source, place="site")
    return replace(about, thresholds=own), told


@dataclass(frozen=True)
class Looked:
    """The findings of a slide: after each cell, and once a person has looked at the likeliest."""

    kinds: tuple[FindingKind, ...]
    reviewed: FindingKind
    counted: int
    called: int

    @property
    def flips(self) -> bool:
        """Whether a positive finding is taken back, or a negative one becomes positive."""
        decided = [kind in POSITIVE for kind in self.kinds if kind != "keep-scanning"]
        first = next((i for i, kind in enumerate(self.kinds) if kind in POSITIVE), len(self.kinds))
        return any(kind not in POSITIVE for kind in self.kinds[first:]) or len(set(decided)) > 1


def looked_at(pool: Pool, order: Index, about: Manifest, rules: Rules, rng: np.random.Generator) -> Looked:
    """One slide, cell by cell."""
    calls = decide(pool.probabilities[order], about)
    ledger, kinds = Ledger(rules), []
    for i, uncertain in enumerate(calls.uncertain.tolist()):
        if not uncertain:
            ledger.count(np.array([i], np.int32), calls.classes[i : i + 1])
        tally = ledger.tally(uncertain=int(calls.uncertain[: i + 1].sum()), frames=i + 1)
        kinds.append(judge(tally, rules).kind)
    ledger.hear(_said(pool, order, calls.probabilities, about, rng))
    left = int(calls.uncertain.sum())
    reviewed = judge(ledger.tally(uncertain=left, frames=len(order)), rules).kind
    return Looked(tuple(kinds), reviewed, tally.leukocytes, tally.positives)


def _said(
    pool: Pool, order: Index, probabilities: F32, about: Manifest, rng: np.random.Generator
) -> Iterator[Said]:
    """What a person says of the cells likeliest to be blasts, erring as the bundle's rule says."""
    rule, likely = about.finding, probabilities[:, about.positive_indices].sum(axis=1)
    for cell in np.argsort(-likely, kind="stable")[:SHOWN].tolist():
        label = str(pool.labels[order[cell]])
        truth = label if label in about.classes else "lymphocyte"
        right = rng.random() < (
            rule.reader_sensitivity if truth in about.positive else rule.reader_specificity
        )
        wrong = "lymphocyte" if truth in about.positive else about.positive[0]
        yield Said(cell, "AB", truth if right else wrong, "2026-01-01T00:00:00Z")


def tell(results: Results, of: str, by: str, share: float, slides: Sequence[Looked]) -> dict[str, Any]:
    """Print what came of the slides of a laboratory with this share of blasts; keep what was asked for."""
    n, what = len(slides), f"{of}, {share:.0%} blasts, by the {by}"
    ends = Counter(each.kinds[-1] for each in slides)
    reviewed = Counter(each.reviewed for each in slides)
    ever = sum(any(kind in POSITIVE for kind in each.kinds) for each in slides)
    if share:
        wanted = "≥ 0.9" if (share, by) == (0.1, "site") else ""
        results.add("positive", _positive(ends) / n, what=what, n=n, of="slides", wanted=wanted)
    else:
        results.add("positive at some look", ever / n, what=what, n=n, of="slides", wanted="≤ 0")
    if by == "site":
        name = f"positive once a person saw {SHOWN}"
        results.add(name, _positive(reviewed) / n, what=what, n=n, of="slides", wanted="" if share else "≤ 0")
    told = {
        "counted": float(np.median([each.counted for each in slides])),
        "called": float(np.median([each.called for each in slides])),
        "at the end": dict(ends),
        "positive at some look": ever,
        "negative at some look": sum("no-blasts-seen" in each.kinds for each in slides),
        "flips": sum(each.flips for each in slides),
        "reviewed": dict(reviewed),
    }
    words = [", ".join(f"{kind} {k}" for kind, k in found.most_common()) for found in (ends, reviewed)]
    print(
        f"  {share:>4.0%} by the {by:<6}{told['counted']:4.0f} counted, {told['called']:3.0f} called blasts: "
        f"{words[0]}; positive at some look {ever}, flip {told['flips']}; reviewed: {words[1]}",
        flush=True,
    )
    return told


def _positive(outcomes: Counter[FindingKind]) -> int:
    return sum(n for kind, n in outcomes.items() if kind in POSITIVE)


def laboratory(
    cells: Unseen, table: Operation, about: Manifest, arguments: argparse.Namespace, results: Results
) -> dict[str, Any]:
    """The slides of a laboratory left out, told one share of blasts after the other."""
    name = cells.source.name
    rng = np.random.default_rng([arguments.seed, *name.encode()])
    here = pool(cells, about, arguments.cells, rng)
    by = {"table": (about, table.rates), "site": at_site(here, about, table)}
    details: dict[str, Any] = {
        which: {"threshold": at.thresholds.positive} | rates.record() for which, (at, rates) in by.items()
    }
    print(
        f"{name}: {len(here.others)} other cells for slides, {sum(map(len, here.dealt))} for the site's "
        f"rate, blasts of {len(here.blasts)} patients"
    )
    for which, (at, rates) in by.items():
        seen, false = rates.sensitivity, rates.false_blasts
        print(
            f"  the {which} says: from {at.thresholds.positive:g} on, sensitivity {seen.mean:.3f} "
            f"({seen.low:.4f} to {seen.high:.3f}), false blasts {false.mean:.4f} ({false.low:.4f} to "
            f"{false.high:.4f})"
        )
    for share in SHARES if here.blasts else SHARES[:1]:
        orders = [slide_of(here, arguments.cells, share, i, rng) for i in range(arguments.slides)]
        for which, (at, rates) in by.items():
            rules = Rules.of(at, rates)
            bar = tqdm(orders, f"{name}, {share:.0%}, {which}", unit="slide", leave=False, disable=None)
            slides = [
                looked_at(here, order, at, rules, np.random.default_rng([arguments.seed, i]))
                for i, order in enumerate(bar)
            ]
            details[f"{share:.0%}, {which}"] = tell(results, name, which, share, slides)
    return details


def main() -> None:
    """Put slides together, and print what comes of them."""
    parser = parser_of(__doc__)
    add = parser.add_argument
    add("--leftout", type=Path, required=True, metavar="RUNS", help="folder with the runs of leftout.py")
    add("--data", type=Path, required=True, metavar="DIR", help="folder with the data sets")
    add("--cache", type=Path, metavar="DIR", help="of cut cells (default: LEFTOUT/cache)")
    add("--bundle", type=Path, help="whose thresholds decide (default: the shipped one)")
    add("--slides", type=int, default=20, metavar="N", help="of each laboratory and share (default: 20)")
    add("--cells", type=int, default=200, metavar="N", help="of a slide (default: 200)")
    add("--seed", type=int, default=1, metavar="N", help="of the draws (default: 1)")
    arguments = parser.parse_args()
    results = Results("leftout_slides", parser, arguments)

    def notice(message: str) -> None:
        print(message, file=sys.stderr, flush=True)

    about = bundle.load(arguments.bundle or bundle.shipped_path(), allow_unsigned=True).manifest
    runs = leftout.runs_in(arguments.leftout, notice)
    leftout.check(runs, about)
    cache = arguments.cache or arguments.leftout / "cache"
    answers = [cells for run in runs for cells in leftout.asked(run, arguments.data, cache, notice)]
    details = {}
    for cells in sorted(answers, key=lambda each: each.source.name):
        apart = [each for each in answers if each.source.laboratory != cells.source.laboratory]
        table = operation.operation(operation.laboratories(apart, about), about.finding, "other laboratories")
        details[cells.source.name] = laboratory(cells, table, about, arguments, results)
    flips = [each["flips"] for of in details.values() for each in of.values() if "flips" in each]
    slides = arguments.slides * len(flips)
    results.add("flips", sum(flips) / slides, n=slides, of="slides", wanted="≤ 0")
    results.write(details)


if __name__ == "__main__":
    main()
