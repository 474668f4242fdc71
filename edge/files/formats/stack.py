"""What programs mean by a TIFF's pages: stacks, channels on pages of their own, whole slides, raw data."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from edge.files.formats import codecs, ifd
from edge.types import U8

RAW = frozenset({32803, 34892})
"""Photometric interpretations of what a sensor sees behind its colour filters (DNG 1.6)."""
SLIDES = ((b"Aperio", "Aperio"), (b"<scn", "Leica"), (b"iScan", "Ventana"), (b"PHILIPS", "Philips"))
"""What scanners of whole slides have in their description."""
IMAGEJ = re.compile(rb"ImageJ=.*?\nimages=(\d+)\n", re.S)
IMAGEJ_COLOURS = re.compile(rb"ImageJ=.*?\nchannels=3\n", re.S)
OME_COLOURS = re.compile(rb"<Pixels [^>]*SizeC=\"3\"")
OME_ORDER = re.compile(rb"<Pixels [^>]*DimensionOrder=\"XYC")
"""Red, green and blue follow each other, whatever else changes from page to page."""


def refuse_foreign(page: ifd.Directory) -> None:
    """Refuse what is a TIFF by its form only; raises ValueError with what it is and what to do."""
    if page.number(ifd.PHOTOMETRIC, 1) in RAW or ifd.DNG_VERSION in page.tags:
        raise ValueError("is a camera's raw picture (DNG): export it as TIFF, PNG or JPEG")
    described = page.text(ifd.DESCRIPTION)[:4096]
    scanner = next((maker for word, maker in SLIDES if word in described), "")
    if scanner or ifd.HAMAMATSU in page.tags:
        raise ValueError(
            f"is a whole slide ({scanner or 'Hamamatsu'}) and not read: "
            "export single fields from the scanner's viewer, as TIFF, PNG or JPEG"
        )


def unlisted(pages: list[ifd.Directory]) -> list[ifd.Directory]:
    """The pages with those that ImageJ, beyond 4 GB, stores after the first without listing them."""
    told = IMAGEJ.match(pages[0].text(ifd.DESCRIPTION))
    count = min(int(told[1]), ifd.MOST_PAGES) if told else 1
    if len(pages) > 1 or count == 1 or pages[0].number(ifd.COMPRESSION, codecs.NONE) != codecs.NONE:
        return pages
    step = sum(pages[0].numbers(ifd.STRIP_BYTES))
    return [pages[0].moved(number * step) for number in range(count)]


def channels(pages: Sequence[ifd.Directory]) -> int:
    """How many pages make a picture: 3 where red, green and blue are said to have one each, else 1."""
    described = pages[0].text(ifd.DESCRIPTION) if pages else b""
    colours = IMAGEJ_COLOURS.match(described) or (
        OME_COLOURS.search(described) and OME_ORDER.search(described)
    )
    grey = all(page.number(ifd.SAMPLES, 1) == 1 for page in pages)
    return 3 if colours and grey and len(pages) % 3 == 0 else 1


def merged(pictures: Sequence[U8]) -> U8:
    """One picture of those of its channels; one alone as it is.

    Raises
    ------
    ValueError : they differ in size.
    """
    if len(pictures) == 1:
        return pictures[0]
    if len({picture.shape for picture in pictures}) > 1:
        raise ValueError("the file is damaged: its channels differ in size")
    return np.dstack([picture[..., 0] for picture in pictures])
