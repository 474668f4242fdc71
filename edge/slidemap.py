"""Where a field lies on the slide, so that each cell is counted once.

The stage is moved by hand and nothing measures it, so the map is built from what the fields show. A cell
seen before is recognised by its surroundings (a small picture of 24 µm round it: the red cells about a
leukocyte are as good as a fingerprint); otherwise the field is laid against the one before it by phase
correlation. Either guess is believed only if the overlap of the two fields looks alike. A field that fits
nowhere starts an island of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import BACKGROUND, Specimen
from edge.types import F32, I32, U8, Bools

_THUMB_UM = 1.5  # µm per pixel: a red cell is five pixels, enough to tell one field from another
_PRINT_PX = 16  # a fingerprint is 16 × 16 pixels of 1.5 µm
_SAME_SURROUNDINGS = 0.8  # correlation of two fingerprints of one cell, focus and centring differing a little
_SAME_OVERLAP = 0.5  # correlation of two views of one place; two different places stay below 0.3
_LEAST_OVERLAP = 0.12  # of a field: less than this proves nothing
_SAME_CELL_UM = 4.0  # half a lymphocyte: no two whole leukocytes have their centres this close
_CANDIDATES = 6  # fields that a frame is compared with before it is called new


@dataclass(frozen=True, eq=False)
class Placement:
    """What the map knows of a frame's cells.

    Attributes
    ----------
    ids : (n,) int32, identity on the slide. new : (n,) bool, not seen before.
    uncounted : (n,) bool, never entered the tally so far.
    repeated : the frame shows a place already counted and no cell beyond.
    """

    ids: I32
    new: Bools
    uncounted: Bools
    repeated: bool

    @classmethod
    def nowhere(cls) -> Placement:
        """Of a frame that was turned down: no cells, and no place."""
        none = np.zeros(0, np.bool_)
        return cls(np.zeros(0, np.int32), none, none, False)


@dataclass
class _Field:
    """A place that has been looked at: its island, its corner there in µm, and a small picture."""

    island: int
    corner_um: NDArray[np.float64]
    thumb: U8


@dataclass
class _Known:
    """Cells on the map, one row each."""

    island: list[int] = field(default_factory=list)
    place_um: list[NDArray[np.float64]] = field(default_factory=list)
    seen_in: list[_Field] = field(default_factory=list)
    at_um: list[NDArray[np.float64]] = field(default_factory=list)  # within that field
    prints: list[F32] = field(default_factory=list)
    counted: list[bool] = field(default_factory=list)


class SlideMap:
    """The map of one slide. `place` each accepted frame in turn, then `mark` the cells that were counted."""

    def __init__(self) -> None:
        self._known = _Known()
        self._last: _Field | None = None
        self._islands = 0
        self._undecided: set[int] = set()

    def place(self, view: Specimen, centres_um: NDArray[np.float64]) -> Placement:
        """Lay a frame on the map.

        Parameters
        ----------
        view : the frame's specimen.
        centres_um : (n, 2) float64, x and y of its cells in µm from the frame's corner.
        """
        thumb = _thumbnail(view)
        prints = _fingerprints(thumb, centres_um)
        here, overlap = self._locate(thumb, prints, centres_um)
        before = len(self._known.counted)
        ids = np.array(
            [self._identify(here, um, p) for um, p in zip(centres_um, prints, strict=True)], np.int32
        )
        new = ids > before
        uncounted = np.array([not self._known.counted[i - 1] for i in ids], np.bool_)
        self._last = here
        return Placement(ids, new, uncounted, overlap > 0.8 and not uncounted.any())

    def mark(self, settled: I32, undecided: I32) -> None:
        """These cells have entered the tally; of those the classifier was not sure."""
        for i in settled.tolist():
            self._known.counted[i - 1] = True
        self._undecided |= set(undecided.tolist())
        self._undecided -= set(settled.tolist())

    @property
    def undecided(self) -> int:
        """Cells of which no view so far was sure."""
        return len(self._undecided)

    def _locate(self, thumb: U8, prints: F32, centres_um: NDArray[np.float64]) -> tuple[_Field, float]:
        """The frame's place, and the share of it that an earlier field shows."""
        for earlier, shift_um in self._guesses(thumb, prints, centres_um):
            overlap, likeness = _compare(thumb, earlier.thumb, shift_um / _THUMB_UM)
            if overlap >= _LEAST_OVERLAP and likeness >= _SAME_OVERLAP:
                return _Field(earlier.island, earlier.corner_um + shift_um, thumb), overlap
        self._islands += 1
        return _Field(self._islands, np.zeros(2), thumb), 0.0

    def _guesses(
        self, thumb: U8, prints: F32, centres_um: NDArray[np.float64]
    ) -> list[tuple[_Field, NDArray[np.float64]]]:
        """Earlier fields that this one may overlap, with its corner relative to theirs in µm."""
        guesses: list[tuple[float, _Field, NDArray[np.float64]]] = []
        if len(prints) and self._known.prints:
            likeness = prints @ np.stack(self._known.prints).T
            rows, columns = np.nonzero(likeness >= _SAME_SURROUNDINGS)
            for i, j in zip(rows, columns, strict=True):
                shift = self._known.at_um[j] - centres_um[i]
                guesses.append((float(likeness[i, j]), self._known.seen_in[j], shift))
        guesses = sorted(guesses, key=lambda guess: -guess[0])[:_CANDIDATES]
        found = [(earlier, shift) for _, earlier, shift in guesses]
        if self._last is not None and self._last.thumb.shape == thumb.shape:
            a, b = (part.astype(np.float32) for part in (thumb, self._last.thumb))
            window = cv2.createHanningWindow(thumb.shape[::-1], cv2.CV_32F)
            (dx, dy), _ = cv2.phaseCorrelate(a, b, window)
            # the correlation is cyclic: a shift by d cannot be told from one by d less the field's size
            height, width = thumb.shape
            for x in (dx, dx - np.copysign(width, dx)):
                for y in (dy, dy - np.copysign(height, dy)):
                    found.append((self._last, np.array([x, y]) * _THUMB_UM))
        return found

    def _identify(self, here: _Field, centre_um: NDArray[np.float64], fingerprint: F32) -> int:
        """Number of the cell at this place, entered on the map if it is not there."""
        known = self._known
        place = here.corner_um + centre_um
        for i in range(len(known.island) - 1, -1, -1):
            if known.island[i] == here.island and np.hypot(*(known.place_um[i] - place)) < _SAME_CELL_UM:
                return i + 1
        known.island.append(here.island)
        known.place_um.append(place)
        known.seen_in.append(here)
        known.at_um.append(centre_um)
        known.prints.append(fingerprint)
        known.counted.append(False)
        return len(known.island)


class Separate:
    """Stands for the map where frames have nothing to do with each other: every cell is new."""

    def __init__(self) -> None:
        self._cells = 0
        self.undecided = 0

    def place(self, view: Specimen, centres_um: NDArray[np.float64]) -> Placement:
        """Number the cells; see `SlideMap.place`."""
        n = len(centres_um)
        ids = np.arange(self._cells + 1, self._cells + n + 1, dtype=np.int32)
        self._cells += n
        return Placement(ids, np.ones(n, np.bool_), np.ones(n, np.bool_), False)

    def mark(self, settled: I32, undecided: I32) -> None:
        """See `SlideMap.mark`."""
        self.undecided += len(undecided)


def _thumbnail(view: Specimen) -> U8:
    """(h, w) uint8 green channel, where every stain absorbs, at `_THUMB_UM`."""
    green = view.pixels[..., 1]
    scale = view.pitch_um / _THUMB_UM
    size = (max(round(green.shape[1] * scale), 8), max(round(green.shape[0] * scale), 8))
    return np.asarray(cv2.resize(green, size, interpolation=cv2.INTER_AREA), np.uint8)


def _fingerprints(thumb: U8, centres_um: NDArray[np.float64]) -> F32:
    """(n, 256) float32, zero mean and unit length each: the surroundings of every cell."""
    prints = np.zeros((len(centres_um), _PRINT_PX * _PRINT_PX), np.float32)
    for row, (x, y) in zip(prints, centres_um / _THUMB_UM, strict=True):
        patch = np.full((_PRINT_PX, _PRINT_PX), BACKGROUND, np.float32)
        move = np.array([[1, 0, _PRINT_PX / 2 - x], [0, 1, _PRINT_PX / 2 - y]], np.float64)
        cv2.warpAffine(
            thumb.astype(np.float32), move, (_PRINT_PX, _PRINT_PX), patch,
            flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(BACKGROUND,),
        )  # fmt: skip
        row[:] = _standardised(patch)
    return prints


def _standardised(patch: F32) -> F32:
    flat = patch.ravel() - patch.mean()
    length = float(np.linalg.norm(flat))
    return flat / length if length > 1.0 else np.zeros_like(flat)


def _compare(a: U8, b: U8, shift_px: NDArray[np.float64]) -> tuple[float, float]:
    """Share of `a` that overlaps `b` when a's corner lies at `shift_px` in b, and their correlation there."""
    dx, dy = (round(float(v)) for v in shift_px)
    x0, x1 = max(dx, 0), min(b.shape[1], dx + a.shape[1])
    y0, y1 = max(dy, 0), min(b.shape[0], dy + a.shape[0])
    if x1 - x0 < 4 or y1 - y0 < 4:
        return 0.0, 0.0
    theirs = _standardised(b[y0:y1, x0:x1].astype(np.float32))
    ours = _standardised(a[y0 - dy : y1 - dy, x0 - dx : x1 - dx].astype(np.float32))
    return (x1 - x0) * (y1 - y0) / a.size, float(ours @ theirs)
