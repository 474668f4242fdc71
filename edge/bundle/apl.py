"""Whether a patient's blasts look like those of acute promyelocytic leukemia (APL): a bundle's table.

APL kills within days by bleeding, and its treatment starts on suspicion, so whoever calls about blasts must
know. A blast alone does not tell; the cells of a patient together may. Of what the network keeps of each cell
(its `features`) the quartiles over the patient's blasts and immature granulocytes make one score, fitted by
`edge-train apl`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from edge.files.strictjson import Table
from edge.types import F32, F64, Apl

QUARTILES = (0.25, 0.5, 0.75)
"""What is taken of each feature over a patient's cells: the middle, and how far the cells differ."""

_WIDEST = 4096  # features of a cell that a table may reckon with


@dataclass(frozen=True)
class Share:
    """A share of patients, with the ends of its 95% interval, and how many patients it stands on."""

    value: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, table: Table) -> Share:
        """What such an object of JSON says; ValueError names the field that is wrong."""
        value, low, high = (table.number(name, 0, 1) for name in ("value", "low", "high"))
        if not low <= value <= high:
            raise ValueError(f"low {low:g}, value {value:g} and high {high:g} are not in order")
        return cls(value, low, high, table.whole("n", 1))


@dataclass(frozen=True)
class AplTable:
    """The `apl` table of a manifest.

    Attributes
    ----------
    classes : cells that are called so are looked at.
    weights : one for each quartile of each feature, the lower quartiles of all features first. bias : added.
    threshold : score from which an alert is given.
    least_cells : of those classes, before anything is said.
    false_alarms : share of patients with another acute leukemia who raise an alert.
    sensitivity : share of patients with APL who do, of those with enough cells.
    source : on whom that was measured, in words.
    """

    classes: tuple[str, ...]
    weights: tuple[float, ...]
    bias: float
    threshold: float
    least_cells: int
    false_alarms: Share
    sensitivity: Share
    source: str

    @property
    def features(self) -> int:
        """How many features of a cell it reckons with."""
        return len(self.weights) // len(QUARTILES)

    def of_cells(self, features: F32) -> Apl | None:
        """(n, F) features of a patient's cells of those classes → what they say; None for too few cells."""
        if len(features) < self.least_cells:
            return None
        score = float(quartiles(features) @ np.asarray(self.weights)) + self.bias
        return Apl(score, score >= self.threshold, self.false_alarms.high)

    def as_json(self) -> dict[str, Any]:
        """As the manifest has it; `of` reads it again."""
        return asdict(self) | {"classes": list(self.classes), "weights": list(self.weights)}

    @classmethod
    def of(cls, table: Table, among: tuple[str, ...] = ()) -> AplTable:
        """What such an object says, of a bundle with the classes `among`.

        Raises
        ------
        ValueError : a field is missing, of the wrong type or out of range; names it.
        """
        given = table.values.get("weights")
        count = len(given) if isinstance(given, list) else 0
        if not count or count % len(QUARTILES) or count > _WIDEST * len(QUARTILES):
            raise ValueError(f"weights are {count} numbers; there must be {len(QUARTILES)} for each feature")
        return cls(
            classes=table.names("classes", among=among),
            weights=tuple(table.numbers("weights", count, -1e6, 1e6)),
            bias=table.number("bias", -1e6, 1e6),
            threshold=table.number("threshold", -1e6, 1e6),
            least_cells=table.whole("least_cells", 1, 1000),
            false_alarms=Share.of(table.table("false_alarms")),
            sensitivity=Share.of(table.table("sensitivity")),
            source=table.text("source", longest=2000),
        )


def quartiles(features: F32) -> F64:
    """(n, F) features of n cells, at least one → (3 F,) float64: quartiles of each, the lower ones first."""
    found = np.quantile(features.astype(np.float64), QUARTILES, axis=0)
    return np.asarray(found.reshape(-1), np.float64)
