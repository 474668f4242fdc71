"""Whether a slide looks like those that the model was trained on: a hint beside the finding.

A network answers as surely on a stain that it never saw. So the colours and sizes of the slide's counted
leukocytes are held against the ranges that the training laboratories span (`familiar` in the manifest,
`train.data.familiar`). Medians are compared, so that single odd cells say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from edge.optics.specimen import BACKGROUND, Specimen
from edge.types import F32, I32, U8, Bools, Cells

FEATURES = (
    "nucleus_red", "nucleus_green", "nucleus_blue", "nucleus_red_less_blue", "cell_um2", "background",
)  # fmt: skip
"""What is looked at: the optical density of nuclei in red, green and blue light, and red less blue, which is
above 0 in every blood stain; the area of the cells; the darkest channel of what is clear glass between them,
after the correction."""

LEAST_CELLS = 30

UNLIKE = (
    "The colours of this slide are unlike those that the model was trained on: its counts may be wrong. "
    "Check the stain, or have the film read."
)
OTHER_SIZE = (
    "The cells of this slide are of another size than those that the model was trained on: its counts may be "
    "wrong. Check the scale (edge-device calibrate), or have the film read."
)

_EVERY_PX = 20  # of a field, across and down: enough to tell the glass by
_CLEAR = 0.75  # the lightest quarter of what lies between cells is glass, if there is any


class Likeness:
    """A running picture of one slide's counted leukocytes.

    Parameters
    ----------
    familiar : feature -> lowest and highest of its median in the training laboratories; see `FEATURES`.
        Nothing is ever said without any.
    """

    def __init__(self, familiar: Mapping[str, tuple[float, float]]) -> None:
        self._familiar = familiar
        self._seen: list[F32] = []
        self._cells, self._next = 0, LEAST_CELLS
        self._told = False

    def see(self, view: Specimen, cells: Cells, counted: Bools) -> None:
        """Take in the counted ones, (n,) bool, of a field's n cells."""
        if self._familiar and not self._told and counted.any():
            self._seen.append(looks(view, cells, np.flatnonzero(counted).astype(np.int32)))
            self._cells += len(self._seen[-1])

    def note(self) -> str | None:
        """What the user should know of this slide, told once.

        Asked at 30 leukocytes and at each doubling: medians settle, and sorting all cells at each frame would
        cost more the longer the slide.
        """
        if self._told or self._cells < self._next:
            return None
        self._next = 2 * self._cells
        strange = outside(medians(np.concatenate(self._seen)), self._familiar)
        if not strange:
            return None
        self._told = True
        self._seen.clear()
        return OTHER_SIZE if strange == ["cell_um2"] else UNLIKE


def outside(found: F32, familiar: Mapping[str, tuple[float, float]]) -> list[str]:
    """Which (`FEATURES`,) float32 medians of a slide lie outside their range, as far as they are known."""
    told = zip(FEATURES, found.tolist(), strict=True)
    ranges = ((name, value, familiar[name]) for name, value in told if name in familiar)
    return [name for name, value, (low, high) in ranges if value < low or value > high]


def looks(view: Specimen, cells: Cells, which: I32) -> F32:
    """(k, `FEATURES`) float32 of some cells of a field, by their index; NaN where one does not show it."""
    light = np.empty((len(which), 3))
    for row, i, box in zip(light, which.tolist(), cells.boxes[which].astype(int).tolist(), strict=True):
        where = slice(box[1], box[3]), slice(box[0], box[2])
        nucleus = cv2.compare(cells.labels[where], i + 1, cv2.CMP_EQ) & cells.nuclei[where].view(np.uint8)
        row[:] = cv2.mean(view.pixels[where], nucleus)[:3] if cv2.countNonZero(nucleus) else np.nan
    density = np.log(BACKGROUND / np.maximum(light, 1.0))
    out = np.empty((len(which), len(FEATURES)), np.float32)
    out[:, :3], out[:, 3], out[:, 4] = density, density[:, 0] - density[:, 2], cells.area_um2[which]
    out[:, 5] = _glass(view.pixels, cells.labels)
    return out


def medians(seen: F32) -> F32:
    """(`FEATURES`,) float32 of (k, `FEATURES`); NaN where no cell shows it."""
    known = (column[~np.isnan(column)] for column in seen.T)
    return np.array([np.median(column) if len(column) else np.nan for column in known], np.float32)


def _glass(pixels: U8, labels: I32) -> float:
    """The darkest channel of what is lightest between the cells, NaN where nothing lies between them."""
    between = pixels[::_EVERY_PX, ::_EVERY_PX][labels[::_EVERY_PX, ::_EVERY_PX] == 0]
    if not len(between):
        return float("nan")
    light = between @ np.ones(3, np.float32)
    rank = int(len(light) * _CLEAR)
    return float(between[light >= np.partition(light, rank)[rank]].mean(axis=0).min())
