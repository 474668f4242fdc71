"""Odd files made on the spot: TIFFs of any layout, Exif data, chunks of a PNG."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

RGB = np.stack(
    [*np.meshgrid(np.linspace(20, 250, 44), np.linspace(5, 235, 30)), np.full((30, 44), 120.0)], axis=2
).astype(np.uint8)
"""A picture of 44 x 30 pixels that looks different from each side."""
GREY = RGB[..., 0]
GREY_RGB = np.dstack([GREY] * 3)


def encoded(suffix: str, pixels: np.ndarray = RGB, *flags: int) -> bytes:
    """A picture file by OpenCV, of RGB or grey pixels."""
    stored = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    return cv2.imencode(suffix, np.ascontiguousarray(stored), list(flags))[1].tobytes()


Page = tuple[Mapping[int, Any], Sequence[bytes]]
"""Tags (an int, a tuple of ints, or bytes), and the strips, or the tiles where it has tag 322."""


def page(stored: np.ndarray, order: str = "<", **changes: Any) -> Page:
    """A page of one strip without compression; `t259=8` sets tag 259."""
    height, width = stored.shape[:2]
    channels = 1 if stored.ndim == 2 else stored.shape[2]
    tags: dict[int, Any] = {
        256: width, 257: height, 258: (stored.dtype.itemsize * 8,) * channels, 259: 1,
        262: 2 if channels >= 3 else 1, 277: channels, 278: height,
        339: {"u": 1, "i": 2, "f": 3}[stored.dtype.kind],
    }  # fmt: skip
    data = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
    return tags | {int(name[1:]): value for name, value in changes.items()}, [data]


def tiff(*pages: Page, order: str = "<", big: bool = False, loop: bool = False) -> bytes:
    """A TIFF or BigTIFF; with `loop` the last page leads back to the first."""
    word, entry_word = ("Q", "Q") if big else ("I", "H")
    out = bytearray(b"II" if order == "<" else b"MM")
    out += struct.pack(order + ("HHHQ" if big else "HI"), *((43, 8, 0, 0) if big else (42, 0)))
    link = first_link = len(out) - struct.calcsize(word)
    for tags, parts in pages:
        offsets = []
        for part in parts:
            offsets.append(len(out))
            out += part
        tiled = 322 in tags
        lengths = tuple(map(len, parts))
        where = {324 if tiled else 273: tuple(offsets), 325 if tiled else 279: lengths}
        out += bytes(len(out) % 2)
        entries = []
        for tag, value in sorted((where | dict(tags)).items()):
            values = (value,) if isinstance(value, int) else value
            text = isinstance(values, bytes)
            kind, body = (
                (7, values)
                if text
                else (16 if big else 4, struct.pack(f"{order}{len(values)}{word}", *values))
            )
            room = struct.calcsize(word)
            if len(body) > room:
                at = len(out)
                out += body
                body = struct.pack(order + word, at)
            entries.append(struct.pack(f"{order}HH{word}", tag, kind, len(values)) + body.ljust(room, b"\0"))
        struct.pack_into(order + word, out, link, len(out))
        out += struct.pack(order + entry_word, len(entries)) + b"".join(entries)
        link = len(out)
        out += bytes(struct.calcsize(word))
    if loop:
        out[link : link + struct.calcsize(word)] = out[first_link : first_link + struct.calcsize(word)]
    return bytes(out)


def exif(orientation: int) -> bytes:
    """Exif data, as a TIFF, that say how the picture is turned."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG with its checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of these chunks, the last one added."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in chunks) + chunk(b"IEND", b"")


def riff(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of these chunks."""
    body = b"WEBP"
    for kind, content in chunks:
        body += kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body
