"""What a slide's map is made of: fields that overlap, and the surroundings of the cells in them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edge.line.thumbnail import PRINT_PX, Point
from edge.types import F32, I32, U8, Bools

_PRINTS = 4000  # remembered: every leukocyte that any count needs, twice


@dataclass(eq=False)
class Field:
    """A place that was looked at: a small picture, its cells, and the fields that it overlaps.

    Attributes
    ----------
    frame : index of the frame that shows it.
    thumb : (h, w) uint8. ids : (n,) int32, its cells. places_um : (n, 2) float32, where in it they lie.
    links : for each field that it overlaps the corner of this field in that one's coordinates, µm.
    """

    frame: int
    thumb: U8
    ids: I32
    places_um: F32
    links: dict[Field, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Seen:
    """A field that the map placed once, as the records have it.

    Attributes
    ----------
    frame, overlaps, thumb : see `edge.types.Reading`; no thumb of a field that the map did not keep.
    ids : (n,) int32, its cells. places_um : (n, 2) float32, where in it they lie.
    settled, abstained : (n,) bool, see `edge.types.Reading`.
    """

    frame: int
    overlaps: tuple[tuple[int, float, float], ...]
    thumb: U8 | None
    ids: I32
    places_um: F32
    settled: Bools
    abstained: Bools


class Prints:
    """The surroundings of the cells seen last, at most `_PRINTS`, and which field shows each."""

    def __init__(self) -> None:
        self._rows = np.zeros((_PRINTS, PRINT_PX * PRINT_PX), np.float32)
        self._owners: list[tuple[Field, int] | None] = []
        self._added = 0

    def add(self, print_: F32, owner: Field, i: int) -> None:
        """Keep the print of a field's `i`-th cell; the oldest one gives way."""
        at = self._added % _PRINTS
        self._rows[at] = print_
        self._owners[at : at + 1] = [(owner, i)]
        self._added += 1

    def forget(self, owner: Field) -> None:
        """Let go of a field's prints, which are like nothing from now on."""
        for j, kept in enumerate(self._owners):
            if kept is not None and kept[0] is owner:
                self._rows[j] = 0
                self._owners[j] = None

    def likeness(self, prints: F32) -> F32:
        """Correlation of each of (n, 196) `prints` with each print kept, (n, kept) float32."""
        return prints @ self._rows[: len(self._owners)].T

    def owner(self, j: int) -> tuple[Field, Point]:
        """The field that shows the `j`-th print kept and not forgotten, and where it has the cell, µm."""
        kept = self._owners[j]
        assert kept is not None
        owner, i = kept
        return owner, owner.places_um[i].astype(np.float64)
