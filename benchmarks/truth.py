"""Fields of the simulated microscope, with the outlines that their cells were drawn by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from edge.cameras.demo.cytology import LEUKOCYTES, draw
from edge.cameras.demo.scope import scope_of
from edge.cameras.demo.sensor import SLACK_PX, Sensor
from edge.cameras.demo.smear import Smear
from edge.types import U8, Bools
from train.data.sets.simulated import FIRST_SEED, SLIDES
from train.data.split import split_of

_SIDE_UM = 60.0
_PER_SLIDE = 4
_REACH_UM = 25.0  # beyond a field lie the middles of cells that reach into it
_DEFOCUS_UM = 0.7
_OPEN = frozenset({"smudge-cell"})  # whether that is a cell to find is a matter of taste
_FOUND = frozenset({*LEUKOCYTES, "erythroblast"})

Truth = tuple[U8, Bools, Bools]
"""(H, W) each: number of the cell from 1 on, 0 for none; nuclei; and where it is sure what is a cell."""


def drawn(split: str) -> Iterator[tuple[str, float, U8, Truth]]:
    """Fields of the slides of a part: slide, µm per pixel, (H, W, 3) uint8 RGB, truth."""
    for seed in range(FIRST_SEED, FIRST_SEED + SLIDES):
        group = f"demo:{seed}"
        if split_of(group) != split:
            continue
        smear = Smear(scope_of(seed))
        um = smear.scope.um_per_px
        side = round(_SIDE_UM / um)
        sensor = Sensor(replace(smear.scope, field_px=(side, side)))
        rng = np.random.default_rng([seed, 72])
        found = np.flatnonzero(np.isin(smear.layout.names, list(_FOUND)))
        for i in rng.choice(found, _PER_SLIDE):
            away = rng.uniform(-0.4, 0.4, 2) * _SIDE_UM
            corner = ((smear.layout.centres_um[i] + away - _SIDE_UM / 2) / um).astype(int).tolist()
            x, y = (max(c, 0) for c in corner)
            shift = rng.integers(0, SLACK_PX, 2).tolist()
            defocus = _DEFOCUS_UM * float(rng.random()) ** 3
            light = smear.window(x, y, side, side)
            pixels = sensor.expose(light, defocus, float(rng.uniform(0.9, 1.05)), (shift[0], shift[1]))
            yield group, um, pixels, truth(smear, x, y, side)


def truth(smear: Smear, left: int, top: int, side: int) -> Truth:
    """What is where in a square of a drawn slide, of `side` pixels from its corner on."""
    um, layout = smear.scope.um_per_px, smear.layout
    labels, nuclei = np.zeros((side, side), np.uint8), np.zeros((side, side), np.bool_)
    known = np.ones((side, side), np.bool_)
    places = layout.centres_um / um
    inside = (places - (left, top) > -_REACH_UM / um) & (places - (left, top) < side + _REACH_UM / um)
    number = 0
    for i in np.flatnonzero(inside.all(axis=1)).tolist():
        name = str(layout.names[i])
        if name not in _FOUND | _OPEN:
            continue
        x, y = np.floor(places[i]).astype(int).tolist()
        within = places[i] - np.floor(places[i]) - 0.5
        rng = np.random.default_rng([smear.scope.seed, 5, i])  # as `Smear` draws it
        canvas = draw(name, rng, um, float(layout.diameters_um[i]), (float(within[0]), float(within[1])))
        half = canvas.size // 2
        rows, columns = (
            slice(max(y - half - top, 0), max(y + half + 1 - top, 0)),
            slice(max(x - half - left, 0), max(x + half + 1 - left, 0)),
        )
        spot = labels[rows, columns]
        if not spot.size:
            continue
        start = rows.start - (y - half - top), columns.start - (x - half - left)
        part = (slice(start[0], start[0] + spot.shape[0]), slice(start[1], start[1] + spot.shape[1]))
        cell, nucleus = (canvas.cell | canvas.nucleus)[part], canvas.nucleus[part]
        if name in _OPEN:
            known[rows, columns][cell] = False
            continue
        number += 1
        spot[cell] = number
        nuclei[rows, columns][nucleus] = True
    return labels, nuclei, known
