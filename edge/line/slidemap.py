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
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from edge.line.guard import well_inside
from edge.line.mapped import Field, Prints, Seen
from edge.line.thumbnail import THUMB_UM, Point, compare, fingerprints, lit_pixels, shift, thumbnail, wanted
from edge.optics.specimen import Specimen
from edge.types import F32, I32, U8, Bools

_SAME_SURROUNDINGS = 0.8  # correlation of two fingerprints of one cell, focus and centring differing a little
_SAME_VIEW = 0.9  # and of two that tell no more than one
_LEAST_OVERLAP = 0.12  # of a field, when nothing but the overlap speaks for a place
_LEAST_OVERLAP_OF_KNOWN = 0.03  # when a cell was recognised or a neighbour fits as well
_REPEATED = 0.8  # of a field: what overlaps more and shows no new cell is a repetition
_SAME_CELL_UM = 4.0  # half a lymphocyte: no two whole leukocytes have their centres this close
_FIELDS = 1000  # remembered: a slide's worth of leukocytes is counted in a fifth of them
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


_Guess = tuple[Field, Point, float]
"""A field that may overlap, where the frame's corner would lie in it, µm, and the least share to believe."""


class SlideMap:
    """The map of one slide. `place` each accepted frame in turn, then `mark` the cells that were counted.

    Memory is bounded: of the fields at most `_FIELDS` are known, those that were left longest ago are
    forgotten first, and cells there would count again. That is a thousand times the field of view.
    """

    def __init__(self) -> None:
        self._last: Field | None = None
        self._fields: OrderedDict[Field, None] = OrderedDict()
        self._prints = Prints()
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
        here = Field(frame, thumb, np.zeros(0, np.int32), centres_um.astype(np.float32))
        prints = fingerprints(thumb, centres_um)
        likeness = self._prints.likeness(prints)
        overlap = self._link(here, self._recognised(likeness, centres_um))
        before = len(self._counted)
        here.ids = self._identify(here, centres_um)
        new = here.ids > before
        countable = np.array([not self._counted[i - 1] for i in here.ids.tolist()], np.bool_)
        countable &= well_inside(centres_um, view)
        kept = overlap < _REPEATED or bool(new.any())
        if kept:
            self._keep(here, prints, likeness)
        self._last = here
        overlaps = tuple((earlier.frame, x, y) for earlier, (x, y) in here.links.items())
        return Placement(here.ids, new, countable, not kept, overlaps, thumb if kept else None)

    @classmethod
    def of(cls, fields: Iterable[Seen]) -> Self:
        """The map as it was after these fields, in the order in which they were placed."""
        slide_map, by_frame = cls(), dict[int, Field]()
        for seen in fields:
            slide_map._recall(seen, by_frame)
        return slide_map

    def _recall(self, seen: Seen, by_frame: dict[int, Field]) -> None:
        """What `place` and `mark` did with a field; `by_frame` are those that were kept so far."""
        links = {by_frame[frame]: (x, y) for frame, x, y in seen.overlaps if frame in by_frame}
        for earlier in links.keys() & self._fields.keys():
            self._fields.move_to_end(earlier)
        self._counted.extend(bytes(max(int(seen.ids.max(initial=0)) - len(self._counted), 0)))
        if seen.thumb is None:  # it showed little beyond the first of them, which stands for it
            self._last = next(iter(links), None)
        else:
            here = Field(seen.frame, seen.thumb, seen.ids, seen.places_um, links)
            prints = fingerprints(seen.thumb, seen.places_um.astype(np.float64))
            self._keep(here, prints, self._prints.likeness(prints))
            self._last = by_frame[seen.frame] = here
        self.mark(seen.ids[seen.settled], seen.ids[seen.abstained])

    def _keep(self, here: Field, prints: F32, likeness: F32) -> None:
        """Make the field part of the map, and its cells' prints, but for those that are there already."""
        for earlier, (x, y) in here.links.items():
            earlier.links[here] = (-x, -y)
        self._fields[here] = None
        if len(self._fields) > _FIELDS:
            forgotten, _ = self._fields.popitem(last=False)
            for other in forgotten.links:
                other.links.pop(forgotten, None)
            forgotten.links.clear()
            self._prints.forget(forgotten)  # or they would keep it in memory
        for i in np.flatnonzero(likeness.max(axis=1, initial=0) < _SAME_VIEW).tolist():
            self._prints.add(prints[i], here, i)

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

    def _link(self, here: Field, guesses: list[_Guess]) -> float:
        """Link the frame to the fields it overlaps; the largest share of it that one of them shows."""
        most = self._follow(here, guesses)
        if self._last is None or self._last in here.links:
            return most
        return max(most, self._follow(here, self._after_the_last(here, self._last)))

    def _follow(self, here: Field, guesses: list[_Guess]) -> float:
        """Link the frame to those fields that a guess is right about, and to what overlaps them."""
        most = 0.0
        tried: set[Field] = set()
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

    def _after_the_last(self, here: Field, last: Field) -> list[_Guess]:
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

    def _identify(self, here: Field, centres_um: Point) -> I32:
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

    @classmethod
    def of(cls, fields: Iterable[Seen]) -> Self:
        """As it was after these fields; see `SlideMap.of`."""
        apart = cls()
        for seen in fields:
            apart._cells += len(seen.ids)
            apart.undecided += int(np.count_nonzero(seen.abstained))
        return apart

    def place(self, view: Specimen, centres_um: NDArray[np.float64], frame: int = 0) -> Placement:
        """Number the cells; see `SlideMap.place`."""
        n = len(centres_um)
        ids = np.arange(self._cells + 1, self._cells + n + 1, dtype=np.int32)
        self._cells += n
        return Placement(ids, np.ones(n, np.bool_), np.ones(n, np.bool_), False)

    def mark(self, settled: I32, undecided: I32) -> None:
        """See `SlideMap.mark`."""
        self.undecided += len(undecided)
