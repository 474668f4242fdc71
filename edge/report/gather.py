"""A slide's report from the records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from statistics import median
from typing import Any

from edge.bundle.site import in_words
from edge.line.evidence import wilson_interval
from edge.line.ledger import agreed
from edge.line.rules import Rules
from edge.records.book import Book
from edge.records.people import About, Signature, Word
from edge.records.rows import Row, finding_of, tally_of
from edge.report.pictures import Pictures
from edge.report.references import MAIN, reference
from edge.report.report import Quality, Report, Reported, Share, Status
from edge.report.scanmap import ScanMap
from edge.review.cells import Cell, cells_of, interval_at_end, ranked, rules_of
from edge.review.unfinished import judged
from edge.review.whole import without_cells
from edge.types import Tally

GALLERY = 200
"""Cells shown at most: a page more of pictures is looked at by nobody, and the report is to be sent."""

_LEVEL = 0.95
_MADE_WITH = ("bundle", "bundle_sha256", "profile", "camera", "runtime", "version")


def gather(book: Book, slide: str, made_at: datetime | None = None) -> Report:
    """The report of a slide, under way or not, as the records have it now.

    Parameters
    ----------
    made_at : what the report says when it was made; now for None.

    Raises
    ------
    RecordsError : there is no such slide, or it cannot be read.
    """
    row = judged(book, book.found(slide))
    name, rules = row["id"], rules_of(row)
    about, signatures = book.about(name), tuple(book.signatures(name))
    tally = tally_of(row["tally"])
    places = book.places(name)
    scanned = ScanMap.of(places)
    said = book.said(name)
    views = book.views(name)
    seen = ranked(cells_of(views, rules), rules.positive)
    cells = _reported(seen, said, rules, scanned)
    shown = [cell for cell in cells if cell.seen.suspicious or cell.words]
    return Report(
        slide=name,
        origin=row["origin"] or "",
        made_at=(made_at or datetime.now(UTC)).isoformat(timespec="seconds"),
        status=status_of(about, signatures),
        state=row["state"],
        patient=about.patient,
        age=about.age,
        sex=about.sex,
        notes=about.notes,
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        clock=row["clock"],
        finding=finding_of(row),
        interval_at_end=interval_at_end(row),
        tally=tally,
        rules=rules,
        differential=_shares(row, rules, about.age),
        beside=tuple(_beside(row, rules)),
        cells=tuple(cells),
        gallery=tuple(shown[:GALLERY]),
        left_out=max(len(shown) - GALLERY, 0),
        map=scanned,
        quality=_quality(book, row, places, tally),
        made_with={key: row[key] for key in _MADE_WITH}
        | {
            "trusted": bool(row["trusted"]),
            "caveats": tuple(row["caveats"] or ()),
            "site": row["site"] and in_words(row["site"]),
        },
        crop_um=row["crop_um"],
        readers=tuple(row["readers"]),
        finished=tuple(book.finished(name)),
        signatures=signatures,
        checksum=book.checksum(name),
        record=without_cells(book, row),
        views=views,
        said=said,
        pictures=Pictures(book, name),
    )


def status_of(about: About, signatures: tuple[Signature, ...]) -> Status:
    """What the report of a slide is to whoever receives it."""
    if not signatures or signatures[-1].reopened is not None:
        return "preliminary"
    if len(signatures) > 1:
        return "corrected"
    return "appended" if any(note.at > signatures[-1].at for note in about.notes) else "final"


def _reported(seen: list[Cell], said: list[Word], rules: Rules, scanned: ScanMap | None) -> list[Reported]:
    """The cells in this order, with what people said of them and where they lie."""
    words: dict[int, dict[str, Word]] = {}
    for word in said:
        of_cell = words.setdefault(word.cell, {})
        of_cell.pop(word.by, None)
        if word.named is not None:
            of_cell[word.by] = word
    corners = scanned.corner_um() if scanned else {}
    return [
        Reported(
            seen=cell,
            words=tuple(held := [*words.get(cell.id, {}).values()]),
            people=agreed([str(word.named) for word in held], rules.positive),
            place_um=_place(cell, corners),
        )
        for cell in seen
    ]


def _place(cell: Cell, corners: Mapping[int, tuple[float, float]]) -> tuple[float, float] | None:
    if cell.frame not in corners:
        return None
    x, y = corners[cell.frame]
    x0, y0, x1, y1 = cell.box_px
    return x + (x0 + x1) / 2 * cell.um_per_px, y + (y0 + y1) / 2 * cell.um_per_px


def _shares(row: Row, rules: Rules, age: int | None) -> tuple[Share, ...]:
    """The classes of the differential."""
    counts, total = row["counts"], row["cells_counted"]
    of_all = rules.unit == "leukocyte" and set(rules.leukocytes) >= MAIN
    return tuple(
        Share(
            name=name,
            count=(n := counts.get(name, 0)),
            share=n / total if total else None,
            interval=wilson_interval(n, total, _LEVEL) if total else None,
            confirmed=row["confirmed"].get(name, 0),
            reference=reference(name, age, rules.specimen) if of_all else None,
        )
        for name in rules.leukocytes
    )


def _beside(row: Row, rules: Rules) -> list[Share]:
    """The classes that are no leukocytes, those with any cells."""
    return [
        Share(name, n, None, None, row["confirmed"].get(name, 0), None)
        for name, n in row["counts"].items()
        if n and name not in rules.leukocytes
    ]


def _quality(book: Book, row: Row, places: list[Row], tally: Tally | None) -> Quality:
    fields: dict[str, Any] = book.fields(row["id"])
    scales = [place["um_per_px"] for place in places]
    focus = [place["focus"] for place in places if place["focus"] is not None]
    problems = Counter(book.problems(row["id"]))
    return Quality(
        fields=fields["frames"],
        rejected=fields["rejected"],
        repeated=fields["repeated"],
        problems=dict(problems.most_common()),
        uncertain=tally.uncertain if tally else 0,
        um_per_px=median(scales) if scales else None,
        um_per_px_from=tuple(dict.fromkeys(place["um_per_px_from"] for place in places)),
        focus=median(focus) if focus else None,
    )
