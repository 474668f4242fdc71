"""Ten thousand simulated slides of each kind, looked at after every cell: how often is the finding wrong?

    python benchmarks/finding.py [--slides 10000] [--cells 2000] [--json OUT]

A slide's cells come in random order; a blast is called one with the sensitivity, another cell with the
slide's own rate of false blasts, which is overdispersed: Beta with a mean of .3% and a 97.5% point of 1%. The
rule is the program's own (`edge.line.weighing`), with exactly these rates. With a person: when the machine
speaks for the first time, or after the last cell, somebody looks at the 40 likeliest candidates; the machine
goes on where that does not decide. The same follows for networks that err more, on a fifth of the slides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from results import Results, parser_of

from edge.bundle.manifest import FindingRule
from edge.bundle.operation import ErrorRates, Spread
from edge.line.evidence import confidence_sequence
from edge.line.weighing import above, clear, corrected_ends
from export.bundle.manifest import FINDING

RULE = FindingRule(**FINDING)
SENSITIVITY = 0.85
FALSE = (0.003, 0.01)
FALSES = (FALSE, (0.01, 0.033), (0.03, 0.1), (0.1, 0.33))
BLASTS = (0.0, 0.02, 0.05, 0.1, 0.2)
SHOWN = 40
BATCH = 1000

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Outcome:
    """What became of slides with one share of blasts, each an array over slides.

    Attributes
    ----------
    positive_at : leukocytes when it was called positive, 0 for never.
    cleared, cleared_ever : no blasts seen at the last look, and at any look.
    held : the interval held the truth at every look.
    caught_by_person, cleared_by_person : the same with a person who confirms.
    """

    positive_at: Ints
    cleared: Bools
    cleared_ever: Bools
    held: Bools
    caught_by_person: Bools
    cleared_by_person: Bools


def simulate(blasts: float, rates: ErrorRates, slides: int, cells: int, rng: np.random.Generator) -> Outcome:
    """Slides with this share of blasts."""
    batches = [
        _batch(blasts, rates, min(BATCH, slides - start), cells, rng) for start in range(0, slides, BATCH)
    ]
    return Outcome(
        *(np.concatenate(parts) for parts in zip(*(vars(b).values() for b in batches), strict=True))
    )


def _batch(blasts: float, rates: ErrorRates, slides: int, cells: int, rng: np.random.Generator) -> Outcome:
    is_blast = rng.random((slides, cells)) < blasts
    false = rng.beta(*_beta(rates.false_blasts.mean, rates.false_blasts.high), slides)
    called = rng.random((slides, cells)) < np.where(is_blast, SENSITIVITY, false[:, None])
    k = called.cumsum(axis=1)
    is_positive, is_clear = _looks(k, rates)
    positive_at = _first(is_positive)
    standing = np.maximum.accumulate(is_positive, axis=1)
    clears = is_clear & ~standing
    low = _at_each_look(
        lambda k, n: corrected_ends(*confidence_sequence(k, n, RULE.interval_level), rates)[0], k
    )
    high = _at_each_look(
        lambda k, n: corrected_ends(*confidence_sequence(k, n, RULE.interval_level), rates)[1], k
    )
    held = ((low <= blasts) & (blasts <= high)).all(axis=1)
    caught, cleared = _with_person(called, is_blast, standing | clears, rates, rng)
    return Outcome(positive_at, clears[:, -1], clears.any(axis=1), held, caught, cleared)


def _with_person(
    called: Bools, is_blast: Bools, spoken: Bools, rates: ErrorRates, rng: np.random.Generator
) -> tuple[Bools, Bools]:
    """Slides that are positive, and those cleared, when a person has looked at the candidates.

    Asked when the machine first speaks, and again at the last cell where that did not decide.
    """
    slides, cells = called.shape
    seen_as_blast = rng.random(called.shape) < np.where(
        is_blast, RULE.reader_sensitivity, 1 - RULE.reader_specificity
    )
    asked_at = np.where(spoken.any(axis=1), spoken.argmax(axis=1) + 1, cells)
    caught, cleared = np.zeros(slides, np.bool_), np.zeros(slides, np.bool_)
    for ask_at in (asked_at, np.full(slides, cells)):
        reached = np.arange(cells) < ask_at[:, None]
        shown = called & reached
        shown &= shown.cumsum(axis=1) <= SHOWN
        confirmed = (shown & seen_as_blast).sum(axis=1)
        left = (called & reached & ~(shown & ~seen_as_blast)).cumsum(axis=1)
        positive = _at_each_look(lambda k, n: above(k, n, RULE, rates), left)
        now_clear = _at_looks(lambda k, n: clear(k, n, RULE, rates, reviewed=True), left[:, -1], ask_at)
        open_still = ~caught & ~cleared
        caught |= open_still & ((confirmed >= RULE.confirmed_cells) | (positive & reached).any(axis=1))
        cleared |= open_still & ~caught & (confirmed == 0) & now_clear
    return caught, cleared


def _looks(k: Ints, rates: ErrorRates) -> tuple[Bools, Bools]:
    """Whether the counts speak for blasts, and rule them out, at each look."""
    return (
        _at_each_look(lambda k, n: above(k, n, RULE, rates), k),
        _at_each_look(lambda k, n: clear(k, n, RULE, rates), k),
    )


def _at_each_look(of: Callable[[Ints, Ints], NDArray], k: Ints) -> NDArray:
    return _at_looks(of, k, np.broadcast_to(np.arange(1, k.shape[1] + 1), k.shape))


def _at_looks(of: Callable[[Ints, Ints], NDArray], k: Ints, n: Ints) -> NDArray:
    """`of` positives and cells, worked out once for those that are the same."""
    keys, places = np.unique(k * 100_000 + n, return_inverse=True)
    parts = np.array_split(keys, len(keys) // 4000 + 1)
    return np.concatenate([of(part // 100_000, part % 100_000) for part in parts])[places].reshape(k.shape)


def _first(reached: Bools) -> Ints:
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, 0)


def _beta(mean: float, high: float) -> tuple[float, float]:
    """Parameters of the Beta distribution with this mean and 97.5% point."""
    from scipy.optimize import brentq
    from scipy.stats import beta

    size = brentq(lambda size: beta.ppf(0.975, mean * size, (1 - mean) * size) - high, 0.5 / mean, 1e7)
    return mean * size, (1 - mean) * size


def main() -> None:
    """Print both tables."""
    parser = parser_of(__doc__)
    parser.add_argument(
        "--slides", type=int, default=10_000, metavar="N", help="of each kind (default: 10000)"
    )
    parser.add_argument("--cells", type=int, default=2000, metavar="N", help="looked at (default: 2000)")
    arguments = parser.parse_args()
    results = Results("finding", parser, arguments)
    print(f"{'false blasts':14}{'blasts':>7}{'positive':>10}{'at cell':>9}{'cleared':>9}{'ever':>7}"
          f"{'interval held':>15}   with a person: {'positive':>9}{'cleared':>9}")  # fmt: skip
    for mean, high in FALSES:
        rates = ErrorRates(Spread(*[SENSITIVITY] * 3), Spread(mean, 0.0, high), "simulated")
        for blasts in BLASTS:
            rng = np.random.default_rng(round(1000 * blasts))
            slides = arguments.slides if (mean, high) == FALSE else max(arguments.slides // 5, 1)
            found = simulate(blasts, rates, slides, arguments.cells, rng)
            _tell(results, f"{blasts:.0%} blasts, false {mean:.1%}", blasts, (mean, high), found)
    results.write()


def _tell(results: Results, what: str, blasts: float, false: tuple[float, float], found: Outcome) -> None:
    """A line of the table, and its figures."""
    positive = found.positive_at > 0
    median = float(np.median(found.positive_at[positive])) if positive.any() else float("nan")
    rate, person = f"{false[0]:.1%} to {false[1]:.1%}", " " * 18
    print(f"{rate:14}{blasts:>7.0%}{positive.mean():>10.2%}{median:>9.0f}"
          f"{found.cleared.mean():>9.2%}{found.cleared_ever.mean():>7.1%}{found.held.mean():>15.2%}"
          f"{person}{found.caught_by_person.mean():>9.2%}{found.cleared_by_person.mean():>9.2%}",
          flush=True)  # fmt: skip
    first = false == FALSE
    wanted = {
        ("positive", 0.0): "≤ 0.01", ("cleared at any look", 0.05): "≤ 0.01",
        ("cleared at any look", 0.1): "≤ 0.001", ("leukocytes to a positive, median", 0.2): "≤ 40",
        ("positive, with a person", 0.02): "≥ 0.85", ("cleared, with a person", 0.0): "≥ 0.97",
    }  # fmt: skip
    figures = {
        "positive": positive.mean(),
        "leukocytes to a positive, median": median,
        "cleared at the last look": found.cleared.mean(),
        "cleared at any look": found.cleared_ever.mean(),
        "interval holds at every look": found.held.mean(),
        "positive, with a person": found.caught_by_person.mean(),
        "cleared, with a person": found.cleared_by_person.mean(),
    }
    for name, value in figures.items():
        goal = "≥ 0.95" if name.startswith("interval") else wanted.get((name, blasts), "")
        results.add(name, float(value), what=what, n=len(positive), of="slides", wanted=goal if first else "")


if __name__ == "__main__":
    main()
