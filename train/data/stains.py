"""How else a cell could have been presented: in another laboratory's stain, before other blood, or alone.

A network that meets every class in one laboratory's colours learns the laboratory. So training windows
change places: their optical densities are brought part of the way to another data set's, and the cell is cut
out and laid on another field's blood, or on bare glass, like those of data sets that come without any
background. Within a data set all windows are scaled alike, so that what tells its cells apart stays.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.optics.specimen import BACKGROUND
from edge.types import F32, U8
from train.data.augment import Augmentation

Indices = NDArray[np.int64]

_ENOUGH_PX = 60  # of nucleus, to tell its density
_FAINTEST, _STRONGEST = 0.05, 3.0  # optical densities between which a ratio of two means something
_FACTORS = (0.35, 2.5)  # beyond these a window loses what it shows to noise or to black
_LEVELS = np.log(BACKGROUND / np.maximum(np.arange(256), 1.0)).astype(np.float32)
_CUT_OUT = (0.6, 0.4)  # shares of cells without a background that are laid on blood and on glass
_HALO_PX = 5  # the cut lies up to so many pixels outside the cell


@dataclass(frozen=True, eq=False)
class Stains:
    """What the windows of several data sets can lend each other.

    Attributes
    ----------
    densities : (k, 3) float32, typical nuclear optical density of each data set that shows nuclei.
    own : (n,) which of them is a window's own, -1 where its data set has none.
    surroundings : indices of windows that show blood without a leukocyte in the middle.
    bare : (n,) bool, windows whose cell came without any background.
    """

    densities: F32
    own: Indices
    surroundings: Indices
    bare: NDArray[np.bool_]

    @classmethod
    def of(cls, pixels: U8, masks: U8, datasets: NDArray[np.str_], labels: NDArray[np.str_]) -> Stains:
        """Look at n windows; arguments as the attributes of `train.data.windows.Windows`."""
        own = np.full(len(pixels), -1, np.int64)
        stains: list[F32] = []
        bare = np.zeros(len(pixels), np.bool_)
        for name in dict.fromkeys(datasets.tolist()):
            inside = datasets == name
            densities = [_nuclear(p, m) for p, m in zip(pixels[inside], masks[inside], strict=True)]
            known = [d for d in densities if d is not None]
            if known:
                own[inside] = len(stains)
                stains.append(np.clip(np.median(known, axis=0), _FAINTEST, _STRONGEST))
            bare[inside] = _without_background(pixels[inside], masks[inside])
        # of data sets that show cells too: what lies beside cells may lie behind one
        behind = np.flatnonzero((labels == "artefact") & (own >= 0))
        return cls(np.asarray(stains, np.float32).reshape(-1, 3), own, behind, bare)

    def presented(
        self, pixels: U8, masks: U8, batch: Indices, settings: Augmentation, rng: np.random.Generator
    ) -> U8:
        """(b, S, S, 3) uint8 windows of a batch, each perhaps presented otherwise.

        Parameters
        ----------
        pixels, masks : of all n windows; see `train.data.windows.Windows`.
        """
        out = pixels[batch]
        for window, i in zip(out, batch.tolist(), strict=True):
            if rng.random() < settings.restained_share and self.own[i] >= 0:
                window[:] = cv2.LUT(window, self._other_stain(int(self.own[i]), rng))
            blood, glass = _CUT_OUT if self.bare[i] else (settings.transplanted_share, settings.glass_share)
            turn = rng.random()
            if turn >= blood + glass or not masks[i].any():
                continue
            behind: U8 = np.full_like(window, BACKGROUND)
            if turn < blood and len(self.surroundings):
                behind = _turned(pixels[self.surroundings[rng.integers(len(self.surroundings))]], rng)
            halo = 0 if self.bare[i] else int(rng.integers(_HALO_PX))
            window[:] = _laid(window, masks[i], behind, halo)
        return out

    def _other_stain(self, own: int, rng: np.random.Generator) -> U8:
        """(256, 1, 3) uint8: what each grey level becomes on the way to a random data set's stain."""
        target = self.densities[rng.integers(len(self.densities))]
        factors = np.clip((target / self.densities[own]) ** rng.uniform(0, 1.2), *_FACTORS)
        levels = BACKGROUND * np.exp(-_LEVELS[:, None] * factors.astype(np.float32))
        return np.asarray(np.round(levels), np.uint8)[:, None]


def _nuclear(pixels: U8, mask: U8) -> F32 | None:
    """(3,) median optical density of a window's nucleus, None where there is too little of one."""
    nucleus = pixels[mask == 2]
    if len(nucleus) < _ENOUGH_PX:
        return None
    return np.asarray(np.median(_LEVELS[nucleus], axis=0), np.float32)


def _without_background(pixels: U8, masks: U8) -> NDArray[np.bool_]:
    """Which windows show clear glass and nothing else outside their cell."""
    away = 6
    shown = np.abs(pixels.astype(np.int16).min(axis=3) - BACKGROUND) <= 1
    grown = np.stack([cv2.dilate((m > 0).astype(np.uint8), np.ones((away, away), np.uint8)) for m in masks])
    return np.asarray((shown | (grown > 0)).mean(axis=(1, 2)) > 0.995) & masks.any(axis=(1, 2))


def _turned(window: U8, rng: np.random.Generator) -> U8:
    quarter: U8 = np.rot90(window, int(rng.integers(4)))
    return np.asarray(quarter[::-1] if rng.random() < 0.5 else quarter)


def _laid(window: U8, mask: U8, behind: U8, halo: int) -> U8:
    """A cell before other surroundings, its cut softened."""
    cell = (mask > 0).astype(np.uint8)
    if halo:
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * halo + 1, 2 * halo + 1))
        cell = np.asarray(cv2.dilate(cell, disc), np.uint8)
    share = cv2.GaussianBlur(cell.astype(np.float32), (0, 0), 0.8)[..., None]
    return np.asarray(np.round(window * share + behind * (1 - share)), np.uint8)
