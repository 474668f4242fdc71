"""Crops of a slide's cells: got a page at a time when they are first asked for, and some of them kept."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from edge.tui.picture import shrink
from edge.types import U8

if TYPE_CHECKING:
    from edge.review.review import Review

KEPT = 512
"""Crops of 96 × 96 pixels take 14 MB."""


class Crops:
    """The crops last asked for."""

    def __init__(self, review: Review) -> None:
        self._review = review
        self._kept: OrderedDict[int, U8 | None] = OrderedDict()

    def of(self, cell: int) -> U8 | None:
        """(S, S, 3) uint8, None where none was kept."""
        self.fetch([cell])
        self._kept.move_to_end(cell)
        return self._kept[cell]

    def fetch(self, cells: Iterable[int]) -> None:
        """Get those of these cells' crops that are not at hand, all at once."""
        missing = [cell for cell in cells if cell not in self._kept]
        if not missing:
            return
        found = self._review.crops(missing)
        self._kept |= {cell: found.get(cell) for cell in missing}
        while len(self._kept) > max(KEPT, len(missing)):
            self._kept.popitem(last=False)


def inner(crop: U8, side: int) -> U8:
    """The crop without its rim, which is mostly neighbours, (side, side, 3)."""
    rim = crop.shape[0] // 8
    return shrink(crop[rim : crop.shape[0] - rim, rim : crop.shape[1] - rim], side, side)
