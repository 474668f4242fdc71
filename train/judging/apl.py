"""Whether the blasts of a patient together tell acute promyelocytic leukemia: the `apl` table of a manifest.

Of each patient of the data set DeepAPL the cells that the bundle calls blast or immature granulocyte, as a
device would count them and not by their labels; the quartiles of what its network keeps of them; a ridge
logistic regression. Whoever left a patient out and asks about that patient has the figures: there are too
few patients with APL to keep some for choosing and have enough left to learn from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle.apl import AplTable, Share, quartiles
from edge.bundle.bundle import Bundle
from edge.bundle.manifest import Manifest
from edge.cells.classify import Calls, Classifier
from edge.line.evidence import wilson_interval
from edge.types import F32, F64, Bools, LeukoscopeError
from train.data.dataset import Notice, Split
from train.data.registry import dataset
from train.data.sets.deepapl import APL, diagnoses
from train.data.windows import Windows, cached, middle, read
from train.fitting import provenance
from train.recipes import recipe as recipes
from train.statistics.bootstrap import Figure, draw
from train.statistics.metrics import roc_areas
from train.statistics.ridge import fit, leave_one_out

LEAST_CELLS = 5
"""Of a patient: many with APL have few leukocytes, and each missing patient is missed by the table too."""

PENALTY = 10.0
"""Of the regression. Any from 0.1 to 10 gave the same area within .02; from 30 on it falls."""

FALSE_ALARMS = 0.05
"""Share of patients with another leukemia that may raise an alert: whoever is called at night for nothing
soon believes no call."""

LEAST_AREA, LEAST_LOW = 0.8, 0.6
"""ROC area, and lower end of its interval, below which an alert would do more harm than good."""

_SET, _IMMATURE = "deepapl", "immature-granulocyte"


class AplError(LeukoscopeError):
    """No table can be made of this bundle or these patients. Says why and what to do."""


@dataclass(frozen=True, eq=False)
class Patient:
    """One patient's cells as a bundle sees them, in no order.

    Attributes
    ----------
    labels : (n,) str, by experts. calls : of the n cells.
    looked_at : (n,) bool, those that the table looks at. apl : the diagnosis.
    """

    name: str
    labels: np.ndarray[Any, np.dtype[np.str_]]
    calls: Calls
    looked_at: Bools
    apl: bool

    @property
    def features(self) -> F32:
        """(k, F) float32, of the cells that the table looks at; of a network that tells none F is 0."""
        told = self.calls.features
        return np.zeros((int(self.looked_at.sum()), 0), np.float32) if told is None else told[self.looked_at]


def classes_of(about: Manifest) -> tuple[str, ...]:
    """What is looked at: promyelocytes of APL are called one of these."""
    also = (_IMMATURE,) if _IMMATURE in about.classes else ()
    return (*about.positive, *also)


def patients(
    opened: Bundle, data: Path, cache: Path | None, notice: Notice, parts: Sequence[Split]
) -> list[Patient]:
    """The patients of these parts, as a bundle sees their cells; test cells are opened only if asked for.

    Raises
    ------
    DataError : the data set is absent.
    """
    about = opened.manifest
    try:
        window = recipes.parse(about.everything["training"]["recipe"]).window
    except (KeyError, recipes.RecipeError):
        window = about.model_input
    source = dataset(_SET)
    known = diagnoses(source.root(data))
    if cache is None or "test" in parts:
        windows = read(source, data, window, notice, parts=parts)
    else:
        windows = cached(source, data, window, notice, 0, cache)
        windows = windows.pick(np.isin(windows.splits, parts))
    classifier = Classifier(opened)
    try:
        calls = classifier(middle(windows.pixels, about.size_px))
    finally:
        classifier.close()
    return _by_patient(windows, calls, known, about)


def _by_patient(windows: Windows, calls: Calls, known: dict[str, str], about: Manifest) -> list[Patient]:
    indices = [about.classes.index(name) for name in classes_of(about)]
    looked_at = np.isin(calls.classes, indices) & ~calls.uncertain
    found = []
    for name in sorted(set(windows.groups.tolist()) & known.keys()):
        own = windows.groups == name
        found.append(Patient(name, windows.labels[own], calls.of(own), looked_at[own], known[name] == APL))
    return found


@dataclass(frozen=True, eq=False)
class Alert:
    """A fitted table and how well it did on patients who were left out.

    Attributes
    ----------
    table : for the manifest. network : which network's features it reckons with.
    area : ROC area of the scores of patients left out, with its interval over patients.
    left_over : patients with APL, and others, who had too few cells to be asked about.
    """

    table: AplTable
    network: str
    area: Figure
    left_over: tuple[int, int]

    def as_json(self) -> dict[str, Any]:
        """The table, as `edge.bundle.apl.AplTable.of` reads it, and more."""
        area = {end: round(getattr(self.area, end), 4) for end in ("value", "low", "high")}
        patients = self.table.sensitivity.n + self.table.false_alarms.n
        return self.table.as_json() | {
            "roc_area": area | {"n": patients},
            "too_few_cells": {"apl": self.left_over[0], "others": self.left_over[1]},
            "network": self.network,
        }

    def lines(self) -> Iterator[str]:
        """The figures in words."""
        seen, false = self.table.sensitivity, self.table.false_alarms
        caught = round(seen.value * seen.n)
        yield f"patients: {seen.n} with APL, {false.n} with another acute leukemia, each left out once"
        yield f"ROC area: {self.area}"
        yield f"false alarms: {false.value:.3f} ({false.low:.3f} to {false.high:.3f}) of {false.n}"
        yield f"sensitivity: {seen.value:.3f} ({seen.low:.3f} to {seen.high:.3f}) of {seen.n}"
        few, others = self.left_over
        yield (
            f"too few cells to be asked about: {few} with APL, {others} others; of all with APL "
            f"{caught} of {seen.n + few} raise an alert"
        )


def alert(listed: Sequence[Patient], about: Manifest) -> Alert:
    """Fit the table on these patients, and judge it on each by the others.

    Raises
    ------
    AplError : the network tells no features, there are too few patients of a kind, or it tells them apart
        too badly to be of use.
    """
    if any(each.calls.features is None for each in listed):
        raise AplError(
            f"bundle {about.name}: its network tells no features of a cell; export it anew from its run"
        )
    enough = [each for each in listed if each.looked_at.sum() >= LEAST_CELLS]
    few = [each.apl for each in listed if each.looked_at.sum() < LEAST_CELLS]
    truth = np.array([each.apl for each in enough], np.bool_)
    if min(truth.sum(), (~truth).sum()) < 3:
        raise AplError(
            f"data set {_SET}: {truth.sum()} patients with APL and {(~truth).sum()} others have "
            f"{LEAST_CELLS} cells called blast; there must be three of each"
        )
    rows = np.stack([quartiles(each.features) for each in enough])
    scores = leave_one_out(rows, truth, PENALTY)
    area = area_of(scores, truth, [each.name for each in enough])
    if area.value < LEAST_AREA or area.low <= LEAST_LOW:
        raise AplError(
            f"bundle {about.name}: tells APL from other leukemias with a ROC area of {area}; an alert needs "
            f"{LEAST_AREA:g} and an interval above {LEAST_LOW:g}: none is written"
        )
    threshold = threshold_of(scores[~truth])
    fitted = fit(rows, truth, PENALTY)
    table = AplTable(
        classes=classes_of(about),
        weights=tuple(round(float(weight), 6) for weight in fitted.weights),
        bias=round(fitted.bias, 6),
        threshold=round(threshold, 6),
        least_cells=LEAST_CELLS,
        false_alarms=share(scores[~truth] >= threshold),
        sensitivity=share(scores[truth] >= threshold),
        source=_source(about, len(enough)),
    )
    return Alert(table, about.network, area, (sum(few), len(few) - sum(few)))


def area_of(scores: F64, truth: Bools, names: Sequence[str]) -> Figure:
    """ROC area with its interval over patients, as many of each kind drawn as there are."""
    draws = draw(names, ["apl" if apl else "other" for apl in truth.tolist()])
    return Figure.of(roc_areas(draws, scores.astype(np.float32), truth))


def threshold_of(others: F64) -> float:
    """(n,) scores of patients with another leukemia → the score that `FALSE_ALARMS` of them at most reach."""
    ordered = np.sort(others)[::-1]
    most = int(FALSE_ALARMS * len(ordered))
    if most == 0:
        return float(np.nextafter(ordered[0], np.inf))
    return float(ordered[most - 1] + ordered[most]) / 2


def share(alerts: Bools) -> Share:
    """Of patients, with Wilson's interval."""
    low, high = wilson_interval(int(alerts.sum()), len(alerts))
    value = float(alerts.mean())
    return Share(round(value, 4), round(min(low, value), 4), round(max(high, value), 4), len(alerts))


def _source(about: Manifest, patients: int) -> str:
    program = provenance.source()
    commit = f", commit {program['commit'][:7]}" if program else ""
    return (
        f"edge-train apl of {about.name} {about.version}, {datetime.now(UTC).date()}{commit}: {patients} "
        f"patients of {_SET} with acute leukemia, each asked about by a fit on the others; one laboratory"
    )
