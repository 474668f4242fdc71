"""What the shape of stained bodies says: two nuclei that touch, or lobes of one.

No question looks beyond the boxes of the bodies concerned, so that time grows with their number, however
they crowd.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cells.stain import Stain, density, disc
from edge.native import core
from edge.native import lobes as native
from edge.types import I32, U8

U16 = NDArray[np.uint16]
Box = tuple[slice, slice]

LOBE_GAP_UM = 4.0  # lobes of one nucleus lie no further apart
MIN_LOBE_UM2 = 2.0
WHOLE_NUCLEUS_UM2 = 28.0  # lobes of granulocytes are mostly smaller, nuclei of lymphocytes and blasts larger
MIDDLE_UM2 = 1.0  # of a round body; its outline's roughness makes smaller ones
LARGEST_LOBED_UM2 = 160.0  # a flattened granulocyte's nucleus with all its lobes
LARGEST_TWO_LOBES_UM2 = 100.0  # two round lobes of one nucleus; two round blasts have more
CONVEX = 0.93  # area by that of the convex hull; two circles that touch have 0.88
ROUND = 0.95  # the same of a whole round nucleus
MIDDLES = (0.4, 0.5, 0.6, 0.7, 0.8)  # of the greatest depth: what lies deeper is middle; tried in turn
TIE_PX = 1e-3  # by which processors' sums of the same steps may differ; different ones hardly come so near
FILLED = 0.9  # share of cytoplasm in the hollow between two lobes
FILLED_AROUND = 0.8  # and for round ones 1.25 µm further out
AROUND_UM = 2.5
GLASS_DISTANCE2 = 9.0  # of `Stain.empty`

_DENSITY = density(np.arange(256, dtype=np.uint8)[None])[0]


@dataclass(eq=False)
class Bodies:
    """Stained bodies.

    Attributes
    ----------
    labels : (h, w) uint16, i + 1 where the i-th body lies, else 0.
    boxes : a box that holds each; a body that was dropped keeps its number, and has no pixels.
    """

    labels: U16
    boxes: list[Box]

    @classmethod
    def of(cls, mask: U8, pitch_um: float) -> Bodies:
        """The connected parts of a mask, those at least that are as large as a lobe."""
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, ltype=cv2.CV_16U)
        bodies = cls(np.asarray(labels, np.uint16), [])
        least = MIN_LOBE_UM2 / pitch_um**2
        for label, (x, y, w, h, area) in enumerate(stats[1:].tolist(), 1):
            bodies.boxes.append((slice(y, y + h), slice(x, x + w)))
            if area < least:
                there = bodies.labels[bodies.boxes[-1]]
                there[there == label] = 0
        return bodies

    def grouped(self, group: U16) -> list[Box]:
        """The box round each group of bodies, groups being given by label and numbered from 1."""
        boxes: dict[int, Box] = {}
        for number, box in zip(group[1:].tolist(), self.boxes, strict=True):
            if number:
                boxes[number] = spanning(boxes[number], box) if number in boxes else box
        return [boxes[number] for number in range(1, len(boxes) + 1)]

    def cut(self, areas: list[int], pitch_um: float) -> None:
        """Cut each body, of these areas in pixels, where two nuclei touch, and the parts again."""
        if (library := core()) is not None:
            pixels = WHOLE_NUCLEUS_UM2 / pitch_um**2, MIDDLE_UM2 / pitch_um**2
            necks = native.Necks(*pixels, CONVEX, TIE_PX, MIDDLES)
            edges = native.cut(library, self.labels, _edges(self.boxes), np.array(areas, np.int32), necks)
            for x, y, right, bottom in edges[len(self.boxes) :].tolist():
                self.boxes.append((slice(y, bottom), slice(x, right)))
            return
        least = 2 * WHOLE_NUCLEUS_UM2 / pitch_um**2
        left = [label for label, area in enumerate(areas, 1) if area >= least]
        while left:
            label = left.pop()
            top, there = self.boxes[label - 1], self.labels[self.boxes[label - 1]]
            parts = _at_necks((there == label).view(np.uint8), pitch_um)
            if not parts:
                continue
            there[there == label] = 0
            for part, (rows, columns) in parts:
                there[rows, columns][part.view(np.bool_)] = len(self.boxes) + 1
                self.boxes.append(_shifted((rows, columns), top))
                left.append(len(self.boxes))


def _edges(boxes: list[Box]) -> I32:
    """Boxes as the core takes them, (n, 4) int32: x and y of the first pixel and of the one past the last."""
    return np.array([(x.start, y.start, x.stop, y.stop) for y, x in boxes], np.int32).reshape(-1, 4)


def _shifted(box: Box, origin: Box) -> Box:
    """A box within another one, on the field."""
    (rows, columns), (y, x) = box, (origin[0].start, origin[1].start)
    return slice(rows.start + y, rows.stop + y), slice(columns.start + x, columns.stop + x)


def _at_necks(piece: U8, pitch_um: float) -> list[tuple[U8, Box]]:
    """The round bodies of a blob, each at least a nucleus, masks in their boxes; none where it is one."""
    least, least_middle = WHOLE_NUCLEUS_UM2 / pitch_um**2, MIDDLE_UM2 / pitch_um**2
    size = cv2.countNonZero(piece)
    if size < 2 * least or size > CONVEX * cv2.countNonZero(_hull(piece)):
        return []
    inside = cv2.copyMakeBorder(piece, 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3)[1:-1, 1:-1]
    deepest = float(depth.max())
    for share in MIDDLES:
        shallow = (depth <= share * deepest + TIE_PX).view(np.uint8)
        _, nearest = cv2.distanceTransformWithLabels(shallow, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_CCOMP)
        number = np.asarray(nearest * piece, np.int32)
        sizes = np.bincount(number.ravel())
        middles = np.bincount(number[shallow == 0], minlength=len(sizes))
        large = np.flatnonzero((sizes >= least) & (middles >= least_middle))
        large = large[large > 0]
        if len(large) > 1:
            return _parts(number, large.tolist())
    return []


def _parts(number: I32, labels: list[int]) -> list[tuple[U8, Box]]:
    """Some of the parts of a label image, each as a mask in its box."""
    flat = number.ravel()
    at = np.flatnonzero(flat)
    at = at[np.argsort(flat[at], kind="stable")]
    y, x = np.divmod(at, number.shape[1])
    ends = np.searchsorted(flat[at], labels, "right").tolist()
    starts = np.searchsorted(flat[at], labels, "left").tolist()
    out = []
    for label, start, end in zip(labels, starts, ends, strict=True):
        columns = x[start:end]
        box = slice(int(y[start]), int(y[end - 1]) + 1), slice(int(columns.min()), int(columns.max()) + 1)
        out.append(((number[box] == label).view(np.uint8), box))
    return out


def _hull(mask: U8) -> U8:
    """The convex hull of a mask."""
    edges, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = np.zeros(mask.shape, np.uint8)
    points = edges[0] if len(edges) == 1 else np.concatenate(edges)
    return np.asarray(cv2.fillConvexPoly(hull, cv2.convexHull(points), 1), np.uint8)


def joined(bodies: Bodies, stain: Stain) -> U16:
    """Which bodies are lobes of one nucleus, nearest pairs asked first.

    Returns
    -------
    (n + 1,) uint16: by the label of a body one of those of its nucleus, 0 for 0.
    """
    if (library := core()) is not None:
        terms = native.Lobes(
            stain.pitch_um,
            LOBE_GAP_UM,
            WHOLE_NUCLEUS_UM2,
            LARGEST_LOBED_UM2,
            LARGEST_TWO_LOBES_UM2,
            ROUND,
            FILLED,
            FILLED_AROUND,
            GLASS_DISTANCE2,
        )
        edges, around = _edges(bodies.boxes), disc(AROUND_UM, stain.pitch_um)
        glass = np.ascontiguousarray(stain.glass.whitening)
        return native.joined(library, bodies.labels, stain.half, edges, terms, glass, _DENSITY, around)
    nuclei = _Joined(bodies, stain)
    gaps = [(gap, a, b) for a, b in nuclei.neighbours() if (gap := nuclei.gap_um(a, b)) <= LOBE_GAP_UM]
    for _, a, b in sorted(gaps):
        a, b = int(nuclei.owner[a]), int(nuclei.owner[b])
        if a != b and nuclei.may_be_one(a, b) and nuclei.are_one(a, b):
            nuclei.join(a, b)
    return nuclei.owner


class _Joined:
    """Bodies by the label of the nucleus that they belong to so far."""

    def __init__(self, bodies: Bodies, stain: Stain) -> None:
        self._labels, self._stain = bodies.labels, stain
        self._boxes = [(slice(0, 0), slice(0, 0)), *bodies.boxes]
        self._known: dict[int, tuple[float, bool]] = {}
        self.owner = np.arange(len(self._boxes), dtype=np.uint16)

    def join(self, a: int, b: int) -> None:
        """Let `b` be of the nucleus `a`."""
        self.owner[self.owner == b] = a
        self._boxes[a] = spanning(self._boxes[a], self._boxes[b])
        self._known.pop(a, None)

    def neighbours(self) -> list[tuple[int, int]]:
        """Pairs that lie near enough by their boxes, and may be lobes of one nucleus by their size."""
        reach = LOBE_GAP_UM / self._stain.pitch_um + 1
        edges = _edges(self._boxes)
        low, high = edges[:, None, :2] - reach, edges[None, :, 2:]
        near = (low < high).all(axis=2)
        pairs = np.argwhere(near & near.T).tolist()
        return [(a, b) for a, b in pairs if 0 < a < b and self.may_be_one(a, b)]

    def gap_um(self, a: int, b: int) -> float:
        """The gap between two bodies; equal ones are the same number on every processor."""
        there = self._labels[spanning(self._boxes[a], self._boxes[b])]
        away = cv2.distanceTransform((there != a).view(np.uint8), cv2.DIST_L2, 3)[there == b]
        return (round(float(away.min()), 3) - 0.5) * self._stain.pitch_um if len(away) else np.inf

    def may_be_one(self, a: int, b: int) -> bool:
        """Whether two are small enough to be lobes of one nucleus, however they lie."""
        (area, is_round), (other_area, other_round) = self._shape(a), self._shape(b)
        largest = LARGEST_TWO_LOBES_UM2 if is_round and other_round else LARGEST_LOBED_UM2
        return area + other_area <= largest

    def are_one(self, a: int, b: int) -> bool:
        """Whether two are lobes of one nucleus by what lies between them.

        The hollow between lobes is filled with cytoplasm; between two cells that touch there is glass, at
        least further out. Large round ones are nuclei of their own unless much speaks against it.
        """
        box = spanning(self._boxes[a], self._boxes[b], 3, self._labels.shape)
        owners = self.owner[self._labels[box]]
        both = ((owners == a) | (owners == b)).view(np.uint8)
        empty = self._stain.empty(density(self._stain.half[box])).view(np.uint8)
        if _filled(both, empty) < FILLED:
            return False
        if not (self._shape(a)[1] and self._shape(b)[1]):
            return True
        wide = np.asarray(cv2.dilate(both, disc(AROUND_UM, self._stain.pitch_um)), np.uint8)
        return _filled(wide, empty) >= FILLED_AROUND

    def _shape(self, label: int) -> tuple[float, bool]:
        """Area in µm², and whether it looks like a whole round nucleus."""
        if label not in self._known:
            piece = (self.owner[self._labels[self._boxes[label]]] == label).view(np.uint8)
            size = cv2.countNonZero(piece)
            area_um2 = size * self._stain.pitch_um**2
            whole = area_um2 >= WHOLE_NUCLEUS_UM2 and size > ROUND * cv2.countNonZero(_hull(piece))
            self._known[label] = area_um2, whole
        return self._known[label]


def spanning(a: Box, b: Box, margin: int = 0, shape: tuple[int, ...] = (1 << 31, 1 << 31)) -> Box:
    """The box round two boxes."""
    rows, columns = (
        slice(max(min(p.start, q.start) - margin, 0), min(max(p.stop, q.stop) + margin, end))
        for p, q, end in zip(a, b, shape, strict=True)
    )
    return rows, columns


def _filled(body: U8, empty: U8) -> float:
    """Share of a body's hollows (its convex hull less itself) that is not glass, 1 without hollows."""
    hollow = _hull(body) & ~body
    size = cv2.countNonZero(hollow)
    return 1 - cv2.countNonZero(hollow & empty) / size if size else 1.0
