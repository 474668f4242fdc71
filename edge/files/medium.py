"""What a medium has room for, what came out of it, and in words why something did not get onto it."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path

from edge.files import mounts
from edge.files.text import printable
from edge.types import LeukoscopeError

_MARGIN = 1_000_000  # bytes left free: a folder's own blocks, what rounding up takes
_FAT = ("vfat", "msdos")
_FAT_LARGEST = (1 << 32) - 1  # bytes of a file (Microsoft, FAT32 File System Specification 1.03)
_GONE = (errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOENT, errno.ENOTCONN)


class DeliveryError(LeukoscopeError):
    """Something did not get onto the medium. Says what, why and what to do."""


def check_space(folder: Path, needs: int, largest: int) -> None:
    """Tell before that so many bytes do not fit, or the largest file, not when half of it is there.

    Raises
    ------
    DeliveryError : see above. OSError : the folder is not there.
    """
    free = shutil.disk_usage(folder).free
    if free < needs + _MARGIN * (needs >= _MARGIN):
        raise DeliveryError(
            f"folder {printable(folder)}: {needs / 1e6:.1f} MB are needed, {free / 1e6:.1f} MB are free; "
            "free some space or choose another folder"
        )
    if largest > _FAT_LARGEST:
        mount = mounts.mount_of(folder)
        if mount is not None and mount.kind in _FAT:
            raise DeliveryError(
                f"folder {printable(folder)}: a file of {largest / 1e9:.1f} GB is more than the 4.3 GB that "
                "FAT32 holds; format the medium as exFAT or choose another folder"
            )


def reason(error: OSError, begun: bool) -> str:
    """Why it failed and what to do; once something was `begun` there, a folder that is missing is gone."""
    code = error.errno or 0
    if code in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space or choose another folder"
    if code == errno.EROFS:
        return "is read-only; make it writable (the switch on the card?) or choose another folder"
    if code in (errno.EACCES, errno.EPERM):
        return "no permission to write there; choose another folder"
    if code in (errno.EEXIST, errno.ENOTDIR):
        return "there is a file where a folder is needed; choose another folder"
    if code == errno.EFBIG:
        return "is larger than files may be there; choose another folder"
    if code in _GONE and begun:
        return "the medium was pulled out, or fails; put it back and do it again"
    return f"cannot be written ({error.strerror or error}); choose another folder"


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hex; OSError where it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on the medium; OSError where it is gone."""
    place = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some shares cannot
            os.fsync(place)
    finally:
        os.close(place)
