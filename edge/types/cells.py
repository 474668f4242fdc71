"""The cells of a field, on the specimen grid and in the camera's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.types.arrays import F32, F64, I32, Bools, check


@dataclass(frozen=True, eq=False)
class Cells:
    """The leukocytes (and what looks like one) found in a specimen, in no particular order.

    All of it lies on the specimen grid (see `edge.optics.specimen.Specimen`), counted in its pixels;
    `in_frame` brings it into the camera's.

    Attributes
    ----------
    labels : (h, w) int32: 0 background, i + 1 the i-th cell (nucleus and cytoplasm).
    nuclei : (h, w) bool, the nuclear part of the labelled cells.
    boxes : (n, 4) float32, xyxy half-open, the whole cell.
    centres : (n, 2) float64, x and y of the cell's centroid.
    area_um2, nucleus_area_um2 : (n,) float32.
    cut : (n,) bool, the cell touches the frame's edge.
    probabilities : (n, C) float32, of the bundle's classes, where who found the cells says what they are;
        None where that is asked of a classifier.
    """

    labels: I32
    nuclei: Bools
    boxes: F32
    centres: F64
    area_um2: F32
    nucleus_area_um2: F32
    cut: Bools
    probabilities: F32 | None = None

    def __post_init__(self) -> None:
        n = len(self.boxes)
        check("Cells.labels", self.labels, (None, None), np.int32)
        check("Cells.nuclei", self.nuclei, self.labels.shape, np.bool_)
        check("Cells.boxes", self.boxes, (n, 4), np.float32)
        check("Cells.centres", self.centres, (n, 2), np.float64)
        check("Cells.area_um2", self.area_um2, (n,), np.float32)
        check("Cells.nucleus_area_um2", self.nucleus_area_um2, (n,), np.float32)
        check("Cells.cut", self.cut, (n,), np.bool_)
        if self.probabilities is not None:
            check("Cells.probabilities", self.probabilities, (n, None), np.float32)

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def none(cls, height: int = 0, width: int = 0) -> Cells:
        """No cells, on a specimen grid of `height` × `width`."""
        return cls(
            labels=np.zeros((height, width), np.int32),
            nuclei=np.zeros((height, width), np.bool_),
            boxes=np.zeros((0, 4), np.float32),
            centres=np.zeros((0, 2), np.float64),
            area_um2=np.zeros(0, np.float32),
            nucleus_area_um2=np.zeros(0, np.float32),
            cut=np.zeros(0, np.bool_),
        )

    def in_frame(self, height: int, width: int) -> CellsInFrame:
        """The cells as they lie in the frame that the specimen was made of, `height` × `width` pixels."""
        down, across = self.labels.shape
        scale = np.array([width / max(across, 1), height / max(down, 1)])
        low, high = np.floor(self.boxes[:, :2] * scale), np.ceil(self.boxes[:, 2:] * scale)
        edges = np.concatenate([low, high], axis=1).clip(0, np.array([width, height] * 2))
        return CellsInFrame(
            boxes_px=edges.astype(np.int32),
            centres_px=(self.centres * scale).astype(np.float32),
            height=height,
            width=width,
            found=self,
        )


@dataclass(frozen=True, eq=False)
class CellsInFrame:
    """A frame's cells, where they lie in its own pixels.

    Attributes
    ----------
    boxes_px : (n, 4) int32, xyxy half-open, the whole cell.
    centres_px : (n, 2) float32, x and y of the cell's centroid.
    height, width : of the frame.
    found : the cells on the specimen grid, with their outlines.
    """

    boxes_px: I32
    centres_px: F32
    height: int
    width: int
    found: Cells

    def __post_init__(self) -> None:
        n = len(self.found)
        check("CellsInFrame.boxes_px", self.boxes_px, (n, 4), np.int32)
        check("CellsInFrame.centres_px", self.centres_px, (n, 2), np.float32)

    def __len__(self) -> int:
        return len(self.boxes_px)

    @property
    def area_um2(self) -> F32:
        """(n,) float32."""
        return self.found.area_um2

    @property
    def nucleus_area_um2(self) -> F32:
        """(n,) float32."""
        return self.found.nucleus_area_um2

    @property
    def cut(self) -> Bools:
        """(n,) bool, the cell touches the frame's edge."""
        return self.found.cut
