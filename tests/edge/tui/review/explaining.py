"""What explains every cell by its middle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.review.cells import Cell
from edge.types import F32, U8
from tests.edge.tui.review.slides import drawn


@dataclass(frozen=True)
class Why:
    heat: F32
    decided: str
    nucleus_um2: float
    nucleus_share: float
    roundness: float
    likest: list[tuple[str, U8, str]]


class Whys:
    def of(self, cell: Cell) -> Why:
        y, x = np.mgrid[-1:1:96j, -1:1:96j]
        return Why(
            np.exp(-4 * (x * x + y * y)).astype(np.float32),
            f"the middle of the nucleus of {cell.id}",
            98.0,
            0.76,
            0.93,
            [(name, drawn(name, 1), "drawn") for name in ("blast", "lymphocyte", "monocyte")],
        )
