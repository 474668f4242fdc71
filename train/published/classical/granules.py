"""The granules of a cell: how many are of which size, and their colour.

Granulometry after Matheron (1975): bright bodies vanish from a picture when it is opened with a disc that is
wider than they are, so what each wider disc takes away is the share of bodies of that size (Maragos's pattern
spectrum, IEEE PAMI 1989). The picture is the optical density, in which granules are bright.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.cells.stain import density, disc
from edge.types import U8
from train.published.classical.regions import Regions

_SIZES_UM = (0.75, 1.25, 1.75, 2.25, 3.0)  # eosinophils' granules measure 0.5 to 1 µm, basophils' up to 2
_GRAIN_UM = 1.75
_DISTINCT = 0.08  # optical density by which a granule stands out from what is round it
_CHANNELS = ("red", "green", "blue")


def granules(crop: U8, regions: Regions, pitch_um: float) -> dict[str, float]:
    """Pattern spectra of cytoplasm and whole cell, and colours of the cytoplasm's granules.

    `*_granularity` is the mean optical density that discs up to 3 µm take away, per channel, and the rest of
    the spectrum how it is shared out over the sizes; `granule_share` the part of the cytoplasm that is
    granules; the densities of granules and of what is between them are means.
    """
    layer = density(crop)
    cytoplasm = regions.cytoplasm if regions.cytoplasm.any() else regions.cell
    openings = [layer, *(cv2.morphologyEx(layer, cv2.MORPH_OPEN, disc(um, pitch_um)) for um in _SIZES_UM)]
    out: dict[str, float] = {}
    for name, region in (("cytoplasm", cytoplasm), ("cell", regions.cell)):
        left = np.array([opened[region].mean(axis=0, dtype=np.float64) for opened in openings])
        taken = left[:-1] - left[1:]
        for channel, spectrum in zip(_CHANNELS, taken.T, strict=True):
            out[f"{name}_{channel}_granularity"] = float(spectrum.sum())
            shares = spectrum / max(spectrum.sum(), 1e-6)
            out |= {f"{name}_{channel}_{um:g}um": float(s) for um, s in zip(_SIZES_UM, shares, strict=True)}
    grain = cv2.morphologyEx(layer, cv2.MORPH_TOPHAT, disc(_GRAIN_UM, pitch_um)).max(axis=2) > _DISTINCT
    out["granule_share"] = float(grain[cytoplasm].mean())
    for name, region in (("granule", cytoplasm & grain), ("ground", cytoplasm & ~grain)):
        seen = layer[region if region.any() else cytoplasm].mean(axis=0)
        out |= {f"{name}_{channel}_density": float(d) for channel, d in zip(_CHANNELS, seen, strict=True)}
    return out
