"""Specimen -> Cells: leukocytes with nucleus and cytoplasm, found on the specimen grid.

Nuclei come first: `edge.cells.stain` says where a nucleus may lie, `edge.cells.nuclei` cuts the stained area
where two nuclei touch and joins lobes of one, and `edge.cells.outline` draws the whole cell round each. Only
models that name no single cells have an answer of their own to where things are (`Segmenter`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import cv2
import numpy as np

from edge.bundle.bundle import Bundle
from edge.cells.detector import Detector
from edge.cells.measure import drawn, measured
from edge.cells.nuclei import MIN_NUCLEUS_UM2, Nuclei
from edge.cells.outline import outlines
from edge.cells.stain import Stain
from edge.optics.specimen import Specimen
from edge.types import I32, Bools, Cells

MIDDLE_UM = 4.0  # how far from the middle of its picture the edge of a single cell may lie
CELL_RADIUS_UM = 6.0


class Segmenter(Protocol):
    """Finds the leukocytes of a field."""

    def __call__(self, view: Specimen, /) -> Cells:
        """The cells of a field, from the frame on the specimen grid, corrected."""


def segmenter(bundle: Bundle, threads: int = 1) -> Segmenter:
    """How cells are found for a bundle: as always, unless it is a detector or names whole fields.

    Raises
    ------
    GraphError : a detector's graph does not load or answer here.
    """
    manifest = bundle.manifest
    if manifest.task == "field":
        return whole_field
    if manifest.task == "detector":
        detector = Detector.of(bundle.graph(), manifest.thresholds.confidence, threads=threads)
        detector.warm_up()
        return detector
    return segment


def segment(view: Specimen) -> Cells:
    """Find the leukocytes of a field; see `Segmenter`."""
    stain = Stain.of(view)
    nuclei = Nuclei.of(stain)
    height, width = view.pixels.shape[:2]
    if not nuclei.boxes:
        return Cells.none(height, width)
    labels, nuclear, boxes = drawn(nuclei, outlines(stain, nuclei), height, width)
    return measured(labels, nuclear, boxes, view.pitch_um, view.lit)


def whole_field(view: Specimen) -> Cells:
    """The field itself as the one thing in it, for models that name fields; see `Segmenter`."""
    height, width = view.pixels.shape[:2]
    if not height * width:
        return Cells.none(height, width)
    everything = np.ones((height, width), np.int32)
    box = [(slice(0, height), slice(0, width))]
    found = measured(everything, np.zeros((height, width), np.bool_), box, view.pitch_um)
    return replace(found, cut=np.zeros(1, np.bool_))


def single(view: Specimen, find: Segmenter = segment) -> Cells:
    """The one cell in the middle of a picture, whatever the picture is.

    The leukocyte that the middle lies in or next to; else whatever lies there; else a disc. Where `find` says
    also what its cells are, nobody else could say it of those.

    Parameters
    ----------
    view : as for `Segmenter`. find : finds the leukocytes of the picture.

    Returns
    -------
    Exactly one cell, with a nucleus; none where `find` names cells and finds none in the middle.
    """
    cells = find(view)
    i = middle(cells.labels, view.pitch_um)
    named = cells.probabilities if cells.probabilities is None else cells.probabilities[max(i, 1) - 1 : i]
    if i:
        cell = cells.labels == i
        nucleus = cell & cells.nuclei
    elif named is not None:
        return replace(Cells.none(*cells.labels.shape), probabilities=named)
    else:
        cell, nucleus = _something(view)
    everywhere = (slice(0, cell.shape[0]), slice(0, cell.shape[1]))
    return replace(
        measured(cell.astype(np.int32), nucleus, [everywhere], view.pitch_um, view.lit), probabilities=named
    )


def middle(labels: I32, pitch_um: float) -> int:
    """Number of the label that lies nearest the picture's middle, 0 when none does so within `MIDDLE_UM`."""
    y, x = np.nonzero(labels)
    if not len(y):
        return 0
    away = np.hypot(y - (labels.shape[0] - 1) / 2, x - (labels.shape[1] - 1) / 2) * pitch_um
    nearest = int(np.argmin(away))
    return int(labels[y[nearest], x[nearest]]) if away[nearest] <= MIDDLE_UM else 0


def _something(view: Specimen) -> tuple[Bools, Bools]:
    """Cell and nucleus where no leukocyte was found: a dark body in the middle, or a disc."""
    height, width = view.pixels.shape[:2]
    smooth = cv2.GaussianBlur(view.pixels, (0, 0), 0.5 / view.pitch_um)
    dark = 255 - smooth.mean(axis=2).astype(np.uint8)
    _, mask = cv2.threshold(dark, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    _, bodies, stats, _ = cv2.connectedComponentsWithStats(mask)
    i = middle(np.asarray(bodies, np.int32), view.pitch_um)
    size = int(stats[i, cv2.CC_STAT_AREA])
    if i and MIN_NUCLEUS_UM2 <= size * view.pitch_um**2 <= 600 and size < 0.8 * dark.size:
        cell = bodies == i
        return cell, cell & (dark >= np.median(dark[cell]))
    y, x = np.ogrid[:height, :width]
    away = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2)
    radius = max(min(CELL_RADIUS_UM / view.pitch_um, 0.4 * min(height, width)), 1.0)
    return away <= radius, away <= max(0.7 * radius, 1.0)
