"""What a user is told of a slide beside its finding, and only once."""

from __future__ import annotations

from collections.abc import Iterable

from edge.types.problems import ABOUT_THE_SLIDE, MEND, kind_of


class Notes:
    """What was told of one slide so far."""

    def __init__(self) -> None:
        self._told: set[str] = set()
        self._news: str | None = None

    def advice(self, problems: Iterable[str]) -> str | None:
        """What to do about the first trouble of the whole slide that was not told of yet."""
        for problem in problems:
            kind = kind_of(problem)
            if kind in ABOUT_THE_SLIDE and self.once(kind):
                return f"{problem}; {MEND[kind][1]}"
        return None

    def once(self, note: str | None) -> str | None:
        """A note that was not told before, else None."""
        if note is None or note in self._told:
            return None
        self._told.add(note)
        return note

    def news(self, note: str | None) -> str | None:
        """A camera's note when it is another than the one that came last, None being one too."""
        news, self._news = (None if note == self._news else note), note
        return news
