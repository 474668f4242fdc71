"""The colours of screens (IEC 61966-2-1) as an ICC profile of half a kilobyte.

What a camera delivers as JPEG is meant for these; nobody has measured the camera's own.
"""

from __future__ import annotations

from functools import cache
from struct import pack

_D50 = (0.9642, 1.0, 0.8249)
_PRIMARIES = {
    b"rXYZ": (0.4360, 0.2225, 0.0139),
    b"gXYZ": (0.3851, 0.7169, 0.0971),
    b"bXYZ": (0.1431, 0.0606, 0.7141),
}
"""Adapted to D50 by Bradford's matrix, as ICC profiles have them."""
_BRADFORD = (1.0478, 0.0229, -0.0501, 0.0295, 0.9905, -0.0171, -0.0092, 0.0151, 0.7517)
"""From D65 to D50."""
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
"""IEC 61966-2-1, 5.2: (ax + b)^g from d on, cx below."""


@cache
def srgb() -> bytes:
    """An input profile of version 4.3 (ICC.1:2010), the same bytes always."""
    curve = b"para" + pack(">IHH", 0, 3, 0) + _fixed(*_CURVE)
    tags = {
        b"desc": _text("sRGB"),
        b"cprt": _text("No rights reserved"),
        b"wtpt": _xyz(_D50),
        b"chad": b"sf32\0\0\0\0" + _fixed(*_BRADFORD),
        **{name: _xyz(colour) for name, colour in _PRIMARIES.items()},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    table, data, at = b"", b"", 128 + 4 + 12 * len(tags)
    known: dict[bytes, int] = {}
    for name, content in tags.items():
        if content not in known:  # three curves are one
            known[content] = at + len(data)
            data += content + bytes(-len(content) % 4)
        table += name + pack(">II", known[content], len(content))
    body = pack(">I", len(tags)) + table + data
    return _header(128 + len(body)) + body


def _header(size: int) -> bytes:
    created = pack(">6H", 2026, 1, 1, 0, 0, 0)
    kinds = pack(">I", 0x04300000) + b"scnrRGB XYZ " + created + b"acsp"
    return (pack(">I", size) + bytes(4) + kinds).ljust(68, b"\0") + _fixed(*_D50) + bytes(48)


def _fixed(*values: float) -> bytes:
    return b"".join(pack(">i", round(value * 65536)) for value in values)


def _xyz(values: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _text(words: str) -> bytes:
    letters = words.encode("utf-16-be")
    return b"mluc" + pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, len(letters), 28) + letters
