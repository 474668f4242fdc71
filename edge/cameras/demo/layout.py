"""Where everything lies on the simulated slide, from the seed alone.

Nucleated cells, platelets and artefacts are laid out for the whole slide at once, for they are the truth.
Red cells are too many: they are laid out block by block when looked at, each block from the seed and its
place only, so that a place always looks the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from edge.cameras.demo.clumps import CONTACT_UM, clump
from edge.cameras.demo.cytology import KINDS, LEUKOCYTES
from edge.cameras.demo.scope import Scope
from edge.types import F64

JITTER = 0.25  # of the spacing of sites
TOUCHING_SHARE = 0.05
DEAL = 20  # the number of leukocytes is a multiple of this, so that 5% steps come out exactly
BLOCK_UM = 192.0
STACK_SQUARE_UM = 60.0


@dataclass(frozen=True, eq=False)
class Layout:
    """Everything on the slide but red cells.

    Attributes
    ----------
    names : (n,) class of each. centres_um : (n, 2) x and y. diameters_um : (n,).
    touching : (n,) number of the leukocyte it touches, -1 for none.
    """

    names: NDArray[np.str_]
    centres_um: F64
    diameters_um: F64
    touching: NDArray[np.int64]


def _morton(columns: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of each lattice site along a Z-order curve: neighbours on it are neighbours on the slide."""
    code = np.zeros(columns.shape, np.int64)
    for bit in range(12):
        code |= ((columns >> bit) & 1) << (2 * bit) | ((rows >> bit) & 1) << (2 * bit + 1)
    return code


def _deal(rng: np.random.Generator, composition: dict[str, float], n: int) -> list[str]:
    """`n` class names in exactly these shares (largest remainder), each class spread over the deal."""
    wanted = {name: share * n for name, share in composition.items()}
    counts = {name: int(amount + 1e-9) for name, amount in wanted.items()}
    by_remainder = sorted(wanted, key=lambda name: counts[name] - wanted[name])
    for name in by_remainder[: n - sum(counts.values())]:
        counts[name] += 1
    keyed = [
        ((k + u) / count, name) for name, count in counts.items() for k, u in enumerate(rng.random(count))
    ]
    return [name for _, name in sorted(keyed)]


def _diameters(rng: np.random.Generator, names: list[str]) -> F64:
    """Diameters about the middle of each class's range, never outside it."""
    ends = np.array([KINDS[name][1:] for name in names]).reshape(-1, 2)
    diameters: F64 = ends[:, 0] + (ends[:, 1] - ends[:, 0]) * rng.beta(2.2, 2.6, len(names))
    return diameters


def _sites(rng: np.random.Generator, scope: Scope, n: int) -> F64:
    """`n` jittered lattice sites (n, 2) of the slide, in Morton order."""
    spacing = scope.leukocyte_spacing_um
    across, down = (int(side // spacing) for side in scope.slide_um)
    columns, rows = (a.ravel() for a in np.meshgrid(np.arange(across), np.arange(down)))
    taken = rng.permutation(columns.size)[:n]
    taken = taken[np.argsort(_morton(columns[taken], rows[taken]), kind="stable")]
    middle = (np.stack([columns[taken], rows[taken]], 1) + 0.5) * spacing
    jittered: F64 = middle + rng.uniform(-JITTER * spacing, JITTER * spacing, (len(taken), 2))
    return jittered


def _bring_together(
    rng: np.random.Generator, spacing_um: float, centres: F64, radii: F64, movable: NDArray[np.bool_]
) -> None:
    """Move some cells beside the one before them, into contact, along the line between the two."""
    last = -2
    for i in np.flatnonzero(rng.random(len(centres)) < TOUCHING_SHARE):
        gap = centres[i] - centres[i - 1]
        distance = float(np.hypot(*gap))
        if i == 0 or last >= i - 2 or not (movable[i] and movable[i - 1]) or distance > 1.6 * spacing_um:
            continue
        centres[i] = centres[i - 1] + gap / distance * (radii[i] + radii[i - 1] - CONTACT_UM)
        last = int(i)


def _contacts(centres: F64, radii: F64, solid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Which leukocyte each touches, -1 for none: their outlines come within half a micrometre."""
    touching = np.full(len(centres), -1, np.int64)
    which = np.flatnonzero(solid)
    reach = 2 * radii[which].max(initial=0) + 0.5
    one, other = (which[pair] for pair in _neighbours(centres[which], centres[which], reach))
    apart = np.hypot(*(centres[one] - centres[other]).T)
    near = (apart - radii[one] - radii[other] < 0.5) & (one != other)
    np.maximum.at(touching, one[near], other[near])
    return touching


def _neighbours(some: F64, others: F64, reach: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs, (p,) of `some` (m, 2) and (p,) of `others` (n, 2), that lie within `reach` of each other in x.

    All that are near are among them, and few of those that are not.
    """
    order = np.argsort(others[:, 0])
    sorted_x = others[order, 0]
    first = np.searchsorted(sorted_x, some[:, 0] - reach)
    count = np.searchsorted(sorted_x, some[:, 0] + reach, "right") - first
    one = np.arange(len(some)).repeat(count)
    within = np.arange(len(one)) - (np.cumsum(count) - count).repeat(count)
    return one, order[first.repeat(count) + within]


def _platelets(rng: np.random.Generator, scope: Scope, others: F64, radii: F64) -> F64:
    """Centres (m, 2) of platelets, singles and small clumps, clear of all nucleated cells."""
    singles = rng.random((round(scope.platelets_per_field * scope.fields / 1.3), 2)) * scope.slide_um
    clumped = singles[rng.random(len(singles)) < 0.1]
    mates = clumped.repeat(3, axis=0)
    angle = rng.uniform(0, 2 * np.pi, len(mates))
    mates = mates + rng.uniform(2.0, 3.6, (len(mates), 1)) * np.stack([np.cos(angle), np.sin(angle)], 1)
    centres = np.concatenate([singles, mates])
    clear = np.ones(len(centres), np.bool_)
    own, other = _neighbours(centres, others, radii.max(initial=0) + 2.6)
    apart2 = ((centres[own].astype(np.float32) - others[other].astype(np.float32)) ** 2).sum(1)
    clear[own[apart2 <= (radii[other] + 2.5).astype(np.float32) ** 2]] = False
    return centres[clear & (centres >= 0).all(1) & (centres <= scope.slide_um).all(1)]


def lay_out(scope: Scope) -> Layout:
    """Lay out the whole slide of `scope`."""
    rng = np.random.default_rng([scope.seed, 1])
    leukocytes = round(scope.leukocytes_per_field * scope.fields) // DEAL * DEAL
    strays = ["erythroblast"] * round(scope.erythroblasts_per_field * scope.fields)
    strays += ["smudge-cell"] * round(scope.smudges_per_field * scope.fields)
    strays += ["artefact"] * round(scope.artefacts_per_field * scope.fields)
    centres = _sites(rng, scope, leukocytes + len(strays))
    # strays take random places, the leukocytes the rest in Morton order, so that every region is dealt alike
    stray_places = rng.permutation(len(centres))[: len(strays)]
    names = np.empty(len(centres), dtype="<U24")
    names[stray_places] = strays
    names[names == ""] = _deal(rng, dict(scope.composition), leukocytes)
    diameters = _diameters(rng, names.tolist())
    solid = np.isin(names, LEUKOCYTES)
    _bring_together(rng, scope.leukocyte_spacing_um, centres, diameters / 2, solid)
    if scope.clumped:
        own = np.random.default_rng([scope.seed, 10])  # all else stays as it is without clumps
        clump(own, scope.clumped, centres, diameters / 2, solid, scope.slide_um)
    touching = _contacts(centres, diameters / 2, solid)
    platelets = _platelets(rng, scope, centres, diameters / 2)
    platelet_names = ["platelet"] * len(platelets)
    return Layout(
        names=np.concatenate([names, np.array(platelet_names, names.dtype)]),
        centres_um=np.concatenate([centres, platelets]),
        diameters_um=np.concatenate([diameters, _diameters(rng, platelet_names)]),
        touching=np.concatenate([touching, np.full(len(platelets), -1, np.int64)]),
    )


def _hash01(seed: int, i: NDArray[np.int64], j: NDArray[np.int64], salt: int) -> F64:
    """Numbers in [0, 1) from lattice places alone (finaliser of SplitMix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        h = (i.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) ^ (
            j.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
        )
        h ^= np.uint64((seed * 1000003 + salt * 7919 + 1) * 0xD6E8FEB86659FD93 % 2**64)
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        h ^= h >> np.uint64(31)
    numbers: F64 = (h >> np.uint64(11)).astype(np.float64) / 2**53
    return numbers


@dataclass(frozen=True, eq=False)
class RedCells:
    """Red cells of one block: centres_um (n, 2), and `draws` (n,) in [0, 1) that choose each one's look."""

    centres_um: F64
    draws: F64


class RedCellField:
    """Red cells of the slide: a jittered hexagonal lattice, stretched into clusters and gaps, then relaxed.

    Cells keep off each other (mostly) and off leukocytes, as they do in a monolayer; here and there a stack
    (rouleau) lies among them.
    """

    RINGS = 4  # lattice sites round a block that may influence it: two a round of relaxation

    def __init__(self, scope: Scope, layout: Layout) -> None:
        self._scope = scope
        keep_off = layout.names != "artefact"
        self._others_um = layout.centres_um[keep_off]
        self._other_radii_um = layout.diameters_um[keep_off] / 2
        rng = np.random.default_rng([scope.seed, 2])
        wavelength = rng.uniform(28, 150, 12)
        angle = rng.uniform(0, 2 * np.pi, 12)
        self._waves = 2 * np.pi / wavelength * np.stack([np.cos(angle), np.sin(angle)])
        self._phases = rng.uniform(0, 2 * np.pi, 12)
        self._swings_um = 0.024 * wavelength[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)

    def block(self, column: int, row: int) -> RedCells:
        """The red cells whose lattice sites lie in the block of `BLOCK_UM` at this column and row."""
        centres, own, draws = self._lattice(column, row)
        reach = 0.94 * self._scope.red_cell_um
        soft = np.where(draws[..., 0] < 0.12, 0.6, 1.0)
        others, other_radii = self._others(column, row)
        stacks, stack_draws = self._stacks(column, row, others, other_radii)
        # what red cells keep off, and the nearest they come to each
        obstacles = np.concatenate([others, stacks])
        half = self._scope.red_cell_um / 2
        radii = np.concatenate([other_radii + 0.93 * half, np.full(len(stacks), 1.7 * half)])
        for _ in range(2):
            centres = _push_apart(centres, reach, soft)
            centres = _push_off(centres, obstacles, radii)
        free = own & (draws[..., 1] < 0.93)
        centres, looks = centres[free], draws[free][:, 2]
        one, obstacle = _neighbours(centres, obstacles, radii.max(initial=0))
        apart = np.hypot(*(centres[one] - obstacles[obstacle]).T)
        clear = np.ones(len(centres), np.bool_)
        clear[one[apart <= radii[obstacle] - 0.6]] = False
        return RedCells(np.concatenate([centres[clear], stacks]), np.concatenate([looks[clear], stack_draws]))

    def _lattice(self, column: int, row: int) -> tuple[F64, NDArray[np.bool_], F64]:
        """Centres (r, c, 2) of the block's sites and the rings about them, which are its own, and draws."""
        dx = self._scope.red_cell_spacing_um
        dy = dx * 3**0.5 / 2
        first_i, last_i = ceil(column * BLOCK_UM / dx), ceil((column + 1) * BLOCK_UM / dx)
        first_j, last_j = ceil(row * BLOCK_UM / dy), ceil((row + 1) * BLOCK_UM / dy)
        j, i = np.mgrid[
            first_j - self.RINGS : last_j + self.RINGS, first_i - self.RINGS : last_i + self.RINGS
        ]
        own = (i >= first_i) & (i < last_i) & (j >= first_j) & (j < last_j)
        draws = np.stack([_hash01(self._scope.seed, i, j, salt) for salt in range(5)], -1)
        site = np.stack([(i + 0.5 * (j % 2)) * dx, j * dy], -1)
        jitter = (draws[..., 3:5] - 0.5) * 0.75 * dx
        warp = np.sin(site @ self._waves + self._phases) @ self._swings_um
        return site + jitter + warp, own, draws

    def _others(self, column: int, row: int) -> tuple[F64, F64]:
        """What is in and about a block but red cells: centres (m, 2) and radii (m,)."""
        low = np.array([column, row]) * BLOCK_UM - 60
        near = ((self._others_um > low) & (self._others_um < low + BLOCK_UM + 120)).all(1)
        return self._others_um[near], self._other_radii_um[near]

    def _stacks(self, column: int, row: int, others: F64, radii: F64) -> tuple[F64, F64]:
        """Red cells (n, 2) of the stacks that begin in this block, and draws for their looks."""
        per_block = int(BLOCK_UM / STACK_SQUARE_UM)
        rng = np.random.default_rng([self._scope.seed, 3, column + 1000, row + 1000])
        chains = []
        for _ in range(rng.binomial(per_block**2, self._scope.rouleaux)):
            n = int(rng.integers(3, 8))
            heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.2, n))
            steps = rng.uniform(2.2, 4.0, (n, 1)) * np.stack([np.cos(heading), np.sin(heading)], 1)
            start = (np.array([column, row]) + rng.uniform(0.2, 0.8, 2)) * BLOCK_UM
            chain = start + np.cumsum(steps, 0)
            apart = np.hypot(*(chain[:, None] - others[None]).transpose(2, 0, 1))
            if (apart > radii + 3).all():
                chains.append(chain)
        cells = np.concatenate(chains) if chains else np.zeros((0, 2))
        return cells, rng.random(len(cells))


def _push_apart(centres: F64, reach: float, soft: F64) -> F64:
    """One round of relaxation over each site's 24 lattice neighbours; sites at the rim stay."""
    rows, columns = centres.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(centres, (5, 5), axis=(0, 1))
    inner = centres[2 : rows - 2, 2 : columns - 2]
    away = inner[..., None, None] - windows
    distance = np.hypot(away[:, :, 0], away[:, :, 1]) + 1e-9
    overlap = np.clip(reach * soft[2 : rows - 2, 2 : columns - 2, None, None] - distance, 0, None)
    overlap[:, :, 2, 2] = 0
    moved = centres.copy()
    moved[2 : rows - 2, 2 : columns - 2] += 0.45 * (away * (overlap / distance)[:, :, None]).sum((-1, -2))
    return moved


def _push_off(centres: F64, obstacles: F64, radii: F64) -> F64:
    """Red cells that lie too near an obstacle moved straight away from it, to its rim."""
    flat = centres.reshape(-1, 2)
    one, obstacle = _neighbours(flat, obstacles, radii.max(initial=0))
    away, radius = flat[one] - obstacles[obstacle], radii[obstacle]
    distance = np.hypot(*away.T) + 1e-9
    # from deep inside a cell there is no way out: such sites are dropped later
    inside = np.flatnonzero((distance < radius) & (distance >= 0.45 * radius))
    inside = inside[np.lexsort((obstacle[inside], one[inside]))]  # sums in one order, whatever lies where
    shift = np.zeros_like(flat)
    share = (radius[inside] - distance[inside]) / distance[inside]
    np.add.at(shift, one[inside], away[inside] * share[:, None])
    return centres + shift.reshape(centres.shape)
