"""Whether a correction may be used: what it does to the site's own cells, and to the bundle's golden ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from edge.adapt.labelled import likelihood
from edge.bundle.bundle import Bundle
from edge.bundle.manifest import Manifest
from edge.bundle.site import Correction
from edge.cells.classify import Classifier, decide
from edge.selftest.golden import Golden
from edge.types import F32, I32

GOLDEN = 0.1
"""Share of the golden cells whose likeliest class may change."""


@dataclass(frozen=True)
class Figures:
    """How cells that somebody named are called.

    Attributes
    ----------
    accuracy : share of them that are called what they are, at the model's operating point.
    log_likelihood : mean log probability of what they are.
    blasts, called : cells of positive classes, and those of them that are called positive.
    others, false_blasts : the other leukocytes, and those of them that are.
    """

    accuracy: float
    log_likelihood: float
    blasts: int
    called: int
    others: int
    false_blasts: int


def figures(answers: F32, labels: I32, about: Manifest) -> Figures:
    """Of (n, C) probabilities and (n,) what the cells are."""
    calls = decide(answers, about).classes
    blast = np.isin(labels, about.positive_indices)
    other = np.isin(labels, [about.classes.index(name) for name in about.leukocytes]) & ~blast
    called = np.isin(calls, about.positive_indices)
    return Figures(
        accuracy=float((calls == labels).mean()),
        log_likelihood=likelihood(answers, labels),
        blasts=int(blast.sum()),
        called=int((called & blast).sum()),
        others=int(other.sum()),
        false_blasts=int((called & other).sum()),
    )


def confusion(answers: F32, labels: I32, about: Manifest) -> dict[str, dict[str, int]]:
    """What a cell is → what it is called → how many."""
    calls = decide(answers, about).classes
    found: dict[str, dict[str, int]] = {}
    for truth, called in sorted(zip(labels.tolist(), calls.tolist(), strict=True)):
        row = found.setdefault(about.classes[truth], {})
        row[about.classes[called]] = row.get(about.classes[called], 0) + 1
    return found


def golden_changes(bundle: Bundle, classifier: Classifier, correction: Correction) -> tuple[int, int]:
    """How many of the bundle's golden cells change their likeliest class, and how many there are.

    Raises
    ------
    BundleError : the model gives no features.
    """
    changed = cells = 0
    for case in Golden(bundle).cases:
        before = classifier.probabilities(case.crops)
        after = correction(before, classifier.features(case.crops))
        changed += int((before.argmax(axis=1) != after.argmax(axis=1)).sum())
        cells += len(before)
    return changed, cells


def objections(before: Figures, after: Figures, golden: tuple[int, int]) -> list[str]:
    """Why a correction must not be used, in words; empty where nothing speaks against it.

    Parameters
    ----------
    before, after : without and with it, of cells that were left out of the fit.
    golden : see `golden_changes`.
    """
    told = []
    if after.accuracy < before.accuracy:
        told.append(
            f"{after.accuracy:.0%} of the cells are called what they are, {before.accuracy:.0%} without it"
        )
    if after.log_likelihood <= before.log_likelihood:
        told.append(
            f"what the cells are is no likelier (mean log {after.log_likelihood:.3f}, "
            f"{before.log_likelihood:.3f} without it)"
        )
    if after.called < before.called:
        told.append(f"{after.called} of {after.blasts} blasts are called so, {before.called} without it")
    if after.false_blasts > before.false_blasts:
        told.append(
            f"{after.false_blasts} of {after.others} other leukocytes are called blasts, "
            f"{before.false_blasts} without it"
        )
    changed, cells = golden
    if changed > GOLDEN * cells:
        told.append(f"{changed} of the model's {cells} golden cells change their class")
    return told


def record(before: Figures, after: Figures) -> dict[str, float]:
    """Both as `Correction.gate` keeps them."""
    sides: Sequence[tuple[str, Figures]] = (("before", before), ("after", after))
    return {f"{name}_{side}": float(value) for side, told in sides for name, value in asdict(told).items()}
