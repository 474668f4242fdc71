"""Cells of the simulated microscope, cut from slides that nobody screens in a demonstration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from edge.cameras.demo.scope import scope_of
from edge.cameras.demo.sensor import SLACK_PX, Sensor
from edge.cameras.demo.smear import Smear
from edge.types import U8
from train.data.classes import CLASSES
from train.data.dataset import DataSet, Notice, Picture, Spot
from train.data.split import split_of

FIRST_SEED = 1000
SLIDES = 64
_CELLS_PER_CLASS = 6  # of each class on each slide
_CELLS_HARD = 20  # of those that a drawing tells apart by little
_HARD = ("blast", "immature-granulocyte", "monocyte", "lymphocyte")
_BARE_PER_SLIDE = 6  # places with red cells and glass only
_WINDOW_UM = 36.0
_BARE_UM = 12.0  # from the edge of the nearest cell
_DEFOCUS_UM = 0.7  # softer than this and the quality check turns the frame down; most frames are sharp


@lru_cache(maxsize=1)
def _slide(seed: int) -> tuple[Smear, Sensor]:
    """The slide, and its camera with a field just large enough for a window."""
    smear = Smear(scope_of(seed))
    side = round(_WINDOW_UM / smear.scope.um_per_px)
    return smear, Sensor(replace(smear.scope, field_px=(side, side)))


def _expose(seed: int, centre_um: tuple[float, float]) -> U8:
    """A square picture round a place of the slide, as the simulated camera sees it."""
    smear, sensor = _slide(seed)
    um = smear.scope.um_per_px
    side = round(_WINDOW_UM / um)
    x, y = (int(c / um) - side // 2 for c in centre_um)
    light = smear.window(x, y, side, side)
    rng = np.random.default_rng([seed, abs(x), abs(y)])
    shift = rng.integers(0, SLACK_PX, 2).tolist()
    exposure = float(rng.uniform(0.9, 1.05))
    return sensor.expose(light, _DEFOCUS_UM * float(rng.random()) ** 3, exposure, (shift[0], shift[1]))


def _bare_places(smear: Smear, rng: np.random.Generator) -> Iterator[tuple[float, float]]:
    places = rng.uniform(_WINDOW_UM, np.asarray(smear.scope.slide_um) - _WINDOW_UM, (400, 2))
    layout = smear.layout
    apart = (
        np.hypot(*(places[:, None] - layout.centres_um[None]).transpose(2, 0, 1)) - layout.diameters_um / 2
    )
    for place in places[apart.min(axis=1) > _BARE_UM][:_BARE_PER_SLIDE]:
        yield float(place[0]), float(place[1])


def _read(root: Path, notice: Notice) -> Iterator[Picture]:
    for seed in range(FIRST_SEED, FIRST_SEED + SLIDES):
        smear, _ = _slide(seed)
        rng = np.random.default_rng([seed, 71])
        layout = smear.layout
        inside = (layout.centres_um > _WINDOW_UM) & (
            layout.centres_um < np.asarray(smear.scope.slide_um) - _WINDOW_UM
        )
        places: list[tuple[str, tuple[float, float]]] = []
        for name in CLASSES:
            members = np.flatnonzero((layout.names == name) & inside.all(axis=1))
            for i in rng.permutation(members)[: _CELLS_HARD if name in _HARD else _CELLS_PER_CLASS]:
                places.append((name, (float(layout.centres_um[i, 0]), float(layout.centres_um[i, 1]))))
        places += [("artefact", place) for place in _bare_places(smear, rng)]
        group = f"demo:{seed}"
        for number, (name, place) in enumerate(places):
            spot = Spot(name, group, split_of(group))
            yield Picture(f"{group}/{number}", smear.scope.um_per_px, (spot,), partial(_expose, seed, place))


SIMULATED = DataSet(
    name="simulated",
    title="cells of the simulated microscope",
    folder=None,
    home="this program",
    licence="Apache-2.0",
    citation="edge/cameras/demo/camera.py",
    layout=f"no files: {SLIDES} slides are drawn, demo:{FIRST_SEED} and on",
    groups="slide",
    split="by slide, by a hash of its name: about 65% train, 15% validation, 20% test; drawn slides were "
    "looked at throughout development, so test figures flatter",
    read=_read,
    laboratory="simulated",
)
