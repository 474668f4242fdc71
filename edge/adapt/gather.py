"""Cells to learn from: of a slide that the line reads or has read, of folders, of the review."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.adapt.healthy import Scores
from edge.adapt.labelled import Named, prefix
from edge.adapt.names import class_of
from edge.bundle.bundle import Bundle
from edge.bundle.manifest import Manifest
from edge.bundle.site import Site
from edge.cells.classify import Classifier
from edge.line.ledger import Ledger
from edge.line.rules import Rules
from edge.line.screening import Screening
from edge.records.book import Book
from edge.records.database import RecordsError
from edge.review.cells import rules_of
from edge.types import F32, U8, Finding, FindingKind, Reading

Show = Callable[[int, Reading], None]
"""Is told how many leukocytes were counted so far, and the reading that told it."""


class Corrected:
    """Probabilities as they are at a site, for crops and what ships says of them.

    Without a classifier to give features, and without a correction, as they ship.
    """

    def __init__(self, classifier: Classifier | None, site: Site | None) -> None:
        self._classifier = classifier
        self._correction = site.correction if site else None

    def __call__(self, crops: U8, probabilities: F32) -> F32:
        """(n, S, S, 3) uint8 RGB and (n, C) float32 → (n, C) float32."""
        if self._classifier is None or self._correction is None or not len(crops):
            return probabilities
        return self._correction(probabilities, self._classifier.features(crops))


@dataclass
class _Slide:
    """Each cell of a slide once: in the view in which it entered the tally, else where it was seen first."""

    about: Manifest
    rows: dict[int, F32] = field(default_factory=dict)
    fields: dict[int, int] = field(default_factory=dict)
    settled: set[int] = field(default_factory=set)

    def see(self, cell: int, probabilities: F32, field: int, *, settled: bool) -> None:
        if cell in self.settled or (cell in self.rows and not settled):
            return
        self.rows[cell], self.fields[cell] = probabilities, field
        if settled:
            self.settled.add(cell)

    def scores(self) -> Scores:
        rows = (
            np.stack([*self.rows.values()])
            if self.rows
            else np.zeros((0, len(self.about.classes)), np.float32)
        )
        return Scores.of(rows, [*self.fields.values()], self.about)


def screened(
    screening: Screening,
    about: Manifest,
    corrected: Corrected,
    *,
    single_cell: bool,
    limit: int | None,
    show: Show,
) -> tuple[Scores, Finding | None]:
    """The scores of all cells that the line could count, and what it finds.

    Those that it leaves out because nobody is sure of their kind are among them: at another threshold they
    would be called blasts like any other.

    Parameters
    ----------
    limit : leukocytes after which the screening is stopped; None for its own end.
    """
    slide, found = _Slide(about), None
    for reading in screening.readings():
        assert reading.settled is not None
        unsure = reading.uncertain & (single_cell | ~reading.cells.cut)
        given = corrected(reading.crops, reading.probabilities)
        for i in np.flatnonzero(reading.settled | unsure).tolist():
            slide.see(int(reading.ids[i]), given[i], reading.frame.index, settled=bool(reading.settled[i]))
        found = reading.finding
        counted = slide.scores().leukocytes
        show(counted, reading)
        if limit is not None and counted >= limit:
            screening.stop()
    return slide.scores(), found


@dataclass(frozen=True)
class Recorded:
    """A slide of the records: its cells' scores, what the line found, how many blasts people confirmed."""

    scores: Scores
    found: FindingKind | None
    headline: str
    confirmed: int


def recorded(book: Book, name: str, bundle: Bundle, corrected: Corrected) -> Recorded:
    """A slide's cells, by the probabilities that were stored.

    Raises
    ------
    RecordsError : there is no such slide, it is being screened, or was by another model.
    """
    row = book.at_hand(name)
    if row["bundle_sha256"] != bundle.sha256:
        raise RecordsError(
            f"slide {row['id']}: was screened with {row['bundle']}, not this model; screen the film again"
        )
    about, views = bundle.manifest, book.views(row["id"])
    views = [view for view in views if view["settled"] or (view["uncertain"] and not view["cut"])]
    crops = book.crops(row["id"], [view["cell"] for view in views])
    slide = _Slide(about)
    for view in views:
        own = view["probabilities"]
        if view["cell"] in crops:
            own = corrected(crops[view["cell"]][None], own[None])[0]
        slide.see(view["cell"], own, view["frame"], settled=view["settled"])
    words = _words(book, row["id"], rules_of(row))
    return Recorded(
        scores=slide.scores(),
        found=row["machine"]["finding"],
        headline=row["machine"]["headline"] or "",
        confirmed=sum(name in about.positive for name in words.values()),
    )


def _words(book: Book, slide: str, rules: Rules) -> dict[int, str]:
    """Cell → what the people who looked at it agree on."""
    said, ledger = book.said(slide), Ledger(rules)
    ledger.hear(said)
    return {cell: word for cell in {one.cell for one in said} if (word := ledger.word(cell)) is not None}


@dataclass(frozen=True, eq=False)
class Gathered:
    """Cells that somebody named, and what was left out: in words → how many."""

    cells: Named
    left_out: Counter[str]


def of_folder(screening: Screening, classifier: Classifier, show: Show) -> Gathered:
    """Cells whose folder says what they are, one in the middle of each picture."""
    about, left = classifier.manifest, Counter[str]()
    crops, rows, labels, groups = [], [], [], []
    for n, reading in enumerate(screening.readings(), start=1):
        folder, _, name = reading.frame.source.partition("/")
        show(n, reading)
        if not name:
            left["pictures beside the folders"] += 1
        elif (meant := class_of(folder, about.classes)) is None:
            left[f"pictures in {folder}, which names no class"] += 1
        elif not len(reading.cells):
            left["pictures that cannot be read"] += 1
        else:
            crops.append(reading.crops[0])
            rows.append(reading.probabilities[0])
            labels.append(about.classes.index(meant))
            groups.append(prefix(name))
    return Gathered(named(classifier, crops, rows, labels, groups), left)


def of_records(book: Book, bundle: Bundle, classifier: Classifier) -> Gathered:
    """Cells that people named in the review, as the classifier saw them; a slide's belong together."""
    about, left = bundle.manifest, Counter[str]()
    crops, labels, groups = [], [], []
    for row in book.listed():
        if not row["readers"]:
            continue
        words = _words(book, row["id"], rules_of(row))
        if row["bundle_sha256"] != bundle.sha256:
            left["cells of slides that another model screened"] += len(words)
            continue
        pictures = book.crops(row["id"], [*words])
        for cell, word in words.items():
            if cell not in pictures:
                left["cells whose picture was not kept"] += 1
            else:
                crops.append(pictures[cell])
                labels.append(about.classes.index(word))
                groups.append(row["id"])
    rows = classifier.probabilities(np.stack(crops)) if crops else ()
    return Gathered(named(classifier, crops, [*rows], labels, groups), left)


def named(
    classifier: Classifier,
    crops: Sequence[U8],
    rows: Sequence[F32],
    labels: Sequence[int],
    groups: Sequence[str],
) -> Named:
    """Cells with their features.

    Raises
    ------
    BundleError : the model gives no features.
    """
    if not crops:
        nothing = np.zeros((0, len(classifier.manifest.classes)), np.float32)
        return Named(nothing, nothing[:, :0], np.zeros(0, np.int32), np.zeros(0, np.str_))
    features = classifier.features(np.stack([*crops]))
    return Named(np.stack([*rows]), features, np.array(labels, np.int32), np.array(groups, np.str_))


def in_words(left: Counter[str]) -> Iterator[str]:
    """What was left out, one line each."""
    for what, count in left.most_common():
        yield f"left out: {count} {what}"
