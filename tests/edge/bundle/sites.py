"""Sites for tests."""

from __future__ import annotations

import numpy as np

from edge.bundle.operation import Spread
from edge.bundle.site import Correction, Healthy, Site
from tests.conftest import CLASSES

HERE = Spread(0.004, 0.0, 0.012)
HEALTHY = Healthy(0.31, HERE, 1204, 5, 2, {"lymphocyte": (400, 0.12)}, "2 healthy slides of this laboratory")


def correction(features: int = 3, **bias: float) -> Correction:
    """One that reads nothing from the features and adds `bias` by class; every class takes part."""
    added = np.array([bias.get(name, 0.0) for name in CLASSES], np.float32) + np.float32(1e-6)
    weights = np.zeros((len(CLASSES), features), np.float32)
    return Correction(weights, added, {"lymphocyte": 40}, "40 cells named by AB", {"recall_before": 0.8})


def site(
    network: str = "a@0.2",
    healthy: Healthy | None = HEALTHY,
    correction: Correction | None = None,
    sensitivity: Spread | None = None,
) -> Site:
    return Site(network, healthy, correction, sensitivity, "2026-11-02T08:00:00+00:00", "a box")
