"""What people say of a slide's cells."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Said:
    """One person's word on one cell. Words are added, never changed: the last of a person holds.

    Attributes
    ----------
    cell : its identity on the slide.
    by : the person's initials.
    named : the class; None takes back what this person had said of the cell.
    at : when, UTC, ISO 8601.
    """

    cell: int
    by: str
    named: str | None
    at: str
