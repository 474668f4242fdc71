"""Label images, as `edge-run --labels` and other programs write them: 0 is background, k the k-th cell."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from edge.types import I32, U8
from train.data.dataset import CYTOPLASM, NUCLEUS, DataError
from train.data.pictures import load_picture

Bounds = tuple[float, float, float, float]


def load_labels(path: Path, shape: tuple[int, int]) -> I32:
    """(H, W) int32 of a label image; DataError where it cannot be read or is not as large as its picture."""
    try:
        content = np.frombuffer(path.read_bytes(), np.uint8)
        drawn = cv2.imdecode(content, cv2.IMREAD_UNCHANGED) if len(content) else None
    except (OSError, cv2.error) as error:
        raise DataError(f"{path}: cannot be read as a label image ({error}), left out") from None
    if drawn is None:
        raise DataError(f"{path}: cannot be read as a label image, left out")
    labels = drawn[..., 0] if drawn.ndim == 3 else drawn
    if labels.shape != shape:
        raise DataError(
            f"{path}: {labels.shape[1]}×{labels.shape[0]} px, its picture {shape[1]}×{shape[0]}, left out"
        )
    return np.asarray(labels, np.int32)


def bounds(labels: I32) -> dict[int, Bounds]:
    """Number of a cell -> x0, y0, x1, y1 of it in pixels."""
    found = {}
    for number in np.unique(labels[labels > 0]).tolist():
        rows, columns = np.nonzero(labels == number)
        found[int(number)] = (
            float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)
        )  # fmt: skip
    return found


def middlemost(labels: I32) -> int:
    """The number of the cell in the picture's middle, or nearest to it; 0 for none at all."""
    rows, columns = np.nonzero(labels)
    if not len(rows):
        return 0
    height, width = labels.shape
    nearest = int(np.argmin(np.hypot(rows + 0.5 - height / 2, columns + 0.5 - width / 2)))
    return int(labels[rows[nearest], columns[nearest]])


def mask(picture: Path, labels: Path, nuclei: Path | None) -> U8:
    """(H, W) uint8 of 0, CYTOPLASM and NUCLEUS: the cell in the middle of a picture."""
    height, width = load_picture(picture).shape[:2]
    cells = load_labels(labels, (height, width))
    number = middlemost(cells)
    if not number:
        raise DataError(f"{labels}: shows no cell, left out")
    cell = cells == number
    found = np.where(cell, CYTOPLASM, 0).astype(np.uint8)
    if nuclei is not None:
        found[cell & (load_labels(nuclei, (height, width)) > 0)] = NUCLEUS
    return found
