"""Red blood cells as a ruler: they are about 7.5 µm across in every field, whatever the camera.

Two witnesses tell how wide they are. Outlines (`edge.optics.outlines`) are geometry and hold in every
laboratory, but few cells of a crowded field show theirs. A small network (`edge.optics.ruler`) reads cells
that touch or are cut, but errs in laboratories that it did not learn from. It says at what size to look for
outlines; the more of these agree, the less it counts, and where they contradict it they are believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge.optics import outlines, ruler
from edge.optics.litfield import WHOLE, LitField
from edge.optics.outlines import weighted_median
from edge.types import F32, U8, Bools

RED_CELL_UM = outlines.RED_CELL_UM
"""Diameter of a red cell, µm."""

LEAST_CELLS = 3
"""Outlined red cells of one size that are a scale."""

_RED_CELL_SPREAD = 0.04  # relative: people's mean red cells lie between 7.2 and 7.8 µm
_CELL_SPREAD = 0.08  # relative: one person's red cells differ by this much at least
_READ_SPREAD = 0.08  # relative: what the network errs by in a laboratory that it learned from
_STRANGE_SPREAD = 0.15  # and where nothing else tells, for it may not have
_ALIKE = 0.3  # in log diameter: witnesses that differ by more do not speak of the same
_MIN_FRAME_PX = 64
_TEMPER = 0.6  # tiles of one picture overlap, and show the same cells at several sizes
_LEAST = 6.0  # tempered log likelihood against no red cells at all: ghosts of cells reach 5.5 in 95%
_SURELY_NONE = -7.0  # tempered: print and petals have round outlines too; strange blood: -6 or more in 95%
_MOST = 6.0  # that one picture can bring in, for or against
_ASTRAY = 0.03  # share of pictures that something else than red cells misleads
_NEAR = 6  # bins to each side of the likeliest: a factor of 1.4
_EXPECTED = 1.3  # times wider or narrower than expected: outlines of another size ask for another look
_LOGS = np.log(ruler.SMALLEST_PX) + np.log(2) / ruler.BINS_PER_OCTAVE * np.arange(ruler.DIAMETERS)


@dataclass(frozen=True, eq=False)
class RedCells:
    """What one picture says of its red cells' size.

    Attributes
    ----------
    across_px : (k,) float32, diameters of those whose outlines show.
    weights : (k,) float32, how well they do, 0 to 1.
    likelier : (n,) float32, log likelihood of each diameter against that of no red cells, as the network
        reads the picture (see `edge.optics.ruler.evidence`); None where it was not asked.
    """

    across_px: F32
    weights: F32
    likelier: F32 | None = None

    def __len__(self) -> int:
        """How many show their outlines."""
        return len(self.across_px)

    def enlarged(self, times: int) -> RedCells:
        """The same in pixels of which one of this picture's holds so many across, 1 or 2."""
        if times == 1:
            return self
        likelier = self.likelier
        if likelier is not None:
            likelier = np.pad(likelier[: -ruler.BINS_PER_OCTAVE], (ruler.BINS_PER_OCTAVE, 0), mode="edge")
        return RedCells(self.across_px * np.float32(times), self.weights, likelier)

    @property
    def read(self) -> bool:
        """Whether the network sees red cells."""
        return self.likelier is not None and _TEMPER * float(self.likelier.max()) > _LEAST


@dataclass(frozen=True)
class Measured:
    """A scale read off red cells.

    Attributes
    ----------
    um_per_px : micrometres per pixel.
    uncertainty : relative standard error, people's differing red cells included.
    cells, fields : how many outlined red cells it rests on, 0 where the network alone tells; how many
        pictures.
    """

    um_per_px: float
    uncertainty: float
    cells: int
    fields: int


def estimate(fields: Sequence[RedCells]) -> Measured | None:
    """Scale from the red cells of one or more pictures of the same scale; None rather than a guess."""
    outlined, read = _outlined(fields), _read(fields)
    if outlined is None or read is None:
        return outlined or read
    away = float(np.log(read.um_per_px / outlined.um_per_px))
    if abs(away) > _ALIKE:
        return outlined
    of_median = outlined.uncertainty**2 - _RED_CELL_SPREAD**2
    share = of_median / (of_median + _READ_SPREAD**2)  # by the inverse of their variances
    together = outlined.um_per_px * float(np.exp(share * away))
    error = float(np.hypot(np.sqrt(share) * _READ_SPREAD, _RED_CELL_SPREAD))
    return replace(outlined, um_per_px=together, uncertainty=error)


def _outlined(fields: Sequence[RedCells]) -> Measured | None:
    """By outlines.

    The diameter is the peak of the diameters' distribution in logarithmic bins (a kernel density weighted
    by quality and size), then the weighted median round that peak: platelets, fragments and clumps lie
    away from it. Without three cells there, or with most of the weight elsewhere, there is no estimate.
    """
    across = np.concatenate([f.across_px for f in fields] or [np.zeros(0, np.float32)])
    if len(across) < LEAST_CELLS:
        return None
    logs = np.log(across)
    weights = np.concatenate([f.weights for f in fields]) * across
    grid = np.arange(logs.min(), logs.max() + 0.01, 0.01)
    density = np.exp(-(((grid[:, None] - logs) / _CELL_SPREAD) ** 2) / 2) @ weights
    near = np.abs(logs - grid[density.argmax()]) < 2.5 * _CELL_SPREAD
    cells = int(np.count_nonzero(near))
    if cells < LEAST_CELLS or weights[near].sum() < 0.5 * weights.sum():
        return None
    middle = weighted_median(logs[near], weights[near])
    spread = max(float(logs[near].std()), _CELL_SPREAD)
    of_median = 1.25 * spread / np.sqrt(cells)  # a median scatters 1.25 times as much as a mean
    error = float(np.hypot(of_median, _RED_CELL_SPREAD))
    used = sum(1 for f in fields if len(f))
    return Measured(RED_CELL_UM / float(np.exp(middle)), error, cells, used)


def _read(fields: Sequence[RedCells]) -> Measured | None:
    """By the network.

    Every picture's likelihood is mixed with one that knows nothing, so that a few which something misled
    are outvoted when the likeliest diameter is sought; those that agree then say what it is exactly.
    """
    told = [f.likelier for f in fields if f.likelier is not None]
    each = _TEMPER * np.array([one for one in told if _TEMPER * one.max() > _LEAST], np.float64)
    if not len(each):
        return None
    together = _mixed(each)
    peak = int(together.argmax())
    against = sum(max(_TEMPER * float(one[peak]), -_MOST) for one in told if _TEMPER * one.max() <= _LEAST)
    if np.clip(each[:, peak], -_MOST, _MOST).sum() + against < _LEAST:
        return None
    agree = np.abs(each.argmax(axis=1) - peak) <= _NEAR
    near = slice(max(peak - _NEAR, 0), peak + _NEAR + 1)
    posterior = each[agree, near].mean(axis=0)  # of all together it would be narrower than a bin
    posterior = np.exp(posterior - posterior.max())
    posterior /= posterior.sum()
    middle = float(posterior @ _LOGS[near])
    variance = float(posterior @ (_LOGS[near] - middle) ** 2) / int(agree.sum())
    error = float(np.sqrt(variance + _STRANGE_SPREAD**2))
    return Measured(RED_CELL_UM / float(np.exp(middle)), error, 0, int(agree.sum()))


def _mixed(each: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log likelihood of all pictures, (n,), from that of (k, n) each, any of which may be misled."""
    best = each.max(axis=1, keepdims=True)
    together: NDArray[np.float64] = np.log((1 - _ASTRAY) * np.exp(each - best) + _ASTRAY).sum(axis=0)
    return together


def find(
    pixels: U8, lit: LitField = WHOLE, expected_px: float | None = None, *, thorough: bool = False
) -> RedCells:
    """What a picture, (H, W, 3) uint8 RGB, says of its red cells; those of 8 to 512 px across are told.

    Parameters
    ----------
    lit : where it shows the specimen. expected_px : how wide the slide's red cells were so far; where their
        outlines show again, nothing else is asked. thorough : look at all of a field, however long it takes.
    """
    if min(pixels.shape[:2]) < _MIN_FRAME_PX:
        return RedCells(np.zeros(0, np.float32), np.zeros(0, np.float32))
    found = None if expected_px is None else outlines.diameters(pixels, lit, expected_px)
    if found is not None and np.count_nonzero(_alike(found[0], expected_px)) >= LEAST_CELLS:
        return RedCells(*found)
    likelier = ruler.evidence(pixels, lit)
    best = _TEMPER * float(likelier.max())
    if best < _SURELY_NONE:
        return RedCells(np.zeros(0, np.float32), np.zeros(0, np.float32), likelier)
    about = float(np.exp(_LOGS[likelier.argmax()])) if best > 0 else None
    if found is None or about is None or not _alike(about, expected_px):
        side_px = outlines.THOROUGH_PX if thorough else outlines.FIRST_PX
        found = outlines.diameters(pixels, lit, about, side_px)
    return RedCells(*found, likelier)


def _alike(across_px: F32 | float, expected_px: float | None) -> Bools:
    """Whether diameters are about what was expected."""
    away = np.log(np.asarray(across_px) / (expected_px or 1.0))
    return np.asarray(np.abs(away) < np.log(_EXPECTED))
