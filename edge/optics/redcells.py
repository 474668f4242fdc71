"""Red blood cells as a ruler: they are about 7.5 µm across in every field, whatever the camera.

A small network (`edge.optics.ruler`) tells at places all over a picture how large the red cells there are,
single, touching or cut by the edge; what the places say is summed up, over one picture or over a slide's, and
where most of it agrees is the scale. Nothing here needs to know the scale beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge.optics import ruler
from edge.optics.litfield import WHOLE, LitField
from edge.types import F32, U8

RED_CELL_UM = 7.5
"""Diameter of a red cell on a dried, stained smear of an adult, µm: the middle of 7.2 to 7.8."""

_SPREAD = 0.05  # relative: people's mean red cells differ by 0.04, and the network reads stains differently
_MIN_FRAME_PX = 64
_TEMPER = 0.6  # tiles of one picture overlap, and show the same cells at several sizes
_LEAST = 3.6  # tempered log likelihood against no red cells at all
_MOST = 6.0  # that one picture can bring in, for or against
_ASTRAY = 0.03  # share of pictures that something else than red cells misleads
_NEAR = 6  # bins to each side of the likeliest: a factor of 1.4
_LOGS = np.log(ruler.SMALLEST_PX) + np.log(2) / ruler.BINS_PER_OCTAVE * np.arange(ruler.DIAMETERS)


@dataclass(frozen=True, eq=False)
class RedCells:
    """What one picture says of its red cells' size; see `edge.optics.ruler.evidence`.

    Attributes
    ----------
    likelier : (n,) float32, log likelihood of each diameter against that of no red cells.
    room : (n,) float32, red cells of each diameter that find room in what was looked at.
    """

    likelier: F32
    room: F32

    def __len__(self) -> int:
        """About how many red cells were looked at; 0 where nothing speaks for any."""
        peak = int(self.likelier.argmax())
        return round(float(self.room[peak])) if _TEMPER * float(self.likelier[peak]) > _LEAST else 0


@dataclass(frozen=True)
class Measured:
    """A scale read off red cells.

    Attributes
    ----------
    um_per_px : micrometres per pixel.
    uncertainty : relative standard error, people's differing red cells included.
    cells, fields : about how many red cells it rests on, from how many pictures.
    """

    um_per_px: float
    uncertainty: float
    cells: int
    fields: int


def estimate(fields: Sequence[RedCells]) -> Measured | None:
    """Scale from the red cells of one or more pictures of the same scale; None rather than a guess.

    Every picture's likelihood is mixed with one that knows nothing, so that a few which something misled
    are outvoted when the likeliest diameter is sought; those that agree then say what it is exactly.
    """
    each = _TEMPER * np.array([f.likelier for f in fields if len(f)], np.float64).reshape(-1, len(_LOGS))
    if not len(each):
        return None
    best = each.max(axis=1, keepdims=True)
    together = np.log((1 - _ASTRAY) * np.exp(each - best) + _ASTRAY).sum(axis=0)
    peak = int(together.argmax())
    against = sum(max(_TEMPER * float(f.likelier[peak]), -_MOST) for f in fields if not len(f))
    if np.clip(each[:, peak], -_MOST, _MOST).sum() + against < _LEAST:
        return None
    agree = np.abs(each.argmax(axis=1) - peak) <= _NEAR
    near = slice(max(peak - _NEAR, 0), peak + _NEAR + 1)
    posterior = each[agree, near].mean(axis=0)  # of all together it would be narrower than a bin
    posterior = np.exp(posterior - posterior.max())
    posterior /= posterior.sum()
    middle = float(posterior @ _LOGS[near])
    variance = float(posterior @ (_LOGS[near] - middle) ** 2) / int(agree.sum())
    rooms = np.array([f.room[peak] for f in fields if len(f)])
    error = float(np.sqrt(variance + _SPREAD**2))
    return Measured(
        RED_CELL_UM / float(np.exp(middle)), error, round(float(rooms[agree].sum())), int(agree.sum())
    )


def find(pixels: U8, lit: LitField = WHOLE) -> RedCells:
    """What a picture, (H, W, 3) uint8 RGB of unknown scale, says of its red cells.

    Only the lit field is looked at. Red cells of 8 to 512 px across are told.
    """
    if min(pixels.shape[:2]) < _MIN_FRAME_PX:
        nothing = np.zeros(ruler.DIAMETERS, np.float32)
        return RedCells(nothing, nothing)
    return RedCells(*ruler.evidence(pixels, lit))
