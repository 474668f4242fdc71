"""What a slide's finding reckons with: which cells count, the thresholds, and how often the model errs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np

from edge.bundle.manifest import FindingRule, Manifest
from edge.bundle.operation import ErrorRates
from edge.files.strictjson import Table
from edge.types import I32, Bools


@dataclass(frozen=True)
class Rules:
    """What a finding reckons with.

    Attributes
    ----------
    classes : of the bundle. leukocytes, positive : those that are counted; that a referral is about.
    unit, sign : see `edge.types.Tally`.
    rule : thresholds. rates : how often the model errs here or elsewhere; None where nobody knows.
    """

    classes: tuple[str, ...]
    leukocytes: tuple[str, ...]
    positive: tuple[str, ...]
    unit: str
    sign: str
    rule: FindingRule
    rates: ErrorRates | None = None

    @classmethod
    def of(cls, about: Manifest, rates: ErrorRates | None = None) -> Rules:
        """The bundle's, with other rates than its own where these are given."""
        return cls(
            classes=about.classes,
            leukocytes=about.leukocytes,
            positive=about.positive,
            unit=about.unit,
            sign=about.sign,
            rule=about.finding,
            rates=rates or about.operation,
        )

    def in_differential(self, classes: I32) -> Bools:
        """(n,) class indices → (n,) bool: leukocytes, the differential's denominator."""
        return np.isin(classes, [self.classes.index(name) for name in self.leukocytes])

    def record(self) -> dict[str, Any]:
        """As an object for JSON, kept with a slide so that it can be judged again."""
        told = asdict(self) | {"rates": self.rates and self.rates.record()}
        return cast(dict[str, Any], json.loads(json.dumps(told)))

    @classmethod
    def of_record(cls, values: Mapping[str, Any]) -> Rules:
        """The rules that such an object holds; ValueError names the field that is wrong."""
        table = Table(dict(values), "rules")
        return cls(
            classes=table.names("classes"),
            leukocytes=table.names("leukocytes"),
            positive=table.names("positive", empty=True),
            unit=table.text("unit"),
            sign=table.text("sign", empty=True),
            rule=FindingRule.of(table.table("rule")),
            rates=ErrorRates.of(table.table("rates")) if values.get("rates") else None,
        )
