"""What keeps off what on the simulated slide, held against every pair of things on it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.cameras.demo.clumps import CONTACT_UM
from edge.cameras.demo.cytology import LEUKOCYTES
from edge.cameras.demo.layout import BLOCK_UM, RedCellField, lay_out
from edge.cameras.demo.scope import scope_of
from edge.types import F64


def _apart(some: F64, others: F64) -> F64:
    """Distances (m, n) of all pairs."""
    found: F64 = np.hypot(*(some[:, None] - others[None]).transpose(2, 0, 1))
    return found


@pytest.mark.parametrize("clumped", [0.0, 0.6])
def test_cells_that_touch_are_known_and_platelets_keep_off_them(clumped: float) -> None:
    layout = lay_out(replace(scope_of(0), clumped=clumped))
    radii = layout.diameters_um / 2
    solid = np.flatnonzero(np.isin(layout.names, LEUKOCYTES))
    gaps = _apart(layout.centres_um[solid], layout.centres_um[solid]) - radii[solid, None] - radii[solid]
    np.fill_diagonal(gaps, np.inf)
    last = [solid[np.flatnonzero(row < 0.5)[-1]] if (row < 0.5).any() else -1 for row in gaps]
    assert layout.touching[solid].tolist() == last
    assert (layout.touching >= 0).any()
    assert gaps.min() > -2 * CONTACT_UM or clumped == 0.0
    platelets = layout.names == "platelet"
    between = _apart(layout.centres_um[platelets], layout.centres_um[~platelets])
    assert (between > radii[~platelets] + 2.49).all()


def test_red_cells_keep_off_other_cells() -> None:
    scope = replace(scope_of(0), rouleaux=0.5)
    layout = lay_out(scope)
    field = RedCellField(scope, layout)
    others = layout.names != "artefact"
    for place in ((2, 2), (-3, 20)):  # the second lies beside the slide, where nothing else is
        red = field.block(*place).centres_um
        assert np.abs(red - (np.array(place) + 0.5) * BLOCK_UM).max() < BLOCK_UM
        between = _apart(red, layout.centres_um[others])
        assert (between > layout.diameters_um[others] / 2 + 0.93 * scope.red_cell_um / 2 - 0.6 - 1e-9).all()
