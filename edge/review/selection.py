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
        return cls(given["search"], given["since"], given["until"], given["finding"], given["state"])

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
    parser.add_argument("--since", type=_since, metavar="DATE", help="begun on this day or later (UTC)")
    parser.add_argument("--until", type=_until, metavar="DATE", help="begun on this day or before (UTC)")
    parser.add_argument(
        "--finding", choices=FINDINGS, metavar="FINDING", help=f"with this one: {', '.join(FINDINGS)}"
    )
    parser.add_argument("--state", choices=STATES, metavar="STATE", help=f"in this one: {', '.join(STATES)}")


def _since(text: str) -> datetime:
    return _moment(text)[0]


def _until(text: str) -> datetime:
    moment, is_day = _moment(text)
    return moment + timedelta(days=1) if is_day else moment


def _moment(text: str) -> tuple[datetime, bool]:
    """The moment, UTC, and whether it is a whole day."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{printable(text)} is no date like 2026-11-30 or 2026-11-30T09:12"
        ) from None
    moment = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    return moment, len(text) <= 10
