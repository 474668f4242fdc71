"""One grey picture of all that was scanned, pasted together from the kept small pictures of fields."""

from __future__ import annotations

from math import ceil

import numpy as np
import simplejpeg

from edge.line.thumbnail import THUMB_UM
from edge.report.pictures import Pictures
from edge.report.scanmap import ScanMap
from edge.types import U8

_LONGEST = 1600
"""Pixels: on a page 18 cm wide finer ones are not seen."""
_LIT = 75  # grey level between the unlit rim of a field, which is 0, and the darkest that is lit, 150
_QUALITY = 60


def mosaic(scanned: ScanMap, pictures: Pictures) -> bytes:
    """Grey JPEG of the map's extent, white where nothing was scanned.

    Pixels are moved whole and averaged in whole numbers, so that the bytes are the same on every machine.
    """
    by = max(ceil(max(scanned.width_um, scanned.height_um) / THUMB_UM / _LONGEST), 1)
    pitch_um = THUMB_UM * by
    size = ceil(scanned.height_um / pitch_um), ceil(scanned.width_um / pitch_um)
    sheet = np.full(size, 255, np.uint8)
    corners = scanned.corner_um()
    for frame, jpeg in pictures.thumbs():
        if frame not in corners:
            continue
        x, y = (round(end / pitch_um) for end in corners[frame])
        _paste(sheet, _smaller(_decoded(jpeg), by), x, y)
    return bytes(simplejpeg.encode_jpeg(sheet[..., None], _QUALITY, "GRAY", fastdct=False))


def _decoded(jpeg: bytes) -> U8:
    return np.asarray(simplejpeg.decode_jpeg(jpeg, "GRAY", fastdct=False)[..., 0], np.uint8)


def _smaller(thumb: U8, by: int) -> U8:
    """Each square of so many pixels as one, 0 where any of it is not lit."""
    height, width = thumb.shape[0] // by, thumb.shape[1] // by
    squares = thumb[: height * by, : width * by].reshape(height, by, width, by)
    mean = squares.sum(axis=(1, 3), dtype=np.int64) // (by * by)
    return np.where(squares.min(axis=(1, 3)) < _LIT, 0, mean).astype(np.uint8)


def _paste(sheet: U8, thumb: U8, x: int, y: int) -> None:
    part = sheet[y : y + thumb.shape[0], x : x + thumb.shape[1]]
    thumb = thumb[: part.shape[0], : part.shape[1]]
    np.copyto(part, thumb, where=thumb >= _LIT)
