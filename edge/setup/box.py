"""The files of a box: of this machine, or of an image that lies below a folder."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edge.files import atomic
from edge.setup.parts import SetupError


@dataclass(frozen=True)
class Found:
    """What lies at a path.

    Attributes
    ----------
    content : of a file; of a link, where it points.
    link : it is a symbolic link.
    mode, uid, gid : permissions and owner.
    """

    content: bytes
    link: bool
    mode: int
    uid: int
    gid: int


class Box:
    """Reads and writes files of the box; nothing outside `root` is touched, whatever links lie in it.

    Parameters
    ----------
    root : where the box's file system is; '/' for this machine.

    Raises
    ------
    SetupError : from every method: a path leads out of the box, or what is there cannot be read or written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        if not self.root.is_dir():
            raise SetupError(f"--root {root}: there is no such folder")

    @property
    def running(self) -> bool:
        """Whether this is the running system, whose commands may be run."""
        return self.root == Path("/")

    def place(self, path: str) -> Path:
        """Where this path of the box is for us; links to folders are followed, a last one is not."""
        inside = Path(path)
        folder = (self.root / inside.parent.relative_to("/")).resolve()
        if not folder.is_relative_to(self.root):
            raise SetupError(f"{path}: a link on the way leads out of {self.root}, to {folder}; remove it")
        return folder / inside.name

    def target(self, path: str) -> str:
        """The same path with a last link followed; for files that are edited, not replaced."""
        place = self.place(path)
        if not place.is_symlink():
            return path
        end = place.resolve()
        if not end.is_relative_to(self.root):
            raise SetupError(f"{path}: is a link that leads out of {self.root}, to {end}; remove it")
        return "/" + str(end.relative_to(self.root))

    def exists(self, path: str) -> bool:
        """Whether there is anything, be it a link that leads nowhere."""
        return os.path.lexists(self.place(path))

    def find(self, path: str) -> Found | None:
        """What lies there; None for nothing."""
        place = self.place(path)
        try:
            status = place.lstat()
            link = stat.S_ISLNK(status.st_mode)
            content = os.fsencode(place.readlink()) if link else place.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise SetupError(f"{place}: cannot be read ({error.strerror})") from None
        return Found(content, link, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)

    def missing_folders(self, path: str) -> list[str]:
        """The folders on the way to this path that would have to be made, the outermost first."""
        missing: list[str] = []
        for folder in Path(path).parents:
            if self.exists(str(folder)) or folder == Path("/"):
                break
            missing.insert(0, str(folder))
        return missing

    def put(self, path: str, found: Found) -> None:
        """Write this, whole or not at all; the folders must be there."""
        place = self.place(path)
        try:
            if found.link:
                self._link(place, found.content)
            else:
                atomic.write(place, found.content, found.mode)
            status = place.lstat()
            if (status.st_uid, status.st_gid) != (found.uid, found.gid):
                os.lchown(place, found.uid, found.gid)
            self.tidy(path)
        except OSError as error:
            raise SetupError(
                f"{place}: cannot be written ({error.strerror}); is the disk read-only?"
            ) from None

    def make_folder(self, path: str) -> None:
        """Make one folder that root owns and everybody may enter."""
        place = self.place(path)
        try:
            place.mkdir(exist_ok=True)
            place.chmod(0o755)
        except OSError as error:
            raise SetupError(f"{place}: cannot be made ({error.strerror}); is the disk read-only?") from None

    def remove(self, path: str) -> None:
        """Remove a file or link; nothing there is fine."""
        place = self.place(path)
        try:
            place.unlink(missing_ok=True)
        except OSError as error:
            raise SetupError(f"{place}: cannot be removed ({error.strerror})") from None

    def tidy(self, path: str) -> None:
        """Remove what a power cut left of an attempt to write this file."""
        place = self.place(path)
        with suppress(OSError):
            for half in place.parent.glob(f".{place.name}.*part"):
                half.unlink()

    def remove_folder(self, path: str) -> None:
        """Remove a folder if nothing is in it."""
        with suppress(OSError):
            self.place(path).rmdir()

    @staticmethod
    def _link(place: Path, to: bytes) -> None:
        fresh = place.with_name(f".{place.name}.link.part")
        fresh.unlink(missing_ok=True)
        os.symlink(to, fresh)
        fresh.replace(place)
