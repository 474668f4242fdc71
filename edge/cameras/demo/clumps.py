"""Leukocytes that lie against each other in clumps, as they do where a smear is full of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge.types import F64

CONTACT_UM = 0.2  # by which two cells in contact overlap
_CELLS = 9  # of a clump at most
_REACH_UM = 90.0  # to either side of a cell's site; no clump is wider
_TURNS = 24


def clump(
    rng: np.random.Generator,
    share: float,
    centres: F64,
    radii: F64,
    movable: NDArray[np.bool_],
    slide_um: tuple[float, float],
) -> None:
    """Move movable cells into clumps, in place: this share of them, and those that would lie over others.

    Cell by cell in the order given, which should go from neighbour to neighbour. Of the places where it
    touches a cell of the clump before it and lies over none, a cell takes the one nearest to the clump's
    middle; where there is no such place it stays at its site.

    Parameters
    ----------
    share : of the movable cells that join the clump of the one before them.
    centres : (n, 2) micrometres. radii : (n,) micrometres. movable : (n,).
    slide_um : width and height that no centre leaves.
    """
    placed, members = ~movable, list[int]()
    for i in np.flatnonzero(movable).tolist():
        near = np.flatnonzero(placed & (np.abs(centres - centres[i]).max(1) < _REACH_UM))
        joins = rng.random() < share and 0 < len(members) < _CELLS
        if joins:
            joins = float(np.hypot(*(centres[members].mean(0) - centres[i]))) < _REACH_UM / 2
        if not joins:
            over = _gaps(centres[i : i + 1], radii[i], centres[near], radii[near])[0] < 0
            members = near[over][:1].tolist()
        if members:
            places = _against(centres[members], radii[members] + radii[i] - CONTACT_UM)
            free = (_gaps(places, radii[i], centres[near], radii[near]) > -1.5 * CONTACT_UM).all(1)
            places = places[free & ((places > 0) & (places < slide_um)).all(1)]
            if len(places):
                away = np.hypot(*(places - centres[members].mean(0)).T)
                centres[i] = places[away.argmin()]
        placed[i] = True
        members.append(i)


def _against(centres: F64, reach: F64) -> F64:
    """Places (p, 2) all about these centres (m, 2), each at its distance `reach` (m,)."""
    angle = np.linspace(0, 2 * np.pi, _TURNS, endpoint=False)
    around = np.stack([np.cos(angle), np.sin(angle)], 1)
    places: F64 = (centres[:, None] + reach[:, None, None] * around).reshape(-1, 2)
    return places


def _gaps(places: F64, radius: float, centres: F64, radii: F64) -> F64:
    """Micrometres (p, n) between a cell of this radius at each place and cells about; negative over them."""
    gaps: F64 = np.hypot(*(places[:, None] - centres[None]).transpose(2, 0, 1)) - radii - radius
    return gaps
