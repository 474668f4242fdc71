"""The pictures of an archive's slide as a camera, wherever their files lie: read ahead, and each known by its
content.

A file that is not there or not to be read is a picture with a fault: so it is whoever tries, and it is told.
Storage that does not answer is another thing: nothing is known of the pictures on it, and the task is given
up, to be done again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, Self

import numpy as np

from edge.archive.entry import Entry
from edge.archive.place import ArchiveError
from edge.cameras import CameraError
from edge.cameras.files.camera import numbered
from edge.cameras.quiet import quiet
from edge.files import pictures
from edge.files.text import printable
from edge.types import Content, Frame

AHEAD = 4
"""Files fetched before it is their turn: object storage answers in tens of milliseconds, the line in more."""

_IN_MEMORY = 64 << 20  # bytes of a file that comes over the network; what is larger goes to the disk
_PAUSES_S = (0.5, 2.0, 8.0)  # before storage that does not answer is asked again

_OF_THE_FILE = frozenset((
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG,
    errno.ENXIO, errno.ENODEV, errno.EINVAL,
))  # fmt: skip
"""What is the matter with one file; anything else, such as ESTALE or ETIMEDOUT, is with where it lies."""


@dataclass(frozen=True)
class Fetched:
    """A file that is there: its content, or why there is none, and the sha256 of its bytes."""

    content: BinaryIO | str
    sha256: str | None = None

    def close(self) -> None:
        if not isinstance(self.content, str):
            self.content.close()


def fetch(path: str) -> Fetched:
    """A file by its path or fsspec's address.

    Raises
    ------
    ArchiveError : where it lies does not answer, or nothing installed here reads from there.
    """
    for scheme in ("file://", "local://"):
        path = path.removeprefix(scheme)
    is_remote = "://" in path
    for pause_s in (*_PAUSES_S, None):
        try:
            return _remote(path) if is_remote else _local(Path(path))
        except ValueError as error:
            if not is_remote:
                return Fetched(str(error))
            raise ArchiveError(f"{printable(path)}: {error}; mend the address") from None
        except ImportError as error:
            raise ArchiveError(f"{printable(path)}: {error}; install it on every node") from None
        except Exception as error:
            if (reason := _of_the_file(error, last=pause_s is None)) is not None:
                return Fetched(reason)
            if pause_s is None:
                told = " ".join(str(getattr(error, "strerror", None) or error).split())
                raise ArchiveError(
                    f"{printable(path)}: where it lies does not answer ({told or type(error).__name__}); "
                    "see to that and run it again: it goes on where it stopped"
                ) from error
            time.sleep(pause_s)
    raise AssertionError


def _of_the_file(error: Exception, last: bool) -> str | None:
    """Why a file is not read, the same words wherever it lies; None where it is not the file's fault.

    `last` : it was tried again before; a sector that is bad stays so, a network may not.
    """
    number = next((n for kind, n in _KINDS.items() if isinstance(error, kind)), None)
    if number is None and isinstance(error, OSError):
        number = error.errno
    if number is None or not (number in _OF_THE_FILE or (number == errno.EIO and last)):
        return None
    return f"the file cannot be read: {os.strerror(number)}"


_KINDS: dict[type[OSError], int] = {
    FileNotFoundError: errno.ENOENT, NotADirectoryError: errno.ENOTDIR, IsADirectoryError: errno.EISDIR,
    PermissionError: errno.EACCES,
}  # fmt: skip
"""What file systems of fsspec raise, often without a number."""


def _local(path: Path) -> Fetched:
    file = pictures.opened(path)
    try:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return Fetched(file, digest)


def _remote(path: str) -> Fetched:
    import fsspec

    digest = hashlib.sha256()
    content: Any = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115
    try:
        with fsspec.open(path, "rb") as stream:
            shutil.copyfileobj(stream, content, 1 << 20)
        content.seek(0)
        while part := content.read(1 << 20):
            digest.update(part)
        content.seek(0)
    except BaseException:
        content.close()
        raise
    return Fetched(content, digest.hexdigest())


class Ahead:
    """The files of a task's entries, fetched before it is their turn; a context manager."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = entries
        self._at = {entry: i for i, entry in enumerate(entries)}
        self._coming: dict[int, Future[Fetched]] = {}
        self._pool = ThreadPoolExecutor(AHEAD, "fetch")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)
        for future in self._coming.values():
            if not future.cancelled() and future.exception() is None:
                future.result().close()

    def take(self, entry: Entry) -> Fetched:
        """This entry's file; whoever takes it closes it."""
        at = self._at[entry]
        for i in range(at, min(at + AHEAD + 1, len(self._entries))):
            if i not in self._coming:
                self._coming[i] = self._pool.submit(fetch, self._entries[i].path)
        return self._coming.pop(at).result()


@dataclass(frozen=True)
class Field:
    """A picture of an entry's file, as it comes.

    Attributes
    ----------
    entry, sha256 : what it is of, and the hash of the file; None where there is no file.
    page : from 1. source : what it is called. content : its pixels, or why there are none.
    """

    entry: Entry
    sha256: str | None
    page: int
    source: str
    content: Content


def fields_of(
    entries: Sequence[Entry],
    files: Ahead,
    reduction: Callable[[], int] = lambda: 1,
    instead: str | None = None,
) -> Iterator[Field]:
    """The pictures of these entries in order; of several in a file the first is `stack.tif#1`.

    Parameters
    ----------
    files : where the entries' files come from.
    reduction : asked of each file; see `edge.files.pictures.pages`.
    instead : why no picture is looked at; each entry is then one with this fault.
    """
    for entry in entries:
        fetched = files.take(entry)
        try:
            contents = _contents(entry, fetched, instead, reduction())
            for page, (source, content) in enumerate(numbered(printable(entry.source), contents), 1):
                yield Field(entry, fetched.sha256, page, source, content)
        finally:
            fetched.close()


def _contents(entry: Entry, fetched: Fetched, instead: str | None, reduction: int) -> Iterator[Content]:
    if isinstance(fetched.content, str) or instead is not None:
        yield instead or str(fetched.content)
        return
    try:
        yield from pictures.pages_of(fetched.content, PurePosixPath(entry.path).suffix.lower(), reduction)
    except OSError as error:
        yield f"the file cannot be read: {error.strerror or error}"


@dataclass(frozen=True)
class Known:
    """What is known of a frame beside its pixels: its entry, and its file's sha256."""

    entry: Entry
    sha256: str | None


class SlideCamera:
    """The pictures of a slide as frames, in order; keeps `edge.cameras.Camera`'s promises.

    Parameters
    ----------
    slide : what it is called.
    begin : gives the pictures from the first on, at the reduction that it asks for before each file.

    Attributes
    ----------
    known : what is known of each frame that was read, by its index.
    reduction : see `edge.cameras.Reducing`.
    """

    live = False
    serial = ""
    um_per_px: float | None = None

    def __init__(self, slide: str, begin: Callable[[Callable[[], int]], Iterator[Field]]) -> None:
        self.slide, self.name = slide, printable(slide)
        self.known: list[Known] = []
        self.reduction = 1
        self._begin = begin
        self._fields: Iterator[Field] | None = None

    def open(self) -> None:
        """Begin with the first picture."""
        if self._fields is None:
            quiet()
            self.known.clear()
            self._fields = self._begin(lambda: self.reduction)

    def read(self) -> Frame | None:
        """The next picture as a frame, None after the last."""
        if self._fields is None:
            raise CameraError(f"slide {self.name}: is not open")
        field = next(self._fields, None)
        if field is None:
            return None
        self.known.append(Known(field.entry, field.sha256))
        faulty = isinstance(field.content, str)
        return Frame.of(
            np.zeros((0, 0, 3), np.uint8) if isinstance(field.content, str) else field.content,
            index=len(self.known) - 1,
            source=field.source,
            captured_at=_moment(field.entry.taken_at),
            monotonic_s=time.monotonic(),
            fault=str(field.content) if faulty else None,
        )

    def close(self) -> None:
        """Forget the pictures that were not read."""
        self._fields = None


def _moment(taken_at: str | None) -> datetime:
    """When a picture was taken, as far as anybody knows."""
    try:
        moment = datetime.fromisoformat(taken_at) if taken_at else datetime.now(UTC)
    except ValueError:
        return datetime.now(UTC)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
