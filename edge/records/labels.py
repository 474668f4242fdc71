"""Label images: each frame's cells and nuclei as 16-bit PNGs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path, PurePath

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.files import atomic
from edge.files.labels import CELLS, NUCLEI, SUFFIX, is_label_image
from edge.files.pictures import readable
from edge.types import I32, CellsInFrame, Frame, LeukoscopeError, Reading, Sink

_PAGE = re.compile(r"#\d+$")


class LabelImages(Sink):
    """Writes `<stem>.png` and `<stem>_nuclei.png` for every frame into a folder, also that of the pictures.

    0 is background, any other value the cell's number in that reading's list, counted from 1.

    Parameters
    ----------
    folder : made for its owner alone when it is not there.
    is_picture : tells the files that the camera reads, which are not overwritten. Nor is any other file that
        is no label image.

    Raises
    ------
    LeukoscopeError : the folder cannot be made or written, or a file would take another's place.
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

        Those of the second page of `a.tif` are called `a#2.png`; a source that gives several frames (a video,
        a camera) has the frame's number in the names. Of pictures with the same stem (a.jpg, a.png) all but
        the first keep their suffix: `a.png.png`.
        """
        frame = reading.frame
        if not frame.width:
            return
        for labels, name in zip(label_images(reading.cells), self._names(frame), strict=True):
            self._write(self._folder / name, labels.astype(np.uint16))

    def _names(self, frame: Frame) -> list[str]:
        """File names of the cells and of the nuclei, different from those of every other source."""
        file, page = _file_and_page(frame.source)
        source = PurePath(file)
        numbered = f"{source.name}_{frame.index:06d}"
        stems = [numbered]
        if source.suffix.lower() in readable():
            stems = [f"{source.with_suffix('')}{page}", f"{source}{page}", f"{source.parent / numbered}"]
        for stem in stems:
            names = [_writable(stem) + ending for ending in (CELLS, NUCLEI)]
            if all(self._written.get(name, frame.source) == frame.source for name in names):
                break
        self._written |= dict.fromkeys(names, frame.source)
        return names

    def _write(self, path: Path, labels: NDArray[np.uint16]) -> None:
        if self._is_picture(path):
            raise self._refused(path, "would overwrite a picture")
        if os.path.lexists(path) and not path.is_dir() and not is_label_image(path):
            raise self._refused(path, "is there already and is no label image")
        ok, encoded = cv2.imencode(SUFFIX, labels)
        try:
            atomic.make_folder(path.parent)
            path.write_bytes(encoded.tobytes() if ok else b"")
        except OSError as error:
            raise LeukoscopeError(
                f"--labels {path}: cannot be written ({error.strerror}); give another folder"
            ) from None

    def _refused(self, path: Path, why: str) -> LeukoscopeError:
        name = path.relative_to(self._folder).as_posix()
        return LeukoscopeError(f"--labels {self._folder}: {name} {why}; give another folder")


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


def _file_and_page(source: str) -> tuple[str, str]:
    """`a.tif#2` as `a.tif` and `#2`; a source without pages has an empty second part."""
    found = _PAGE.search(source)
    return (source[: found.start()], found[0]) if found else (source, "")


def _writable(stem: str) -> str:
    """A name that sticks and cards (FAT, NTFS) can hold too."""
    return re.sub(r'[\\:*?"<>|]', "-", stem)
