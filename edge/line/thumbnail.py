"""Small pictures of fields, by which places on a slide are told apart.

A thumbnail shows the pattern of the red cells and little else; the part of it about a leukocyte, its
fingerprint, is found nowhere else on the slide.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.optics.specimen import BACKGROUND, Specimen
from edge.types import F32, U8, Bools

Point = NDArray[np.float64]

THUMB_UM = 1.5
"""µm per pixel: a red cell is five pixels, enough to tell one field from another."""

PRINT_PX = 14
"""A fingerprint is 14 × 14 pixels, 21 µm."""

_AT_ONCE = 2000  # OpenCV's pictures end at 32,767 pixels
_DARKEST = 150  # grey level of a red cell: nuclei, alike everywhere, must not outshout the red cells' pattern
_DARKEST_SHARE = 0.1  # of an overlap: more than a leukocyte, less than the red cells round it
_SAME_OVERLAP = 0.4  # correlation of two views of one place, however large the overlap
_REFINED_PX = 3  # by which a guess may be off
_BY_CHANCE = 1.5  # standard deviations that two different places may seem alike


def thumbnail(view: Specimen) -> U8:
    """(h, w) uint8 green channel, where every stain absorbs, at `THUMB_UM`; 0 outside the lit field."""
    green = cv2.extractChannel(view.half, 1)
    scale = view.pitch_um / THUMB_UM
    height, width = view.pixels.shape[:2]
    size = (max(round(width * scale), 8), max(round(height * scale), 8))
    small = cv2.resize(green, size, interpolation=cv2.INTER_AREA)
    thumb = np.asarray(np.maximum(small, _DARKEST), np.uint8)
    inside = view.lit.mask(*thumb.shape)
    if inside is not None:  # pixels that the rim crosses would show it
        thumb[cv2.erode(inside.view(np.uint8), np.ones((3, 3), np.uint8)) == 0] = 0
    return thumb


def lit_pixels(thumb: U8) -> int:
    """How many pixels of a thumbnail lie in the lit field."""
    return cv2.countNonZero(thumb)


def fingerprints(thumb: U8, centres_um: Point) -> F32:
    """(n, 196) float32, zero mean and unit length each: the surroundings of every cell."""
    corners = (centres_um / THUMB_UM - PRINT_PX / 2).astype(np.float32)
    along = np.arange(PRINT_PX, dtype=np.float32)
    prints = np.zeros((len(corners), PRINT_PX * PRINT_PX), np.float32)
    thumb = np.where(thumb == 0, np.uint8(BACKGROUND), thumb)
    for first in range(0, len(corners), _AT_ONCE):
        x, y = corners[first : first + _AT_ONCE].T[..., None, None]
        maps = np.broadcast_arrays(x + along, y + along[:, None])
        across, down = (np.ascontiguousarray(m).reshape(-1, PRINT_PX) for m in maps)
        patches = cv2.remap(thumb, across, down, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, (BACKGROUND,))
        flat = patches.reshape(-1, PRINT_PX * PRINT_PX).astype(np.float32)
        flat -= flat.mean(axis=1, keepdims=True)
        length = np.sqrt(np.einsum("ij,ij->i", flat, flat))[:, None]
        prints[first : first + _AT_ONCE] = np.where(length > 1.0, flat / np.maximum(length, 1.0), 0)
    return prints


def _standardised(patch: F32) -> F32:
    flat = patch.ravel() - patch.mean() if patch.size else patch.ravel()
    length = float(np.sqrt(flat @ flat))
    return flat / length if length > 1.0 else np.zeros_like(flat)


def shift(a: U8, b: U8) -> Point:
    """(2,) float64, by how many pixels what `a` shows lies further in `b`: phase correlation."""
    height, width = a.shape
    return np.array(cv2.phaseCorrelate(_level(a), _level(b), _window(height, width))[0])


def _level(thumb: U8) -> F32:
    """A thumbnail for the correlation: outside of a lit field nothing, so that its rim is not seen."""
    level, inside = thumb.astype(np.float32), thumb > 0
    return level if inside.all() or not inside.any() else np.where(inside, level - level[inside].mean(), 0)


@lru_cache(maxsize=8)
def _window(height: int, width: int) -> F32:
    return np.asarray(cv2.createHanningWindow((width, height), cv2.CV_32F), np.float32)


def compare(a: U8, b: U8, corner_um: Point, least: float) -> tuple[float, float, Point]:
    """Share of `a` that overlaps `b` with its corner at `corner_um` there, likeness, the corner refined.

    Both are of what lies in the lit fields. Shares that cannot reach `least` are not looked into: no overlap,
    no likeness.
    """
    ours, theirs = _overlap(a, b, corner_um)
    lit = lit_pixels(a)
    if ours.size + _REFINED_PX * sum(a.shape) < least * lit:
        return 0.0, 0.0, corner_um
    if min(ours.shape) >= 12:
        off = shift(ours, theirs)
        if float(np.hypot(*off)) < _REFINED_PX:
            corner_um = corner_um + off * THUMB_UM
            ours, theirs = _overlap(a, b, corner_um)
    if min(ours.shape) < 4:
        return 0.0, 0.0, corner_um
    both = (ours > 0) & (theirs > 0)
    if both.all():
        shown, there = (_standardised(part.astype(np.float32)) for part in (ours, theirs))
    else:
        shown, there = (_standardised(_unshaded(part, both)) for part in (ours, theirs))
    return shown.size / max(lit, 1), float(shown @ there), corner_um


def _unshaded(thumb: U8, inside: Bools) -> F32:
    """(n,) what a thumbnail has inside beyond a surface of the fourth degree, which is any lamp's.

    Eyepieces darken towards their rim. Of a field too small to tell that from its cells it is left over, and
    would make any two alike; so would a leukocyte among few red cells, so the darkest are made alike.
    """
    y, x = (2 * at / side - 1 for at, side in zip(np.nonzero(inside), inside.shape, strict=True))
    terms = np.stack([x**i * y**j for i in range(5) for j in range(5 - i)], axis=1)
    level = thumb[inside].astype(np.float64)
    surface, *_ = np.linalg.lstsq(terms.T @ terms, terms.T @ level, rcond=None)
    rest = level - terms @ surface
    rank = int(len(rest) * _DARKEST_SHARE)
    floor = np.partition(rest, rank)[rank] if len(rest) else 0.0
    return np.asarray(np.maximum(rest, floor), np.float32)


def wanted(pixels: float) -> float:
    """Correlation that an overlap of so many pixels must reach: a small one looks alike more easily.

    Two pictures of red cells have about one independent pixel in nine (a red cell is five across, with an
    edge), and the correlation of n independent pairs scatters by 1/√n round zero.
    """
    return _SAME_OVERLAP + _BY_CHANCE / float(np.sqrt(max(pixels / 9, 1.0)))


def _overlap(a: U8, b: U8, corner_um: Point) -> tuple[U8, U8]:
    """The parts of two thumbnails that show the same place."""
    dx, dy = (round(float(v)) for v in corner_um / THUMB_UM)
    x0, x1 = max(dx, 0), max(min(b.shape[1], dx + a.shape[1]), max(dx, 0))
    y0, y1 = max(dy, 0), max(min(b.shape[0], dy + a.shape[0]), max(dy, 0))
    return a[y0 - dy : y1 - dy, x0 - dx : x1 - dx], b[y0:y1, x0:x1]
