"""Slides as lines for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from edge.bundle.site import in_words
from edge.files.text import printable
from edge.records.book import Book
from edge.records.identifiers import goes_on, isolated
from edge.records.rows import Row, finding_of
from edge.review.cells import cells_of, interval_at_end, ranked, rules_of

_WIDTH = 79
_SLIDE = 26  # characters of a generated identifier
_SHOWN = 20  # cells of a slide; JSON has all


def table(slides: Sequence[Row]) -> Iterator[str]:
    """A slide a line, under it what is known of the patient and what people confirmed."""
    yield f"{'slide':{_SLIDE}}  {'started (UTC)':17}  {'cells':>5}  {'finding':14}  state"
    for slide in slides:
        name = slide["id"]
        if len(name) > _SLIDE:
            yield isolated(name)
            name = ""
        left = isolated(name) + " " * (_SLIDE - len(name))
        started = _minute(slide["started_at"]) + ("?" if slide["clock"] == "not set" else "")
        finding = slide["finding"] or "-"
        yield f"{left}  {started:17}  {slide['cells_counted']:5}  {finding:14}  {slide['state']}"
        told = [f"patient {isolated(slide['patient'])}"] if slide["patient"] else []
        told += [f"{n} {name} by people" for name, n in slide["confirmed"].items()]
        told += [f"signed by {slide['signed_by']}"] if slide["signed_by"] else []
        yield from _wrapped(", ".join(told), "  ")


def page(book: Book, slide: Row) -> Iterator[str]:
    """One slide: what it means, what was counted, who said what, its cells."""
    name = slide["id"]
    finding = finding_of(slide)
    yield f"slide {isolated(name)}: {finding.headline if finding else slide['state']}"
    if finding:
        yield from _wrapped(f"{finding.reason} {finding.advice}", "  ")
    yield ""
    started, finished = _minute(slide["started_at"]), _minute(slide["finished_at"] or "-")
    yield f"screened  {started} to {finished} UTC (clock {slide['clock']}), {slide['state']}"
    for again in slide["gone_on"] or ():
        yield f"gone on   {_minute(again['at'])} UTC, after it had been cut off"
    if slide["state"] == "cut off":
        told = f"by a power cut or by hand; {goes_on(name)}"
        yield from wrap(told, _WIDTH, initial_indent="cut off   ", subsequent_indent=" " * 10)
    yield f"with      {slide['bundle']} on {slide['profile']}, camera {printable(slide['camera'])}"
    for caveat in slide["caveats"] or ():
        told = f"model {printable(caveat)}"
        yield from wrap(told, _WIDTH, initial_indent="caveat    ", subsequent_indent=" " * 10)
    if slide["site"]:
        yield from wrap(
            in_words(slide["site"]), _WIDTH, initial_indent="site      ", subsequent_indent=" " * 10
        )
    about = book.about(name)
    age = "" if about.age is None else f"{about.age} years"
    if known := ", ".join(filter(None, (about.patient and isolated(about.patient), age, about.sex))):
        yield from wrap(known, _WIDTH, initial_indent="patient   ", subsequent_indent=" " * 10)
    for note in about.notes:
        yield f"note      {note.by}, {_minute(note.at)} UTC"
        for line in note.text.splitlines():
            yield from _wrapped(line, " " * 10)
    for signature in book.signatures(name):
        yield f"signed    {signature.by}, {_minute(signature.at)} UTC: {signature.finding}"
        if back := signature.reopened:
            told = f"{back.by}, {_minute(back.at)} UTC: {back.text}"
            yield from wrap(told, _WIDTH, initial_indent="reopened  ", subsequent_indent=" " * 10)
    yield ""
    yield from _counts(slide)
    yield ""
    yield from _cells(book, slide)


def _counts(slide: Row) -> Iterator[str]:
    yield f"{'counted':22}  {slide['cells_counted']:5}"
    for name, n in slide["counts"].items():
        confirmed = slide["confirmed"].get(name)
        if n:
            yield f"  {name:20}  {n:5}{f'  {confirmed} by people' if confirmed else ''}"
    sign = (slide["tally"] or {}).get("sign", "blast")
    for what, value, ends in (
        (f"share of {sign}s", "blast_fraction", "interval"),
        ("  corrected", "corrected", "corrected"),
    ):
        low, high = slide[f"{ends}_low"], slide[f"{ends}_high"]
        if slide[value] is not None and low is not None:
            yield f"{what:22}  {slide[value]:5.1%}  between {low:.1%} and {high:.1%}"
    if at_end := interval_at_end(slide):
        yield f"{'  as it ended':22}  {'':5}  between {at_end[0]:.1%} and {at_end[1]:.1%}"


def _cells(book: Book, slide: Row) -> Iterator[str]:
    """The most suspicious cells, and those that people spoke of."""
    rules = rules_of(slide)
    cells = ranked(cells_of(book.views(slide["id"]), rules), rules.positive)
    words: dict[int, dict[str, str | None]] = {}
    for word in book.said(slide["id"]):
        words.setdefault(word.cell, {})[word.by] = word.named
    shown = [cell for i, cell in enumerate(cells) if i < _SHOWN or cell.id in words]
    yield f"{'cell':>6}  {'by the machine':22} {'suspicion':>9}  {'field':14}  by people"
    for cell in shown:
        named = cell.named + ("?" if cell.uncertain else "")
        line = f"{cell.id:6}  {named:22} {cell.suspicion:9.0%}  {printable(cell.source)[-14:]:14}"
        said = ", ".join(f"{by}: {named}" for by, named in words.get(cell.id, {}).items() if named)
        if len(f"{line}  {said}") > _WIDTH:
            yield line.rstrip()
            line, said = "", said.rjust(_WIDTH - 2)
        yield f"{line}  {said}".rstrip()
    if len(shown) < len(cells):
        yield f"and {len(cells) - len(shown)} more, which --json - has"


def _minute(at: str) -> str:
    return at[:16].replace("T", " ")


def _wrapped(text: str, indent: str) -> list[str]:
    return wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)
