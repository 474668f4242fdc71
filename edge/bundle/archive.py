"""A zip from elsewhere, unpacked in memory: nothing is written, and nothing grows larger than it may."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib

LARGEST = 64 * 1024 * 1024
"""Bytes of a bundle, and of all its members together; one for a device has a tenth of that."""

LARGEST_ASKED = 640 * 1024 * 1024
"""The same where --large asks for it: room for any network of the published systems."""

_MOST_MEMBERS = 256
_RATIO = 200  # deflate reaches 1000 on zeros; graphs and pictures stay below 10
_SMALL = 1024 * 1024  # bytes that may be packed as tightly as they like
_ENTRY = b"PK\x01\x02"  # starts each member's entry in the directory (APPNOTE 4.3.12)
_ENCRYPTED = 1
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    ValueError,
)
_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)*", re.ASCII)


def is_member_name(name: str) -> bool:
    """Whether a member may be called so: plain names with `/` between them, none that starts with a dot."""
    return len(name) <= 200 and _NAME.fullmatch(name) is not None


def too_large(size: int, large: bool = False) -> str:
    """Why a file or members of so many bytes are not opened; '' where they are. `large` as in `excess`."""
    over = excess(size, large)
    advice = "" if large else "; --large opens it all the same (edge-device update installs none)"
    return over and f"{over}; not opened{advice}"


def excess(size: int, large: bool = False) -> str:
    """How many bytes these are, and how many are allowed, with --large if `large`; '' where they are."""
    limit = LARGEST_ASKED if large else LARGEST
    return f"{_mib(size)}, {_mib(limit)} are allowed" if size > limit else ""


def members(content: bytes, *, large: bool = False) -> dict[str, bytes]:
    """Member name -> content of a zip file; folders are left out. `large` as in `too_large`.

    Raises
    ------
    ValueError : damaged, or one that tries something: says what, in one line.
    """
    if content.count(_ENTRY) > _MOST_MEMBERS:  # before zipfile makes an object of each
        raise ValueError(f"more than {_MOST_MEMBERS} members; not opened")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check(entries, large)
            return {entry.filename: _read(archive, entry) for entry in entries}
    except _RefusedError:
        raise
    except _DAMAGED as error:
        reason = str(error)[:100] or type(error).__name__
        raise ValueError(f"damaged or not a bundle ({reason}); copy it again") from None


class _RefusedError(ValueError):
    """A zip that is whole, but not opened."""


def _check(entries: list[zipfile.ZipInfo], large: bool) -> None:
    """Refuse by what the directory says, before anything is unpacked."""
    seen: set[str] = set()
    for entry in entries:
        name = entry.filename
        if not is_member_name(name):
            parts = name.replace("\\", "/").split("/")
            outside = ".." in parts or not parts[0] or parts[0].endswith(":")
            raise _RefusedError(
                f"member {name!a:.80} {'points outside' if outside else 'has an odd name'}; not opened"
            )
        if name in seen:
            raise _RefusedError(f"member {name} is in it twice; not opened")
        seen.add(name)
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in (
            zipfile.ZIP_STORED,
            zipfile.ZIP_DEFLATED,
        ):
            raise _RefusedError(f"member {name} is encrypted or packed otherwise than by deflate; not opened")
        if why := too_large(entry.file_size, large):
            raise _RefusedError(f"member {name} has {why}")
        if entry.file_size > max(_SMALL, _RATIO * entry.compress_size):
            raise _RefusedError(
                f"member {name} unpacks to more than {_RATIO} times its size, as a zip bomb does; not opened"
            )
    if why := too_large(sum(entry.file_size for entry in entries), large):
        raise _RefusedError(f"its members have {why}")


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """The member's content: the size it claims, even if its data would unpack to more."""
    with archive.open(entry) as stream:
        content = stream.read(entry.file_size)  # with a size, zipfile unpacks no further than that
        if len(content) != entry.file_size or stream.read(1):
            raise _RefusedError(f"member {entry.filename} has another size than it claims; not opened")
    return content


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
