"""Pictures that show the same place twice: exact copies, near-identical frames and overlapping fields.

A split leaks when a picture of one part shows what a picture of another part shows. Copies are found by
their pixels. Pictures that look alike are proposed by a perceptual hash (the signs of the lowest frequencies
of a discrete cosine transform, about their median), fields that overlap by their cross-correlation at every
shift; the fine texture of the two, laid over each other, decides. Turned or mirrored copies are not found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.types import F32, U8, Bools
from train.data.bar import followed

SIDE = 96  # px, of a thumbnail
ALIKE = 0.68
"""Correlation of texture from which two pictures show the same place. Of 14,000 development pictures few
pairs lie between 0.57 and it, two of them the same place out of focus or by another camera, two different
cells; the lowest of those above were looked at, and are the same place."""

ALIKE_IN_PART = 0.85
"""The same for fields that share less than `_QUARTER`: two red cells agree in as much as 0.81 by chance."""

_QUARTER = 0.25
_LEAST_OVERLAP = 0.15  # of the frame
_HASH_BITS = 10  # of 64; of 95 repeated cells one differed in more, most in 2 at most
_COARSE = 48  # px, enough to find how far two fields are shifted
_PROPOSED = 0.55  # correlation of coarse textures where they overlap
_NEARBY_PX = 2  # of a thumbnail, round the shift that was proposed
_BLACK = 8  # grey levels: cells cut out and laid on black have no texture there
_LEAST_ENERGY = 1e-3  # grey levels squared, where there is no texture
_BLOCK, _BATCH = 1024, 256  # pictures compared at once

Pair = tuple[int, int]
Shift = tuple[int, int]
Complexes = NDArray[np.complex128]


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


def correlation(first: F32, second: F32, shift: Shift = (0, 0)) -> float:
    """Of two textures where they overlap, the second moved by about `shift` (rows, columns)."""
    best = 0.0
    for y in range(shift[0] - _NEARBY_PX, shift[0] + _NEARBY_PX + 1):
        for x in range(shift[1] - _NEARBY_PX, shift[1] + _NEARBY_PX + 1):
            a = first[max(y, 0) : SIDE + min(y, 0), max(x, 0) : SIDE + min(x, 0)]
            b = second[max(-y, 0) : SIDE + min(-y, 0), max(-x, 0) : SIDE + min(-x, 0)]
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


def _overlapping(textures: Sequence[F32]) -> Iterator[tuple[Pair, Shift]]:
    """Pairs that agree at some shift, by normalized cross-correlation at all of them (Lewis 1995)."""
    padded = (2 * _COARSE, 2 * _COARSE)
    ones = np.fft.rfft2(np.ones((_COARSE, _COARSE)), padded)
    overlap = np.fft.irfft2(ones * ones.conj(), padded)
    enough = overlap >= _LEAST_OVERLAP * _COARSE**2
    coarse = [cv2.resize(t, (_COARSE, _COARSE), interpolation=cv2.INTER_AREA) for t in textures]
    spectra = np.array([np.fft.rfft2(c, padded) for c in coarse], np.complex64)

    def scale(energies: Complexes) -> F32:
        energy = np.fft.irfft2(energies, padded)
        return np.where(enough, np.maximum(energy, _LEAST_ENERGY) ** -0.5, 0).astype(np.float32)

    squares = [np.fft.rfft2(c**2, padded) for c in coarse]
    of_second = np.array([scale(ones * s.conj()) for s in squares]).reshape(-1, *padded)
    for i in followed(range(len(spectra) - 1), "overlaps", "field"):
        of_first = scale(squares[i] * ones.conj())
        for start in range(i + 1, len(spectra), _BATCH):
            batch = slice(start, start + _BATCH)
            agreement = (
                np.fft.irfft2(spectra[i] * spectra[batch].conj(), padded) * of_first * of_second[batch]
            )
            flat = agreement.reshape(len(agreement), -1)
            peaks = flat.argmax(axis=1)
            for j in np.flatnonzero(flat.max(axis=1) > _PROPOSED):
                yield (i, start + int(j)), _shift(int(peaks[j]))


def _shift(peak: int) -> Shift:
    """Rows and columns of a thumbnail, of a place in the padded coarse frame."""
    y, x = ((v + _COARSE) % (2 * _COARSE) - _COARSE for v in divmod(peak, 2 * _COARSE))
    return y * SIDE // _COARSE, x * SIDE // _COARSE


def near_duplicates(thumbnails: Sequence[U8], fields: Sequence[Sequence[int]]) -> list[Likeness]:
    """Pairs of pictures that show the same, those that agree best first.

    Parameters
    ----------
    thumbnails : (SIDE, SIDE) uint8 each, see `thumbnail`.
    fields : for each data set of fields their indices: they may overlap in part.
    """
    textures = [texture(t) for t in thumbnails]
    hashes = np.array([perceptual_hash(t) for t in thumbnails]).reshape(-1, 64)
    proposed: dict[Pair, Shift] = dict.fromkeys(_alike_by_hash(hashes), (0, 0))
    for members in fields:
        for (i, j), shift in _overlapping([textures[k] for k in members]):
            proposed[members[i], members[j]] = shift
    found = []
    for (i, j), shift in followed(proposed.items(), "likenesses", "pair"):
        likeness = Likeness(i, j, correlation(textures[i], textures[j], shift))
        shared = (1 - abs(shift[0]) / SIDE) * (1 - abs(shift[1]) / SIDE)
        if likeness.correlation >= (ALIKE if shared >= _QUARTER else ALIKE_IN_PART):
            found.append(likeness)
    return sorted(found, key=lambda f: -f.correlation)
