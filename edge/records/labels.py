"""Label images: each frame's cells and nuclei as 16-bit PNGs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePath

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cameras.files import IMAGES
from edge.files import atomic
from edge.types import Frame, LeukoscopeError, Reading, SlideHeader, Waiting


class LabelImages:
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

    def start(self, slide: str, header: SlideHeader, um_per_px: float) -> None:
        """Nothing is written before the first reading."""

    def waiting(self, trouble: Waiting | None) -> None:
        """No picture, no label image."""

    def finding(self, last: Reading) -> None:
        """Nothing is written after the last."""

    def reading(self, reading: Reading) -> None:
        """Write the two images of a reading; an unreadable frame has none.

        A source that gives several frames (a video, a camera) has the frame's number in the names. Of
        pictures with the same stem (a.jpg, a.png) all but the first keep their suffix: `a.png.png`.
        """
        frame = reading.frame
        if not frame.width:
            return
        images = reading.cells.labels_at(frame.height, frame.width)
        for labels, name in zip(images, self._names(frame), strict=True):
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


def _both(stem: str) -> list[str]:
    return [stem.replace(":", "-") + ending for ending in (".png", "_nuclei.png")]
