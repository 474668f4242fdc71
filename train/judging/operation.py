"""How often a bundle errs in a laboratory that it did not learn from, worked out from runs that left one out.

Each run stands for the bundle in the laboratories that it left out: trained the same way on the others, its
probabilities calibrated on their validation cells, asked at the bundle's own thresholds, which are what a
device decides by. (A run's own thresholds would be chosen without that laboratory, but on what is left of the
two that the recipe chooses on: another threshold than anybody uses.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import numpy as np

from edge.adapt import healthy as site
from edge.bundle.manifest import FindingRule, Manifest
from edge.bundle.operation import ErrorRates, Spread
from edge.bundle.spreads import of_beta
from edge.cells.classify import decide
from edge.line.weighing import above, clear
from edge.types import Bools
from train.data.dataset import OF_ONE_PERSON
from train.fitting import provenance
from train.judging.leftout import LeftOut, LeftOutError, Unseen
from train.judging.threshold import split
from train.statistics.betabinomial import Counts, between_units, fit

_DIGITS = 6
_SLIDE, _MOST = 200, 2000  # leukocytes of a slide as it is mostly counted, and that anybody would scan


@dataclass(frozen=True, eq=False)
class Laboratory:
    """What is called positive in a laboratory that was left out.

    Attributes
    ----------
    name : its data sets. unit : what is counted apart, 'patient' or the like; '' where nobody knows.
    blasts : positive calls and cells, of each unit's cells of the positive classes.
    others : the same of its other leukocytes, as far as they are counted: a cell on which the classifier
        abstains, or which it takes for no leukocyte, is in no tally.
    blasts_at_site : the same as `blasts` at the threshold that `edge-device adapt --healthy` would choose by
        its other leukocytes, at the bundle's without any; empty where it has too few of them.
    """

    name: str
    unit: str
    blasts: Counts
    others: Counts
    blasts_at_site: Counts

    @property
    def units(self) -> int:
        return len(self.blasts)

    @property
    def sensitivity(self) -> float | None:
        """Of all its blasts together."""
        return _share(self.blasts)

    @property
    def sensitivity_at_site(self) -> float | None:
        """The same at a threshold of its own."""
        return _share(self.blasts_at_site)

    @property
    def false_blasts(self) -> float | None:
        """Of all its other leukocytes together."""
        return _share(self.others)

    def as_json(self) -> dict[str, Any]:
        """As the manifest has it."""
        return {
            "name": self.name,
            "unit": self.unit or "laboratory",
            "units": self.units,
            "blasts": int(self.blasts[:, 1].sum()),
            "others": int(self.others[:, 1].sum()),
            "sensitivity": _rounded(self.sensitivity),
            "sensitivity_at_site": _rounded(self.sensitivity_at_site),
            "false_blasts": _rounded(self.false_blasts),
        }


@dataclass(frozen=True, eq=False)
class Operation:
    """The `operation` table of a manifest.

    Attributes
    ----------
    rates : what a finding reckons with. laboratories : what they come from.
    between_slides : share of the variance of false blasts that lies between slides of one laboratory (see
        `edge.bundle.spreads.of_healthy_slides`); None where no laboratory tells its slides apart.
    rule : the bundle's, by which `lines` say what findings come of it.
    """

    rates: ErrorRates
    laboratories: tuple[Laboratory, ...]
    between_slides: float | None
    rule: FindingRule

    def as_json(self) -> dict[str, Any]:
        """The table, as `edge.bundle.operation.ErrorRates.of` reads it, and more."""
        rates = self.rates
        return {
            "sensitivity": asdict(rates.sensitivity),
            "false_blasts": asdict(rates.false_blasts),
            **({} if rates.sensitivity_at_site is None else _at_site(rates.sensitivity_at_site)),
            "between_slides": _rounded(self.between_slides),
            "laboratories": [each.as_json() for each in self.laboratories],
            "source": rates.source,
        }

    def lines(self) -> Iterator[str]:
        """The table in words."""
        yield (
            f"{'laboratory':<14}{'units':<16}{'blasts':>7}{'called':>8}{'at site':>9}"
            f"{'others':>8}{'called':>8}"
        )
        for each in self.laboratories:
            told = each.as_json()
            units = f"{told['units']} {told['unit']}" + "s" * (bool(each.unit) and each.units != 1)
            yield (
                f"{each.name:<14}{units:<16}{told['blasts']:>7}{_percent(each.sensitivity):>8}"
                f"{_percent(each.sensitivity_at_site):>9}"
                f"{told['others']:>8}{_percent(each.false_blasts):>8}"
            )
        for name, spread in (
            ("sensitivity", self.rates.sensitivity),
            ("sensitivity at a site's threshold", self.rates.sensitivity_at_site),
            ("false blasts", self.rates.false_blasts),
        ):
            if spread is None:
                continue
            yield (
                f"{name} elsewhere: {spread.mean:.1%} in the mean, of 95% of slides {spread.low:.2%} to "
                f"{spread.high:.1%}"
            )
        yield from self._reach()

    def _reach(self) -> Iterator[str]:
        """What a finding by these rates can come to without a person."""
        calls = np.arange(_SLIDE + 1)
        enough = calls[above(calls, _SLIDE, self.rule, self.rates)]
        yield f"positive by the machine's word alone, of {_SLIDE} leukocytes: " + (
            f"from {enough[0]} blasts called on" if len(enough) else "never"
        )
        negative = clear(0, _MOST, self.rule, self.rates)
        yield f"negative with no blast called among {_MOST} leukocytes: {'yes' if negative else 'no'}"


def laboratories(answers: Iterable[Unseen], about: Manifest) -> list[Laboratory]:
    """Positive calls in each laboratory, at the bundle's thresholds; data sets of one go together."""
    listed = sorted(answers, key=lambda each: (_place(each), each.source.name))
    return [_laboratory(list(of_one), about) for _, of_one in groupby(listed, _place)]


def operation(laboratories: Sequence[Laboratory], rule: FindingRule, source: str) -> Operation:
    """The table of these laboratories.

    Raises
    ------
    LeftOutError : they do not tell how a rate differs between slides or laboratories.
    """
    found = sorted(laboratories, key=lambda each: each.name)
    blasts, others = ([getattr(each, name) for each in found] for name in ("blasts", "others"))
    try:
        at_site = [each.blasts_at_site for each in found if len(each.blasts_at_site)]
        rates = ErrorRates(
            _spread(blasts),
            _spread(others, cautious=True),  # a handful of laboratories tells little of the next one
            source,
            sensitivity_at_site=_spread(at_site) if at_site else None,
        )
    except ValueError as error:
        raise LeftOutError(f"laboratories left out: {error}; leave out more of them") from None
    return Operation(rates, tuple(found), between_units(others), rule)


def source_of(runs: Sequence[LeftOut], about: Manifest, blasts: Sequence[str] = ()) -> str:
    """Where the figures come from, in one line."""
    program = provenance.source()
    commit = f", commit {program['commit'][:7]}" if program else ""
    out = "; ".join(", ".join(run.names) for run in runs)
    shipped = about.everything["training"]["recipe"]["training"]["epochs"]
    given = sorted({run.recipe.training.epochs for run in runs})
    shorter = "" if given == [shipped] else f" for {' or '.join(map(str, given))} epochs instead of {shipped}"
    limits = sorted({run.limit for run in runs if run.limit})
    fewer = f", at most {' or '.join(map(str, limits))} pictures of each data set" if limits else ""
    too = f"; of {', '.join(blasts)} the bundle itself about the blasts" if blasts else ""
    return (
        f"edge-train operation of {about.name} {about.version}, {datetime.now(UTC).date()}{commit}: its "
        f"recipe trained{shorter}{fewer} without one of ({out}) at a time and asked about the cells left out "
        "that are in no test part, at the bundle's thresholds; beta-binomial over patients and slides, of "
        "false blasts the widest that they do not rule out, a "
        f"laboratory that does not tell them apart as one, laboratories weighing the same{too}"
    )


def _place(each: Unseen) -> str:
    """What tells laboratories apart: data sets that do not state theirs are each their own."""
    stated = each.source.laboratory
    return each.source.name if stated.startswith("not stated") else stated


def _laboratory(sets: Sequence[Unseen], about: Manifest) -> Laboratory:
    parts = [_counted(each, about) for each in sets]
    known = [each.source.groups for each in sets if each.source.groups in OF_ONE_PERSON]
    return Laboratory(
        name=", ".join(each.source.name for each in sets),
        unit=known[0] if known else "",
        blasts=np.concatenate([blasts for blasts, _ in parts]),
        others=np.concatenate([others for _, others in parts]),
        blasts_at_site=_at_own_threshold(sets, about),
    )


def _at_own_threshold(sets: Sequence[Unseen], about: Manifest) -> Counts:
    """Positive calls and cells of blasts, by unit, at the threshold that its other leukocytes set.

    At the bundle's where there are none: of such a set the blasts alone are asked about.
    """
    scores = np.concatenate([split(each, about)[1] for each in sets])
    if not len(scores):
        return np.concatenate([_counted(each, about)[0] for each in sets])
    if len(scores) < site.LEAST_CELLS:
        return np.zeros((0, 2), np.int64)
    own = replace(about.thresholds, positive=site.threshold(scores), certain=1.0)
    here = replace(about, thresholds=own)
    return np.concatenate([_counted(each, here)[0] for each in sets])


def _counted(cells: Unseen, about: Manifest) -> tuple[Counts, Counts]:
    """Positive calls and cells by unit, of blasts and of others."""
    calls = decide(cells.probabilities, about)
    called = np.isin(calls.classes, about.positive_indices)
    leukocytes = np.isin(calls.classes, [about.classes.index(name) for name in about.leukocytes])
    blasts, others = cells.sides(about.positive, about.leukocytes)
    known = cells.source.groups in OF_ONE_PERSON
    _, units = np.unique(cells.groups if known else np.zeros(len(called)), return_inverse=True)

    def by_unit(keep: Bools) -> Counts:
        size = int(units.max(initial=0)) + 1
        counts = [np.bincount(units[which], minlength=size) for which in (keep & called, keep)]
        return np.stack(counts, axis=1)

    return by_unit(blasts), by_unit(others & leukocytes & ~calls.uncertain)


def _at_site(sensitivity: Spread) -> dict[str, Any]:
    return {"at_site": {"sensitivity": asdict(sensitivity)}}


def _spread(groups: Sequence[Counts], *, cautious: bool = False) -> Spread:
    found = fit(groups, cautious=cautious)
    spread = of_beta(found.a, found.b)
    return Spread(*(round(float(value), _DIGITS) for value in (spread.mean, spread.low, spread.high)))


def _share(counts: Counts) -> float | None:
    called, cells = counts.sum(axis=0).tolist()
    return called / cells if cells else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
