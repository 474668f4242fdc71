"""Text from elsewhere (names of files and devices, paths) as a line that any terminal may be given."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress

_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""Unicode's categories of what acts instead of showing: controls, marks of direction, halves of a pair,
breaks of lines and paragraphs."""

_JOINERS = "\u200c\u200d"
"""Invisible, and part of how Persian, Hindi and other languages are written."""


def printable(text: str | os.PathLike[str]) -> str:
    r"""The text with everything that would act on a terminal written out.

    Controls come as `\x1b`, marks that turn the direction of text as `\u202e`, line breaks as `\x0a`, and
    bytes of a file name that are no UTF-8 as `\xff`. What can be seen stays, spaces of every width too; so
    does a backslash, since people must find the name again. Made printable twice, it stays as it is.
    """
    text = os.fspath(text)
    if text.isprintable():  # as nearly every name is
        return text
    with suppress(UnicodeEncodeError):  # a locale may know no UTF-8, of which names are made all the same
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    if unicodedata.category(letter) not in _UNSEEN or letter in _JOINERS:
        return letter
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that is no UTF-8 (PEP 383)
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
