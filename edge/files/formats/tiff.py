"""TIFF, BigTIFF included: every page that is a picture, read on its own, so that damage stays where it is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.files.formats import codecs, ifd, jpeg, levels, stack, strips
from edge.files.formats.upright import upright
from edge.types import U8

REDUCED, MASK = 1, 4
"""Bits of NewSubfileType: a smaller version of another picture, and where one is transparent."""
OLD_REDUCED = 2
WORDS = frozenset({16, 32, 64})
"""Bits of samples whose range the file's pictures tell."""
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, TRANSPARENCY_MASK, CMYK, YCBCR, LAB, ICC_LAB = (
    0, 1, 2, 3, 4, 5, 6, 8, 9,
)  # fmt: skip
NEEDS = {RGB: 3, CMYK: 4, YCBCR: 3, LAB: 3, ICC_LAB: 3}
"""Channels that a kind of colour has at least."""


def pages(file: BinaryIO) -> Iterator[U8 | str]:
    """Every page in order; thumbnails, smaller versions and masks are no pictures and are left out.

    ICC profiles and transparency are ignored.
    """
    fields, trouble = _fields(file)
    size = stack.channels(fields)
    pictures = _pictures(file, fields)
    for picture in pictures:
        channels = [picture, *islice(pictures, size - 1)]
        faults = [channel for channel in channels if isinstance(channel, str)]
        yield faults[0] if faults else stack.merged([c for c in channels if not isinstance(c, str)])
    if trouble:
        yield trouble


def _pictures(file: BinaryIO, fields: list[ifd.Directory]) -> Iterator[U8 | str]:
    """The pages that are pictures, each by itself."""
    deep: float | None = None
    for page in fields:
        try:
            found = strips.layout(page)
            stored = strips.samples(file, page, found)
            if found.bits in WORDS and stored.dtype != np.uint8 and deep is None:
                deep = _full_scale(file, fields, stored if len(fields) == 1 else None)
            yield upright(_rgb(stored, page, found, deep), page.number(ifd.ORIENTATION, 1))
        except ValueError as error:
            yield str(error)


def _fields(file: BinaryIO) -> tuple[list[ifd.Directory], str]:
    """The pages that are pictures, and why there are no more if that is not the end of the file's list."""
    found: list[ifd.Directory] = []
    try:
        for page in ifd.directories(file):
            stack.refuse_foreign(page)
            kind, old = page.number(ifd.NEW_SUBFILE_TYPE, 0), page.number(ifd.SUBFILE_TYPE, 1)
            left_out = kind & (REDUCED | MASK) or old == OLD_REDUCED
            if not left_out and page.number(ifd.PHOTOMETRIC, 1) != TRANSPARENCY_MASK:
                found.append(page)
    except ValueError as error:
        return found, str(error)
    if not found:
        return [], "the file has previews or masks only, and no picture of its own"
    return stack.unlisted(found), ""


def _full_scale(file: BinaryIO, fields: list[ifd.Directory], only: NDArray[Any] | None) -> float:
    """The sample that is white on every page of more than eight bits; the pages are read for it."""
    used, told, word = levels.Range(), 0, 16
    for page in fields:
        try:
            found = strips.layout(page)
            if found.bits not in WORDS:
                continue
            used = used.with_samples(strips.samples(file, page, found) if only is None else only)
        except ValueError:
            continue
        told = max(told, max(page.numbers(ifd.MAX_SAMPLE, (0,))).bit_length())
        word = found.bits - (found.format == strips.SIGNED)
    return used.full_scale(told, word)


def _rgb(stored: NDArray[Any], page: ifd.Directory, found: strips.Layout, deep: float | None) -> U8:
    """The colours of a page's samples, (H, W, 3) uint8, by its photometric interpretation."""
    kind = found.photometric
    if found.compression == codecs.JPEG and found.planes == 1:
        kind = RGB  # the decoder has turned luma, chroma, inks and grey into it
    if stored.shape[2] < NEEDS.get(kind, 1) or kind not in {*NEEDS, WHITE_IS_ZERO, BLACK_IS_ZERO, PALETTE}:
        raise ValueError(
            f"the picture's colours cannot be read (interpretation {kind} with {stored.shape[2]} channels): "
            "save it as RGB"
        )
    if kind == PALETTE:
        return _by_palette(stored[..., 0], page, found.bits)
    if kind in (LAB, ICC_LAB):
        return _of_lab(stored, kind)
    if kind == BLACK_IS_ZERO and stored.shape[2] >= NEEDS[RGB]:
        kind = RGB  # programs that think in channels do not say that they are colours
    # parts that are pictures of their own may have other bits than the tags say
    bits = found.bits if stored.dtype != np.uint8 or found.bits < 8 else 8
    white = deep if bits in WORDS and deep is not None else float((1 << bits) - 1)
    light = stored if white == 255 and stored.dtype == np.uint8 else levels.to_bytes(stored, white)
    return _of_light(np.asarray(light, np.uint8), kind, page)


def _of_light(light: U8, kind: int, page: ifd.Directory) -> U8:
    if kind in (WHITE_IS_ZERO, BLACK_IS_ZERO):
        grey = light[..., :1] if kind == BLACK_IS_ZERO else 255 - light[..., :1]
        return np.repeat(grey, 3, axis=2)
    if kind == CMYK:
        if page.number(ifd.INK_SET, 1) != 1:
            raise ValueError("the picture's inks are not cyan, magenta, yellow and black: save it as RGB")
        return jpeg.ink(255 - light[..., :4])
    if kind == YCBCR:
        if page.numbers(ifd.SUBSAMPLING, (2, 2)) != (1, 1):
            raise ValueError("the picture's colours are stored more coarsely than its light: save it as RGB")
        swapped = np.ascontiguousarray(light[..., [0, 2, 1]])
        return np.asarray(cv2.cvtColor(swapped, cv2.COLOR_YCrCb2RGB), np.uint8)
    return np.ascontiguousarray(light[..., :3])


def _by_palette(stored: NDArray[Any], page: ifd.Directory, bits: int) -> U8:
    entries = np.array(page.numbers(ifd.COLOUR_MAP), np.int64)
    if bits > 8 or len(entries) != 3 << bits:
        raise ValueError("the page is damaged: its palette has another length")
    # some writers store bytes where the format has words
    palette = entries >> 8 if entries.max() > 255 else entries
    return np.asarray(palette.reshape(3, -1).T.astype(np.uint8)[stored])


def _of_lab(stored: NDArray[Any], kind: int) -> U8:
    """CIE L*a*b* of 8 or 16 bits (TIFF 6.0, section 23; Adobe's ICC variant has no negative numbers)."""
    if stored.dtype == np.uint8:
        per_light, per_chroma, signed, middle = 255 / 100, 1.0, "i1", 128
    elif stored.dtype == np.uint16:
        per_light, per_chroma, signed, middle = 65535 / 100, 256.0, "i2", 32768
    else:
        raise ValueError("the picture's L*a*b* colours cannot be read: save it as RGB")
    light = stored[..., :1].astype(np.float32) / np.float32(per_light)
    raw = np.ascontiguousarray(stored[..., 1:3])
    chroma = raw.view(signed).astype(np.float32) if kind == LAB else raw.astype(np.float32) - middle
    rgb = cv2.cvtColor(np.dstack([light, chroma / np.float32(per_chroma)]), cv2.COLOR_LAB2RGB)
    return levels.to_bytes(rgb, 1.0)
