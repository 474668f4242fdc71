"""Whether a picture's colours can be trusted: that it has some, that they are in order, and a blood stain's.

In a Romanowsky stain everything absorbs green light, and nuclei, which bind azure B, absorb red light more
than blue; red cells, which bind eosin, less so. That order holds in every laboratory, while the hue of red
cells alone does not: it runs from orange to bluish grey. So grey pictures, those in which red and blue are
exchanged and those of other stains are told by what does not depend on laboratory or lamp.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from edge.optics.illumination import resample
from edge.optics.specimen import BACKGROUND, Specimen
from edge.optics.stops import BLACK
from edge.types import F32, U8
from edge.types.problems import COLOUR_MISSING, EXCHANGED, NO_COLOUR, NO_PICTURE, STAIN, TOO_BRIGHT

_PITCH_UM = 1.0  # nuclei are four pixels across at the least
_SAMPLE = 3000  # pixels: channels and levels need no detail
_FEW_COLOURS = 24  # label images and masks have fewer, the poorest field of 200 px has 80
_FLAT, _ALIVE = 1.0, 4.0  # grey levels of deviation: of a channel that shows nothing, and of one that does
_STAINED = 0.08  # optical density, half of the palest red cell's
_ENOUGH_UM2 = 50.0  # of what is stained, as much as one red cell: less tells nothing
_GREY = 0.12  # by how much the channels' densities differ at least; 0.4 to 1.6 in blood, 0 in grey pictures
_GREEN = 0.8  # density in green light by the mean's: 0.97 to 1.6 in blood
_WASHED = 0.85  # of the red cells, burnt out in one channel: they have no true colour
_BURNT = 254
_DARK, _DARKEST = 1.4, 0.3  # green density of nuclei, times the typical stained one and at the least
_NUCLEUS_UM2 = 30.0  # the darkest that is as wide as a lobe: two thirds of a small nucleus
_HUE = 0.15  # red less blue by the mean density: less is neither
_WEAK = 0.1  # of a vote where what is dark has the hue of all else: clumps of red cells are such
_DECIDED = 0.5  # votes: a field of typical nuclei among typical red cells
_SETTLED = 5.0  # votes that colours are in order, after which nobody asks any more

_DENSITY = -np.log(np.maximum(np.arange(256), 1) / BACKGROUND).astype(np.float32)


class Colours:
    """What one slide's fields said of their colours so far.

    One field may have no nucleus, or only clumps of red cells; so whether red and blue are exchanged is a
    vote of all.
    """

    def __init__(self) -> None:
        self._exchanged = self._right = 0.0

    def see(self, view: Specimen, pixels: U8) -> str | None:
        """What is the matter with a field's colours, one of `edge.types.problems`; None where nothing is.

        `pixels`, (H, W, 3) uint8 RGB, are the frame's own, which `view` shows corrected.
        """
        problem = _as_taken(_sampled(pixels)) or _as_stained(view)
        if problem:
            return problem
        if self._right < _SETTLED:
            vote = _order(resample(view.half, 2 * view.pitch_um / _PITCH_UM))
            self._exchanged += max(vote, 0.0)
            self._right += max(-vote, 0.0)
        return EXCHANGED if self._exchanged >= _DECIDED and self._exchanged > self._right else None


def _sampled(pixels: U8) -> U8:
    """(3, n) of the pixels that are lit at all."""
    step = _step(pixels)
    some = np.ascontiguousarray(pixels[::step, ::step].reshape(-1, 3).T)
    return np.asarray(some[:, np.maximum.reduce(some) > BLACK], np.uint8)


def _step(pixels: U8) -> int:
    """Every how many rows and columns to take for about `_SAMPLE` pixels."""
    height, width = pixels.shape[:2]
    return math.isqrt(height * width // _SAMPLE) or 1


def _densities(grid: U8) -> F32:
    """(3, h * w) optical densities of an (h, w, 3) picture whose glass is at `BACKGROUND`."""
    return np.ascontiguousarray(cv2.LUT(grid, _DENSITY).reshape(-1, 3).T, np.float32)


def _as_taken(sample: U8) -> str | None:
    """What the channels say before any correction."""
    if sample.shape[1] < _FEW_COLOURS:
        return None
    codes = np.sort(np.array([1, 256, 65536], np.int32) @ sample.astype(np.int32))
    if np.count_nonzero(np.diff(codes)) < _FEW_COLOURS:
        return f"{NO_PICTURE}: a handful of colours, like a label image or a mask"
    scatter = np.array([cv2.meanStdDev(channel)[1].item() for channel in sample])
    if scatter.min() < _FLAT and scatter.max() > _ALIVE:
        dead = [name for name, s in zip(("red", "green", "blue"), scatter, strict=True) if s < _FLAT]
        return f"{COLOUR_MISSING}: {' and '.join(dead)}"
    return None


def _as_stained(view: Specimen) -> str | None:
    """What the optical densities say of what is stained."""
    step = _step(view.half)
    densities = _densities(np.ascontiguousarray(view.half[::step, ::step]))
    mean = densities.mean(axis=0)
    stained = mean > _STAINED
    if np.count_nonzero(stained) * (2 * step * view.pitch_um) ** 2 < _ENOUGH_UM2:
        return None
    density, mean = densities[:, stained], mean[stained]
    if float(np.median((np.maximum.reduce(density) - np.minimum.reduce(density)) / mean)) < _GREY:
        return NO_COLOUR
    if float(np.median(density[1] / mean)) < _GREEN:
        return STAIN
    if view.taken is None:
        return None
    height, width = view.half.shape[:2]
    taken = view.taken[: 2 * height : 2 * step, : 2 * width : 2 * step].reshape(-1, 3)[stained]
    red_cells = density[1] < _DARK * np.median(density[1])
    burnt = np.count_nonzero(taken[red_cells].max(axis=1) >= _BURNT)
    return TOO_BRIGHT if burnt > _WASHED * np.count_nonzero(red_cells) else None


def _order(grid: U8) -> float:
    """A vote for red and blue being exchanged, -1 to 1, 0 where a field does not tell.

    What absorbs green most is nuclei, in whichever order red and blue come. Their hue is held against nothing
    and against that of all else: by how much it is redder or bluer, in mean densities, is the vote's weight.

    Parameters
    ----------
    grid : (h, w, 3) uint8 RGB at `_PITCH_UM`, glass at `BACKGROUND`.
    """
    red, green, blue = densities = _densities(grid)
    stained = densities.mean(axis=0) > _STAINED
    lobe = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    wide = cv2.morphologyEx(green.reshape(grid.shape[:2]), cv2.MORPH_OPEN, lobe).ravel()
    rank = max(len(wide) - round(_NUCLEUS_UM2 / _PITCH_UM**2), 0)
    level = float(np.partition(wide, rank)[rank])
    if not stained.any() or level < max(_DARK * float(np.median(green[stained])), _DARKEST):
        return 0.0
    darkest = wide >= level
    nuclei, rest = (
        float(np.median(3 * (red[where] - blue[where]) / (red[where] + green[where] + blue[where])))
        for where in (darkest, stained & ~darkest)
    )
    redder = nuclei - rest
    if abs(nuclei) < _HUE or nuclei * redder < -(_HUE**2):
        return 0.0
    return float(np.copysign(np.clip(abs(redder), _WEAK, 1.0), -nuclei))
