"""What people say of a slide's cells now, beside what the machine had said."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.line.ledger import agreed
from edge.records.book import Book
from edge.records.people import Finished, Word
from edge.records.rows import Row
from edge.review.cells import Cell, cells_of, rules_of


@dataclass(frozen=True, eq=False)
class NamedCell:
    """A cell that somebody named.

    Attributes
    ----------
    seen : as the machine saw it. machine_p : the probability that it gave the class that it called it.
    words : reader -> class, the last word of each, in the order in which they were said.
    people : the class that counts; None where readers differ.
    """

    seen: Cell
    machine_p: float
    words: Mapping[str, str]
    people: str | None


@dataclass(frozen=True, eq=False)
class NamedSlide:
    """A slide of whose cells somebody named some.

    Attributes
    ----------
    about : what is told of it with its cells: names of store and slide, bundle, classes, ...
    patient : as noted last; None where nobody did.
    crop_um : side of a cell's crop; None where nobody knows.
    said : how much people left of it, to tell which of two copies is the later one.
    """

    about: dict[str, Any]
    patient: str | None
    crop_um: float | None
    said: tuple[int, ...]
    cells: tuple[NamedCell, ...]


def named_slide(book: Book, row: Row) -> NamedSlide:
    """What people say of the slide of this row of `edge.records.slidelist.SlideList.listed`."""
    name, rules = str(row["id"]), rules_of(row)
    said, finished = book.said(name), book.finished(name)
    standing = _standing(said)
    seen = {cell.id: cell for cell in cells_of(book.views(name), rules)}
    cells = []
    for number, words in sorted(standing.items()):
        if (cell := seen.get(number)) is None:  # of a store that was saved from a damaged file
            continue
        cells.append(
            NamedCell(
                seen=cell,
                machine_p=float(cell.probabilities[rules.classes.index(cell.named)]),
                words={word.by: str(word.named) for word in words},
                people=settled(words, finished, rules.positive),
            )
        )
    about = {"store": row["origin"] or "", "slide": name, "specimen": rules.specimen}
    about |= {key: row[key] for key in ("started_at", "clock", "state", "bundle", "bundle_sha256", "version")}
    about |= {"classes": list(rules.classes), "positive": list(rules.positive)}
    patient = book.about(name).patient
    left = (len(said), len(finished), len(book.signatures(name)), int(patient is not None))
    return NamedSlide(about, patient, row["crop_um"], left, tuple(cells))


def _standing(said: Iterable[Word]) -> dict[int, list[Word]]:
    """Cell -> the last word of each reader who did not take it back, in order."""
    held: dict[int, dict[str, Word]] = {}
    for word in said:
        of_cell = held.setdefault(word.cell, {})
        of_cell.pop(word.by, None)
        if word.named is not None:
            of_cell[word.by] = word
    return {cell: list(words.values()) for cell, words in held.items() if words}


def settled(words: Sequence[Word], finished: Iterable[Finished], positive: Sequence[str]) -> str | None:
    """The class that people give a cell, as the review counts it; None where readers differ.

    Where they differ in the kind of a cell that is no blast the review takes the last word. Here that word
    must have been said with the others' in view, after its reader had finished: else it is one reading
    against another, and no label.
    """
    names = [str(word.named) for word in words]
    people = agreed(names, positive)
    if len(set(names)) < 2:
        return people
    blind = {one.by: one.word for one in finished}
    last = words[-1]
    return people if last.number > blind.get(last.by, last.number) else None
