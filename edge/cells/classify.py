"""Crops → calibrated probabilities, a class at the bundle's operating point, and abstention."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from edge.bundle.bundle import Bundle, BundleError, Manifest, Thresholds
from edge.bundle.site import Correction, Site
from edge.cells.detector import INPUT, LEAST
from edge.cells.secondlook import Until, looked
from edge.runtimes import GraphError, Runtime, Tell, open_runtime
from edge.runtimes.dynamic import SIDES
from edge.types import F32, I32, U8, Bools

FEATURES = "features"
"""Name of a graph's second output: what its last layer reads of each cell, (n, F)."""


@dataclass(frozen=True, eq=False)
class Calls:
    """What the classifier says of n cells.

    Attributes
    ----------
    probabilities : (n, C) float32, rows sum to 1.
    classes : (n,) int32, decided at the operating point.
    uncertain : (n,) bool, the classifier abstains; never a positive call.
    certain : (n,) bool, a positive call beyond doubt.
    features : (n, F) float32, what the network keeps of each cell; None where its graph does not tell.
    """

    probabilities: F32
    classes: I32
    uncertain: Bools
    certain: Bools
    features: F32 | None = None

    def of(self, keep: Bools) -> Calls:
        """What it says of some of the cells."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        return Calls(**{name: part[keep] for name, part in kept.items() if part is not None})


class Rules(Protocol):
    """What decides: whatever has an operating point and positive classes, as a manifest or a classifier."""

    @property
    def thresholds(self) -> Thresholds: ...
    @property
    def positive_indices(self) -> tuple[int, ...]: ...


class Classifier:
    """The bundle's classifier on a runtime.

    Parameters
    ----------
    bundle : what to run.
    variant : runtime and precision, 'ort-fp32' or another key of the manifest's graphs.
    threads : for one graph run.
    cache, tell : see `edge.runtimes.open_runtime`.

    Attributes
    ----------
    runtime : name of runtime and precision, as the records show it.
    version : of the library that computes.
    note : why it does not run as it was first meant to, None where it does. See `edge.selftest.selftest`.

    Raises
    ------
    BundleError : no such graph, or it does not take or give what the manifest says.
    GraphError : the runtime cannot be had, or cannot run the graph.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        variant: str = "ort-fp32",
        threads: int = 1,
        cache: Path | None = None,
        tell: Tell | None = None,
    ) -> None:
        self.manifest: Manifest = bundle.manifest
        self._site: Site | None = None
        self.note: str | None = None
        kind, precision = variant.split("-", 1)
        sizes = dict.fromkeys(SIDES, LEAST) if self.manifest.task == "detector" else None
        self._runtime: Runtime = open_runtime(
            kind,
            bundle.graph(variant),
            precision=precision,
            threads=threads,
            cache=cache,
            tell=tell,
            sizes=sizes,
        )
        self.runtime, self.version = self._runtime.name, self._runtime.version
        self._named = f"bundle {bundle.path}: its graph for {variant}"
        try:
            self._check()
        except (BundleError, GraphError):
            self.close()
            raise

    def at(self, site: Site | None) -> Classifier:
        """What decides at a site, by its threshold and its correction: on the same runtime, closed with it.

        Raises
        ------
        BundleError : the graph does not tell the features that the site's correction is made of.
        GraphError : the runtime cannot run it.
        """
        if site is None:
            return self
        if site.correction is not None:
            self._check_features(site.correction)
        here = copy(self)
        here._site = site
        return here

    def _check_features(self, correction: Correction) -> None:
        undo = "measure the site anew with this model, or leave its correction away"
        if FEATURES not in self._runtime.outputs:
            raise BundleError(
                f"{self._named} tells no features, so the site's correction cannot be used; {undo}"
            )
        size = self.manifest.size_px
        given = self._runtime.run({"crops": np.zeros((1, size, size, 3), np.uint8)})[FEATURES]
        wanted, told = correction.weights.shape, (len(self.manifest.classes), given.shape[-1])
        if given.ndim != 2 or wanted != told:
            raise BundleError(
                f"{self._named} has {told[0]} classes and {told[1]} features, the site's correction is of "
                f"{wanted[0]} and {wanted[1]}; {undo}"
            )

    @property
    def thresholds(self) -> Thresholds:
        """The operating point: the bundle's, or the site's."""
        shipped = self.manifest.thresholds
        return shipped if self._site is None else self._site.thresholds(shipped)

    @property
    def positive_indices(self) -> tuple[int, ...]:
        return self.manifest.positive_indices

    @property
    def _until(self) -> Until | None:
        """When a cell is clear; None where none is looked at again."""
        return None if self.manifest.second_look is None else Until(self.thresholds.positive)

    def _check(self) -> None:
        named = self._named
        if self.manifest.task == "detector":  # who finds the cells says what they are, by the same graph
            if INPUT not in dict(self._runtime.inputs):
                raise BundleError(f"{named} takes {dict(self._runtime.inputs)}, not a field")
            return
        size, classes = self.manifest.size_px, len(self.manifest.classes)
        takes = dict(self._runtime.inputs)
        if takes != {"crops": (None, size, size, 3)} or "probabilities" not in self._runtime.outputs:
            raise BundleError(f"{named} takes {takes}, not crops of {size} px as its manifest says")
        given = self.probabilities(np.zeros((2, size, size, 3), np.uint8))
        if given.shape[1:] != (classes,):
            raise BundleError(f"{named} gives {given.shape[1:]} classes, its manifest names {classes}")
        if len(given) != 2:
            raise BundleError(f"{named} gives the probabilities of {len(given)} cells for two crops")

    def probabilities(self, crops: U8) -> F32:
        """(n, size, size, 3) uint8 RGB crops → (n, C) float32 calibrated probabilities, as corrected here.

        Every candidate is looked at in all poses, so that what is said hangs on no threshold.
        Of a detector's bundle nobody asks it: its cells come with theirs (`edge.types.Cells.probabilities`).
        """
        return self._answers(crops)["probabilities"]

    def _answers(self, crops: U8, until: Until | None = None, matters: Bools | None = None) -> dict[str, F32]:
        """All outputs of the graph by name, each (n, ...) float32, the probabilities as corrected here."""
        if not len(crops):
            return {"probabilities": np.zeros((0, len(self.manifest.classes)), np.float32)}
        told = looked(self._once, crops, self.positive_indices, self.manifest.second_look, until, matters)
        if self._site is not None and self._site.correction is not None:
            told["probabilities"] = self._site.correction(told["probabilities"], told[FEATURES])
        return told

    def _once(self, crops: U8) -> dict[str, F32]:
        """All outputs of the graph for crops as they are."""
        bound = self._runtime.bound
        given = [self._runtime.run({"crops": crops[i : i + bound]}) for i in range(0, len(crops), bound)]
        return {
            name: np.concatenate([part[name] for part in given]).astype(np.float32, copy=False)
            for name in given[0]
        }

    def features(self, crops: U8) -> F32:
        """(n, size, size, 3) uint8 RGB crops, one at least → (n, F) float32, what its last layer reads.

        Raises
        ------
        BundleError : the graph does not tell them.
        """
        if FEATURES not in self._runtime.outputs:
            raise BundleError(
                f"{self.manifest.name} {self.manifest.version}: this model gives no features; update it"
            )
        return self._answers(crops)[FEATURES]

    def warm_up(self) -> None:
        """Run the smallest and the largest batch once, so that no later run pays for being the first."""
        if self.manifest.task != "detector":
            self._runtime.warm_up()

    def __call__(self, crops: U8, matters: Bools | None = None) -> Calls:
        """Probabilities and decisions for (n, size, size, 3) uint8 RGB crops, looked at until clear.

        Those of which it does not `matter`, (n,), are looked at once; None for none.
        """
        told = self._answers(crops, self._until, matters)
        return replace(decide(told["probabilities"], self), features=told.get(FEATURES))

    def close(self) -> None:
        """Let go of the runtime."""
        self._runtime.close()


def decide(probabilities: F32, rules: Rules) -> Calls:
    """Apply the operating point.

    A cell is positive when the positive classes together reach `thresholds.positive`, however the rest is
    shared out; otherwise it is the likeliest of the other classes, and uncertain when that class stays below
    `thresholds.confidence`. Whatever the thresholds are, a positive call is never uncertain: what is called
    positive is what is counted so. Only a positive call is certain.
    """
    limits = rules.thresholds
    positive = list(rules.positive_indices)
    of_positive = probabilities[:, positive]
    p_positive = of_positive.sum(axis=1) if positive else np.full(len(probabilities), -1.0, np.float32)
    others = probabilities.copy()
    others[:, positive] = -1.0
    is_positive = p_positive >= limits.positive
    best_positive = np.asarray(positive)[of_positive.argmax(axis=1)] if of_positive.size else 0
    classes = np.where(is_positive, best_positive, others.argmax(axis=1)).astype(np.int32)
    return Calls(
        probabilities=probabilities,
        classes=classes.reshape(len(probabilities)),
        uncertain=~is_positive & (others.max(axis=1, initial=-1.0) < limits.confidence),
        certain=is_positive & (p_positive >= limits.certain),
    )
