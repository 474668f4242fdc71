"""Which slides of the records a command is about: by text, dates, finding and state."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Self

from edge.files.text import printable

if TYPE_CHECKING:  # `--help` waits for neither records nor arrays
    from edge.records.book import Book
    from edge.records.rows import Row

FLAGS = "--search, --since, --until, --finding or --state"

FINDINGS = ("refer", "read-film", "no-blasts-seen", "keep-scanning", "not-readable")
"""Of `edge.types.FindingKind`."""

_DAY = 10  # characters of a date alone

STATES = ("under way", "finished", "cut off", "signed")
"""Of `edge.records.states.State`."""


@dataclass(frozen=True)
class Selection:
    """What slides must have; None for anything.

    Attributes
    ----------
    search : text in identifier, patient, finding or initials.
    since, until : they were begun at this moment or after, and before that one.
    finding, state : these.
    """

    search: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    finding: str | None = None
    state: str | None = None

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Self:
        """As `add_to`'s flags say."""
        given = vars(arguments)
        search = (given["search"] or "").strip() or None
        return cls(search, given["since"], given["until"], given["finding"], given["state"])

    @property
    def asks(self) -> bool:
        """Whether anything was asked for."""
        return self != Selection()

    def slides(self, book: Book) -> Iterator[Row]:
        """Their rows, the newest first; see `edge.review.unfinished.judged`."""
        from edge.review.unfinished import judged

        for row in book.listed(self.search or ""):
            started = datetime.fromisoformat(row["started_at"])
            if (self.since and started < self.since) or (self.until and started >= self.until):
                continue
            if self.state not in (None, row["state"]):
                continue
            slide = judged(book, row)
            if self.finding in (None, slide["finding"]):
                yield slide


def add_to(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose slides."""
    parser.add_argument(
        "--search", metavar="TEXT", help="with it in identifier, patient, finding or initials"
    )
    parser.add_argument("--since", type=moment, metavar="DATE", help="begun on this day or later (UTC)")
    parser.add_argument("--until", type=_end, metavar="DATE", help="begun on this day or before (UTC)")
    parser.add_argument(
        "--finding", choices=FINDINGS, metavar="FINDING", help=f"with this one: {', '.join(FINDINGS)}"
    )
    parser.add_argument("--state", choices=STATES, metavar="STATE", help=f"in this one: {', '.join(STATES)}")


def moment(text: str) -> datetime:
    """For argparse: a day or a moment, UTC where no time zone is given."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the first and last days have no other time zone's
        raise argparse.ArgumentTypeError(
            f"{printable(text)} is no date like 2026-11-30 or 2026-11-30T09:12"
        ) from None


def _end(text: str) -> datetime:
    """For argparse: a moment, or the end of a day."""
    found = moment(text)
    try:
        return found + timedelta(days=1) if len(text) <= _DAY else found
    except OverflowError:
        return found
