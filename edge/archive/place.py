"""A folder on a disk or in object storage, in which a file is there whole or not at all."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from uuid import uuid4

from edge.types import LeukoscopeError

_UNFINISHED = ".part-"
_SHOWN_WHOLE = frozenset(("s3", "s3a", "gs", "gcs"))
"""Storage where a file that is opened without `autocommit` is there once it is committed, and not before."""

_PACKAGES = {
    "s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs",
    "abfss": "adlfs", "sftp": "paramiko", "ssh": "paramiko", "smb": "smbprotocol", "http": "aiohttp",
    "https": "aiohttp",
}  # fmt: skip


class ArchiveError(LeukoscopeError):
    """An archive cannot be read, written or screened. Says what, and what to do."""


@dataclass(frozen=True)
class Place:
    """A folder; pickles, and is opened again on another machine.

    Parameters
    ----------
    address : a path, or what fsspec takes: `s3://bucket/folder`, `gs://…`, `memory://…`.
    """

    address: str

    def __post_init__(self) -> None:
        if not self._remote:  # other machines, and other processes, stand in other folders
            object.__setattr__(self, "address", os.path.abspath(os.path.expanduser(self.address)))

    @property
    def _remote(self) -> bool:
        return "://" in self.address

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        """Its file system and its path there."""
        import fsspec

        if not self._remote:
            return fsspec.filesystem("file"), self.address
        protocol = self.address.partition("://")[0]
        try:
            # a listing that is kept does not tell what other machines have written since
            return fsspec.core.url_to_fs(self.address, use_listings_cache=False)  # type: ignore[no-any-return]
        except ImportError as error:
            raise ArchiveError(
                f"{self.address}: {protocol}:// needs a package that is not installed "
                f"({str(error).rstrip('.')}); pip install {_PACKAGES.get(protocol, 'it')}, on every machine"
            ) from None
        except ValueError as error:
            raise ArchiveError(f"{self.address}: {error}; give a folder or an address of fsspec") from None

    def __reduce__(self) -> tuple[type[Place], tuple[str]]:
        return Place, (self.address,)

    @property
    def files(self) -> Any:
        """Its fsspec file system."""
        return self._opened[0]

    @property
    def root(self) -> str:
        """Its path on that file system."""
        return self._opened[1]

    @property
    def local(self) -> Path | None:
        """It as a folder of this machine, None for object storage."""
        from fsspec.implementations.local import LocalFileSystem

        return Path(self.root) if isinstance(self.files, LocalFileSystem) else None

    def path(self, name: str = "") -> str:
        """A file's path on the file system; `name` has `/` between its parts."""
        return f"{self.root.rstrip('/')}/{name}" if name else self.root

    def address_of(self, name: str) -> str:
        """By what another machine opens a file of it: a path, or an address of fsspec."""
        if not self._remote:
            return os.path.normpath(os.path.join(self.address, name))
        here, *within = self.address.split("::")  # as in zip://::s3://bucket/fields.zip
        scheme, _, folder = here.partition("://")
        path = posixpath.normpath(f"{folder}/{name}" if folder else name)
        return "::".join((f"{scheme}://{path}", *within))

    def read(self, name: str) -> bytes:
        """A file's content; raises FileNotFoundError where there is none."""
        return bytes(self.files.cat_file(self.path(name)))

    def has(self, name: str) -> bool:
        """Whether there is such a file or folder."""
        return bool(self.files.exists(self.path(name)))

    def names(self, folder: str) -> set[str]:
        """What lies in a folder, unfinished files left out; nothing where there is no such folder.

        Raises
        ------
        ArchiveError : it cannot be listed.
        """
        path = self.path(folder)
        with self._explained(folder, "listed"), suppress(FileNotFoundError):
            found = self.files.ls(path, detail=False, refresh=True)
            names = {PurePosixPath(each).name for each in found if each != path}
            return {name for name in names if not name.startswith(_UNFINISHED)}
        return set()

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all, in the place of what was there."""
        with self.writing(name) as stream:
            stream.write(content)

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """A stream whose content becomes the file when the block ends well; else nothing is left of it.

        It is written beside and put in its place once it is complete, on a disk after it has reached that;
        what object storage shows is always complete.

        Raises
        ------
        ArchiveError : no room, no right, no connection.
        """
        local = self.local
        with self._explained(name, "written"):
            if local is not None:
                within = _replaced(local / name)
            elif self.address.partition("://")[0] in _SHOWN_WHOLE:
                within = self._uploaded(self.path(name))
            else:
                within = self._moved(self.path(name))
            with within as stream:
                yield stream

    def remove(self, folder: str) -> None:
        """Remove a folder or file, and what is in it; what is gone already is no fault.

        Raises
        ------
        ArchiveError : it cannot be removed.
        """
        with self._explained(folder, "removed"), suppress(FileNotFoundError):
            self.files.rm(self.path(folder), recursive=True)

    @contextmanager
    def _explained(self, name: str, done: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ArchiveError(
                f"{self.address}: {name} cannot be {done}: {error.strerror or error}; mend that and run it "
                "again: it goes on where it stopped"
            ) from error

    @contextmanager
    def _uploaded(self, path: str) -> Iterator[BinaryIO]:
        stream = self.files.open(path, "wb", autocommit=False)
        try:
            yield stream
            with _as_oserror():
                stream.close()
                stream.commit()
        except BaseException:
            with suppress(Exception):
                stream.discard()
            raise

    @contextmanager
    def _moved(self, path: str) -> Iterator[BinaryIO]:
        folder = PurePosixPath(path).parent
        beside = str(folder / f"{_UNFINISHED}{uuid4().hex}")
        with _as_oserror():
            self.files.makedirs(str(folder), exist_ok=True)
        try:
            with self.files.open(beside, "wb") as stream:
                yield stream
            with _as_oserror():
                self.files.mv(beside, path)
        except BaseException:
            with suppress(Exception):
                self.files.rm(beside)
            raise


@contextmanager
def _as_oserror() -> Iterator[None]:
    """What libraries of storage raise is their own."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(str(error)) from error


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{_UNFINISHED}{uuid4().hex}")
    try:
        with open(beside, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
