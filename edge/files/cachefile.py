"""Files that hold what took long to make, with what it was made for and a checksum."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from edge.files import atomic, strictjson

_MAGIC = b"leukoscope sealed file 1\n"
_LARGEST_HEADER = 4096
_SPARE_BYTES = 16 * 1024 * 1024  # left free beside the file: the records come first
_FORGOTTEN_S = 24 * 3600.0


class StaleError(Exception):
    """The file cannot be used. Says why, for a line that ends in 'made again'."""


def read(path: Path, made_for: Mapping[str, str]) -> bytes:
    """The content of a file that was made for exactly this.

    Raises
    ------
    FileNotFoundError : there is none.
    StaleError : it was made for something else, or is damaged.
    """
    try:
        with path.open("rb") as file:
            if file.readline(len(_MAGIC)) != _MAGIC:
                raise StaleError("is of another format")
            header = strictjson.read(file.readline(_LARGEST_HEADER)).values
            have, size, checksum = header["made_for"], header["bytes"], header["sha256"]
            for name, want in made_for.items():
                if have.get(name) != want:
                    raise StaleError(f"was made for {name} {have.get(name)}, this is {want}")
            content = file.read(size + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StaleError(f"cannot be read ({error.strerror or error})") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StaleError("has a damaged header") from None
    if len(content) != size:
        raise StaleError(f"is damaged: {len(content)} of {size} bytes")
    if hashlib.sha256(content).hexdigest() != checksum:
        raise StaleError("is damaged: its checksum is wrong")
    return content


def write(path: Path, made_for: Mapping[str, str], content: bytes) -> None:
    """Write a file that `read` finds again. It appears whole or not at all, after a power cut too.

    Raises
    ------
    OSError : the disk is too full, or cannot be written to; nothing is left behind.
    """
    header = {
        "made_for": dict(made_for),
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    whole = _MAGIC + json.dumps(header).encode() + b"\n" + content
    with atomic.as_owner(path):
        atomic.make_folder(path.parent)
        _sweep(path.parent)
        free, needed = shutil.disk_usage(path.parent).free, len(whole) + _SPARE_BYTES
        if free < needed:
            words = f"{free / 1e6:.0f} MB free, {needed / 1e6:.0f} MB needed"
            raise OSError(errno.ENOSPC, words, str(path.parent))
        atomic.write(path, whole)


def _sweep(folder: Path) -> None:
    """Remove what a power cut left half written."""
    for part in folder.glob(".*.part"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _FORGOTTEN_S:
                part.unlink()
