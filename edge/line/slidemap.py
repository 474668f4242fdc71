"""Where a field lies on the slide, so that each cell is counted once.

The stage is moved by hand and nothing measures it, so the map is built from what the fields show: it is a
graph of fields that overlap. A new field is laid against those in which one of its cells is recognised by
its surroundings (the red cells about a leukocyte are as good as a fingerprint), against the one before it by
phase correlation, and from there against the neighbours of whatever fits. A guess is believed only if the
overlap of the two fields looks alike. Cells keep their identity across every overlap; there are no
coordinates of the whole slide, so errors do not add up along the way.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from edge.line.thumbnail import (
    PRINT_PX,
    THUMB_UM,
    Point,
    compare,
    fingerprints,
    lit_pixels,
    shift,
    thumbnail,
    wanted,
)
from edge.optics.specimen import Specimen
from edge.types import F32, I32, U8, Bools

_SAME_SURROUNDINGS = 0.8  # correlation of two fingerprints of one cell, focus and centring differing a little
_SAME_VIEW = 0.9  # and of two that tell no more than one
_LEAST_OVERLAP = 0.12  # of a field, when nothing but the overlap speaks for a place
_LEAST_OVERLAP_OF_KNOWN = 0.03  # when a cell was recognised or a neighbour fits as well
_REPEATED = 0.8  # of a field: what overlaps more and shows no new cell is a repetition
_SAME_CELL_UM = 4.0  # half a lymphocyte: no two whole leukocytes have their centres this close
_GUARD_UM = 10.0  # half the largest leukocyte
_SMALL_FIELD_UM = 60.0  # a field too small to give a margin away
_FIELDS = 1000  # remembered: a slide's worth of leukocytes is counted in a fifth of them
_PRINTS = 4000  # remembered: every leukocyte that any count needs, twice
_GUESSES, _NEIGHBOURS = 6, 16  # fields that a frame is compared with


@dataclass(frozen=True, eq=False)
class Placement:
    """What the map knows of a frame's cells.

    Attributes
    ----------
    ids : (n,) int32, identity on the slide. new : (n,) bool, not seen before.
    countable : (n,) bool, may enter the tally now: it has not so far, and lies well inside the field.
    repeated : the frame shows a place already counted and no cell beyond.
    overlaps, thumb : see `edge.types.Reading`.
    """

    ids: I32
    new: Bools
    countable: Bools
    repeated: bool
    overlaps: tuple[tuple[int, float, float], ...] = ()
    thumb: U8 | None = None

    @classmethod
    def nowhere(cls) -> Placement:
        """Of a frame that was turned down: no cells, and no place."""
        none = np.zeros(0, np.bool_)
        return cls(np.zeros(0, np.int32), none, none, False)


@dataclass(eq=False)
class _Field:
    """A place that was looked at: a small picture, its cells, and the fields that it overlaps.

    Attributes
    ----------
    frame : index of the frame that shows it.
    thumb : (h, w) uint8. ids : (n,) int32, its cells. places_um : (n, 2) float32, where in it they lie.
    links : for each field that it overlaps the corner of this field in that one's coordinates, µm.
    """

    frame: int
    thumb: U8
    ids: I32
    places_um: F32
    links: dict[_Field, tuple[float, float]] = field(default_factory=dict)


_Guess = tuple[_Field, Point, float]
"""A field that may overlap, where the frame's corner would lie in it, µm, and the least share to believe."""


class _Prints:
    """The surroundings of the cells seen last, at most `_PRINTS`, and which field shows each."""

    def __init__(self) -> None:
        self._rows = np.zeros((_PRINTS, PRINT_PX * PRINT_PX), np.float32)
        self._owners: list[tuple[_Field, int]] = []
        self._added = 0

    def add(self, print_: F32, owner: _Field, i: int) -> None:
        """Keep the print of a field's `i`-th cell; the oldest one gives way."""
        at = self._added % _PRINTS
        self._rows[at] = print_
        self._owners[at : at + 1] = [(owner, i)]
        self._added += 1

    def likeness(self, prints: F32) -> F32:
        """Correlation of each of (n, 196) `prints` with each print kept, (n, kept) float32."""
        return prints @ self._rows[: len(self._owners)].T

    def owner(self, j: int) -> tuple[_Field, Point]:
        """The field that shows the `j`-th print kept, and where in it the cell lies, µm."""
        owner, i = self._owners[j]
        return owner, owner.places_um[i].astype(np.float64)


class SlideMap:
    """The map of one slide. `place` each accepted frame in turn, then `mark` the cells that were counted.

    Memory is bounded: of the fields at most `_FIELDS` are known, those that were left longest ago are
    forgotten first, and cells there would count again. That is a thousand times the field of view.
    """

    def __init__(self) -> None:
        self._last: _Field | None = None
        self._fields: OrderedDict[_Field, None] = OrderedDict()
        self._prints = _Prints()
        self._counted = bytearray()
        self._undecided: set[int] = set()

    def place(self, view: Specimen, centres_um: Point, frame: int = 0) -> Placement:
        """Lay a frame on the map.

        Parameters
        ----------
        frame : its index.
        view : the frame's specimen.
        centres_um : (n, 2) float64, x and y of its cells in µm from the frame's corner.
        """
        thumb = thumbnail(view)
        here = _Field(frame, thumb, np.zeros(0, np.int32), centres_um.astype(np.float32))
        prints = fingerprints(thumb, centres_um)
        likeness = self._prints.likeness(prints)
        overlap = self._link(here, self._recognised(likeness, centres_um))
        before = len(self._counted)
        here.ids = self._identify(here, centres_um)
        new = here.ids > before
        countable = np.array([not self._counted[i - 1] for i in here.ids.tolist()], np.bool_)
        countable &= _well_inside(centres_um, view)
        kept = overlap < _REPEATED or bool(new.any())
        if kept:
            self._keep(here)
            for i in np.flatnonzero(likeness.max(axis=1, initial=0) < _SAME_VIEW).tolist():
                self._prints.add(prints[i], here, i)
        self._last = here
        overlaps = tuple((earlier.frame, x, y) for earlier, (x, y) in here.links.items())
        return Placement(here.ids, new, countable, not kept, overlaps, thumb if kept else None)

    def _keep(self, here: _Field) -> None:
        """Make the field part of the map."""
        for earlier, (x, y) in here.links.items():
            earlier.links[here] = (-x, -y)
        self._fields[here] = None
        if len(self._fields) > _FIELDS:
            forgotten, _ = self._fields.popitem(last=False)
            for other in forgotten.links:
                other.links.pop(forgotten, None)
            forgotten.links.clear()

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

    def _link(self, here: _Field, guesses: list[_Guess]) -> float:
        """Link the frame to the fields it overlaps; the largest share of it that one of them shows."""
        most = self._follow(here, guesses)
        if self._last is None or self._last in here.links:
            return most
        return max(most, self._follow(here, self._after_the_last(here, self._last)))

    def _follow(self, here: _Field, guesses: list[_Guess]) -> float:
        """Link the frame to those fields that a guess is right about, and to what overlaps them."""
        most = 0.0
        tried: set[_Field] = set()
        while guesses and len(tried) < _NEIGHBOURS:
            earlier, corner, least = guesses.pop(0)
            if earlier in here.links:
                continue
            tried.add(earlier)
            overlap, likeness, corner = compare(here.thumb, earlier.thumb, corner, least)
            if overlap < least or likeness < wanted(overlap * lit_pixels(here.thumb)):
                continue
            here.links[earlier] = (float(corner[0]), float(corner[1]))
            if earlier in self._fields:
                self._fields.move_to_end(earlier)
            most = max(most, overlap)
            guesses += [
                (other, corner + step, _LEAST_OVERLAP_OF_KNOWN)
                for other, step in earlier.links.items()
                if other not in tried
            ]
        return most

    def _recognised(self, likeness: F32, centres_um: Point) -> list[_Guess]:
        """Fields with a cell whose surroundings one of these cells has; where the frame's corner lies."""
        rows, columns = np.nonzero(likeness >= _SAME_SURROUNDINGS)
        best = np.argsort(-likeness[rows, columns])[:_GUESSES]
        owned = [(i, *self._prints.owner(j)) for i, j in zip(rows[best], columns[best], strict=True)]
        return [(earlier, place - centres_um[i], _LEAST_OVERLAP_OF_KNOWN) for i, earlier, place in owned]

    def _after_the_last(self, here: _Field, last: _Field) -> list[_Guess]:
        """Where the frame would lie in the one before it, by phase correlation."""
        if last.thumb.shape != here.thumb.shape:
            return []
        dx, dy = shift(here.thumb, last.thumb)
        # the correlation is cyclic: a shift by d cannot be told from one by d less the field's size
        height, width = here.thumb.shape
        return [
            (last, np.array([x, y]) * THUMB_UM, _LEAST_OVERLAP)
            for x in (dx, dx - np.copysign(width, dx))
            for y in (dy, dy - np.copysign(height, dy))
        ]

    def _identify(self, here: _Field, centres_um: Point) -> I32:
        """Numbers of the cells: those that lie where a linked field has them, else new ones."""
        numbers = np.concatenate([here.ids, *(earlier.ids for earlier in here.links)])
        places = [earlier.places_um - corner for earlier, corner in here.links.items()]
        away = np.concatenate([np.zeros((0, 2)), *places])[None] - centres_um[:, None]
        distance = np.hypot(away[..., 0], away[..., 1])
        rows, columns = np.nonzero(distance < _SAME_CELL_UM)
        nearest = np.argsort(distance[rows, columns], kind="stable")
        ids: dict[int, int] = {}
        for i, number in zip(rows[nearest].tolist(), numbers[columns[nearest]].tolist(), strict=True):
            if i not in ids and number not in ids.values():
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

    def place(self, view: Specimen, centres_um: NDArray[np.float64], frame: int = 0) -> Placement:
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
    if min(view.lit.size * field_um) < _SMALL_FIELD_UM:
        return np.ones(len(centres_um), np.bool_)
    inside = ((centres_um >= _GUARD_UM) & (centres_um <= field_um - _GUARD_UM)).all(axis=1)
    if view.lit.corners is not None:
        inside = inside & (_from_rim(centres_um, view.lit.corners * field_um) >= _GUARD_UM)
    return np.asarray(inside, np.bool_)


def _from_rim(places: Point, rim: Point) -> Point:
    """(n,) distances of (n, 2) places from the sides of a convex (k, 2) polygon, less than 0 outside."""
    along = np.roll(rim, -1, axis=0) - rim
    normal = np.stack([-along[:, 1], along[:, 0]], axis=1) / np.hypot(*along.T)[:, None]
    away = ((places[:, None] - rim) * normal).sum(axis=2)
    middle = ((rim.mean(axis=0) - rim) * normal).sum(axis=1)
    return np.asarray((away * np.sign(middle)).min(axis=1), np.float64)
