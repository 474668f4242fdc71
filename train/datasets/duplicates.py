"""Pictures that show the same place twice: exact copies, near-identical frames and overlapping fields.

A split leaks when a picture of one part shows what a picture of another part shows. Copies are found by
their pixels. Pictures that look alike are found by a perceptual hash (the signs of the lowest frequencies
of a discrete cosine transform, about their median), fields that overlap by phase correlation; either only
proposes, and the fine texture of the two, laid over each other, decides. Turned or mirrored copies are not
found.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from tqdm import tqdm

from edge.types import F32, U8, Bools

SIDE = 96  # px, of a thumbnail
ALIKE = 0.68
"""Correlation of texture from which two pictures show the same place. Of 14,000 development pictures some 340
pairs lie above it and a handful between 0.57 and it, two of them the same place out of focus or by another
camera, two different cells; the lowest of those above were looked at, and are the same place."""

_HASH_BITS = 10  # of 64; of 95 repeated cells one differed in more, most in 2 at most
_COARSE = 48  # px, enough to find how far two fields are shifted
_TAPER = 6  # px of the coarse frame, from its edge
_PROPOSED = 0.25  # correlation of coarse textures over the whole frame: an overlap of 40% reaches it
_LEAST_OVERLAP = 0.25  # of the frame, so that chance has no small patch to agree in
_NEARBY_PX = 2  # of a thumbnail, round the shift that was proposed
_BLACK = 8  # grey levels: cells cut out and laid on black have no texture there
_BLOCK = 1024

Pair = tuple[int, int]


@dataclass(frozen=True)
class Likeness:
    """Two pictures, by their index, that show the same: `correlation` of texture, 1 for copies."""

    first: int
    second: int
    correlation: float


def thumbnail(pixels: U8) -> U8:
    """(SIDE, SIDE) uint8 grey of an (H, W, 3) uint8 RGB picture, squeezed to a square."""
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def perceptual_hash(grey: U8) -> Bools:
    """(64,) bool of a thumbnail; few of them change when a picture is encoded anew, dimmed or blurred."""
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:9, :9].ravel()[1:65]  # without the mean
    return np.asarray(low > np.median(low))


def texture(grey: U8) -> F32:
    """(SIDE, SIDE) float32: what is finer than a nucleus' outline, 0 where a picture is black."""
    plain = grey.astype(np.float32)
    fine = plain - cv2.GaussianBlur(plain, (0, 0), SIDE / 24)
    inside = cv2.erode((grey > _BLACK).astype(np.uint8), np.ones((7, 7), np.uint8))
    return np.asarray(fine * inside, np.float32)


def correlation(first: F32, second: F32, shift: tuple[int, int] = (0, 0)) -> float:
    """Of two textures where they overlap, the second moved by about `shift` (rows, columns)."""
    best = 0.0
    for y in range(shift[0] - _NEARBY_PX, shift[0] + _NEARBY_PX + 1):
        for x in range(shift[1] - _NEARBY_PX, shift[1] + _NEARBY_PX + 1):
            a = first[max(y, 0) : SIDE + min(y, 0), max(x, 0) : SIDE + min(x, 0)]
            b = second[max(-y, 0) : SIDE + min(-y, 0), max(-x, 0) : SIDE + min(-x, 0)]
            if a.size < _LEAST_OVERLAP * SIDE**2:
                continue
            energy = float(np.vdot(a, a)) * float(np.vdot(b, b))
            best = max(best, float(np.vdot(a, b) / np.sqrt(energy)) if energy else 0.0)
    return best


def _alike_by_hash(hashes: Bools) -> Iterator[Pair]:
    signs = np.where(hashes, 1, -1).astype(np.float32)
    for start in range(0, len(signs), _BLOCK):
        differing = (signs.shape[1] - signs[start : start + _BLOCK] @ signs[start:].T) / 2
        for i, j in np.argwhere(differing <= _HASH_BITS):
            if i < j:
                yield start + int(i), start + int(j)


def _overlapping(textures: list[F32]) -> Iterator[tuple[Pair, tuple[int, int]]]:
    rise = np.minimum(np.arange(_COARSE) + 1, _TAPER) / _TAPER
    window = np.outer(rise * rise[::-1], rise * rise[::-1]).astype(np.float32)
    coarse = [cv2.resize(t, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA) * window for t in textures]
    spectra = np.array([np.fft.rfft2(c / max(float(np.linalg.norm(c)), 1e-6)) for c in coarse], np.complex64)
    half = _COARSE // 2
    for i in tqdm(range(len(spectra) - 1), "overlaps", disable=not sys.stderr.isatty()):
        shifted = np.fft.irfft2(spectra[i] * spectra[i + 1 :].conj(), s=(_COARSE, _COARSE))
        flat = shifted.reshape(len(shifted), -1)
        peaks = flat.argmax(axis=1)
        for j in np.flatnonzero(flat.max(axis=1) > _PROPOSED):
            y, x = divmod(int(peaks[j]), _COARSE)
            shift = [round(((v + half) % _COARSE - half) * SIDE / _COARSE) for v in (y, x)]
            yield (i, i + 1 + int(j)), (shift[0], shift[1])


def near_duplicates(thumbnails: Sequence[U8], fields: Sequence[Sequence[int]]) -> list[Likeness]:
    """Pairs of pictures that show the same, those that agree best first.

    Parameters
    ----------
    thumbnails : (SIDE, SIDE) uint8 each, see `thumbnail`.
    fields : for each data set of fields their indices: they may overlap in part.
    """
    textures = [texture(t) for t in thumbnails]
    proposed: dict[Pair, tuple[int, int]] = {}
    hashes = np.array([perceptual_hash(t) for t in thumbnails]).reshape(-1, 64)
    proposed |= dict.fromkeys(_alike_by_hash(hashes), (0, 0))
    for members in fields:
        for (i, j), shift in _overlapping([textures[k] for k in members]):
            proposed[members[i], members[j]] = shift
    found = [
        Likeness(i, j, correlation(textures[i], textures[j], shift))
        for (i, j), shift in tqdm(proposed.items(), "likenesses", disable=not sys.stderr.isatty())
    ]
    return sorted((f for f in found if f.correlation >= ALIKE), key=lambda f: -f.correlation)
