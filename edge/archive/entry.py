"""A picture of an archive, and the task of which it is a part."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
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
