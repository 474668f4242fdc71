"""Label images: each frame's cells and nuclei as 16-bit PNGs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cameras.files import IMAGES
from edge.files import atomic
from edge.types import I32, CellsInFrame, Frame, LeukoscopeError, Reading, Sink


class LabelImages(Sink):
    """Writes `<stem>.png` and `<stem>_nuclei.png` for every frame into a folder.

    0 is background, any other value the cell's number in that reading's list, counted from 1.

    Parameters
    ----------
    folder : made for its owner alone when it is not there.
    is_picture : tells the files that the camera reads, which are not overwritten.

    Raises
    ------
    LeukoscopeError : the folder cannot be made or written, or a file would take a picture's place.
    """

    def __init__(self, folder: Path, is_picture: Callable[[Path], bool] = lambda _path: False) -> None:
        self._folder = folder
        self._is_picture = is_picture
        self._written: dict[str, str] = {}  # file name -> its source
        try:
            atomic.make_folder(folder)
        except OSError as error:
            raise LeukoscopeError(
                f"--labels {folder}: cannot be made ({error.strerror}); give another"
            ) from None

    def reading(self, reading: Reading) -> None:
        """Write the two images of a reading; an unreadable frame has none.

        A source that gives several frames (a video, a camera) has the frame's number in the names. Of
        pictures with the same stem (a.jpg, a.png) all but the first keep their suffix: `a.png.png`.
        """
        frame = reading.frame
        if not frame.width:
            return
        for labels, name in zip(label_images(reading.cells), self._names(frame), strict=True):
            self._write(self._folder / name, labels.astype(np.uint16))

    def _names(self, frame: Frame) -> list[str]:
        """File names of the cells and of the nuclei, different from those of every other source."""
        source = PurePath(frame.source)
        if source.suffix.lower() not in IMAGES:
            return _both(f"{source.name}_{frame.index:06d}")
        names = _both(source.with_suffix("").as_posix())
        if any(self._written.get(name, frame.source) != frame.source for name in names):
            names = _both(source.as_posix())
        self._written |= dict.fromkeys(names, frame.source)
        return names

    def _write(self, path: Path, labels: NDArray[np.uint16]) -> None:
        if self._is_picture(path):
            raise LeukoscopeError(
                f"--labels {self._folder}: {path.name} would overwrite a picture; give another folder"
            )
        ok, encoded = cv2.imencode(".png", labels)
        try:
            atomic.make_folder(path.parent)
            path.write_bytes(encoded.tobytes() if ok else b"")
        except OSError as error:
            raise LeukoscopeError(
                f"--labels {path}: cannot be written ({error.strerror}); give another folder"
            ) from None


def label_images(cells: CellsInFrame) -> tuple[I32, I32]:
    """Labels of the cells and of their nuclei at the frame's size, (H, W) int32 both: i + 1 is the i-th."""
    size = (cells.height, cells.width)
    whole, nuclei = np.zeros(size, np.int32), np.zeros(size, np.int32)
    grid = cells.found.labels
    scale = cells.width / max(grid.shape[1], 1)
    for i in range(len(cells)):
        # each cell by itself and linearly, so that outlines come out smooth at full size
        mask = grid == i + 1
        rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows):
            continue
        y0, y1 = max(rows[0] - 2, 0), min(rows[-1] + 3, mask.shape[0])
        x0, x1 = max(cols[0] - 2, 0), min(cols[-1] + 3, mask.shape[1])
        X0, X1 = round(x0 * scale), min(round(x1 * scale), cells.width)
        Y0, Y1 = round(y0 * scale), min(round(y1 * scale), cells.height)
        for part, out in ((mask, whole), (mask & cells.found.nuclei, nuclei)):
            patch = part[y0:y1, x0:x1].astype(np.float32)
            big = cv2.resize(patch, (X1 - X0, Y1 - Y0), interpolation=cv2.INTER_LINEAR)
            out[Y0:Y1, X0:X1][big >= 0.5] = i + 1
    return whole, nuclei


def _both(stem: str) -> list[str]:
    return [stem.replace(":", "-") + ending for ending in (".png", "_nuclei.png")]
