"""Which colours nucleus and cytoplasm have, and how they vary."""

from __future__ import annotations

import cv2
import numpy as np

from edge.cells.stain import density
from edge.types import F32, U8, Bools
from train.published.classical.regions import Regions

_CHANNELS = (
    "red", "green", "blue", "hue", "saturation", "value", "red_density", "green_density", "blue_density",
)  # fmt: skip


def colour(crop: U8, regions: Regions) -> dict[str, float]:
    """Mean, standard deviation and skewness of each channel of nucleus and cytoplasm, (S, S, 3) uint8 RGB.

    RGB and saturation in grey levels, hue in steps of two degrees, optical densities in natural logarithms.
    """
    hsv = cv2.cvtColor(crop, cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(np.int32) + 90) % 180  # blood is blue to red: the wrap must be at green
    channels = np.concatenate([crop, hsv, density(crop)], axis=2, dtype=np.float32)
    out: dict[str, float] = {}
    for name, region in (("nucleus", regions.nucleus), ("cytoplasm", regions.cytoplasm)):
        moments = _moments(channels, region if region.any() else regions.cell)
        for channel, values in zip(_CHANNELS, moments.tolist(), strict=True):
            keys = (f"{name}_{channel}_{moment}" for moment in ("mean", "spread", "skew"))
            out |= dict(zip(keys, values, strict=True))
    return out


def _moments(channels: F32, region: Bools) -> F32:
    """(k, 3) mean, standard deviation and skewness of (S, S, k) channels."""
    values = channels[region].astype(np.float64)
    mean = values.mean(axis=0)
    spread = values.std(axis=0)
    skew = ((values - mean) ** 3).mean(axis=0) / np.maximum(spread, 1e-3) ** 3
    return np.stack([mean, spread, skew], axis=1).astype(np.float32)
