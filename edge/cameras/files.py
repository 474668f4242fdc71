"""Images and videos as a camera: every picture is delivered, in order, as fast as it is taken."""

from __future__ import annotations

import glob
import os
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np

from edge.cameras import CameraError
from edge.cameras.quiet import quiet
from edge.files.pictures import decode
from edge.types import U8, Frame

IMAGES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
VIDEOS = (".avi", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm", ".wmv")

Picture = tuple[str, U8 | str]
"""Its source, and its pixels or why there are none."""


class FileCamera:
    """A folder, a glob, one image or one video as a camera.

    A folder is read with its sub-folders, hidden files left out, in natural order (Im2 before Im10).
    The source of a frame is the path below the given folder, or below the folder where a glob's first
    wildcard stands; of a video its name. An image that cannot be read comes as a frame with a fault, and so
    does the end of a video that has fewer frames than it announces.
    """

    live = False
    serial = ""
    um_per_px: float | None = None

    def __init__(self, path: str) -> None:
        self.path = os.path.expanduser(path)
        self.name = _readable(Path(path).name or self.path)
        self._pictures: Iterator[Picture] | None = None
        self._files: frozenset[str] = frozenset()
        self._index = 0

    def open(self) -> None:
        """Find the files; raises CameraError when there is nothing to read."""
        if self._pictures is not None:
            return
        quiet()
        path = Path(self.path)
        if path.suffix.lower() in VIDEOS and path.is_file():
            self._pictures = _frames_of_video(path, _open_video(path))
        else:
            root, names = self._images()
            self._files = frozenset(os.path.join(os.path.realpath(root), name) for name in names)
            self._pictures = _decoded(root, names)
        self._index = 0

    def read(self) -> Frame | None:
        """The next picture as a frame, None after the last."""
        if self._pictures is None:
            raise CameraError(f"camera {self.path}: is not open")
        source, content = next(self._pictures, (None, ""))
        if source is None:
            return None
        fault = content if isinstance(content, str) else None
        frame = Frame(
            pixels=np.zeros((0, 0, 3), np.uint8) if isinstance(content, str) else content,
            index=self._index,
            source=source,
            captured_at=datetime.now(UTC),
            monotonic_s=time.monotonic(),
            fault=fault,
        )
        self._index += 1
        return frame

    def close(self) -> None:
        """Forget the files."""
        self._pictures = None

    def holds(self, path: Path) -> bool:
        """Whether `path` is one of the pictures that an open camera reads, which nobody may overwrite."""
        return os.path.join(os.path.realpath(path.parent), path.name) in self._files

    def _images(self) -> tuple[Path, list[str]]:
        """The folder that sources are named from, and the paths below it, in natural order."""
        path = Path(self.path)
        if path.is_dir():
            root, found = path, _walk(path)
        elif path.exists():
            root, found = path.parent, [path.name]
        else:
            root, found = _globbed(self.path)
        images = [name for name in found if Path(name).suffix.lower() in IMAGES]
        if images:
            return root, sorted(images, key=_natural)
        what = "has no images" if path.is_dir() else "is not an image or a video"
        if not path.exists():
            what = "no image has such a name" if glob.has_magic(self.path) else "no such file or folder"
        raise CameraError(
            f"camera {self.path}: {what}; images end in {' '.join(IMAGES)}, and videos, "
            f"given one by one, in {' '.join(VIDEOS)}"
        )


def _walk(root: Path) -> list[str]:
    """Files below a folder as paths relative to it; links to folders are followed, once each."""

    def refuse(error: OSError) -> None:
        raise CameraError(f"camera {root}: {error.filename} cannot be read: {error.strerror}") from error

    found, seen = [], set()
    for folder, subfolders, files in os.walk(root, onerror=refuse, followlinks=True):
        seen.add(os.path.realpath(folder))
        subfolders[:] = [
            name
            for name in subfolders
            if not name.startswith(".") and os.path.realpath(os.path.join(folder, name)) not in seen
        ]
        found += [os.path.relpath(os.path.join(folder, f), root) for f in files if not f.startswith(".")]
    return found


def _globbed(pattern: str) -> tuple[Path, list[str]]:
    """The folder where a pattern's first wildcard stands, and the files that match, relative to it."""
    parts = Path(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    root = Path(*parts[:fixed])
    matches = glob.glob(str(Path(*parts[fixed:])), root_dir=root, recursive=True)
    return root, [name for name in matches if not (root / name).is_dir()]


def _natural(path: str) -> tuple[list[list[str | int]], str]:
    """Sort key by which Im2 comes before Im10 and a folder's files stay together."""
    return [
        [int(run) if run.isdecimal() else run for run in re.split(r"(\d+)", part.lower())]
        for part in Path(path).parts
    ], path


def _readable(path: str) -> str:
    """The path as text that can be written anywhere: bytes that are no UTF-8 as `\\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _decoded(root: Path, names: list[str]) -> Iterator[Picture]:
    for name in names:
        source = _readable(Path(name).as_posix())
        try:
            yield source, decode((root / name).read_bytes())
        except OSError as error:
            yield source, f"the file cannot be read: {error.strerror}"
        except ValueError as error:
            yield source, str(error)


def _open_video(path: Path) -> cv2.VideoCapture:
    # one thread: it decodes ahead while the line has the other cores
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise CameraError(f"camera {path}: cannot be opened as a video; it may be damaged or of another kind")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)  # as for images: pixels as the camera stored them
    return capture


def _frames_of_video(path: Path, capture: cv2.VideoCapture) -> Iterator[Picture]:
    source = _readable(path.name)
    announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    count = 0
    last: U8 | None = None
    try:
        while True:
            ok, pixels = capture.read()
            if not ok:
                break
            if last is not None:
                yield source, last
            last = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB, dst=pixels), np.uint8)
            count += 1
        # containers count from duration and rate, and are often off by one or two
        if count >= announced - max(2, announced // 50):
            if last is not None:
                yield source, last
        else:
            # where a file is cut off, decoders fill the last frame up with parts of the one before
            whole = max(count - 1, 0)
            yield source, f"the video ends after {whole} of {announced} frames; the rest cannot be read"
    finally:
        capture.release()
