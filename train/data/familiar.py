"""What slides of the laboratories that a model learns from look like: ranges to hold another slide against.

A slide may hold one kind of cell (lymphocytes of a chronic, blasts of an acute leukemia) and is familiar
all the same. So the range of a feature spans the medians of each laboratory's cells, of each of its classes
and of each of its groups (patients, slides), of these last two only as far as they surely lie outside: two
standard errors less. It is then stretched on either side by two standard errors of the median of 30 such
cells: a slide as those trained on must not be called strange because few of its cells were counted. It is
not stretched for laboratories that nobody has seen: that they are unlike is what is to be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edge.cells.measure import measured
from edge.line.likeness import FEATURES, LEAST_CELLS, looks, medians
from edge.optics.specimen import BACKGROUND, Specimen
from edge.types import F32, U8, Bools
from train.data.classes import admitted
from train.data.windows import Windows

_ENOUGH = 10  # cells of a group or class, to tell their median by
_STANDARD_ERROR = 1.4826 * np.sqrt(np.pi / 2)
"""Of the median of n cells, by their median absolute deviation and √n, where they are spread normally."""


def familiar(windows: Windows, counted: Sequence[str], pitch_um: float) -> dict[str, tuple[float, float]]:
    """Feature -> lowest and highest of its median on slides like those in the windows; none without cells.

    Parameters
    ----------
    counted : the classes that are counted; windows that no label says to be one of them are left out.
    pitch_um : µm a pixel of the windows.
    """
    labels = [label for label in np.unique(windows.labels).tolist() if _admits(label, counted)]
    cells = windows.pick(np.isin(windows.labels, labels) & (windows.masks == 2).any(axis=(1, 2)))
    if not len(cells):
        return {}
    pairs = zip(cells.pixels, cells.masks, strict=True)
    seen = np.concatenate([_looks(pixels, mask, pitch_um) for pixels, mask in pairs])
    ends = np.stack([_range(seen, cells, cells.datasets == name) for name in np.unique(cells.datasets)])
    low, high = np.nanmin(ends[:, 0], axis=0).tolist(), np.nanmax(ends[:, 1], axis=0).tolist()
    return {name: (round(a, 4), round(b, 4)) for name, a, b in zip(FEATURES, low, high, strict=True)}


def _range(seen: F32, cells: Windows, here: Bools) -> F32:
    """(2, `FEATURES`): between which the medians of slides of one laboratory lie."""
    parts = list(_parts(cells, here))
    middles = np.stack([medians(seen[part]) for part in parts])
    strays = np.stack(
        [medians(np.abs(seen[part] - middle)) for part, middle in zip(parts, middles, strict=True)]
    )
    sizes = np.array([np.count_nonzero(part) for part in parts])[:, None]
    unsure = 2 * _STANDARD_ERROR * strays / np.sqrt(sizes)
    whole = middles[0]
    low = np.nanmin(np.minimum(middles + unsure, whole), axis=0)
    high = np.nanmax(np.maximum(middles - unsure, whole), axis=0)
    stretch = 2 * _STANDARD_ERROR * medians(strays) / np.sqrt(LEAST_CELLS)
    return np.stack([low - stretch, high + stretch])


def _admits(label: str, counted: Sequence[str]) -> bool:
    try:
        return bool(admitted(label, counted))
    except ValueError:
        return False


def _looks(pixels: U8, mask: U8, pitch_um: float) -> F32:
    """(1, `FEATURES`) float32 of the cell in the middle of a window."""
    labels = (mask > 0).astype(np.int32)
    everywhere = [(slice(0, labels.shape[0]), slice(0, labels.shape[1]))]
    view = Specimen(pixels, pitch_um, 1.0, np.full(3, BACKGROUND, np.float32), 1.0)
    return looks(view, measured(labels, mask == 2, everywhere, pitch_um), np.zeros(1, np.int32))


def _parts(cells: Windows, here: Bools) -> Iterator[Bools]:
    """Which cells could make up a slide of a laboratory: all, those of a class, those of a group."""
    yield here
    for column in (cells.labels, cells.groups):
        for value in np.unique(column[here]):
            part = here & (column == value)
            if np.count_nonzero(part) >= _ENOUGH:
                yield part
