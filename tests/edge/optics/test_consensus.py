"""Fields of few outlines: when the network alone may say that the scale has changed."""

from __future__ import annotations

import numpy as np
import pytest

from edge.optics import ruler
from edge.optics.consensus import Consensus
from edge.optics.redcells import RED_CELL_UM, RedCells


def outlined(across_px: float) -> RedCells:
    return RedCells(np.full(12, across_px, np.float32), np.ones(12, np.float32))


def read(across_px: float) -> RedCells:
    """A field whose red cells only the network sees."""
    at = np.log2(across_px / ruler.SMALLEST_PX) * ruler.BINS_PER_OCTAVE
    likelier = 20 - (np.arange(ruler.DIAMETERS) - at) ** 2
    return RedCells(np.zeros(0, np.float32), np.zeros(0, np.float32), likelier.astype(np.float32))


@pytest.mark.parametrize(("across_px", "changes"), [(150, True), (35, True), (97, False), (60, False)])
def test_a_change_that_the_network_alone_sees_must_be_large(across_px: float, changes: bool) -> None:
    agreed = Consensus()
    for _ in range(4):
        agreed.see(outlined(75))
    told = [agreed.see(read(across_px)) for _ in range(6)]
    assert any(before is not None for before in told) == changes
    assert agreed.measured is not None
    now = RED_CELL_UM / agreed.measured.um_per_px
    assert now == pytest.approx(across_px if changes else 75, rel=0.06)
    assert agreed.sure


def test_the_network_alone_is_not_believed_at_once() -> None:
    agreed = Consensus()
    told = [
        agreed.see(field) for field in (*[outlined(75)] * 4, read(150), read(150), outlined(75), read(150))
    ]
    assert not any(told)
