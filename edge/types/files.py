"""What became of the files that were given: how many pictures were read, and what was left out and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_KINDS = 4
"""Reasons that a line for people names, the most frequent first; the rest are counted."""


@dataclass(frozen=True)
class LeftOut:
    """Files, or pictures of them, that were left out for one reason.

    Attributes
    ----------
    reason : why, and what to do. count : how many. first : the first of them, inside the given folder.
    """

    reason: str
    count: int
    first: str


@dataclass(frozen=True)
class FilesRead:
    """What a folder, a glob, an image or a video gave.

    Attributes
    ----------
    read : pictures that were read, each page of a file and each frame of a video one.
    left_out : what was not read, one entry for each reason.
    """

    read: int
    left_out: tuple[LeftOut, ...] = ()

    @classmethod
    def of(cls, read: int, left: Iterable[tuple[str, str]]) -> FilesRead:
        """With what was left out given one by one, as reason and name."""
        found: dict[str, LeftOut] = {}
        for reason, name in left:
            before = found.get(reason, LeftOut(reason, 0, name))
            found[reason] = LeftOut(reason, before.count + 1, before.first)
        return cls(read, tuple(found.values()))

    @property
    def note(self) -> str | None:
        """What people must know, in a line; None where nothing was left out."""
        if not self.left_out:
            return None
        read = "1 picture" if self.read == 1 else f"{self.read} pictures"
        return f"{read} read, {sum(left.count for left in self.left_out)} not: {self.reasons}"

    @property
    def reasons(self) -> str:
        """Why something was left out, the most frequent reasons first."""
        ordered = sorted(self.left_out, key=lambda left: -left.count)
        told = [f"{left.reason} ({_which(left, alone=len(ordered) == 1)})" for left in ordered[:_KINDS]]
        more = sum(left.count for left in ordered[_KINDS:])
        return "; ".join([*told, *([f"{more} more for other reasons"] if more else [])])


def _which(left: LeftOut, *, alone: bool) -> str:
    """How many and which: the number is told before where there is one reason alone."""
    if left.count == 1:
        return left.first
    return f"first: {left.first}" if alone else f"{left.count}, first: {left.first}"
