"""What stands on an archive's summary: outcomes, quality, months, how it was made and what is missing."""

from __future__ import annotations

from collections.abc import Iterator

from edge.archive.overview.charts import bar
from edge.archive.overview.gather import MOST_BAD, MOST_SLIDES, Gathered
from edge.archive.overview.monthly import monthly
from edge.archive.overview.months import SOMEBODY
from edge.archive.overview.status import duration
from edge.archive.runs import now
from edge.report.pages.blocks import Block, Facts, Pages, Section, Table, Text
from edge.report.pages.drawing import Drawing
from edge.report.pages.words import between, called, moment, percent, said
from edge.report.report import RESEARCH_USE
from edge.types import LeftOut

_MEANING = {
    "refer": "refer the patient",
    "read-film": "have an expert read the film",
    "no-blasts-seen": "does not rule out leukemia",
    "keep-scanning": "too little was counted to decide",
    "not-readable": "its fields could not be read",
}
"""Finding -> what it asks for, in the order in which they are shown."""

_SLIDE = (
    "Slide", "Finding", "Blasts, corrected", "Interval", "As counted", "Leukocytes", "Fields", "Turned down",
)  # fmt: skip


def pages(gathered: Gathered) -> Pages:
    """The summary as pages."""
    status = gathered.status
    return Pages(
        title="An archive screened for leukemia",
        about=f"Archive {said(status.order.source)}",
        standing="Whole" if status.whole else "NOT FINISHED",
        made_at=now().isoformat(timespec="seconds"),
        made_by=f"Leukoscope {said(status.order.version)}",
        essentials=tuple(_essentials(gathered)),
        sections=(
            Section("outcomes", "Slides that need somebody", tuple(_slides(gathered))),
            Section("quality", "Quality of the fields", tuple(_quality(gathered))),
            monthly(gathered.months),
            Section("bad-files", "Files that could not be read", tuple(_bad_files(gathered))),
            Section("nodes", "Machines", tuple(_nodes(gathered)), together=True),
            Section("left-out", "What was left out", tuple(_left_out(gathered))),
            Section("made-with", "Model and program", (Facts(tuple(_made_with(gathered))),), together=True),
        ),
    )


def _essentials(gathered: Gathered) -> Iterator[Block]:
    status = gathered.status
    yield Text(RESEARCH_USE, "small")
    if not status.whole:
        planned = f" of {status.plan.fields:,}" if status.plan else ""
        yield Text(
            f"NOT FINISHED: {status.pictures:,}{planned} pictures are screened. This page tells of the "
            f"{gathered.done.fields:,} in shards that are whole.",
            "warning",
        )
    if not status.order.trusted:
        yield Text("The model is NOT signed by a trusted key: not for patients.", "warning")
    for caveat in status.order.caveats:
        yield Text(f"Caveat: model {said(caveat)}", "warning")
    findings = gathered.done.findings
    slides, asked = sum(findings.values()), sum(findings.get(kind, 0) for kind in SOMEBODY)
    if slides:
        need = f"{'slide' if slides == 1 else 'slides'} {'needs' if asked == 1 else 'need'}"
        yield Text(f"{asked:,} of {slides:,} {need} somebody", "headline")
        yield Text("The machine's findings; nobody has looked at the cells.", "strong")
        yield _outcomes(gathered, slides)
    else:
        yield Text("Nothing is screened yet", "headline")
    yield Facts(tuple(_about(gathered)))


def _outcomes(gathered: Gathered, slides: int) -> Table:
    findings = gathered.done.findings
    kinds = [*_MEANING, *sorted(set(findings) - set(_MEANING))]
    rows = tuple(
        (*_counted(called(kind), findings.get(kind, 0), slides, kind in SOMEBODY), _MEANING.get(kind, ""))
        for kind in kinds
    )
    heavy = frozenset(i for i, kind in enumerate(kinds) if kind in SOMEBODY and findings.get(kind))
    header = ("Finding", "Slides", "Share", "", "What it means")
    return Table(header, rows, (0.2, 0.1, 0.1, 0.25, 0.35), heavy)


def _counted(name: str, n: int, of: int, alarm: bool = False) -> tuple[str | Drawing, ...]:
    """A row's name, number, share and bar."""
    return name, f"{n:,}", percent(n / of), bar(n / of, f"{name}: {percent(n / of)}", alarm=alarm)


def _about(gathered: Gathered) -> Iterator[tuple[str, str]]:
    status, done = gathered.status, gathered.done
    yield "Archive", said(status.order.source)
    yield "Screened", f"{done.slides:,} slides, {done.fields:,} fields, {done.cells:,} cells seen"
    dated = [month.name for month in gathered.months if month.name]
    if dated:
        yield "Taken", f"{dated[0]} to {dated[-1]}" if len(dated) > 1 else dated[0]
    yield "Specimen", said(status.order.specimen)
    trust = "shipped, or signed by a trusted key" if status.order.trusted else "NOT signed by a trusted key"
    yield "Model", f"{said(status.order.bundle)}; {trust}"
    yield "Page made", moment(now().isoformat())


def _slides(gathered: Gathered) -> Iterator[Block]:
    total = sum(gathered.done.findings.get(kind, 0) for kind in SOMEBODY)
    if not gathered.slides:
        yield Text("None. A finding of no blasts seen does not rule out leukemia.")
        return
    shown = len(gathered.slides)
    first = f"The first {MOST_SLIDES} of {total:,}, by" if total > shown else "In the order of"
    yield Text(
        f"{first} the share of blasts among leukocytes, corrected for the model's errors. All stand in the "
        "table of slides (slides/*.parquet).",
        "small",
    )
    rows = tuple(
        (
            said(row["slide"]),
            called(row["finding"]),
            _share(row["blast_fraction_corrected"]),
            _interval(row["blast_interval_corrected"]),
            _share(row["blast_fraction"]),
            f"{row['cells_counted'] or 0:,}",
            f"{row['frames'] or 0:,}",
            f"{row['rejected'] or 0:,}",
        )
        for row in gathered.slides
    )
    yield Table(_SLIDE, rows, (0.25, 0.12, 0.11, 0.15, 0.1, 0.11, 0.08, 0.08))


def _share(value: float | None) -> str:
    return "not known" if value is None else percent(value)


def _interval(ends: list[float] | None) -> str:
    return between((ends[0], ends[1])) if ends and None not in ends else "not known"


def _quality(gathered: Gathered) -> Iterator[Block]:
    done = gathered.done
    if not done.fields:
        yield Text("No field was read.")
        return
    rows = [
        ("Turned down", done.rejected),
        *((f"– {called(kind)}", n) for kind, n in gathered.reasons.most_common()),
        ("Repeated: showed nothing new", done.repeated),
    ]
    yield Table(
        ("Fields", "How many", "Share", ""),
        tuple(_counted(name, n, done.fields) for name, n in rows),
        (0.4, 0.15, 0.15, 0.3),
        frozenset({0}),
    )
    yield Text("A field may be turned down for several reasons. What is turned down does not count.", "small")


def _bad_files(gathered: Gathered) -> Iterator[Block]:
    faults = gathered.done.faults
    if not faults:
        yield Text("Every file could be read.")
        return
    first = f"; the first {MOST_BAD} of them" if faults > MOST_BAD else ""
    yield Text(f"{faults:,} {'picture' if faults == 1 else 'pictures'}, counted as turned down{first}:")
    yield Table(
        ("File", "Slide", "Why"),
        tuple((said(bad.source), said(bad.slide), said(bad.reason)) for bad in gathered.bad),
        (0.4, 0.25, 0.35),
    )


def _made_with(gathered: Gathered) -> Iterator[tuple[str, str]]:
    order = gathered.status.order
    yield "Model", said(order.bundle)
    yield "Its SHA-256", said(order.bundle_sha256)
    for caveat in order.caveats:
        yield "Caveat of the model", said(caveat)
    yield "Precision", said(order.precision)
    yield "Site's correction", f"SHA-256 {said(order.site)}" if order.site else "none: the model as it came"
    scale = "measured by red cells where the input does not say" if order.um_per_px is None else (
        f"{order.um_per_px:g} µm where the input does not say"
    )  # fmt: skip
    yield "Size of a pixel", scale
    if order.single_cell:
        yield "Pictures", "one leukocyte each, in its middle"
    if order.independent:
        yield "Slides", "each picture is one of its own"
    yield "Program", f"Leukoscope {said(order.version)}"


def _nodes(gathered: Gathered) -> Iterator[Block]:
    nodes = sorted(gathered.done.by_node.items())
    if not nodes:
        yield Text("Nothing is screened yet.")
        return
    total = sum(work.fields for _, work in nodes) or 1
    yield Table(
        ("Machine", "Fields", "Share", "", "Workers' time", "Fields/s a worker"),
        tuple(
            (
                *_counted(said(name), work.fields, total),
                duration(work.seconds),
                f"{work.fields / work.seconds:.2f}" if work.seconds else "–",
            )
            for name, work in nodes
        ),
        (0.28, 0.13, 0.1, 0.21, 0.14, 0.14),
    )


def _left_out(gathered: Gathered) -> Iterator[Block]:
    plan = gathered.status.plan
    if plan is None or not (plan.left_out or plan.notes):
        yield Text("Nothing of the input was left out.")
        return
    if plan.left_out:
        yield _files("Why", plan.left_out)
    else:
        yield Text("Nothing of the input was left out.")
    if plan.notes:
        yield Text("Screened, but perhaps not meant so:")
        yield _files("What", plan.notes)


def _files(title: str, found: tuple[LeftOut, ...]) -> Table:
    rows = sorted(found, key=lambda one: -one.count)
    return Table(
        (title, "Files", "The first of them"),
        tuple((said(one.reason), f"{one.count:,}", said(one.first)) for one in rows),
        (0.5, 0.1, 0.4),
    )
