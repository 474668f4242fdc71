"""How good the fields were, what read them, who said and signed what, and how to check the record."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator

from edge.report.pages.blocks import Block, Facts, Figure, Section, Table, Text
from edge.report.pages.code import qr_code
from edge.report.pages.words import called, many, moment, percent, said
from edge.report.report import Report

_SCALES = {
    "given": "given by whoever screened it",
    "calibration": "from the microscope's calibration",
    "red-cells": "measured by red cells",
    "red-cells-of-others": "measured by red cells of other pictures of the folder",
    "nominal": "assumed: nobody measured it",
}


def quality(report: Report) -> Section:
    """What the fields were like."""
    found = report.quality
    problems = ", ".join(f"{said(why)} {n}" for why, n in found.problems.items())
    rows = [
        ("Fields read", str(found.fields)),
        ("Turned down", f"{found.rejected}" + (f": {problems}" if problems else "")),
        ("Repeated", f"{found.repeated}, which showed nothing new"),
        ("Uncertain cells", f"{found.uncertain} left out: the machine abstained and nobody named them"),
    ]
    if found.um_per_px is not None:
        sources = ", ".join(_SCALES.get(one, said(one)) for one in found.um_per_px_from)
        rows.append(("Size of a pixel", f"{found.um_per_px:.4f} µm, {sources}"))
    if found.focus is not None:
        rows.append(("Usual focus", f"{percent(found.focus)} of the slide's best field"))
    return Section("quality", "Quality of the fields", (Facts(tuple(rows)),), together=True)


def made_with(report: Report) -> Section:
    """What read the slide."""
    made = report.made_with
    trust = "shipped, or signed by a trusted key" if made["trusted"] else "NOT signed by a trusted key"
    rates = report.rules.rates
    rows = [
        ("Model", f"{said(made['bundle'])}; {trust}"),
        *(("Caveat of the model", said(caveat)) for caveat in made["caveats"]),
        ("Its SHA-256", said(made["bundle_sha256"])),
        ("This site's correction", said(made["site"]) if made["site"] else "none: the model as it came"),
        ("Its errors, from", said(rates.source) if rates else "nobody measured them"),
        ("Device", said(made["profile"])),
        ("Camera", said(made["camera"])),
        ("Runtime", said(made["runtime"])),
        ("Program", f"Leukoscope {said(made['version'])}"),
        ("Record store", said(report.origin)),
    ]
    return Section("made-with", "Model and device", (Facts(tuple(rows)),), together=True)


def people(report: Report) -> Section:
    """Who said, finished, signed and noted what."""
    return Section("people", "Readers, signatures, notes", tuple(_people(report)))


def _people(report: Report) -> Iterator[Block]:
    if report.readers or report.finished:
        yield _readers(report)
    else:
        yield Text("No person has named a cell: every class is by the machine.")
    if (signature := report.signature) and signature.readers:
        kappa = "means nothing here" if signature.kappa is None else f"is {signature.kappa:.2f}"
        yield Text(
            f"{' and '.join(map(said, signature.readers))} read the slide blind to each other. Of "
            f"{many(signature.both or 0, 'cell')} that both named Cohen's kappa {kappa}."
        )
    if report.signatures:
        yield _signatures(report)
    if report.notes:
        yield Table(
            ("Note by", "When", "Note"),
            tuple((said(note.by), moment(note.at), said(note.text)) for note in report.notes),
            (0.12, 0.22, 0.66),
        )


def _readers(report: Report) -> Table:
    named = {by: Counter[str]() for by in report.readers}
    for cell in report.cells:
        for word in cell.words:
            named.setdefault(word.by, Counter())[str(word.named)] += 1
    finished = {one.by: one.at for one in report.finished}
    return Table(
        ("Reader", "Cells named", "Read to the end"),
        tuple(
            (
                said(by),
                ", ".join(f"{called(name)} {n}" for name, n in named.get(by, Counter()).most_common())
                or "none",
                moment(finished[by]) if by in finished else "no",
            )
            for by in dict.fromkeys([*named, *finished])
        ),
        (0.12, 0.63, 0.25),
    )


def _signatures(report: Report) -> Table:
    return Table(
        ("Signed by", "When", "Finding", "Taken back"),
        tuple(
            (
                said(one.by),
                moment(one.at),
                one.finding.replace("-", " "),
                f"by {said(back.by)}, {moment(back.at)}: {said(back.text)}"
                if (back := one.reopened)
                else "no",
            )
            for one in report.signatures
        ),
        (0.12, 0.22, 0.18, 0.48),
    )


def checksum(report: Report) -> Section:
    """The digest of all that the records hold of the slide, and how it is checked."""
    digits = report.checksum
    grouped = " ".join(digits[i : i + 8] for i in range(0, len(digits), 8))
    command = f"edge-slides verify {shlex.quote(report.slide)} --checksum {digits}"
    blocks = (
        Text(
            "SHA-256 of all that the records held of this slide when the report was made, people's words "
            "included. Whoever adds a word, a note or a signature changes it."
        ),
        Figure(qr_code(digits), full=False),
        Text(grouped, "digits"),
        Text("To check the record on the device against this page:"),
        Text(said(command), "digits"),
    )
    return Section("checksum", "Checksum of the record", blocks, together=True)
