"""How large a cell and its nucleus are, and of what form."""

from __future__ import annotations

from math import pi

import cv2
import numpy as np
from skimage.measure import regionprops

from edge.types import Bools
from train.published.classical.regions import Regions

_LEVEL_UM = 0.25  # by which the nucleus is eroded further each time
_LOBE_UM = 0.35  # a piece that survives no longer than this is roughness, not a lobe


def shape(regions: Regions, pitch_um: float) -> dict[str, float]:
    """Sizes in µm and µm², ratios from 0 to 1.

    Circularity is 4 pi area / perimeter², 1 for a disc; elongation how much shorter the minor axis of the
    ellipse with the same second moments is than the major one; solidity the share of the convex hull.
    """
    of_nucleus = _form("nucleus", regions.nucleus, pitch_um)
    of_cell = _form("cell", regions.cell, pitch_um)
    apart = np.subtract(_middle(regions.nucleus), _middle(regions.cell)) * pitch_um
    return of_nucleus | of_cell | {
        "nucleus_share": of_nucleus["nucleus_area_um2"] / of_cell["cell_area_um2"],
        "nucleus_offset_um": float(np.hypot(*apart)),
        "lobes": float(lobes(regions.nucleus, pitch_um)),
    }  # fmt: skip


def lobes(nucleus: Bools, pitch_um: float) -> int:
    """The most pieces that an (S, S) nucleus is in at once while it is eroded further and further."""
    depth = cv2.distanceTransform(np.pad(nucleus.astype(np.uint8), 1), cv2.DIST_L2, 5) * pitch_um
    most = 1
    for level in np.arange(0.0, float(depth.max()), _LEVEL_UM):
        pieces = cv2.connectedComponents((depth > level).astype(np.uint8))[1]
        most = max(most, len(np.unique(pieces[depth > level + _LOBE_UM])))
    return most


def _form(name: str, region: Bools, pitch_um: float) -> dict[str, float]:
    found = regionprops(region.astype(np.uint8))[0]
    around = max(float(found.perimeter), 1.0)
    long, short = max(float(found.axis_major_length), 1e-6), float(found.axis_minor_length)
    return {
        f"{name}_area_um2": float(found.area) * pitch_um**2,
        f"{name}_perimeter_um": around * pitch_um,
        f"{name}_circularity": min(4 * pi * float(found.area) / around**2, 1.0),
        f"{name}_solidity": float(found.area) / max(float(found.area_convex), 1.0),
        f"{name}_eccentricity": float(found.eccentricity),
        f"{name}_elongation": 1 - short / long,
    }


def _middle(region: Bools) -> tuple[float, float]:
    y, x = np.nonzero(region)
    return float(y.mean()), float(x.mean())
