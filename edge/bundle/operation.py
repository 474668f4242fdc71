"""How often a model errs in places that it did not learn from: what a finding reckons with.

Two sources, in this order: what this site measured on slides of its own (`edge.bundle.site`), else the
`operation` table of the bundle's manifest, from runs that left one laboratory out at a time. Never what the
model does at home, where it learned.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edge.files.strictjson import Table


@dataclass(frozen=True)
class Spread:
    """A rate that differs from slide to slide and from laboratory to laboratory.

    Attributes
    ----------
    mean : over slides. low, high : between which 95% of them lie.
    """

    mean: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.mean <= self.high <= 1:
            raise ValueError(f"low {self.low:g}, mean {self.mean:g} and high {self.high:g} are not in order")

    @classmethod
    def of(cls, table: Table) -> Spread:
        """What such an object of JSON says; ValueError names the field that is wrong."""
        return cls(*(table.number(name, 0, 1) for name in ("mean", "low", "high")))


@dataclass(frozen=True)
class ErrorRates:
    """What a model errs in a laboratory that it did not learn from.

    Attributes
    ----------
    sensitivity : share of the slide's blasts that are called positive.
    false_blasts : share of its other leukocytes that are, of those that are counted.
    source : on what slides or cells that was measured, in words.
    place : 'laboratories', other than this one, or 'site', this one.
    sensitivity_at_site : share of the slide's blasts that are called positive where the laboratory has a
        threshold of its own (`edge.bundle.site`); None where nobody measured that.
    """

    sensitivity: Spread
    false_blasts: Spread
    source: str
    place: str = "laboratories"
    sensitivity_at_site: Spread | None = None

    def record(self) -> dict[str, Any]:
        """As an object for JSON; `of` reads it again."""
        told = asdict(self)
        at_site = told.pop("sensitivity_at_site")
        return told | ({"at_site": {"sensitivity": at_site}} if at_site else {})

    @classmethod
    def of(cls, table: Table, place: str = "laboratories") -> ErrorRates:
        """What such an object says; ValueError names the field that is wrong."""
        at_site = table.table("at_site") if "at_site" in table else None
        return cls(
            sensitivity=Spread.of(table.table("sensitivity")),
            false_blasts=Spread.of(table.table("false_blasts")),
            source=table.text("source", longest=2000),
            place=table.text("place") if "place" in table else place,
            sensitivity_at_site=None if at_site is None else Spread.of(at_site.table("sensitivity")),
        )
