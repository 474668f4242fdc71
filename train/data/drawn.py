"""A few fields of the simulated microscope: what a program makes of them tells it from another.

All but the last are crowded, so that nuclei touch and cells are cut by the edge; the last has red cells to
measure by. In the pictures of single cells these lie beside the middle. So little can change in how pictures
are read without changing what is read from these.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import cycle

import cv2
import numpy as np

from edge.cameras.demo.scope import scope_of
from edge.cameras.demo.sensor import Sensor
from edge.cameras.demo.smear import Smear
from edge.types import U8
from train.data.classes import CLASSES, LEUKOCYTE, LYMPHOID, NO_BLAST, NUCLEATED
from train.data.dataset import CYTOPLASM, NUCLEUS, Picture, Spot

LABELS = (*CLASSES, LEUKOCYTE, NUCLEATED, NO_BLAST, LYMPHOID)
RED_CELLS = 3
"""Which of the pictures has red cells to measure by."""

_FIELDS = ((0.1, 30.0), (0.075, 30.0), (0.2, 30.0), (0.1, 3.0))
"""µm per pixel, and leukocytes."""

_SIDE_UM = 80.0
_SINGLE_UM = 30.0
_BESIDE_UM = (0.0, 1.0, 4.0, 9.0, 12.0)
"""From the middle of a picture to that of its cell."""


@cache
def pictures() -> tuple[Picture, ...]:
    """The fields, a spot of another label on each cell; then single cells, and one that was cut out."""
    fields = [_field(seed, *each) for seed, each in enumerate(_FIELDS)]
    pixels, spots, um_per_px = fields[0].load(), fields[0].spots, fields[0].um_per_px
    half = round(_SINGLE_UM / 2 / um_per_px)
    singles = []
    for i, (spot, beside) in enumerate(zip(spots[1:], cycle(_BESIDE_UM))):
        x, y = (
            round(at + shift) for at, shift in zip(spot.centre_px or (), (beside / um_per_px, 0), strict=True)
        )
        if min(x, y) >= half and max(x, y) < len(pixels) - half:
            singles.append(_single(f"single-{i}", pixels[y - half : y + half, x - half : x + half]))
    mask = np.zeros((2 * half, 2 * half), np.uint8)
    for radius, value in ((7, CYTOPLASM), (5, NUCLEUS)):
        cv2.circle(mask, (half, half), round(radius / um_per_px), value, -1)
    first = singles[0].load()
    return (
        *fields,
        *singles,
        replace(singles[0], load_mask=lambda: mask),
        _single("cut-out", np.asarray(first * (mask > 0)[..., None], np.uint8)),
        _single("nothing", np.full_like(first, 230)),
    )


def _field(seed: int, um_per_px: float, leukocytes: float) -> Picture:
    side = round(_SIDE_UM / um_per_px)
    scope = replace(
        scope_of(seed), um_per_px=um_per_px, field_px=(side, side), fields_across=1, fields_down=1,
        leukocytes_per_field=leukocytes, leukocyte_spacing_um=15.0, red_cell_spacing_um=10.5, rouleaux=0.0,
    )  # fmt: skip
    smear, group = Smear(scope), f"drawn/{seed}"
    pixels = Sensor(scope).expose(smear.window(0, 0, side, side), 0.2, 1.0, (0, 0))
    centres = (smear.layout.centres_um / um_per_px).tolist()
    spots = tuple(Spot(label, group, "train", (x, y)) for label, (x, y) in zip(cycle(LABELS), centres))
    return Picture(group, um_per_px, spots, lambda: pixels)


def _single(name: str, pixels: U8) -> Picture:
    return Picture(name, _FIELDS[0][0], (Spot(CLASSES[0], "drawn", "validation"),), lambda: pixels)
