"""Where a field lies on the slide, so that each cell is counted once.

The stage is moved by hand and nothing measures it, so the map is built from what the fields show: it is a
graph of fields that overlap. A new field is laid against those in which one of its cells is recognised by
its surroundings (the red cells about a leukocyte are as good as a fingerprint), against the one before it by
phase correlation, and from there against the neighbours of whatever fits. A guess is believed only if the
overlap of the two fields looks alike. Cells keep their identity across every overlap; there are no
coordinates of the whole slide, so errors do not add up along the way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.preprocess import BACKGROUND, Specimen
from edge.types import F32, I32, U8, Bools

Point = NDArray[np.float64]

_THUMB_UM = 1.5  # µm per pixel: a red cell is five pixels, enough to tell one field from another
_DARKEST = 150  # grey level of a red cell: nuclei, alike everywhere, must not outshout the red cells' pattern
_PRINT_PX = 14  # a fingerprint is 14 × 14 pixels, 21 µm
_SAME_SURROUNDINGS = 0.8  # correlation of two fingerprints of one cell, focus and centring differing a little
_SAME_OVERLAP = 0.4  # correlation of two views of one place, however large the overlap
_BY_CHANCE = 1.5  # standard deviations that two different places may seem alike
_LEAST_OVERLAP = 0.12  # of a field, when nothing but the overlap speaks for a place
_LEAST_OVERLAP_OF_KNOWN = 0.03  # when a cell was recognised or a neighbour fits as well
_REPEATED = 0.8  # of a field: what overlaps more and shows no new cell is a repetition
_SAME_CELL_UM = 4.0  # half a lymphocyte: no two whole leukocytes have their centres this close
_GUARD_UM = 10.0  # half the largest leukocyte
_SMALL_FIELD_UM = 60.0  # a field too small to give a margin away
_GUESSES, _NEIGHBOURS = 6, 16  # fields that a frame is compared with


@dataclass(frozen=True, eq=False)
class Placement:
    """What the map knows of a frame's cells.

    Attributes
    ----------
    ids : (n,) int32, identity on the slide. new : (n,) bool, not seen before.
    countable : (n,) bool, may enter the tally now: it has not so far, and lies well inside the field.
    repeated : the frame shows a place already counted and no cell beyond.
    """

    ids: I32
    new: Bools
    countable: Bools
    repeated: bool

    @classmethod
    def nowhere(cls) -> Placement:
        """Of a frame that was turned down: no cells, and no place."""
        none = np.zeros(0, np.bool_)
        return cls(np.zeros(0, np.int32), none, none, False)


@dataclass(eq=False)
class _Field:
    """A place that was looked at: a small picture, its cells, and the fields that it overlaps.

    `links` hold for each of those the corner of this field in that one's coordinates, µm.
    """

    thumb: U8
    cells: dict[int, Point] = field(default_factory=dict)
    links: dict[_Field, Point] = field(default_factory=dict)


class SlideMap:
    """The map of one slide. `place` each accepted frame in turn, then `mark` the cells that were counted."""

    def __init__(self) -> None:
        self._last: _Field | None = None
        self._prints: list[F32] = []
        self._printed: list[tuple[_Field, Point]] = []
        self._counted: list[bool] = []
        self._undecided: set[int] = set()

    def place(self, view: Specimen, centres_um: Point) -> Placement:
        """Lay a frame on the map.

        Parameters
        ----------
        view : the frame's specimen.
        centres_um : (n, 2) float64, x and y of its cells in µm from the frame's corner.
        """
        here = _Field(_thumbnail(view))
        prints = _fingerprints(here.thumb, centres_um)
        overlap = self._link(here, prints, centres_um)
        before = len(self._counted)
        ids = self._identify(here, centres_um)
        new = ids > before
        countable = np.array([not self._counted[i - 1] for i in ids], np.bool_)
        countable &= _well_inside(centres_um, view)
        here.cells = dict(zip(ids.tolist(), centres_um, strict=True))
        if overlap < _REPEATED or new.any():
            for earlier, corner in here.links.items():
                earlier.links[here] = -corner
            self._prints += list(prints)
            self._printed += [(here, centre) for centre in centres_um]
        self._last = here
        return Placement(ids, new, countable, overlap >= _REPEATED and not new.any())

    def mark(self, settled: I32, undecided: I32) -> None:
        """These cells have entered the tally; of those the classifier was not sure."""
        for i in settled.tolist():
            self._counted[i - 1] = True
        self._undecided |= set(undecided.tolist())
        self._undecided -= set(settled.tolist())

    @property
    def undecided(self) -> int:
        """Cells of which no view so far was sure."""
        return len(self._undecided)

    def _link(self, here: _Field, prints: F32, centres_um: Point) -> float:
        """Link the frame to the fields it overlaps; the largest share of it that one of them shows."""
        most = 0.0
        tried: set[_Field] = set()
        guesses = self._recognised(prints, centres_um) + self._after_the_last(here)
        while guesses and len(tried) < _NEIGHBOURS:
            earlier, corner, least = guesses.pop(0)
            if earlier in here.links:
                continue
            tried.add(earlier)
            overlap, likeness, corner = _compare(here.thumb, earlier.thumb, corner)
            if overlap < least or likeness < _wanted(overlap * here.thumb.size):
                continue
            here.links[earlier] = corner
            most = max(most, overlap)
            guesses += [
                (other, corner + step, _LEAST_OVERLAP_OF_KNOWN)
                for other, step in earlier.links.items()
                if other not in tried
            ]
        return most

    def _recognised(self, prints: F32, centres_um: Point) -> list[tuple[_Field, Point, float]]:
        """Fields with a cell whose surroundings one of these cells has; where the frame's corner lies."""
        if not len(prints) or not self._prints:
            return []
        likeness = prints @ np.stack(self._prints).T
        rows, columns = np.nonzero(likeness >= _SAME_SURROUNDINGS)
        best = np.argsort(-likeness[rows, columns])[:_GUESSES]
        return [
            (self._printed[j][0], self._printed[j][1] - centres_um[i], _LEAST_OVERLAP_OF_KNOWN)
            for i, j in zip(rows[best], columns[best], strict=True)
        ]

    def _after_the_last(self, here: _Field) -> list[tuple[_Field, Point, float]]:
        """Where the frame would lie in the one before it, by phase correlation."""
        if self._last is None or self._last.thumb.shape != here.thumb.shape:
            return []
        a, b = (part.astype(np.float32) for part in (here.thumb, self._last.thumb))
        window = cv2.createHanningWindow(a.shape[::-1], cv2.CV_32F)
        (dx, dy), _ = cv2.phaseCorrelate(a, b, window)
        # the correlation is cyclic: a shift by d cannot be told from one by d less the field's size
        height, width = a.shape
        return [
            (self._last, np.array([x, y]) * _THUMB_UM, _LEAST_OVERLAP)
            for x in (dx, dx - np.copysign(width, dx))
            for y in (dy, dy - np.copysign(height, dy))
        ]

    def _identify(self, here: _Field, centres_um: Point) -> I32:
        """Numbers of the cells: those that lie where a linked field has them, else new ones."""
        known = [
            (number, place - corner)
            for earlier, corner in here.links.items()
            for number, place in earlier.cells.items()
        ]
        pairs = sorted(
            (float(np.hypot(*(place - centre))), i, number)
            for i, centre in enumerate(centres_um)
            for number, place in known
        )
        ids: dict[int, int] = {}
        for distance, i, number in pairs:
            if distance < _SAME_CELL_UM and i not in ids and number not in ids.values():
                ids[i] = number
        for i in range(len(centres_um)):
            if i not in ids:
                self._counted.append(False)
                ids[i] = len(self._counted)
        return np.array([ids[i] for i in range(len(centres_um))], np.int32)


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


def _well_inside(centres_um: Point, view: Specimen) -> Bools:
    """(n,) bool: cells that would lie inside the field whatever their size.

    The larger a cell, the likelier the field's edge cuts it; counting whole cells wherever they lie would
    count too few blasts, which are large. With a guard area every size has the same chance (Gundersen,
    J Microsc 1977;111:219-223). What lies in the margin is counted when the stage has moved on.
    """
    height, width = view.pixels.shape[:2]
    field_um = np.array([width, height]) * view.pitch_um
    if field_um.min() < _SMALL_FIELD_UM:
        return np.ones(len(centres_um), np.bool_)
    inside = (centres_um >= _GUARD_UM) & (centres_um <= field_um - _GUARD_UM)
    return np.asarray(inside.all(axis=1), np.bool_)


def _thumbnail(view: Specimen) -> U8:
    """(h, w) uint8 green channel, where every stain absorbs, at `_THUMB_UM`."""
    green = view.pixels[..., 1]
    scale = view.pitch_um / _THUMB_UM
    size = (max(round(green.shape[1] * scale), 8), max(round(green.shape[0] * scale), 8))
    small = np.asarray(cv2.resize(green, size, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(np.maximum(small, _DARKEST), np.uint8)


def _fingerprints(thumb: U8, centres_um: Point) -> F32:
    """(n, 196) float32, zero mean and unit length each: the surroundings of every cell."""
    prints = np.zeros((len(centres_um), _PRINT_PX * _PRINT_PX), np.float32)
    light = thumb.astype(np.float32)
    for row, (x, y) in zip(prints, centres_um / _THUMB_UM, strict=True):
        move = np.array([[1, 0, _PRINT_PX / 2 - x], [0, 1, _PRINT_PX / 2 - y]], np.float64)
        patch = cv2.warpAffine(light, move, (_PRINT_PX, _PRINT_PX), borderValue=(BACKGROUND,))
        row[:] = _standardised(np.asarray(patch, np.float32))
    return prints


def _standardised(patch: F32) -> F32:
    flat = patch.ravel() - patch.mean()
    length = float(np.linalg.norm(flat))
    return flat / length if length > 1.0 else np.zeros_like(flat)


def _compare(a: U8, b: U8, corner_um: Point) -> tuple[float, float, Point]:
    """Share of `a` that overlaps `b` with its corner at `corner_um` there, likeness, the corner refined."""
    ours, theirs = _overlap(a, b, corner_um)
    if min(ours.shape) >= 12:
        window = cv2.createHanningWindow(ours.shape[::-1], cv2.CV_32F)
        off, _ = cv2.phaseCorrelate(ours, theirs, window)
        if float(np.linalg.norm(off)) < 3:
            corner_um = corner_um + np.array(off) * _THUMB_UM
            ours, theirs = _overlap(a, b, corner_um)
    if min(ours.shape) < 4:
        return 0.0, 0.0, corner_um
    likeness = float(_standardised(ours) @ _standardised(theirs))
    return ours.size / a.size, likeness, corner_um


def _wanted(pixels: float) -> float:
    """Correlation that an overlap of so many pixels must reach: a small one looks alike more easily.

    Two pictures of red cells have about one independent pixel in nine (a red cell is five across, with an
    edge), and the correlation of n independent pairs scatters by 1/√n round zero.
    """
    return _SAME_OVERLAP + _BY_CHANCE / float(np.sqrt(max(pixels / 9, 1.0)))


def _overlap(a: U8, b: U8, corner_um: Point) -> tuple[F32, F32]:
    """The parts of two thumbnails that show the same place, float32."""
    dx, dy = (round(float(v)) for v in corner_um / _THUMB_UM)
    x0, x1 = max(dx, 0), max(min(b.shape[1], dx + a.shape[1]), max(dx, 0))
    y0, y1 = max(dy, 0), max(min(b.shape[0], dy + a.shape[0]), max(dy, 0))
    return a[y0 - dy : y1 - dy, x0 - dx : x1 - dx].astype(np.float32), b[y0:y1, x0:x1].astype(np.float32)
