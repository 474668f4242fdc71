"""What was counted on a slide, as FHIR's Observations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from edge.report.fhir import codes
from edge.report.fhir.codes import own
from edge.report.fhir.elements import (
    Json,
    absent,
    annotation,
    concept,
    element,
    interval,
    percent,
    quantity,
    words,
)
from edge.report.references import ADULT, SOURCE
from edge.report.report import RESEARCH_USE, Report, Share

_BESIDE = ("erythroblast", "smudge-cell")
"""Classes beside the leukocytes that say something in a differential. Platelets and artefacts do not: they
are found where they look like cells."""

_STATUS = {"preliminary": "preliminary", "final": "final", "appended": "final", "corrected": "corrected"}
"""Of the report -> of what it counts. A note that was added since changes no count."""


@dataclass(frozen=True)
class Common:
    """What all observations of a slide have in common.

    Attributes
    ----------
    fields : elements of FHIR, such as `subject`. counted : leukocytes; of a bundle of fields these.
    """

    report: Report
    fields: Json
    counted: int

    def observation(self, code: Json, **fields: object) -> Json:
        named = sum(bool(cell.words) for cell in self.report.cells)
        method = (
            f"stained smear, counted by a program; people named {named} of {len(self.report.cells)} cells"
        )
        return element(
            resourceType="Observation",
            status=_STATUS[self.report.status],
            category=[concept("", codes.CATEGORY)],
            code=code,
            **self.fields,
            method={"text": method},
            note=[annotation(RESEARCH_USE)],
            **fields,
        )

    def per_hundred(self, n: int) -> Json:
        """So many by those counted, in percent, as `value` of an observation."""
        if self.counted:
            return {"valueQuantity": percent(n / self.counted)}
        if self.report.tally is None:
            return {"dataAbsentReason": absent("unknown", "there is no count yet")}
        return {"dataAbsentReason": absent("unknown", f"no {self.report.rules.unit} was counted")}


def counts(common: Common) -> Iterator[tuple[str, Json]]:
    """A differential's observations, each behind its name on this slide: a class, or what none is called."""
    report = common.report
    machine = Counter(cell.seen.named for cell in report.cells if cell.seen.settled)
    for share in report.differential:
        yield share.name, _of_class(common, share, machine[share.name])
    if len(report.rules.positive) > 1:
        yield ".positive", _positive(common)
    if report.rules.unit == "leukocyte":
        yield ".unidentified", _unidentified(common)
        beside = {share.name: share for share in report.beside}
        for name in _BESIDE:
            if name in report.rules.classes and name not in report.rules.leukocytes:
                share = beside.get(name, Share(name, 0, None, None, 0, None))
                yield name, _of_beside(common, share, machine[name])


def panel(common: Common, members: list[Json]) -> Json:
    """The observation that holds the others together."""
    report, quality = common.report, common.report.quality
    unit = report.rules.unit
    fields = [
        _integer("counted", f"{unit}s counted", common.counted),
        _integer("fields", "fields read", quality.fields),
        _integer("fields-rejected", "fields turned down", quality.rejected),
    ]
    if report.age is not None:
        age = concept("Age, as noted on the device", codes.AGE)
        fields.append({"code": age, "valueQuantity": quantity(report.age, "years", "a")})
    made = common.observation(codes.panel(report.rules), hasMember=members, component=fields)
    return made | {"note": [*made["note"], annotation(_made_with(report))]}


def _of_class(common: Common, share: Share, machine: int) -> Json:
    components = _parts(share, machine)
    if share.interval:
        components.append({
            "code": own("interval", "95% interval of the share, by counting alone (Wilson)"),
            "valueRange": interval(share.interval),
        })  # fmt: skip
    if common.report.rules.positive == (share.name,):
        components += _corrected(common.report)
    return common.observation(
        codes.among(share.name, common.report.rules),
        **common.per_hundred(share.count),
        interpretation=_interpretation(share),
        referenceRange=_range(share),
        component=components,
    )


def _of_beside(common: Common, share: Share, machine: int) -> Json:
    value = common.per_hundred(share.count)
    if share.name == "erythroblast" and common.counted:
        per = round(100 * share.count / common.counted, 2)
        value = {"valueQuantity": quantity(per, "/100 leukocytes", "/100{WBCs}")}
    code = codes.among(share.name, common.report.rules)
    return common.observation(code, **value, component=_parts(share, machine))


def _unidentified(common: Common) -> Json:
    n = common.report.quality.uncertain
    code = codes.among("unidentified", common.report.rules)
    parts = [_integer("cells", "cells of the class", n)]
    return common.observation(code, **common.per_hundred(n), component=parts)


def _positive(common: Common) -> Json:
    """The classes that the finding is about, together, of a bundle that has several."""
    report = common.report
    n = report.tally.positives if report.tally else 0
    parts = [_integer("cells", "cells of the classes", n)]
    if report.finding and report.finding.interval:
        parts.append({
            "code": own("interval", "95% interval of the share, by counting alone (Wilson)"),
            "valueRange": interval(report.finding.interval),
        })  # fmt: skip
    return common.observation(
        codes.among("positive", report.rules), **common.per_hundred(n), component=parts + _corrected(report)
    )


def _parts(share: Share, machine: int) -> list[Json]:
    """Whose count it is."""
    return [
        _integer("cells", "cells of the class, people's words included", share.count),
        _integer("cells-machine", "cells of the class by the machine alone", machine),
        _integer("cells-confirmed", "cells that people say are of the class", share.confirmed),
    ]


def _corrected(report: Report) -> list[Json]:
    """The share as it is once the model's errors are allowed for."""
    finding = report.finding
    share = finding.corrected if finding else None
    level = f"{100 * finding.level:g}%" if finding else "95%"
    intervals = (
        ("corrected-interval", "valid at every look while scanning", finding and finding.corrected_interval),
        ("corrected-interval-at-end", "valid once, at the end", report.interval_at_end),
    )
    nobody_knows = {"dataAbsentReason": absent("unknown", "how often the model errs here is not known")}
    value = nobody_knows if share is None else {"valueQuantity": percent(share)}
    return [
        {"code": own("corrected", "share, corrected for the model's errors"), **value},
        *(
            {
                "code": own(code, f"{level} interval of the corrected share, {when}"),
                **({"valueRange": interval(ends)} if ends else nobody_knows),
            }
            for code, when, ends in intervals
        ),
    ]


def _interpretation(share: Share) -> list[Json]:
    if not share.outside or share.interval is None or share.reference is None:
        return []
    return [codes.HIGH if share.interval[0] > share.reference[1] else codes.LOW]


def _range(share: Share) -> list[Json]:
    if share.reference is None:
        return []
    low, high = share.reference
    return [{
        "low": percent(low),
        "high": percent(high),
        "type": {"coding": [codes.NORMAL]},
        "age": {"low": quantity(ADULT, "years", "a")},
        "text": f"{100 * low:g} to {100 * high:g}%. {SOURCE}",
    }]  # fmt: skip


def _integer(code: str, text: str, value: int) -> Json:
    return {"code": own(code, text), "valueInteger": value}


def _made_with(report: Report) -> str:
    made = report.made_with
    parts = [
        f"camera {made['camera']}, {made['profile']}, {made['runtime']}, bundle {made['bundle']}",
        "" if made["trusted"] else "a bundle that is neither shipped nor signed by a trusted key",
        *(f"caveat of the model: {caveat}" for caveat in made["caveats"]),
        f"this site: {made['site']}" if made["site"] else "",
        report.rules.strange or "",
    ]
    return words("; ".join(filter(None, parts)))
