"""What people left of one slide in two stores: the same rows, and those lacking."""

from __future__ import annotations

from collections import defaultdict, deque

from edge.records.book import Book
from edge.records.rows import Row
from edge.records.seals import digest
from edge.types import LeukoscopeError


class RefusedError(LeukoscopeError):
    """A slide that does not come over; says why, and what to do."""


class Left:
    """What people left of a slide in one table, there and here.

    Attributes
    ----------
    pairs : each row there, in order, with the one that is the same here or None.
    lacking : rows there that are not here. extra : rows here that are not there.
    """

    def __init__(self, ours: Book, theirs: Book, table: str, slide: str) -> None:
        self.table = table
        asked = f"SELECT * FROM {table} WHERE slide = ? ORDER BY id"
        here: dict[bytes, deque[Row]] = defaultdict(deque)
        for row in ours._rows(asked, slide):
            here[row["sha256"] or digest(row)].append(row)
        self.pairs: list[tuple[Row, Row | None]] = []
        for row in theirs._rows(asked, slide):
            if row["sha256"] is not None and row["sha256"] != digest(row):
                raise RefusedError(
                    f"row {row['id']} of {table} is not as {row.get('initials', 'the sending')} left it "
                    "there; take it from a backup"
                )
            same = here[row["sha256"] or digest(row)]
            self.pairs.append((row, same.popleft() if same else None))
        self.lacking = [row for row, same in self.pairs if same is None]
        self.extra = [row for rows in here.values() for row in rows]


def refuse_behind_a_signature(left: dict[str, Left]) -> None:
    """A signature that stands must rest on all words, also on those of the other store."""
    there, here = (_standing(left, of) for of in (0, 1))
    judging = ("words", "findings")
    for signed, added, where, other in (
        (here, "lacking", "here", "there"), (there, "extra", "there", "here"),
    ):  # fmt: skip
        if signed and any(getattr(left[table], added) for table in judging):
            raise RefusedError(
                f"was signed by {signed} {where}, and has words {other} that the signed finding does not "
                f"rest on; reopen it {where}, merge, and sign it again"
            )


def _standing(left: dict[str, Left], of: int) -> str | None:
    """Who signed the slide in their store (0) or in ours (1), where that holds in both taken together."""
    signatures, reopened = left["signatures"], left["reopened"]
    theirs = [row for row, _ in signatures.pairs]
    mine = [row for _, row in signatures.pairs if row is not None] + signatures.extra
    back_there = {row["signature"] for row, _ in reopened.pairs}
    back_here = {row["signature"] for _, row in reopened.pairs if row is not None}
    back_here |= {row["signature"] for row in reopened.extra}
    for row, same in signatures.pairs:  # taken back in either
        if same is not None and (row["id"] in back_there or same["id"] in back_here):
            back_there.add(row["id"])
            back_here.add(same["id"])
    rows, back = ((theirs, back_there), (mine, back_here))[of]
    return next((row["initials"] for row in reversed(rows) if row["id"] not in back), None)


class Numbers:
    """What rows there are called here: words, their steps, signatures."""

    def __init__(self) -> None:
        self._steps: dict[int, int] = {}
        self._rows: dict[tuple[str, int], int] = {}
        self._last_word = 0

    def tell(self, table: str, row: Row, number: int) -> None:
        self._rows[table, row["id"]] = number

    def step(self, row: Row, ours: int) -> int:
        """The step here of what was said at once there; `ours` where it is the first word of it."""
        return self._steps.setdefault(row["step"], ours)

    def in_ours(self, table: str, row: Row) -> Row:
        """The columns that name rows, as they are here."""
        if table == "words":
            return {"undoes": self._steps.get(row["undoes"])}
        if table == "finished":
            before = [
                ours for (of, there), ours in self._rows.items() if of == "words" and there <= row["word"]
            ]
            return {"word": max(before, default=0)}
        if table == "reopened":
            return {"signature": self._rows["signatures", row["signature"]]}
        return {}
