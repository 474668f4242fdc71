"""Places in a field that are no cell of interest: red cells, gaps, stain deposit, scale bars.

No data set labels artefacts, yet the device meets them all the time. They are picked from fields whose
leukocytes are labelled, far from every label and without nuclear stain.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from edge.optics.specimen import BACKGROUND, specimen
from edge.types import F32, U8

ARTEFACT = "artefact"
"""What these places are labelled."""

_PITCH_UM = 0.5  # coarse is enough to tell a nucleus
_NUCLEAR_DENSITY = 0.40  # optical density in red: nuclei absorb it, haemoglobin hardly does
_SURE_DENSITY = 0.6  # no clump of red cells is as dark, whatever the stain
_DISTANCE_UM = 14.0  # beyond a large leukocyte's edge, so that none sits in the middle of the crop
_REACH_UM = 5.0  # radius of the crop's middle that must be free of nuclear stain
_MAX_NUCLEAR_SHARE = 0.04


def red_density(pixels: U8, um_per_px: float) -> tuple[F32, float]:
    """Optical density in the red channel on a coarse grid, (h, w) float32, and grid px per picture px."""
    view = specimen(pixels, um_per_px, _PITCH_UM)
    smooth = cv2.GaussianBlur(view.pixels[..., 0], (0, 0), 1.0).astype(np.float32)
    return np.log(BACKGROUND / np.maximum(smooth, 1.0)), view.scale


def artefact_spots(
    pixels: U8,
    um_per_px: float,
    labelled: Sequence[tuple[float, float]],
    count: int,
    rng: np.random.Generator,
) -> list[tuple[float, float]]:
    """Up to `count` places, x and y in picture px, half of them at random and half where stain is densest."""
    density, scale = red_density(pixels, um_per_px)
    nuclear = (density > _NUCLEAR_DENSITY).astype(np.float32)
    reach = 2 * int(_REACH_UM / _PITCH_UM) + 1
    allowed = cv2.blur(nuclear, (reach, reach)) < _MAX_NUCLEAR_SHARE
    margin = int(_REACH_UM / _PITCH_UM)
    for edge in (np.s_[:margin], np.s_[-margin:], np.s_[:, :margin], np.s_[:, -margin:]):
        allowed[edge] = False
    y, x = np.mgrid[: density.shape[0], : density.shape[1]].astype(np.float32)
    for cx, cy in labelled:
        allowed &= np.hypot(x - cx * scale, y - cy * scale) > _DISTANCE_UM / _PITCH_UM
    spots = []
    for turn in range(count):
        rows, columns = np.nonzero(allowed)
        if not len(rows):
            break
        stain = density[rows, columns]
        pick = int(rng.integers(len(rows))) if turn % 2 else int(np.argmax(stain))
        row, column = int(rows[pick]), int(columns[pick])
        spots.append((column / scale, row / scale))
        allowed &= np.hypot(x - column, y - row) > _DISTANCE_UM / 2 / _PITCH_UM
    return spots


def nucleated_spots(pixels: U8, um_per_px: float, count: int) -> list[tuple[float, float]]:
    """Up to `count` places of compact nuclei, largest first, x and y in picture px."""
    density, scale = red_density(pixels, um_per_px)
    mask = cv2.morphologyEx(
        (density > _SURE_DENSITY).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)
    )
    total, _, stats, centres = cv2.connectedComponentsWithStats(mask)
    found = []
    for i in range(1, total):
        left, top, width, height, area = (int(v) for v in stats[i])
        inside = left > 0 and top > 0 and left + width < mask.shape[1] and top + height < mask.shape[0]
        area_um2 = area * _PITCH_UM**2
        # a single nucleus fills most of the ellipse in its box; clumps and dirt do not
        if inside and 25 < area_um2 < 200 and area > 0.6 * width * height and 0.6 < width / height < 1.7:
            found.append((area_um2, (float(centres[i][0]) / scale, float(centres[i][1]) / scale)))
    return [spot for _, spot in sorted(found, reverse=True)[:count]]
