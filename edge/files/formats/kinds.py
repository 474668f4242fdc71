"""What a file is, by its first bytes, whatever its name says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from edge.files.formats import bmp, heif, jpeg, png, tiff, webp
from edge.types import Content

HEAD_BYTES = 256
Reader = Callable[[BinaryIO], Iterator[Content]]

READERS: tuple[tuple[re.Pattern[bytes], Reader], ...] = (
    (re.compile(re.escape(jpeg.START)), jpeg.pages),
    (re.compile(re.escape(png.SIGNATURE)), png.pages),
    (re.compile(rb"II\*\0|MM\0\*|II\+\0|MM\0\+"), tiff.pages),
    (re.compile(rb"RIFF.{4}WEBP", re.S), webp.pages),
    (re.compile(rb".{4}ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1|avif|avis)", re.S), heif.pages),
    (re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0", re.S), bmp.pages),
)  # fmt: skip
"""How the files begin that are read."""

OTHERS: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.S | re.I), what)
    for pattern, what in (
        (rb"GIF8[79]a", "is a GIF, which has 256 colours at most: save it as PNG or JPEG"),
        (rb"%PDF", "is a PDF: save the pictures in it as PNG or JPEG"),
        (rb".{128}DICM", "is a DICOM file: export its pictures as PNG or JPEG"),
        (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "is a JPEG 2000 picture: save it as PNG or JPEG"),
        (rb"\0\0\0\x0cJXL |\xff\x0a", "is a JPEG XL picture: save it as PNG or JPEG"),
        (rb"8BPS", "is a Photoshop file: save it as PNG or JPEG"),
        (rb".{4}ftypcrx |FUJIFILMCCD|IIU\0|IIRO", "is a camera's raw picture: export it as PNG or JPEG"),
        (rb".{4}ftyp|RIFF.{4}AVI |\x1a\x45\xdf\xa3|\0\0\x01\xba", "is a video: give it its own suffix"),
        (rb"ZISRAWFILE", "is a ZEISS ZEN file (CZI): export its fields as TIFF, PNG or JPEG"),
        (rb"\xda\xce\xbe\x0a", "is a Nikon NIS file (ND2): export its fields as TIFF, PNG or JPEG"),
        (rb"\x89HDF", "is an HDF5 file: export its pictures as TIFF, PNG or JPEG"),
        (rb"SIMPLE  =", "is a FITS file: export its pictures as TIFF, PNG or JPEG"),
        (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!", "is a packed archive: unpack it first"),
        (rb"(\xef\xbb\xbf)?\s*<(!DOCTYPE\s+html|html|head|body)",
         "is a web page, perhaps an error or login page saved instead of the picture: download it again"),
        (rb"(\xef\xbb\xbf)?\s*<(\?xml|svg)", "is an XML or SVG file and no picture of pixels"),
        (rb"\0+\Z", "holds zeros where a picture should begin: copy it again"),
        (rb"(\xef\xbb\xbf|\xff\xfe|\xfe\xff)?[\t\n\r\x20-\x7e]+\Z", "is text and no picture"),
    )
)  # fmt: skip
"""What other files under a picture's name are, and what to do."""

SLIDE = (
    "is a whole slide ({}) and not read: export single fields from the scanner's viewer, as TIFF, PNG or JPEG"
)
FOREIGN = {
    ".svs": "Aperio", ".ndpi": "Hamamatsu", ".ndpis": "Hamamatsu", ".vms": "Hamamatsu", ".scn": "Leica",
    ".mrxs": "3DHISTECH", ".bif": "Ventana", ".svslide": "Sakura", ".isyntax": "Philips", ".vsi": "Olympus",
}  # fmt: skip
"""Suffixes of scanners' files; some begin like pictures, and are only a preview."""


def reader_of(head: bytes, suffix: str = "") -> Reader:
    """What reads a file that begins so.

    Raises
    ------
    ValueError : nothing does; says what the file is.
    """
    if suffix in FOREIGN:
        raise ValueError(SLIDE.format(FOREIGN[suffix]))
    if not head:
        raise ValueError("the file is empty")
    for pattern, reader in READERS:
        if pattern.match(head):
            return reader
    for pattern, what in OTHERS:
        if pattern.match(head):
            raise ValueError(what)
    raise ValueError("the picture cannot be decoded: it begins like no picture that is known, or is damaged")
