"""A slide under a person's eye, without a screen: what to look at, what was said, and what follows from it.

Two people read a slide blind to each other: until a person's reading is finished, nothing here shows what
others said, neither cell by cell nor in the counts. What is kept with the slide follows from all words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Self

import numpy as np

from edge.line.finding import judge
from edge.line.ledger import Ledger
from edge.records.book import Book
from edge.records.identifiers import initials
from edge.records.people import About, Place, Signature, Word
from edge.records.rows import apl_of, finding_of
from edge.review.agreement import Agreement
from edge.review.cells import Cell, cells_of, ranked, rules_of
from edge.review.words import Words, hold
from edge.types import U8, Finding, Said, Tally

_POSITIVE = ("refer", "read-film")

_AT_ONCE = 64
"""Crops read together: a screenful and more, within a few milliseconds."""

_IN_MEMORY = 512
"""Crops kept in memory at most, 14 MB."""


class Review:
    """A slide under one person's eye; a context manager, for others are told while it is open.

    Parameters
    ----------
    book : the records. slide : its identifier. by : the person's initials.
    hear : is given words as they come, this person's and those of others at the same slide: a screening of
        the slide, which counts with them (`edge.line.screening.Screening.hear`).

    Attributes
    ----------
    slide, by : as the records have them.
    cells : the slide's, called positive before the rest, the most suspicious first and then the doubtful.
    classes, positives, leukocytes, bundle_sha256 : of the bundle.
    site_file : fingerprint of the site's file that it was read with; empty for the bundle's own figures.
    others : initials of those who had the slide open when this person opened it; see also `beside`.

    Raises
    ------
    RecordsError : from every method, with a clear word: no such slide, one that another program screens, ...
    """

    def __init__(
        self, book: Book, slide: str, by: str, hear: Callable[[Sequence[Said]], object] | None = None
    ) -> None:
        self._book, self._hear = book, hear
        self.by = initials(by)
        row = book.at_hand(slide)
        self.slide = str(row["id"])
        self.bundle_sha256 = str(row["bundle_sha256"])
        self.site_file = str(row["site"]["file"]) if row["site"] else ""
        self._rules = rules_of(row)
        self.classes, self.leukocytes = self._rules.classes, self._rules.leukocytes
        self.positives = self._rules.positive
        counted = cells_of(book.views(self.slide), self._rules)
        self.cells = tuple(ranked(counted, self.positives))
        self._places = {cell.id: i for i, cell in enumerate(self.cells)}
        self._settled = [cell for cell in counted if cell.settled]
        tally = row["machine"]["tally"]
        self._apl = apl_of(tally)  # features are not kept, so it stays as the screening left it
        self._uncertain = tally["uncertain"] if tally else book.undecided(self.slide)
        # what an older version found, by rules that it did not keep, stands until no blast of it is left
        found = None if row["rules"] else finding_of(row["machine"])
        self._found_before = found if found and found.kind in _POSITIVE else None
        self._fields = book.fields(self.slide)
        self._crops: dict[int, U8] = {}
        self._begin()
        self._held = ExitStack()
        self.others = self._held.enter_context(book.open_by(self.slide, self.by))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave the slide; everything said is kept already."""
        self._held.close()

    def _begin(self) -> None:
        """Count what the machine counted, and hear what the records have."""
        ids = np.array([cell.id for cell in self._settled], np.int32)
        called = np.array([self.classes.index(cell.named) for cell in self._settled], np.int32)
        self._alone, self._together = Ledger(self._rules), Ledger(self._rules)
        for ledger in (self._alone, self._together):
            ledger.count(ids, called)
        self._words = Words(self.by)
        self.finished = any(one.by == self.by for one in self._book.finished(self.slide))
        self._take(self._book.said(self.slide))

    def _take(self, words: Sequence[Word]) -> None:
        """Hear words that are new here."""
        self._words.take(words)
        self._together.hear(words)
        self._alone.hear(word for word in words if word.by == self.by)
        self.tally, self.finding = self._judged(self._together if self.finished else self._alone)

    def _judged(self, ledger: Ledger) -> tuple[Tally, Finding]:
        """What the slide says by these words."""
        tally = ledger.tally(uncertain=self._uncertain, apl=self._apl, **self._fields)
        finding = judge(tally, self._rules)
        found = self._found_before
        if found is None or finding.kind in _POSITIVE or not tally.positives:
            return tally, finding
        reason = f"When it was screened: {found.reason}"
        return tally, replace(finding, kind=found.kind, headline=found.headline, reason=reason)

    @property
    def signature(self) -> Signature | None:
        """Who closed the slide; None while it is open."""
        return self._book.signature(self.slide)

    @property
    def about(self) -> About:
        """What is known of the slide and its patient."""
        return self._book.about(self.slide)

    @property
    def reading(self) -> int:
        """1 for the slide's first reader, 2 for the second, and so on."""
        readers = self._book.found(self.slide)["readers"]
        return (readers.index(self.by) if self.by in readers else len(readers)) + 1

    @property
    def counted_left(self) -> int:
        """Suspicious cells that this person has not said a word of."""
        return sum(cell.suspicious and cell.id not in self._words.held[self.by] for cell in self.cells)

    def beside(self) -> list[str]:
        """The initials of others who have the slide open at this moment."""
        return self._book.beside(self.slide, self.by)

    def cell(self, cell: int) -> Cell:
        """One cell."""
        return self.cells[self._places[cell]]

    def named(self, cell: int) -> str:
        """What a cell is called: this person's word above that of others, as far as it is known, and theirs
        above the machine's."""
        mine = self._words.held[self.by].get(cell)
        agreed = self._together.word(cell) if self.finished else None
        return mine or agreed or self.cell(cell).named

    def only(self, klass: str | None) -> list[Cell]:
        """The cells called so, all of them for None."""
        return [cell for cell in self.cells if klass is None or self.named(cell.id) == klass]

    def mine(self, cell: int) -> str | None:
        """What this person said of a cell."""
        return self._words.held[self.by].get(cell)

    def theirs(self, cell: int) -> dict[str, str]:
        """What others said of a cell, by their initials; empty until this person's reading is finished."""
        if not self.finished:
            return {}
        return {by: said[cell] for by, said in self._words.held.items() if by != self.by and cell in said}

    def say(self, cells: Iterable[int], named: str | None) -> None:
        """Call these cells so; None takes back what this person said. On the disk when it returns."""
        self._add(dict.fromkeys(cells, named))

    def confirm(self, cells: Iterable[int]) -> None:
        """Say of these cells what the machine said."""
        self._add({cell: self.cell(cell).named if cell in self._places else None for cell in cells})

    def undo(self) -> str | None:
        """Take back what this person said last, before today too; what that was, None at the beginning."""
        if not self._words.steps:
            return None
        step = self._words.steps[-1]
        self._add(step.before, undoes=step.number)
        return str(step)

    def _add(self, names: Mapping[int, str | None], undoes: int | None = None) -> None:
        if not names:
            return
        try:
            with self._book.at_once():
                self._book.say_each(self.slide, names, self.by, undoes=undoes)
                words = self._book.said(self.slide, self._words.last)
                self._take(words)
                self.keep()
        except BaseException:
            self._begin()  # nothing of it was said
            raise
        if self._hear is not None:
            self._hear(words)

    def keep(self) -> None:
        """Keep with the slide what follows from everybody's words; who screens it keeps that himself."""
        if self._book.found(self.slide)["state"] != "under way":
            tally, finding = self._judged(self._together)
            self._book.judged(self.slide, finding, tally, self.by)

    def finish(self) -> None:
        """This person has read the slide: others' words are shown from now on.

        What this person says later is kept too, but was not said blind: `agreement` leaves it out.
        """
        self._book.finish(self.slide, self.by)
        self.finished = True
        self._take(self._book.said(self.slide, self._words.last))

    def agreement(self) -> Agreement | None:
        """How far the slide's two readers agree in what they said blind; None before both have finished.

        Of this person and the other; for one who said nothing, of the first two who did.
        """
        if not self.finished:
            return None
        words = self._book.said(self.slide)
        read: dict[str, dict[int, str]] = {}
        for done in self._book.finished(self.slide):
            blind = [word for word in words if word.by == done.by and word.number <= done.word]
            if blind:
                read[done.by] = hold({}, blind)
        pair = [by for by in read if by != self.by][: 1 if self.by in read else 2]
        pair += [self.by] if self.by in read else []
        if len(pair) < 2:
            return None
        one, other = sorted(pair, key=list(read).index)
        return Agreement.of((one, other), read[one], read[other])

    def sign(self) -> Signature:
        """Close the slide: this person's reading is finished, and nobody says more of its cells."""
        try:
            with self._book.at_once():
                self.finish()
                agreement = self.agreement()
                if self._words.last or self._book.finding(self.slide) is None:
                    self.keep()
                if agreement is None:
                    return self._book.sign(self.slide, self.by)
                return self._book.sign(
                    self.slide, self.by, readers=agreement.readers, kappa=agreement.kappa, both=agreement.both
                )
        except BaseException:
            self._begin()  # nothing of it was done
            raise

    @property
    def place(self) -> Place | None:
        """Where this person's review stood last; None at the first time."""
        return self._book.place(self.slide, self.by)

    def keep_place(self, cell: int | None, only: str | None = None) -> None:
        """Remember the cell under the cursor, and the class that is shown alone."""
        self._book.keep_place(self.slide, self.by, cell, only)

    def crop(self, cell: int) -> U8 | None:
        """(S, S, 3) uint8 RGB, what the classifier saw of a cell; those after it are read along."""
        if cell not in self._crops:
            at = self._places[cell]
            self.read_crops([one.id for one in self.cells[at : at + _AT_ONCE]])
        return self._crops.get(cell)

    def read_crops(self, cells: Iterable[int]) -> None:
        """Read the crops of cells that are about to be shown, all at once."""
        wanted = [cell for cell in cells if cell not in self._crops]
        if wanted:
            self._crops |= self._book.crops(self.slide, wanted)
        while len(self._crops) > _IN_MEMORY:
            del self._crops[next(iter(self._crops))]

    def surroundings(self, cell: int) -> U8 | None:
        """(S, S, 3) uint8 RGB, the field round a cell; None where it was not kept."""
        return self._book.surroundings(self.slide, cell)
