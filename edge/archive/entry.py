"""A picture of an archive, the task of which it is a part, and what of an archive is left aside."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edge.types import LeftOut


@dataclass(frozen=True, slots=True)
class Entry:
    """One picture file of a slide.

    Attributes
    ----------
    slide : identifier of its slide.
    place : its number within the slide, from 0: the order in which the line takes the slide's pictures.
    source : the file's name inside the input, as JSON lines call it.
    path : where it is read: a path, or an address of fsspec.
    um_per_px : physical size of a pixel, µm; None where the input does not say.
    taken_at : when it was taken or, where nobody says, when the file was written; UTC, ISO 8601; or None.
    """

    slide: str
    place: int
    source: str
    path: str
    um_per_px: float | None = None
    taken_at: str | None = None


@dataclass(frozen=True, order=True)
class Task:
    """What one worker screens at a time: whole slides, their pictures in order.

    Attributes
    ----------
    shard : number of the shard. number : of the task within it. fields : pictures in it.
    """

    shard: int
    number: int
    fields: int

    @property
    def name(self) -> str:
        """Of its fragments in the output's folder `work`."""
        return f"{self.shard:05d}/{self.number:06d}"


class Aside:
    """Counts by reason, with the first name of each: so many files may be left aside as there are.

    Parameters
    ----------
    counted : what was counted before.
    """

    def __init__(self, counted: Iterable[LeftOut] = ()) -> None:
        self._counted = {each.reason: each for each in counted}
        self.passed_over = 0

    def add(self, reason: str, name: str, count: int = 1) -> None:
        """One more, or several, for this reason."""
        before = self._counted.get(reason, LeftOut(reason, 0, name))
        self._counted[reason] = LeftOut(reason, before.count + count, before.first)

    def pass_over(self, name: str) -> None:
        """One that nobody takes for a picture, and nobody wants to hear of where there are pictures."""
        self.passed_over += 1

    @property
    def counted(self) -> tuple[LeftOut, ...]:
        """Each reason, in the order in which they were met."""
        return tuple(self._counted.values())
