"""What setup has done to a box, so that it can be undone: originals, what was written, which commands ran.

It lies in `/var/lib/leukoscope-setup` of the box and is on the disk before each change, so that a change
that the power cut short can be taken back like any other.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from edge.setup.box import Box, Found
from edge.setup.parts import SetupError

FOLDER = "/var/lib/leukoscope-setup"
_FILE = f"{FOLDER}/ledger.json"
_FORMAT = 1


@dataclass
class Original:
    """What lay at a path before setup first wrote there; its content is in the ledger's folder."""

    sha256: str
    link: bool
    mode: int
    uid: int
    gid: int


@dataclass
class Entry:
    """A file that setup has written or edited.

    Attributes
    ----------
    original : None where there was none.
    part : whose file it is.
    ours : sha256 of everything that setup ever put there.
    edited : by part, the words put in, or none for a block; empty for a file that was written as a whole.
    """

    original: Original | None
    part: str
    ours: list[str] = field(default_factory=list)
    edited: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Ran:
    """A command that some parts want: about to run, or `done`."""

    parts: list[str]
    run: tuple[str, ...]
    undo: tuple[str, ...]
    undo_after: bool
    in_root: bool
    done: bool = False


@dataclass
class Ledger:
    """See the module; `read` gives that of a box, `save` puts it on the disk."""

    parts: list[str] = field(default_factory=list)
    files: dict[str, Entry] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)
    commands: list[Ran] = field(default_factory=list)

    @classmethod
    def read(cls, box: Box) -> Ledger:
        """The box's ledger, an empty one where setup never ran.

        Raises
        ------
        SetupError : it is damaged.
        """
        found = box.find(_FILE)
        if found is None:
            return cls()
        try:
            table = json.loads(found.content)
            if table["format"] != _FORMAT:
                raise SetupError(
                    f"{box.place(_FILE)}: another version of the program wrote it (format {table['format']}, "
                    f"not {_FORMAT}); use that one to undo it"
                )
            return cls(
                parts=[str(name) for name in table["parts"]],
                files={path: _entry(item) for path, item in table["files"].items()},
                folders=[str(path) for path in table["folders"]],
                commands=[_ran(item) for item in table["commands"]],
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise SetupError(
                f"{box.place(_FILE)}: is damaged ({error!r}); the files setup replaced are beside it, named "
                "by their sha256"
            ) from None

    def save(self, box: Box) -> None:
        """Put it on the disk, whole."""
        content = json.dumps({"format": _FORMAT} | asdict(self), indent=1).encode() + b"\n"
        box.put(_FILE, Found(content, False, 0o600, os.geteuid(), os.getegid()))

    def keep(self, box: Box, found: Found) -> Original:
        """Put a copy of this beside the ledger, where it is not there yet."""
        sha256 = digest(found.content)
        path = f"{FOLDER}/{sha256}"
        if box.find(path) is None:
            box.put(path, Found(found.content, False, 0o600, os.geteuid(), os.getegid()))
        return Original(sha256, found.link, found.mode, found.uid, found.gid)

    @staticmethod
    def original(box: Box, kept: Original) -> Found:
        """What lay at a path before, from its copy.

        Raises
        ------
        SetupError : the copy is gone or damaged.
        """
        copy = box.find(f"{FOLDER}/{kept.sha256}")
        if copy is None or digest(copy.content) != kept.sha256:
            raise SetupError(
                f"{box.place(FOLDER) / kept.sha256}: this copy of a replaced file is gone or damaged"
            )
        return Found(copy.content, kept.link, kept.mode, kept.uid, kept.gid)

    def discard(self, box: Box) -> None:
        """Remove the ledger and its folder, and the folders that setup made, once nothing is left to undo."""
        box.remove(_FILE)
        with suppress(OSError):
            for copy in box.place(FOLDER).iterdir():
                copy.unlink()
        for folder in reversed(self.folders):
            box.remove_folder(folder)


def digest(content: bytes) -> str:
    """The sha256 of a content, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@contextmanager
def held(box: Box, ledger: Ledger) -> Iterator[None]:
    """Make the ledger's folder and hold it, so that no second setup works on the box meanwhile.

    Raises
    ------
    SetupError : one does already.
    """
    import fcntl  # not on every system on which edge-device has other things to do

    for folder in box.missing_folders(_FILE):
        box.make_folder(folder)
        ledger.folders.append(folder)
    handle = os.open(box.place(FOLDER), os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise SetupError(f"{box.place(FOLDER)}: another setup is at work; wait for it") from None
    finally:
        os.close(handle)


def _entry(item: dict[str, Any]) -> Entry:
    kept = item["original"]
    return Entry(**item | {"original": Original(**kept) if kept else None})


def _ran(item: dict[str, Any]) -> Ran:
    return Ran(**item | {"run": tuple(item["run"]), "undo": tuple(item["undo"])})
