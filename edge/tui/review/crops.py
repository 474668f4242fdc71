"""Crops of a slide's cells, got when they are first asked for and kept small."""

from __future__ import annotations

from collections import OrderedDict
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

    def __contains__(self, cell: int) -> bool:
        return cell in self._kept

    def of(self, cell: int) -> U8 | None:
        """(S, S, 3) uint8, None where none was kept."""
        if cell not in self._kept:
            self._kept[cell] = self._review.crop(cell)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(cell)
        return self._kept[cell]


def inner(crop: U8, side: int) -> U8:
    """The crop without its rim, which is mostly neighbours, (side, side, 3)."""
    rim = crop.shape[0] // 8
    return shrink(crop[rim : crop.shape[0] - rim, rim : crop.shape[1] - rim], side, side)
