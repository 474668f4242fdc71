"""How chromatin and cytoplasm are patterned: co-occurrence of grey levels and local binary patterns.

Of the equalized picture, so that what is measured is the pattern and not how strong the stain is.
"""

from __future__ import annotations

import cv2
import numpy as np
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern

from edge.bundle.model_input import STEPS
from edge.types import U8, Bools
from train.published.classical.regions import Regions

_LEVELS = 16  # of grey: a matrix of 256 counts is well filled by a nucleus of 500 pixels
_DISTANCES_UM = (0.3, 0.9)  # within a clump of chromatin, and across one
_ANGLES = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
_PROPERTIES = ("contrast", "correlation", "energy", "homogeneity", "entropy")
_NEIGHBOURS = 8


def texture(crop: U8, regions: Regions, pitch_um: float) -> dict[str, float]:
    """Of nucleus and cytoplasm each, of (S, S, 3) uint8 RGB.

    Haralick's properties (IEEE SMC 1973) at two distances, averaged over four directions, and the shares of
    the ten rotation-invariant uniform binary patterns (Ojala et al., IEEE PAMI 2002).
    """
    grey = np.asarray(cv2.cvtColor(STEPS["equalize"].apply(crop, 0.0), cv2.COLOR_RGB2GRAY), np.uint8)
    patterns = local_binary_pattern(grey, _NEIGHBOURS, max(round(0.3 / pitch_um), 1), "uniform")
    out: dict[str, float] = {}
    for name, region in (("nucleus", regions.nucleus), ("cytoplasm", regions.cytoplasm)):
        out |= {f"{name}_{key}": value for key, value in _haralick(grey, region, pitch_um).items()}
        counts = np.bincount(patterns[region].astype(np.intp), minlength=_NEIGHBOURS + 2)
        shares = counts / max(counts.sum(), 1)
        out |= {f"{name}_pattern_{i}": float(share) for i, share in enumerate(shares)}
    return out


def _haralick(grey: U8, region: Bools, pitch_um: float) -> dict[str, float]:
    """Properties of the pairs of pixels that both lie in the region."""
    levels = np.where(region, grey // (256 // _LEVELS) + 1, 0).astype(np.uint8)
    rows, columns = (np.flatnonzero(region.any(axis=axis)) for axis in (1, 0))
    if rows.size:
        levels = levels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    distances = [max(round(um / pitch_um), 1) for um in _DISTANCES_UM]
    pairs = graycomatrix(levels, distances, _ANGLES, _LEVELS + 1, symmetric=True)[1:, 1:].astype(np.float64)
    pairs /= np.maximum(pairs.sum(axis=(0, 1)), 1)
    values = {name: graycoprops(pairs, name).mean(axis=1) for name in _PROPERTIES}
    return {
        f"{name}_{um:g}um": float(v)
        for name, each in values.items()
        for um, v in zip(_DISTANCES_UM, each, strict=True)
    }
