"""What an observation hangs on: patient, devices, specimen, pictures, the report and its PDF."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import replace
from html import escape
from importlib import import_module

from edge.report.fhir import codes
from edge.report.fhir.codes import own
from edge.report.fhir.elements import Json, annotation, concept, element, identifier, unknown, words
from edge.report.fhir.entries import STORES, Entries
from edge.report.formats import FORMATS, Layout
from edge.report.report import RESEARCH_USE, Report, Reported

PICTURES = 40
"""Cells whose pictures travel at most: with 5 kB each a bundle stays below half a megabyte."""

PDF_BYTES = 1 << 20
"""A larger one stays behind: servers take no more within a resource (Medplum: 1 MiB of base64Binary)."""

_VOUCHED = ("set", "corrected")
_DOCUMENT = {"preliminary": "preliminary", "final": "final", "appended": "amended", "corrected": "amended"}
"""Of the report -> `docStatus` (http://hl7.org/fhir/R4/valueset-composition-status.html)."""


def patient(report: Report, entries: Entries) -> Json:
    known = identifier(entries.system("patients"), report.patient or "")
    return element(resourceType="Patient", identifier=[known], gender=report.sex)


def instrument(report: Report) -> Json:
    """The device, known by the store that it screens into."""
    return element(
        resourceType="Device",
        identifier=[identifier(STORES, report.origin)] if report.origin else [],
        deviceName=[{"name": "Leukoscope", "type": "user-friendly-name"}],
        type={"text": "microscope with a camera and a screening program"},
        note=[annotation(RESEARCH_USE)],
    )


def program(report: Report, parent: Json) -> Json:
    """The program and its model, which change while the device stays."""
    made = report.made_with
    versions = (
        ("program", made["version"]), ("model bundle", made["bundle"]),
        ("sha256 of the model bundle", made["bundle_sha256"]),
    )  # fmt: skip
    return element(
        resourceType="Device",
        deviceName=[{"name": f"Leukoscope {made['version']}, {words(made['bundle'])}", "type": "model-name"}],
        type={"text": "screening program with a model"},
        version=[{"type": {"text": what}, "value": words(value)} for what, value in versions if value],
        parent=parent,
        note=[annotation(RESEARCH_USE)],
    )


def specimen(report: Report, slide: Json, subject: Json | None) -> Json:
    """The smear. When it was taken or came in nobody told the device, so no time stands there."""
    name = report.rules.specimen
    ended = f" to {report.finished_at}" if report.finished_at else ""
    clock = "" if report.clock in _VOUCHED else "; nobody vouches for that clock"
    screened = f"When it was taken is not known. Screened {report.started_at}{ended}{clock}."
    kind = [codes.SPECIMENS[name]] if name in codes.SPECIMENS else []
    return element(
        resourceType="Specimen",
        identifier=[slide],
        type=concept(f"stained smear of {name}", *kind),
        subject=subject,
        note=[annotation(words(screened))],
    )


def period(report: Report) -> Json:
    """When the slide was screened; unknown where nobody vouches for the clock."""
    if report.clock not in _VOUCHED:
        return unknown()
    ended = report.finished_at
    return element(start=report.started_at, end=ended if ended and ended >= report.started_at else None)


def person(initials: str, entries: Entries) -> Json:
    """A reference to somebody of whom only the initials are known, which are nobody's but this device's."""
    who = identifier(entries.system("people"), initials)
    return {"type": "Practitioner", "identifier": who, "display": words(initials)}


def pictured(report: Report) -> list[tuple[Reported, bytes]]:
    """The cells whose crops travel: those that people call positive, then the most suspicious."""
    positive = report.rules.positive
    ranked = sorted(report.gallery, key=lambda cell: cell.people not in positive)
    crops = report.pictures.crops([cell.seen.id for cell in ranked])
    return [(cell, crops[cell.seen.id]) for cell in ranked if cell.seen.id in crops][:PICTURES]


def media(report: Report, cell: Reported, jpeg: bytes, common: Json) -> Json:
    """A cell as the classifier saw it."""
    side = f", {report.crop_um:g} µm wide" if report.crop_um else ""
    return element(
        resourceType="Media",
        status="completed",
        type=concept("", codes.IMAGE),
        subject=common.get("subject"),
        createdPeriod=common["effectivePeriod"],
        device=common["device"],
        content={"contentType": "image/jpeg", "data": _base64(jpeg), "title": f"cell {cell.seen.id}{side}"},
        note=[annotation(said(cell)), annotation(RESEARCH_USE)],
    )


def said(cell: Reported) -> str:
    """What a cell is by the machine and by people."""
    seen = cell.seen
    machine = f"{seen.named}, uncertain" if seen.uncertain else seen.named
    people = ", ".join(f"{word.named} ({word.by})" for word in cell.words)
    return words(
        f"Cell {seen.id}: by the machine {machine}, suspicion {seen.suspicion:.2f}; by people "
        f"{people or 'not named'}"
    )


def diagnostic_report(
    report: Report, entries: Entries, common: Json, results: Sequence[Json], shown: Sequence[Json]
) -> Json:
    finding = report.finding
    told = [*conclusion(report)]
    signed = report.signature
    people = dict.fromkeys(
        [signed.by, *signed.readers, *(one.by for one in report.finished)] if signed else []
    )
    return element(
        resourceType="DiagnosticReport",
        text=_narrative(told),
        identifier=[identifier(entries.system("slides"), report.slide)],
        status=report.status,
        category=[concept("", section) for section in codes.SECTIONS],
        code=codes.panel(report.rules),
        subject=common.get("subject"),
        effectivePeriod=common["effectivePeriod"],
        issued=issued(report),
        performer=[person(signed.by, entries)] if signed else [],
        resultsInterpreter=[person(one, entries) for one in people],
        specimen=[common["specimen"]],
        result=[*results],
        media=[*shown],
        conclusion="\n".join(told),
        conclusionCode=[own(f"finding.{finding.kind}", finding.headline)] if finding else [],
    )


def conclusion(report: Report) -> Iterator[str]:
    """What the slide says, what came after, and what it is not to be used for; a line each."""
    finding = report.finding
    told = (finding.headline, finding.reason, finding.advice) if finding else ("No finding yet.",)
    yield from (words(line) for line in told if line)
    for signature in report.signatures:
        if back := signature.reopened:
            yield words(f"Signed by {signature.by}, reopened by {back.by} on {back.at[:10]}: {back.text}")
    for note in report.notes:
        yield words(f"Note of {note.by or 'the one who began'} on {note.at[:10]}: {note.text}")
    yield RESEARCH_USE


def issued(report: Report) -> str:
    """Since when the report says this: signed, or a note added after; of an open slide when it is made."""
    if report.signature is None:
        return report.made_at
    after = [note.at for note in report.notes] if report.status == "appended" else []
    return max([report.signature.at, *after])


def document(report: Report, layout: Layout, common: Json, of: Json, entries: Entries) -> Json | None:
    """The PDF; None where it cannot be made here, or is too large."""
    pdf = _pdf(report, layout)
    if pdf is None or len(pdf) > PDF_BYTES:
        return None
    signed = report.signature
    return element(
        resourceType="DocumentReference",
        status="current",
        docStatus=_DOCUMENT[report.status],
        type=concept("report of a screened slide", codes.LABORATORY_REPORT),
        subject=common.get("subject"),
        date=issued(report),
        author=[person(signed.by, entries)] if signed else [],
        description=words(f"Report of slide {report.slide}. {RESEARCH_USE}"),
        content=[{
            "attachment": {
                "contentType": "application/pdf",
                "data": _base64(pdf),
                "title": words(f"{report.slide}.pdf"),
            }
        }],
        context={"related": [of]},
    )  # fmt: skip


def _pdf(report: Report, layout: Layout) -> bytes | None:
    """The PDF with as many cells as come as pictures of their own: whole, it is too much for a resource."""
    cells = report.gallery
    left_out = report.left_out + len(cells[PICTURES:])
    report = replace(report, gallery=cells[:PICTURES], left_out=left_out)
    module, function = FORMATS["pdf"].split(":")
    try:
        written = getattr(import_module(module), function)(report, layout)
        return next((content for ending, content in written if ending == ".pdf"), None)
    except ModuleNotFoundError as error:
        if error.name not in (module, "reportlab"):
            raise
        return None


def _narrative(lines: Sequence[str]) -> Json:
    """The same for people who read with a general program."""
    shown = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{shown}</div>'}


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
