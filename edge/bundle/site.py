"""What one laboratory's stain and microscope do to a model, learned on the spot: `edge-device adapt`.

Ranking carries over to a laboratory that nobody trained on, scores do not. So a site may have its own
threshold, from the scores of healthy people's cells, and with it its own rate of false blasts; and its own
correction of the last layer, from cells that a local reader named. Both belong to one network and are kept
outside its bundle, in a file (`edge.bundle.sitefile`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.bundle.manifest import Thresholds
from edge.bundle.operation import ErrorRates, Spread
from edge.types import F32


@dataclass(frozen=True, eq=False)
class Correction:
    """What is added to a cell's log probabilities, from the features that the network saw in it.

    log p' = log p + `weights` · features + `bias` among the classes that it was fitted to, which share what
    they had together: the last layer fitted again, told as the difference from the one that ships, so that
    nothing at all is 'as it ships'. A class that the site did not show, whose row is nothing but zeros, keeps
    its probability: nobody can say from normal cells alone what a blast is.

    Attributes
    ----------
    weights : (C, F) float32. bias : (C,) float32.
    cells : class -> cells that it was fitted to.
    source : who named them and where they come from, in words.
    gate : figures of the site's own cells without and with it, each left out when it was judged; see
        `edge.adapt`.
    """

    weights: F32
    bias: F32
    cells: dict[str, int]
    source: str
    gate: dict[str, float]

    def __call__(self, probabilities: F32, features: F32) -> F32:
        """(n, C) and (n, F) float32 → (n, C) float32, rows sum to 1.

        A cell with a feature that is not finite, or so large that its logits are not, stays as it ships.
        """
        shown = self.weights.any(axis=1) | (self.bias != 0)
        if not shown.any():
            return probabilities
        had = probabilities[:, shown]
        with np.errstate(over="ignore", invalid="ignore"):
            logits = np.log(np.maximum(had, 1e-12)) + features @ self.weights[shown].T + self.bias[shown]
        sound = np.isfinite(logits).all(axis=1, keepdims=True)
        logits = np.where(sound, logits, 0)
        raised = np.exp(logits - logits.max(axis=1, keepdims=True))
        shared = raised * (had.sum(axis=1, keepdims=True) / raised.sum(axis=1, keepdims=True))
        given = probabilities.copy()
        given[:, shown] = np.where(sound, shared, had)
        return given


@dataclass(frozen=True)
class Healthy:
    """Where normal cells score at this site.

    Attributes
    ----------
    threshold : a cell is positive here when the positive classes together reach this probability.
    false_blasts : how often normal cells are called so at it, on the next slide of this site.
    cells, called : presumed normal cells looked at, and those called positive when they were left out of
        what chose the threshold. slides : they come from.
    by_type : class -> (cells, highest tenth's mean score), for people to see.
    source : in words.
    """

    threshold: float
    false_blasts: Spread
    cells: int
    called: int
    slides: int
    by_type: dict[str, tuple[int, float]]
    source: str


@dataclass(frozen=True, eq=False)
class Site:
    """All that is known of one site for one network.

    Attributes
    ----------
    network : `edge.bundle.manifest.Manifest.network` of the model that it belongs to.
    healthy, correction : None where it was not learned; one at least is there. `healthy` was measured with
        `correction` in place.
    sensitivity : measured here; None where nobody had blasts to measure it with.
    made_at : when, UTC, ISO 8601. made_by : the device, in words.
    key : fingerprint of the device's key that signed it, empty for none.
    file : of the file that it was read from, the first 16 digits of its sha256; empty for none.
    """

    network: str
    healthy: Healthy | None = None
    correction: Correction | None = None
    sensitivity: Spread | None = None
    made_at: str = ""
    made_by: str = ""
    key: str = ""
    file: str = ""

    def thresholds(self, shipped: Thresholds) -> Thresholds:
        """The operating point here; a positive cell is certain from where it is certain as shipped."""
        if self.healthy is None:
            return shipped
        positive = self.healthy.threshold
        return Thresholds(positive, shipped.confidence, max(shipped.certain, positive))

    def rates(self, elsewhere: ErrorRates | None) -> ErrorRates | None:
        """What the model errs here; None where nobody knows.

        Parameters
        ----------
        elsewhere : of other laboratories. They lend the sensitivity where nobody measured it here, that at a
            threshold of their own before that at the shipped one; and all, where only a correction is known.
        """
        if self.healthy is None:
            return elsewhere
        sensitivity = self.sensitivity
        if sensitivity is None and elsewhere is not None:
            sensitivity = elsewhere.sensitivity_at_site or elsewhere.sensitivity
        if sensitivity is None:
            return None
        return ErrorRates(sensitivity, self.healthy.false_blasts, self.healthy.source, "site")

    def record(self) -> dict[str, Any]:
        """Which file was in use and what it says, as an object for JSON, kept with a slide."""
        healthy, correction = self.healthy, self.correction
        return {
            "file": self.file,
            "made_at": self.made_at,
            "made_by": self.made_by,
            "key": self.key,
            "threshold": healthy and healthy.threshold,
            "cells": healthy and healthy.cells,
            "slides": healthy and healthy.slides,
            "corrected_by": correction and sum(correction.cells.values()),
        }


def in_words(record: Mapping[str, Any]) -> str:
    """What `Site.record` says, in one line for a screen."""
    told = []
    if record["threshold"] is not None:
        slides = record["slides"]
        told.append(
            f"positive from {record['threshold']:.3g} on, by {record['cells']} normal cells of "
            f"{slides} slide{'s' * (slides != 1)}"
        )
    if record["corrected_by"] is not None:
        told.append(f"last layer fitted to {record['corrected_by']} cells")
    made = f"made {record['made_at'][:10]}, " if record["made_at"] else ""
    key = f", key {record['key'][:16]}" if record["key"] else ""
    return f"{'; '.join(told)} ({made}file {record['file']}{key})"
