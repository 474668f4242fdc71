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
    specimen : what the slide is a smear of, 'blood' or 'marrow'. made_for : of what the bundle's findings
        hold; empty where it does not say.
    """

    classes: tuple[str, ...]
    leukocytes: tuple[str, ...]
    positive: tuple[str, ...]
    unit: str
    sign: str
    rule: FindingRule
    rates: ErrorRates | None = None
    specimen: str = "blood"
    made_for: tuple[str, ...] = ()

    @classmethod
    def of(cls, about: Manifest, rates: ErrorRates | None = None, specimen: str = "blood") -> Rules:
        """The bundle's, with other rates than its own where these are given; none if strange."""
        strange = _is_strange(specimen, about.specimens)
        return cls(
            classes=about.classes,
            leukocytes=about.leukocytes,
            positive=about.positive,
            unit=about.unit,
            sign=about.sign,
            rule=about.finding,
            rates=None if strange else rates or about.operation,
            specimen=specimen,
            made_for=about.specimens,
        )

    @property
    def strange(self) -> str | None:
        """Why this slide is counted and nothing more; None for a specimen that the bundle is made for."""
        if not _is_strange(self.specimen, self.made_for):
            return None
        made_for = " and ".join(self.made_for)
        return f"This model is made for {made_for}; of {self.specimen} it counts, and people judge."

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
            specimen=table.text("specimen") if "specimen" in table else "blood",
            made_for=table.names("made_for", empty=True) if "made_for" in table else (),
        )


def _is_strange(specimen: str, made_for: tuple[str, ...]) -> bool:
    return bool(made_for) and specimen not in made_for
