"""Who said what of which cells, and how to take back what one of them said last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from edge.records.people import Word


@dataclass(frozen=True)
class Step:
    """What a person said at once.

    Attributes
    ----------
    number : the records'. names : of which cells, None taking back.
    before : what the person said of them before.
    """

    number: int
    names: Mapping[int, str | None]
    before: Mapping[int, str | None]

    def __str__(self) -> str:
        which = f"cell {next(iter(self.names))}" if len(self.names) == 1 else f"{len(self.names)} cells"
        names = set(self.names.values())
        named = names.pop() or "taken back"
        return f"{which}: {'confirmed' if names else named}"


class Words:
    """The words on one slide, as they came.

    Parameters
    ----------
    by : the person whose steps can be taken back.

    Attributes
    ----------
    held : person -> cell -> class: the last word of each.
    steps : what `by` said and has not undone, in order.
    last : number of the newest word.
    """

    def __init__(self, by: str) -> None:
        self._by = by
        self.held: dict[str, dict[int, str]] = {by: {}}
        self.steps: list[Step] = []
        self.last = 0

    def take(self, words: Sequence[Word]) -> None:
        """Take words that are new here."""
        mine: dict[int, list[Word]] = {}
        for word in words:
            self.last = max(self.last, word.number)
            if word.by == self._by:
                mine.setdefault(word.step, []).append(word)
            else:
                hold(self.held.setdefault(word.by, {}), [word])
        for number, step in mine.items():
            held = self.held[self._by]
            names = {word.cell: word.named for word in step}
            if step[0].undoes is None:
                self.steps.append(Step(number, names, {cell: held.get(cell) for cell in names}))
            else:
                self.steps = [one for one in self.steps if one.number != step[0].undoes]
            hold(held, step)


def hold(held: dict[int, str], words: Iterable[Word]) -> dict[int, str]:
    """Bring what one person says of cells up to date."""
    for word in words:
        held.pop(word.cell, None)
        if word.named is not None:
            held[word.cell] = word.named
    return held
