"""FHIR: a slide as a transaction of HL7 FHIR R4 (4.0.1), to be sent to a hospital's server."""

from __future__ import annotations

import json
from collections.abc import Iterator

from edge.report.fhir import observations, resources
from edge.report.fhir.elements import Json, element, identifier
from edge.report.fhir.entries import Entries
from edge.report.fhir.observations import Common
from edge.report.formats import Layout
from edge.report.report import Report


def files(report: Report, layout: Layout) -> Iterator[tuple[str, bytes]]:
    """The slide as `.fhir.json`; docs/fhir.md says what is in it and how to send it."""
    text = json.dumps(bundle(report, layout), ensure_ascii=False, allow_nan=False, indent=1)
    yield ".fhir.json", f"{text}\n".encode()


def bundle(report: Report, layout: Layout, *, pictures: bool = True) -> Json:
    """The transaction; without `pictures` neither crops nor the PDF are in it.

    What a server may have added to is only created (patient, devices). The rest is replaced, so that a
    signature, a correction or another patient reaches what was sent before; sent again as it is, it stays.
    """
    entries, slide = Entries(report.origin), report.slide
    subject = (
        entries.add(resources.patient(report, entries), report.patient, once=True) if report.patient else None
    )
    device = _device(report, entries)
    of_slide = identifier(entries.system("slides"), slide)
    specimen = entries.add(resources.specimen(report, of_slide, subject), slide)
    common = element(
        subject=subject,
        effectivePeriod=resources.period(report),
        performer=[resources.person(one, entries) for one in report.readers],
        specimen=specimen,
        device=device,
    )
    results = _results(report, entries, common)
    shown = [
        {
            "comment": resources.said(cell),
            "link": entries.add(resources.media(report, cell, jpeg, common), slide, str(cell.seen.id)),
        }
        for cell, jpeg in (resources.pictured(report) if pictures else ())
    ]
    of = entries.add(resources.diagnostic_report(report, entries, common, results, shown), slide)
    if pictures and (paper := resources.document(report, layout, common, of, entries)):
        entries.add(paper, slide)
    return {
        "resourceType": "Bundle", "type": "transaction", "timestamp": report.made_at, "entry": entries.listed,
    }  # fmt: skip


def _device(report: Report, entries: Entries) -> Json:
    """The program on the device."""
    made = report.made_with
    instrument = entries.add(resources.instrument(report), once=True)
    versions = made["version"], made["bundle"], made["bundle_sha256"]
    return entries.add(resources.program(report, instrument), *versions, once=True)


def _results(report: Report, entries: Entries, common: Json) -> list[Json]:
    """The differential, and each class."""
    counted = Common(report, common, report.record["cells_counted"])
    members = [entries.add(made, report.slide, name) for name, made in observations.counts(counted)]
    return [entries.add(observations.panel(counted, members), report.slide, ".panel"), *members]
