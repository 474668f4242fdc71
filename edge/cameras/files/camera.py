"""Images and videos as a camera: every picture is delivered, in order, as fast as it is taken."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path

import numpy as np

from edge.cameras import CameraError
from edge.cameras.files import kinds
from edge.cameras.files.folder import Listing, listed, shown
from edge.cameras.files.video import is_video, pictures_of
from edge.cameras.quiet import quiet
from edge.files.pictures import pages, readable
from edge.files.text import printable
from edge.types import U8, Content, FilesRead, Frame

Picture = tuple[str, Content]
"""Its source, and its pixels or why there are none."""


class FileCamera:
    """A folder, a glob, one image or one video as a camera.

    A folder is read with its sub-folders in natural order (Im2 before Im10); what is left out and why stands
    in `files`. The source of a frame is the path below the given folder, or below the folder where a glob's
    first wildcard stands; of a video its name. Each page of a file is a frame: of several, the source of the
    second is `stack.tif#2`. What cannot be read comes as a frame with a fault. A file that is given by itself
    is read by its content, whatever its suffix.

    Attributes
    ----------
    reduction : see `edge.cameras.Reducing`; of JPEG and of Motion JPEG.
    """

    live = False
    serial = ""
    um_per_px: float | None = None

    def __init__(self, path: str) -> None:
        self.path = os.path.expanduser(path)
        self.name = printable(Path(path).name or self.path)
        self._called = f"camera {printable(self.path)}"
        self.reduction = 1
        self._pictures: Iterator[Picture] | None = None
        self._forget()

    def _forget(self) -> None:
        self._listing: Listing | None = None
        self._files: frozenset[str] = frozenset()
        self._index = 0
        self._begun: list[int] = []  # for each file of the listing its first frame
        self._faults: list[tuple[int, str, str]] = []  # frame, reason, source

    def open(self) -> None:
        """Find the files; raises CameraError when there is nothing to read."""
        if self._pictures is not None:
            return
        quiet()
        self._forget()
        path = Path(self.path)
        if os.path.exists(path) and not os.path.isdir(path):
            self._pictures = self._of_file(path)
            self._files = frozenset([_real(path.parent, path.name)])
            return
        self._listing = listed(self.path)
        if not self._listing.names:
            raise CameraError(self._nothing(path, self._listing))
        self._pictures = self._of_listing(self._listing)
        root = os.path.realpath(self._listing.root)
        self._files = frozenset(os.path.join(root, name) for name in self._listing.names)

    def read(self) -> Frame | None:
        """The next picture as a frame, None after the last."""
        if self._pictures is None:
            raise CameraError(f"{self._called}: is not open")
        source, content = next(self._pictures, (None, ""))
        if source is None:
            return None
        fault = content if isinstance(content, str) else None
        if fault is not None:
            self._faults.append((self._index, fault, source))
        frame = Frame.of(
            np.zeros((0, 0, 3), np.uint8) if isinstance(content, str) else content,
            index=self._index,
            source=source,
            captured_at=datetime.now(UTC),
            monotonic_s=time.monotonic(),
            fault=fault,
        )
        self._index += 1
        return frame

    def close(self) -> None:
        """Forget the pictures that were not read."""
        self._pictures = None

    def files(self, frames: int) -> FilesRead:
        """What the first `frames` frames came from, and what was left out, also after closing.

        A folder is looked at once more, for pictures that came in the meantime.
        """
        faults = [(reason, source) for index, reason, source in self._faults if index < frames]
        left = list(faults)
        if self._listing is not None:
            names = self._listing.names
            reached = sum(first < frames for first in self._begun)
            left = [
                *self._listing.left_out,
                *faults,
                *((kinds.NOT_REACHED, shown(name)) for name in names[reached:]),
                *((kinds.ARRIVED, shown(name)) for name in self._arrived(names)),
            ]
        return FilesRead.of(frames - len(faults), left)

    def samples(self, most: int) -> Iterator[U8]:
        """Up to so many pictures: the first of an open folder's files, spread evenly, or those of one file.

        What cannot be read is left out; a video gives none.
        """
        if self._listing is None:
            path = Path(self.path)
            stack = islice(pages(path), most) if os.path.isfile(path) and not _holds_video(path) else ()
            yield from (content for content in stack if isinstance(content, np.ndarray))
            return
        names = self._listing.names
        for name in names[:: -(-len(names) // most)]:
            content = next(pages(self._listing.root / name), "")
            if isinstance(content, np.ndarray):
                yield content

    def holds(self, path: Path) -> bool:
        """Whether `path` is one of the pictures that an open camera reads, which nobody may overwrite."""
        return _real(path.parent, path.name) in self._files

    def _arrived(self, known: tuple[str, ...]) -> list[str]:
        before = set(known)
        try:
            return [name for name in listed(self.path).names if name not in before]
        except CameraError:  # the stick was pulled out
            return []

    def _of_listing(self, listing: Listing) -> Iterator[Picture]:
        for name in listing.names:
            self._begun.append(self._index)
            yield from numbered(shown(name), pages(listing.root / name, self.reduction))

    def _of_file(self, path: Path) -> Iterator[Picture]:
        """The pictures of a file that is given by itself; raises CameraError where it has none."""
        if not os.path.isfile(path):
            raise CameraError(f"{self._called}: is no file; give an image, a video or a folder of images")
        source, suffix = printable(path.name), path.suffix.lower()
        pictures = (
            ((source, content) for content in pictures_of(path, lambda: self.reduction))
            if _holds_video(path)
            else numbered(source, pages(path, self.reduction))
        )
        first = next(pictures, None)
        if first is None:
            raise CameraError(f"{self._called}: has no pictures; if it is a video, it may be sound alone")
        if isinstance(first[1], str) and suffix not in (*readable(), *kinds.VIDEOS):
            if known := kinds.known(source):
                raise CameraError(f"{self._called}: cannot be read. {known}")
            raise CameraError(f"{self._called}: is not an image or a video: {first[1]}; {_give()}")
        return chain([first], pictures)

    def _nothing(self, path: Path, listing: Listing) -> str:
        what = "has no images"
        if not os.path.exists(path):
            what = "no image has such a name" if glob.has_magic(self.path) else "no such file or folder"
        beside = FilesRead.of(0, listing.left_out).reasons
        return f"{self._called}: {what}; {f'left out: {beside}; ' if beside else ''}{_give()}"


def _holds_video(path: Path) -> bool:
    """Whether it is a video, by its suffix or by what it holds."""
    return path.suffix.lower() in kinds.VIDEOS or is_video(path)


def _real(folder: Path, name: str) -> str:
    return os.path.join(os.path.realpath(folder), name)


def _give() -> str:
    return f"images end in {' '.join(readable())}, and videos, given one by one, in {' '.join(kinds.VIDEOS)}"


def numbered(source: str, contents: Iterator[Content]) -> Iterator[Picture]:
    """The pictures of a file, numbered from 1 where there are several."""
    number = 1
    content: Content | None = next(contents, "the file holds no picture")
    while content is not None:
        following = next(contents, None)
        yield (f"{source}#{number}" if number > 1 or following is not None else source), content
        number, content = number + 1, following
