"""Label images: each frame's cells and nuclei as 16-bit PNGs."""

from __future__ import annotations

from pathlib import Path, PurePath

import cv2
import numpy as np

from edge.cameras.files import IMAGES
from edge.records.store import SlideHeader
from edge.types import LeukoscopeError, Reading


class LabelImages:
    """Writes `<stem>.png` and `<stem>_nuclei.png` for every frame into a folder.

    0 is background, any other value the cell's number in that reading's list, counted from 1.

    Raises
    ------
    LeukoscopeError : the folder cannot be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LeukoscopeError(f"--labels {folder}: cannot be made ({error.strerror})") from None

    def start(self, slide: str, header: SlideHeader, um_per_px: float) -> None:
        """Nothing is written before the first reading."""

    def finding(self, last: Reading) -> None:
        """Nothing is written after the last."""

    def reading(self, reading: Reading) -> None:
        """Write the two images of a reading; an unreadable frame has none.

        A source that gives several frames (a video, a camera) has the frame's number in the names.
        """
        frame = reading.frame
        if not frame.width:
            return
        source = PurePath(frame.source)
        is_image = source.suffix.lower() in IMAGES
        stem = source.with_suffix("").as_posix() if is_image else f"{source.name}_{frame.index:06d}"
        stem = stem.replace(":", "-")
        images = reading.cells.labels_at(frame.height, frame.width)
        for labels, ending in zip(images, (".png", "_nuclei.png"), strict=True):
            path = self._folder / (stem + ending)
            path.parent.mkdir(parents=True, exist_ok=True)
            ok, encoded = cv2.imencode(".png", labels.astype(np.uint16))
            try:
                path.write_bytes(encoded.tobytes() if ok else b"")
            except OSError as error:
                raise LeukoscopeError(f"--labels {path}: cannot be written ({error.strerror})") from None
