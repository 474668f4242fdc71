"""The learned segmenter: a fully convolutional network says what is nucleus and cell, and whose.

The network (`train.segmentation.network`) sees the specimen at twice its pitch and gives, at four times the
pitch, maps of nucleus and cell, how likely the middle of a cell lies at a place, and the way from every pixel
to the middle of its cell (after Cheng et al., Panoptic-DeepLab, CVPR 2020). Peaks of the middles are cells; a
pixel belongs to the peak that it points at. Outlines are where interpolated maps cross a level, so they are
finer than the maps. Time hardly grows with the number of cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cells.lobes import Box
from edge.cells.measure import measured
from edge.cells.nuclei import MIN_NUCLEUS_UM2
from edge.optics.specimen import Specimen
from edge.runtimes import GraphError
from edge.runtimes.dynamic import BEYOND, DynamicRuntime, padded
from edge.types import F32, I32, U8, Bools, Cells

MULTIPLE = 8
"""The network halves its input three times."""

EDGE = 128
"""Grey level of the maps of nucleus and cell at their outline."""

PEAK = -0.5  # least logit of a middle; on validation fields anything from -2 to 0 finds the same
APART_UM = 3.0  # middles of two cells are not nearer
ASTRAY_UM = 4.0  # from where a pixel points to the middle of its cell

T = TypeVar("T", np.uint8, np.uint16)
Numbers = NDArray[np.uint16]  # or of bytes

_FINER = 4  # specimen pixels along a map's


@dataclass(frozen=True, eq=False)
class Maps:
    """What the network says of a field, at four times the specimen's pitch.

    Attributes
    ----------
    nucleus, cell : (h, w) uint8, above `EDGE` inside.
    middle : (h, w) float32, logit of a cell's middle.
    way : (2, h, w) float32, from a pixel to the middle of its cell, x and y in pixels.
    """

    nucleus: U8
    cell: U8
    middle: F32
    way: F32


class Learned:
    """The network of a graph as a segmenter.

    Parameters
    ----------
    graph : the ONNX file's content. precision : 'fp32' or 'int8'. threads : for one run.
    """

    def __init__(self, graph: bytes, *, precision: str = "fp32", threads: int = 1) -> None:
        self._answer = DynamicRuntime(graph, "pixels", precision=precision, threads=threads)

    def __call__(self, view: Specimen) -> Cells:
        """The cells of a field; see `edge.cells.segment.Segmenter`.

        Raises
        ------
        GraphError : the graph does not load, or takes or gives something else.
        """
        return cells_of(self.maps(view.half), view)

    def maps(self, half: U8) -> Maps:
        """The network's answer to a specimen at twice its pitch, (h, w, 3) uint8 RGB."""
        height, width = half.shape[:2]
        field = padded(half, MULTIPLE)
        found = self._answer(field)
        size = (field.shape[0] // 2, field.shape[1] // 2)
        shapes = {"masks": (1, 2, *size), "middles": (1, 3, *size)}
        if {name: values.shape for name, values in found.items()} != shapes:
            raise GraphError(f"the segmenter's graph does not give {shapes} for a field of {half.shape}")
        there = (slice(0, -(-height // 2)), slice(0, -(-width // 2)))
        nucleus, cell = (np.ascontiguousarray(mask[there]) for mask in found["masks"][0])
        return Maps(nucleus, cell, found["middles"][0, 0][there], found["middles"][0, 1:, *there])

    def warm_up(self) -> None:
        """Run a small field once: a graph that does not answer is found out before the first slide."""
        self.maps(np.full((MULTIPLE, MULTIPLE, 3), BEYOND, np.uint8))

    def close(self) -> None:
        """Let go of the runtimes."""
        self._answer.close()


def cells_of(maps: Maps, view: Specimen) -> Cells:
    """The cells that the network's maps show."""
    height, width = view.pixels.shape[:2]
    whole = np.maximum(maps.nucleus, maps.cell)
    owner, boxes = _owned(maps, whole, view.pitch_um * _FINER)
    if not boxes:
        return Cells.none(height, width)
    inside, nuclei = (_above(values, height, width) for values in (whole, maps.nucleus))
    labels = _at_pitch(owner, height, width, cv2.INTER_NEAREST)
    np.multiply(labels, inside, out=labels)
    nuclear = np.logical_and(labels, nuclei)
    return measured(labels.astype(np.int32), nuclear, boxes, view.pitch_um, view.lit)


def _above(values: U8, height: int, width: int) -> U8:
    """1 where a map is above `EDGE` on the specimen's own grid, else 0."""
    fine = _at_pitch(values, height, width, cv2.INTER_LINEAR)
    return np.asarray(cv2.threshold(fine, EDGE, 1, cv2.THRESH_BINARY, dst=fine)[1], np.uint8)


def _at_pitch(values: NDArray[T], height: int, width: int, how: int) -> NDArray[T]:
    """A map on the specimen's own grid, which it may reach a pixel or three beyond or fall short of."""
    size = (values.shape[1] * _FINER, values.shape[0] * _FINER)
    fine = np.asarray(cv2.resize(values, size, interpolation=how), values.dtype)
    down, across = max(height - size[1], 0), max(width - size[0], 0)
    if down or across:
        fine = np.asarray(cv2.copyMakeBorder(fine, 0, down, 0, across, cv2.BORDER_REPLICATE), values.dtype)
    return np.ascontiguousarray(fine[:height, :width])


def _owned(maps: Maps, whole: U8, pixel_um: float) -> tuple[Numbers, list[Box]]:
    """Whose each pixel of the maps is, (h, w) from 1 and 0 for nobody's, and boxes of the cells.

    Pixels next to a cell are taken along, for its outline runs through them. The boxes are on the specimen's
    own grid.
    """
    seeds = _peaks(maps.middle, APART_UM / pixel_um)
    # bytes are passed twice as fast, and a field hardly ever has as many cells
    kind = np.uint8 if len(seeds) < 256 else np.uint16
    owner: Numbers = np.zeros(whole.shape, np.dtype(kind))
    at = np.flatnonzero(cv2.dilate(whole, np.ones((3, 3), np.uint8)) > EDGE)
    if not len(seeds) or not len(at):
        return owner, []
    whose = _pointed_at(maps.way, seeds, at, ASTRAY_UM / pixel_um)
    nuclear = maps.nucleus.take(at) > EDGE
    area_um2 = np.bincount(whose, nuclear, len(seeds) + 1) * pixel_um**2
    kept = area_um2 >= MIN_NUCLEUS_UM2
    kept[0] = False
    whose = np.where(kept, kept.cumsum(), 0)[whose]
    owner.put(at, whose)
    return owner, _boxes(*np.divmod(at, owner.shape[1]), whose, int(np.count_nonzero(kept)))


def _peaks(middle: F32, apart: float) -> I32:
    """(n, 2) row and column of the peaks of the map of middles, the highest within `apart` pixels."""
    width = 2 * round(apart) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    peak: Bools = (middle > PEAK) & (middle >= cv2.dilate(middle, disc))
    return np.argwhere(peak).astype(np.int32)


def _pointed_at(way: F32, seeds: I32, at: NDArray[np.intp], astray: float) -> NDArray[np.intp]:
    """(m,) which seed each pixel points at, from 1; 0 for none within `astray` pixels."""
    height, width = way.shape[1:]
    empty = np.ones((height, width), np.uint8)
    empty[seeds[:, 0], seeds[:, 1]] = 0
    kind = cv2.DIST_LABEL_PIXEL
    away, nearest = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=kind)
    name = np.zeros(len(seeds) + 1, np.intp)
    name[nearest[seeds[:, 0], seeds[:, 1]]] = np.arange(1, len(seeds) + 1)
    rows, columns = np.divmod(at, width)
    x = np.rint(columns + way[0].ravel().take(at)).clip(0, width - 1).astype(np.intp)
    y = np.rint(rows + way[1].ravel().take(at)).clip(0, height - 1).astype(np.intp)
    there = y * width + x
    return np.asarray(name[nearest.take(there)] * (away.take(there) <= astray), np.intp)


def _boxes(
    rows: NDArray[np.intp], columns: NDArray[np.intp], whose: NDArray[np.intp], count: int
) -> list[Box]:
    """A box on the specimen's own grid that holds each cell."""
    low, high = np.full((2, count + 1), 1 << 30), np.zeros((2, count + 1), np.intp)
    for axis, places in enumerate((rows, columns)):
        np.minimum.at(low[axis], whose, places)
        np.maximum.at(high[axis], whose, places)
    # the last row and column stand for those too that the maps fall short of
    low, high = low[:, 1:] * _FINER, high[:, 1:] * _FINER + 2 * _FINER
    ends = zip(low.T.tolist(), high.T.tolist(), strict=True)
    return [(slice(top, bottom), slice(left, right)) for (top, left), (bottom, right) in ends]
