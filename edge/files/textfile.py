"""Text files that people write or bring: settings, tables and lists, from whatever program they have."""

from __future__ import annotations

import codecs
from pathlib import Path

_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # that of UTF-32 in the usual order begins like the first


def read(path: Path) -> str:
    """The text of a file in UTF-8, without the mark that programs of Windows put first.

    Raises
    ------
    OSError : it cannot be read. ValueError : it is in another encoding; one line without the path.
    """
    return decoded(path.read_bytes())


def decoded(content: bytes) -> str:
    """The same of its bytes; line ends become one newline, as when a file is opened as text."""
    if content.startswith(_WIDE):
        raise ValueError("not a text file in UTF-8 but in UTF-16; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte, line = content[error.start], content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"not a text file in UTF-8 (byte {byte:#04x} in line {line}); save it as UTF-8"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
