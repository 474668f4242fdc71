"""A slide's cells, counted one by one in their order, and what people said of them: the tally."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from edge.line.rules import Rules
from edge.line.weighing import reached
from edge.types import I32, Apl, Positive, Said, Tally


class Ledger:
    """What was counted on a slide, and what people said of it.

    A person's word stands above the machine's: the evidence is weighed as if the machine had said what people
    said, at the place in the order where the cell was counted. So a positive finding stands at every later
    look, and falls only where people take away the cells that it stood on.

    Parameters
    ----------
    rules : the slide's.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._called: dict[int, int] = {}  # cell -> class by the machine, in the order of counting
        self._candidates: set[int] = set()  # those of them that the machine called positive
        self._said: dict[int, dict[str, str]] = {}  # cell -> person -> class, the last word last
        self._words: dict[int, str] = {}
        self._counts: Counter[int] = Counter()
        self._standing: Positive | None = None
        self._leukocyte = np.isin(rules.classes, rules.leukocytes)
        self._positive = np.isin(rules.classes, rules.positive)

    def count(self, ids: I32, classes: I32) -> None:
        """Add cells that were not counted before.

        Parameters
        ----------
        ids, classes : (n,) identities on the slide, and the machine's calls.
        """
        before = self._totals()
        added = dict(zip(ids.tolist(), classes.tolist(), strict=True))
        self._called |= added
        self._candidates |= {cell for cell, index in added.items() if self._positive[index]}
        if added.keys() & self._words.keys():  # a person was first, and it was counted by that word
            self._recount()
            return
        named = list(added.values())
        self._counts.update(named)
        self._standing = _stronger(self._standing, self._reached(np.array(named, np.int32), *before))

    def hear(self, said: Iterable[Said]) -> None:
        """Take people's words, in the order in which they were said."""
        for word in said:
            people = self._said.setdefault(word.cell, {})
            people.pop(word.by, None)
            if word.named is not None:
                people[word.by] = word.named
        self._words = {
            cell: name
            for cell, people in self._said.items()
            if (name := agreed(people.values(), self._rules.positive))
        }
        self._recount()

    def word(self, cell: int) -> str | None:
        """The class that people give a cell, None where nobody did or they differ."""
        return self._words.get(cell)

    def tally(
        self,
        *,
        uncertain: int = 0,
        frames: int = 0,
        rejected: int = 0,
        repeated: int = 0,
        trouble: str | None = None,
        apl: Apl | None = None,
    ) -> Tally:
        """The counts as they stand.

        `uncertain` are the cells that the line leaves out, those that people have named among them.
        """
        rules = self._rules
        positives, leukocytes = self._totals()
        looked_at = self._candidates & self._words.keys()
        return Tally(
            counts={name: self._counts[i] for i, name in enumerate(rules.classes)},
            leukocytes=leukocytes,
            positives=positives,
            candidates=len(self._candidates) - len(looked_at),
            confirmed=dict(Counter(self._words.values())),
            overruled=sum(self._words[cell] not in rules.positive for cell in looked_at),
            standing=self._standing,
            uncertain=max(uncertain - len(self._words.keys() - self._called.keys()), 0),
            frames=frames,
            rejected=rejected,
            repeated=repeated,
            trouble=trouble,
            unit=rules.unit,
            sign=rules.sign,
            apl=apl,
        )

    def _recount(self) -> None:
        """Count from the start, with people's words in place of the machine's."""
        named = [self._index(cell) for cell in self._order()]
        self._counts = Counter(named)
        self._standing = self._reached(np.array(named, np.int32), 0, 0)

    def _order(self) -> Iterable[int]:
        """The cells that count: those the machine counted, then those that only people did."""
        yield from self._called
        yield from (cell for cell in self._words if cell not in self._called)

    def _index(self, cell: int) -> int:
        word = self._words.get(cell)
        return self._called[cell] if word is None else self._rules.classes.index(word)

    def _totals(self) -> tuple[int, int]:
        """Positives and leukocytes counted."""
        counted = self._counts.items()
        return (
            sum(n for i, n in counted if self._positive[i]),
            sum(n for i, n in counted if self._leukocyte[i]),
        )

    def _reached(self, named: I32, positives: int, leukocytes: int) -> Positive | None:
        """The strongest positive finding on the way through these cells, after so many before them.

        Evidence only grows with a positive cell, so it is weighed after each of these.
        """
        if self._rules.rates is None or not len(named):
            return None
        is_positive = self._positive[named]
        k = positives + np.cumsum(is_positive)
        n = leukocytes + np.cumsum(self._leukocyte[named])
        looks = is_positive & self._leukocyte[named]
        return reached(k[looks], n[looks], self._rules.rule, self._rules.rates)


def agreed(names: Iterable[str], positive: Iterable[str]) -> str | None:
    """What people who named a cell agree on, the last word last; None where they differ.

    Who differ in the kind of a cell agree still that it is no blast: then the last word holds.
    """
    given = list(names)
    if not given or (len(set(given)) > 1 and set(given) & set(positive)):
        return None
    return given[-1]


def _stronger(one: Positive | None, other: Positive | None) -> Positive | None:
    return "refer" if "refer" in (one, other) else one or other
