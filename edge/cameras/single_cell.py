"""One simulated cell in the middle of a bit of smear, for training and for golden cases."""

from __future__ import annotations

import cv2
import numpy as np

from edge.cameras.cytology import DIAMETER_UM, draw
from edge.cameras.debris import draw_red_cell
from edge.cameras.drawing import Dye, Stain, stamp
from edge.types import F32, U8, Bools

FINEST_UM_PER_PX = 0.125  # coarser pictures are drawn at about this and scaled down, as a camera would
STAIN_SPREAD = 0.16


def draw_cell(
    class_name: str, rng: np.random.Generator, um_per_px: float, size_px: int
) -> tuple[U8, Bools, Bools]:
    """Draw one cell of a class of the default bundle, with a stain, camera and neighbourhood of its own.

    Parameters
    ----------
    class_name : a key of `edge.cameras.cytology.DIAMETER_UM`; KeyError otherwise.
    rng : everything random comes from it.
    um_per_px, size_px : scale and side of the picture.

    Returns
    -------
    pixels (S, S, 3) uint8 RGB, nucleus (S, S) bool and cell (S, S) bool. Platelets and artefacts have no
    nucleus; a smudge cell is all nucleus.
    """
    finer = max(1, round(um_per_px / FINEST_UM_PER_PX))
    um, side = um_per_px / finer, size_px * finer
    stain = Stain.varied(rng, STAIN_SPREAD)
    low, high = DIAMETER_UM[class_name]
    diameter = low + (high - low) * rng.beta(1.6, 1.9)
    offset = rng.normal(0, 0.15 / um, 2).clip(-0.5 / um, 0.5 / um)
    canvas = draw(class_name, rng, um, diameter, (float(offset[0]), float(offset[1])))
    density = _red_cells(rng, um, side, diameter)[..., None] * stain.density[Dye.HAEMOGLOBIN]
    stamp(density, canvas.density(stain), side // 2, side // 2)
    masks = np.zeros((side, side, 2), np.float32)
    drawn = np.stack([canvas.nucleus, canvas.cell], -1).astype(np.float32)
    stamp(masks, drawn, side // 2, side // 2)
    light = cv2.exp(density * np.float32(-np.log(10)))
    light = np.asarray(cv2.GaussianBlur(light, (0, 0), max(_focus_um(rng) / um, 0.3)), np.float32)
    if finer > 1:
        size = (size_px, size_px)
        light = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), np.float32)
        masks = np.asarray(cv2.resize(masks, size, interpolation=cv2.INTER_AREA), np.float32)
    return _expose(rng, light), masks[..., 0] >= 0.5, masks[..., 1] >= 0.5


def _focus_um(rng: np.random.Generator) -> float:
    """Blur of the optics: mostly in focus, one in ten a little out."""
    return float(rng.uniform(0.08, 0.22) if rng.random() < 0.9 else rng.uniform(0.22, 0.45))


def _red_cells(rng: np.random.Generator, um: float, side: int, diameter: float) -> F32:
    """Haemoglobin (side, side) of red cells about a cell of this diameter, rarely over its edge."""
    haemoglobin = np.zeros((side, side), np.float32)
    red_um = rng.normal(7.4, 0.35)
    rim = rng.uniform(0, 0.3) if rng.random() < 0.5 else 0.0
    looks = [draw_red_cell(rng, um, red_um * rng.normal(1, 0.06), rim) for _ in range(4)]
    crowding = rng.uniform(0.45, 1.15)
    half_um = side * um / 2 + 3
    wanted = int(crowding * (2 * half_um) ** 2 / 80)
    taken = [(0.0, 0.0, diameter / 2 + rng.uniform(0.36, 0.55) * red_um)]
    nearest = rng.uniform(0.6, 1.0) * red_um
    for x, y in rng.uniform(-half_um, half_um, (3 * wanted, 2)).tolist():
        if len(taken) > wanted or any((x - a) ** 2 + (y - b) ** 2 < r * r for a, b, r in taken):
            continue
        taken.append((x, y, nearest))
        look = looks[int(rng.integers(len(looks)))][:: rng.choice((1, -1)), :: rng.choice((1, -1))]
        stamp(haemoglobin, look, round(side / 2 + x / um), round(side / 2 + y / um))
    return haemoglobin


def _expose(rng: np.random.Generator, light: F32) -> U8:
    """The picture of `light` under uneven light of some colour, with the sensor's noise."""
    height, width = light.shape[:2]
    white = rng.uniform(190, 245) * rng.uniform(0.82, 1.0, 3)
    lean = rng.normal(0, 0.03, 2)
    across = (1 + lean[0] * np.linspace(-1, 1, width)).astype(np.float32)
    down = (1 + lean[1] * np.linspace(-1, 1, height)).astype(np.float32)
    picture = light * white.astype(np.float32) * across[None, :, None] * down[:, None, None]
    picture += rng.standard_normal(picture.shape, np.float32) * np.float32(rng.uniform(0.5, 4.0))
    return np.asarray(np.rint(picture).clip(0, 255), np.uint8)
