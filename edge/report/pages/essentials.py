"""What a doctor reads in ten seconds: whose slide it is, whether it is signed, what it says, what to do."""

from __future__ import annotations

from collections.abc import Iterator

from edge.report.pages.blocks import Block, Facts, Text
from edge.report.pages.words import NOBODY_SAID, between, level, many, moment, percent, said
from edge.report.report import RESEARCH_USE, Report
from edge.types import Finding, Tally

_CLOCKS = {
    "set": "by a clock that was set",
    "corrected": "put right when the clock was set later",
    "not set": "by a clock that nobody had set: the date may be wrong",
    "unknown": "by a clock of which nobody knows whether it was set",
}
_UNSIGNED = "PRELIMINARY: not signed"
_SPECIMENS = {"blood": "blood", "marrow": "bone marrow"}


def essentials(report: Report) -> Iterator[Block]:
    """The first page's blocks."""
    yield Text(RESEARCH_USE, "small")
    yield Text(standing(report), "strong" if report.signature else "warning")
    if (state := _state(report)) is not None:
        yield Text(state, "warning")
    yield Facts(tuple(_about(report)))
    if report.finding is None:
        yield Text("NO FINDING YET", "headline")
        return
    yield Text(report.finding.headline, "headline")
    yield Text(report.finding.reason, "strong")
    if report.finding.advice:
        yield Text(report.finding.advice)
    if rows := tuple(_evidence(report, report.finding)):
        yield Facts(rows)


def in_short(report: Report) -> str:
    """Whether the report is signed and by whom, for the head of every page."""
    if report.signature is None:
        return _UNSIGNED
    kind = "CORRECTED" if report.status == "corrected" else "FINAL"
    return f"{kind}: signed by {said(report.signature.by)}"


def standing(report: Report) -> str:
    """Whether the report is signed, and by whom."""
    if (signature := report.signature) is None:
        last = report.signatures[-1:]
        if last and (back := last[0].reopened):
            return f"{_UNSIGNED}. {said(back.by)} took the last signature back {moment(back.at)}"
        return _UNSIGNED
    by = f"{said(signature.by)}, {moment(signature.at)}"
    if report.status == "corrected":
        return f"CORRECTED: signed again by {by}, in place of a signature that was taken back"
    if report.status == "appended":
        return f"FINAL: signed by {by}. A note was added since: {moment(report.notes[-1].at)}"
    return f"FINAL: signed by {by}"


def _state(report: Report) -> str | None:
    """What keeps a slide from being whole; None where nothing does."""
    if report.state == "under way":
        return "STILL BEING SCREENED: counts and finding will change."
    if report.finished_at is None:
        return (
            "CUT OFF: the screening did not come to its end, because the power went or somebody ended it. "
            "The counts are of what was read until then."
        )
    return None


def _about(report: Report) -> Iterator[tuple[str, str]]:
    yield "Patient", said(report.patient)
    age = many(report.age, "year") if report.age is not None else f"age {NOBODY_SAID}"
    yield "Age, sex", f"{age}, {report.sex or f'sex {NOBODY_SAID}'}"
    specimen = _SPECIMENS.get(report.rules.specimen, said(report.rules.specimen))
    yield "Slide", f"{said(report.slide)}, smear of {specimen}"
    ended = f" to {moment(report.finished_at)}" if report.finished_at else ""
    yield "Screened", f"{moment(report.started_at)}{ended}, {_CLOCKS.get(report.clock, report.clock)}"
    yield "Report made", moment(report.made_at)


def _evidence(report: Report, finding: Finding) -> Iterator[tuple[str, str]]:
    """What the finding rests on, in words."""
    if report.tally is not None and report.rules.sign:
        yield from _fractions(report, finding, report.tally)
        yield "How often the model errs", _rates(report)
    if finding.apl is not None:
        yield (
            "APL (promyelocytic)",
            (
                "The blasts may be of APL: say so in the call."
                if finding.apl.alert
                else "The blasts do not look like those of APL. It may be APL all the same."
            ),
        )


def _fractions(report: Report, finding: Finding, tally: Tally) -> Iterator[tuple[str, str]]:
    counted = f"{many(tally.positives, report.rules.sign)} among {many(tally.leukocytes, tally.unit)}"
    share = ""
    if finding.blast_fraction is not None and finding.interval is not None:
        share = (
            f": {percent(finding.blast_fraction)}; {level(finding.level)} interval "
            f"{between(finding.interval)}, for chance in counting alone"
        )
    yield "Counted", counted + share
    confirmed = sum(tally.confirmed.get(name, 0) for name in report.rules.positive)
    yield (
        "By people",
        (
            f"{many(confirmed, report.rules.sign)} confirmed, {tally.overruled} overruled, "
            f"{tally.candidates} not looked at yet"
        ),
    )
    if finding.corrected is not None and finding.corrected_interval is not None:
        yield "Corrected for the model's errors", _corrected(report, finding, finding.corrected_interval)


def _corrected(report: Report, finding: Finding, at_any_look: tuple[float, float]) -> str:
    """The corrected fraction with the interval that holds now, and that which held all along."""
    found = f"{percent(finding.corrected or 0)}, {level(finding.level)} interval"
    if (at_end := report.interval_at_end) is None:
        return f"{found} {between(at_any_look)}, which holds at every look while the slide is screened."
    return (
        f"{found} {between(at_end)} now that the slide is screened; {between(at_any_look)} held at every "
        "look while it was."
    )


def _rates(report: Report) -> str:
    rates = report.rules.rates
    if rates is None:
        return report.rules.strange or "Nobody measured it elsewhere than where it learned: people judge."
    here = "in this laboratory" if rates.place == "site" else "in laboratories that it did not learn from"
    found, false = rates.sensitivity, rates.false_blasts
    return (
        f"Of a slide's {report.rules.sign}s it finds {percent(found.mean)} "
        f"({between((found.low, found.high))} from slide to slide), and calls {percent(false.mean)} "
        f"({between((false.low, false.high))}) of the other {report.rules.unit}s so; {here}."
    )
