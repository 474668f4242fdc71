"""Names of files that every medium can hold: FAT, exFAT, shares of Windows, and what people type."""

from __future__ import annotations

import hashlib
import re

_FORBIDDEN = frozenset('"*/:<>?\\|%~')
"""By FAT and Windows; `%` begins what is escaped here, `~` what is shortened."""

_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\.|$)", re.IGNORECASE)
"""Names that Windows takes for devices, with whatever ending (Microsoft, Naming Files, Paths)."""

_LONGEST = 120
"""Bytes of UTF-8: with an ending, and what hides half a file, it stays below the 255 of every system."""


def file_name(text: str) -> str:
    """A name for what is called so, without a slash; ordinary identifiers stay as they are.

    Two different texts never get the same name: what no medium can hold is escaped as `%2F`, and what is too
    long ends in its hash. Names that differ only in their capitals are kept apart by `Delivery`, which knows
    whether the medium tells them apart.
    """
    found = "".join(letter if _plain(letter) else _escaped(letter) for letter in text)
    if found[:1] in (".", " ", ""):
        found = (_escaped(found[0]) if found else "%") + found[1:]
    if found[-1] in ". ":
        found = found[:-1] + _escaped(found[-1])
    if _DEVICES.match(found):
        found = _escaped(found[0]) + found[1:]
    if len(found.encode()) <= _LONGEST:
        return found
    start = found.encode()[: _LONGEST - 33].decode(errors="ignore")
    return f"{start}~{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _plain(letter: str) -> bool:
    return letter.isprintable() and letter not in _FORBIDDEN


def _escaped(letter: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letter.encode("utf-8", "surrogatepass"))
