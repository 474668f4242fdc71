"""What slides of the laboratories that a model learns from look like: ranges to hold another slide against.

A slide may hold one kind of cell (lymphocytes of a chronic, blasts of an acute leukemia), and of any
patient or slide, and is familiar all the same. So the range of a feature spans, round the median of each
laboratory's cells, what its classes differ by and what its groups (patients, slides) differ by, both at
once, each as far as it surely does: two standard errors less. It is then stretched on either side by two
standard errors of the median of 30 cells of one class: a slide as those trained on must not be called
strange because few of its cells were counted. It is not stretched for laboratories that nobody has seen:
that they are unlike is what is to be told.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from edge.cells.measure import measured
from edge.line.likeness import FEATURES, LEAST_CELLS, looks, medians
from edge.optics.specimen import BACKGROUND, Specimen
from edge.types import F32, U8, Bools
from train.data.classes import admitted
from train.data.windows import Texts, Windows

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
    laboratories = [cells.datasets == name for name in np.unique(cells.datasets)]
    ends = np.stack([_range(seen[here], cells.labels[here], cells.groups[here]) for here in laboratories])
    low, high = np.nanmin(ends[:, 0], axis=0).tolist(), np.nanmax(ends[:, 1], axis=0).tolist()
    return {name: (round(a, 4), round(b, 4)) for name, a, b in zip(FEATURES, low, high, strict=True)}


def _range(seen: F32, labels: Texts, groups: Texts) -> F32:
    """(2, `FEATURES`): between which the medians of slides of one laboratory lie."""
    whole = medians(seen)
    alike = seen.copy()  # as if all were of one class
    for part in _parts(labels):
        alike[part] += whole - medians(seen[part])
    stretch = 2 * _STANDARD_ERROR * medians(np.abs(alike - whole)) / np.sqrt(LEAST_CELLS)
    apart = _apart(seen, labels, whole) + _apart(alike, groups, whole)
    return np.asarray(whole + apart + np.stack([-stretch, stretch]), np.float32)


def _apart(seen: F32, names: Texts, whole: F32) -> F32:
    """(2, `FEATURES`): by how much medians of parts surely lie below that of all, ≤ 0, and above it, ≥ 0."""
    ends = [np.zeros((2, len(FEATURES)), np.float32)]
    for part in _parts(names):
        off = medians(seen[part]) - whole
        stray = medians(np.abs(seen[part] - whole - off))
        unsure = 2 * _STANDARD_ERROR * stray / np.sqrt(np.count_nonzero(part))
        ends.append(np.stack([np.minimum(off + unsure, 0), np.maximum(off - unsure, 0)]))
    every = np.stack(ends)
    return np.stack([np.nanmin(every[:, 0], axis=0), np.nanmax(every[:, 1], axis=0)])


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


def _parts(names: Texts) -> Iterator[Bools]:
    """Which cells are of one name, for each that has enough."""
    for name in np.unique(names):
        part = names == name
        if np.count_nonzero(part) >= _ENOUGH:
            yield part
