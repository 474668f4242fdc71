"""Files put onto a medium that people carry away: a stick, a card, a share, or a plain folder.

What lies there under its final name is whole. A file is written under a hidden name, on the medium before it
is read back from it and compared, and only then renamed. A medium that is pulled out, is full or fails, and a
program that is killed, leave the old file or none, and a hidden rest that the next delivery clears away.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Self

from edge.files import atomic, medium, mounts
from edge.files.filename import file_name
from edge.files.medium import DeliveryError
from edge.files.text import printable

__all__ = ["Delivery", "DeliveryError", "file_name"]

_AT_ONCE = 1 << 20
Tell = Callable[[int, int], None]


class Delivery:
    """Puts files into a folder, each whole or not at all; a context manager.

    Root writes as the folder's owner, so that the files are his.

    Parameters
    ----------
    folder : where to; made, for its owner alone, when it is not there.
    needs : bytes that will be delivered, where that is known: told before if they do not fit.
    largest : bytes of the largest file among them: FAT holds none of 4 GiB.
    tell : is called with the bytes delivered and `needs`.
    beside : another delivery into the folder is under way and has seen to what earlier ones left.

    Raises
    ------
    DeliveryError : from every method: no space, no permission, pulled out, read back otherwise.
    """

    def __init__(
        self,
        folder: Path,
        *,
        needs: int = 0,
        largest: int = 0,
        tell: Tell | None = None,
        beside: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self._needs, self._largest, self._tell = needs, max(largest, 0), tell
        self._done = 0
        self._device: int | None = None
        self._cleared = {self.folder} if beside else set()

    def __enter__(self) -> Self:
        with self._explained(self.folder), atomic.as_owner(self.folder):
            atomic.make_folder(self.folder)
            self._clear(self.folder)
            trial = f".{os.getpid()}"  # that it can be written is known at once
            with self._part(self.folder / trial):
                pass
            (self.folder / _hidden(trial)).unlink()
            self._device = self.folder.stat().st_dev  # what fails from here on worked before
        self._fits(self._needs, self._largest)
        return self

    def __exit__(self, *_: object) -> None:
        """Have the whole medium written, also what its file system still kept to itself."""
        with suppress(OSError), atomic.as_owner(self.folder):
            place = os.open(self.folder, os.O_RDONLY)
            try:
                ctypes.CDLL(None).syncfs(place)
            finally:
                os.close(place)

    @property
    def safe_to_pull_out(self) -> str:
        """One line for the end where people will pull the medium out; empty elsewhere."""
        mount = mounts.mount_of(self.folder)
        if mount is None or not mounts.removable(mount):
            return ""
        return f"{printable(mount.point)}: everything is written; it is safe to pull out"

    def deliver(self, name: str, content: bytes) -> Path:
        """Put one file there, instead of the one that has this name; returns where it lies.

        `name` is made of `file_name`; slashes in it lead into folders, which are made.
        """
        self._fits(len(content), len(content))
        with self._whole(name) as stream:
            stream.write(content)
        return self._final(name)

    def deliver_file(self, name: str, source: Path) -> Path:
        """Copy one file there; the source is opened by who runs the program.

        Raises
        ------
        DeliveryError : as ever, or the source cannot be read.
        """
        try:
            with open(source, "rb") as content:
                size = os.fstat(content.fileno()).st_size
                self._fits(size, size)
                with self._whole(name) as stream:
                    while chunk := _read(content, source):
                        stream.write(chunk)
        except OSError as error:
            raise DeliveryError(f"{source}: cannot be read ({error.strerror})") from error
        return self._final(name)

    @contextmanager
    def deliver_folder(self, name: str) -> Iterator[Delivery]:
        """A folder that gets its name when everything in it is whole: what is delivered within lies there.

        The one that had the name before is put aside meanwhile, and back if this one fails.
        """
        final, half = self.folder / name, self.folder / _hidden(name)
        with self._explained(final), atomic.as_owner(self.folder):
            self._clear(self.folder)
            half.mkdir(mode=0o700, exist_ok=True)
        inner = Delivery(half, needs=self._needs, tell=self._tell)
        inner._device, inner._done = self._device, self._done
        with self._explained(final):
            lock = _locked(os.open(half, os.O_RDONLY), half)
        try:
            yield inner
            self._done = inner._done
            with self._explained(final), atomic.as_owner(self.folder):
                self._replace_folder(half, final)
        except BaseException:
            shutil.rmtree(half, ignore_errors=True)
            raise
        finally:
            os.close(lock)

    def written(self, name: str) -> str:
        """SHA-256, in hex, of a file that somebody else wrote into this folder, once it is on the medium.

        For what writes files itself, such as SQLite. It is read twice: as it was written, and as it came out.
        """
        path = self.folder / name
        with self._explained(path):
            before = medium.digest_of(path)
            with path.open("rb+") as stream:
                os.fsync(stream.fileno())
            self._compare(path, before)
            self._count(path.stat().st_size)
        return before

    def _final(self, name: str) -> Path:
        """Where a file of this name lies: the name with a mark where the medium takes another for the same.

        FAT and others do not tell `a` from `A`.
        """
        parts = PurePosixPath(name).parts
        if not parts or any(part in ("..", "/") for part in parts):
            raise ValueError(f"deliver: {name!r} leads out of the folder")
        path = self.folder.joinpath(*parts)
        if path.exists() and path.name not in os.listdir(path.parent):
            mark = hashlib.sha256(path.stem.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            path = path.with_name(f"{path.stem}~{mark}{path.suffix}")
        return path

    @contextmanager
    def _whole(self, name: str) -> Iterator[_Writer]:
        """The hidden file to write into; what comes out of the medium is compared, then it gets its name."""
        with self._explained(self.folder / name), atomic.as_owner(self.folder):
            final = self._final(name)
            self._there()
            atomic.make_folder(final.parent)
            self._clear(final.parent)
            half = final.with_name(_hidden(final.name))
            try:
                with self._part(final) as file:
                    writer = _Writer(file, self._count)
                    yield writer
                    file.flush()
                    os.fsync(file.fileno())
                    self._compare(half, writer.digest.hexdigest())
                    half.replace(final)
            except BaseException:
                with suppress(OSError):
                    half.unlink()
                raise
            medium.sync_folder(final.parent)
            self._there()

    @contextmanager
    def _part(self, final: Path) -> Iterator[BinaryIO]:
        """The hidden file beside the final one, locked against another delivery."""
        half = final.with_name(_hidden(final.name))
        handle = os.open(half, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            _locked(handle, half)
            file.truncate(0)
            yield file

    def _compare(self, path: Path, digest: str) -> None:
        """Read a file back from the medium, not from memory.

        Raises
        ------
        DeliveryError : it came out otherwise.
        """
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if medium.digest_of(path) != digest:
            raise DeliveryError(
                f"{printable(path)}: came out otherwise than it was written; the medium fails, use another"
            )

    def _replace_folder(self, half: Path, final: Path) -> None:
        self._there()
        medium.sync_folder(half)
        before = self.folder / f".{final.name}.before.part"
        if final.exists():
            final.rename(before)
        try:
            half.rename(final)
        except OSError:
            if before.exists():
                before.rename(final)
            raise
        medium.sync_folder(self.folder)
        shutil.rmtree(before, ignore_errors=True)

    def _clear(self, folder: Path) -> None:
        """Take away what an earlier delivery left that did not come to its end; once a folder."""
        if folder in self._cleared:
            return
        self._cleared.add(folder)
        for before in folder.glob(".*.before.part"):
            final = folder / before.name[1 : -len(".before.part")]
            if not final.exists():  # it was killed between two names
                before.rename(final)
        for half in folder.glob(".*.part"):
            with suppress(OSError):
                handle = os.open(half, os.O_RDONLY | os.O_NOFOLLOW)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # else another one writes it now
                    shutil.rmtree(half) if half.is_dir() else half.unlink()
                finally:
                    os.close(handle)

    def _count(self, size: int) -> None:
        self._done += size
        if self._tell is not None:
            self._tell(self._done, max(self._needs, self._done))

    def _fits(self, needs: int, largest: int) -> None:
        with self._explained(self.folder):
            medium.check_space(self.folder, needs, largest)

    def _there(self) -> None:
        """See that the folder still lies on the medium, not on what was below where that was mounted."""
        if self.folder.stat().st_dev != self._device:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    @contextmanager
    def _explained(self, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DeliveryError(
                f"{printable(path)}: {medium.reason(error, self._device is not None)}"
            ) from error


class _Writer:
    """Writes, counts and digests."""

    def __init__(self, file: BinaryIO, count: Callable[[int], None]) -> None:
        self._file, self._tell = file, count
        self.digest = hashlib.sha256()

    def write(self, content: bytes) -> None:
        for start in range(0, len(content), _AT_ONCE):
            chunk = content[start : start + _AT_ONCE]
            self._file.write(chunk)
            self.digest.update(chunk)
            self._tell(len(chunk))


def _hidden(name: str) -> str:
    return f".{name}.part"


def _read(content: BinaryIO, source: Path) -> bytes:
    try:
        return content.read(_AT_ONCE)
    except OSError as error:
        raise DeliveryError(f"{printable(source)}: cannot be read ({error.strerror})") from error


def _locked(handle: int, path: Path) -> int:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DeliveryError(
            f"{printable(path)}: another program writes it now; wait, or choose another folder"
        ) from None
    except OSError:
        pass  # a share without locks
    return handle
