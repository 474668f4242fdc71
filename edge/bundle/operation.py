"""How often a model errs in places that it did not learn from: what a finding reckons with.

Two sources, in this order: what this site measured on slides of its own (a file in the data folder, or given
with `--site`), else the `operation` table of the bundle's manifest, from runs that left one laboratory out at
a time. Never what the model does at home, where it learned.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from edge.files import strictjson
from edge.files.strictjson import Table

SITE_FILE = "site.json"
"""Of the site's own figures in the data folder, beside the calibrations."""

DEMO_FILE = Path(str(resources.files("edge") / "bundles" / "demo-site.json"))
"""Of the simulated microscope, which is a laboratory of its own; measured by `benchmarks/demo.py --site`."""

_SITE_FORMAT = 1


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


@dataclass(frozen=True)
class ErrorRates:
    """What a model errs in a laboratory that it did not learn from.

    Attributes
    ----------
    sensitivity : share of the slide's blasts that are called positive.
    false_blasts : share of its other leukocytes that are, of those that are counted.
    source : on what slides or cells that was measured, in words.
    place : 'laboratories', other than this one, or 'site', this one.
    """

    sensitivity: Spread
    false_blasts: Spread
    source: str
    place: str = "laboratories"

    def record(self) -> dict[str, Any]:
        """As an object for JSON; `of` reads it again."""
        return asdict(self)

    @classmethod
    def of(cls, table: Table, place: str = "laboratories") -> ErrorRates:
        """What such an object says; ValueError names the field that is wrong."""
        return cls(
            sensitivity=_spread(table.table("sensitivity")),
            false_blasts=_spread(table.table("false_blasts")),
            source=table.text("source", longest=2000),
            place=table.text("place") if "place" in table else place,
        )


def of_site(path: Path, network: str, elsewhere: ErrorRates | None) -> ErrorRates | None:
    """What this site measured of a network; None without the file or where it is about another network.

    Parameters
    ----------
    network : `edge.bundle.manifest.Manifest.network`.
    elsewhere : lends the sensitivity where the site had only healthy slides.

    Raises
    ------
    ValueError : not such a file, or there is no sensitivity to go with it. One line without the path.
    OSError : it cannot be read.
    """
    try:
        top = strictjson.read(path.read_bytes())
    except FileNotFoundError:
        return None
    top.only("format", _SITE_FORMAT)
    if top.text("network") != network:
        return None
    source, false_blasts = top.text("source", longest=2000), _spread(top.table("false_blasts"))
    if "sensitivity" in top:
        return ErrorRates(_spread(top.table("sensitivity")), false_blasts, source, "site")
    if elsewhere is None:
        raise ValueError("measures no sensitivity, and the model brings none")
    return replace(elsewhere, false_blasts=false_blasts, source=source, place="site")


def site_file(network: str, false_blasts: Spread, source: str, sensitivity: Spread | None = None) -> str:
    """The text of such a file."""
    rates = {"false_blasts": asdict(false_blasts)}
    if sensitivity is not None:
        rates["sensitivity"] = asdict(sensitivity)
    return json.dumps({"format": _SITE_FORMAT, "network": network, "source": source} | rates, indent=2) + "\n"


def _spread(table: Table) -> Spread:
    return Spread(*(table.number(name, 0, 1) for name in ("mean", "low", "high")))
