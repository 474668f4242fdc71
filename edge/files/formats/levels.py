"""Samples of more than eight bits as eight, by the range that a file's own pictures use.

Cameras of 10, 12 or 14 bits are stored in words of 16 bits, and most programs do not write down how many of
them count. So, in this order:

1. what the file says (TIFF's MaxSampleValue, PNG's sBIT), if its samples keep to it;
2. a picture all of whose samples are multiples of 257 had eight bits once and fills the whole word;
3. else the fewest of 8, 10, 12, 14 or 16 bits that hold the largest sample of all the file's pages.

In a bright field clear glass is the brightest thing and stands in the upper half of the range, so the third
step finds the camera's bits. It brightens a picture of 16 bits that is truly so dark that 14 hold it (below a
quarter of the range, where a field is not readable anyway) unless a rule before it spoke for 16; nothing in
such a file tells it from one of a 14-bit camera. One range serves all pages of a file, so that they stay
comparable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.types import U8

DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras have."""
REPEATED = 257
"""A byte b written into both bytes of a word is 257 b."""

OVERSHOT = 2.0
"""Floating-point samples below it are fractions of white; interpolation leaves some a little above 1."""


@dataclass(frozen=True)
class Range:
    """What the samples seen so far use: their bits, their largest, and whether all are repeated bytes."""

    bits: int = 0
    largest: float = 0.0
    repeated: bool = True

    def with_samples(self, samples: NDArray[Any]) -> Range:
        """The range with one more picture's samples, unsigned integers or float32 without NaN."""
        if samples.dtype.kind == "f":
            return Range(0, max(self.largest, float(samples.max(initial=0))), False)
        used = int(np.bitwise_or.reduce(samples, axis=None))
        largest = max(self.largest, float(samples.max(initial=0)))
        repeated = self.repeated and not (samples % REPEATED).any() if used < 1 << 14 else True
        return Range(self.bits | used, largest, repeated)

    def full_scale(self, told: int = 0, word: int = 16) -> float:
        """The sample that means white.

        Parameters
        ----------
        told : bits that count, as the file says; 0 where it says nothing.
        word : bits that a sample is stored in.
        """
        if not self.bits:
            return 1.0 if self.largest < OVERSHOT else _holding(self.largest)
        if told and self.bits < 1 << told:
            return float((1 << told) - 1)
        if self.bits > 255 and self.repeated:
            return float((1 << word) - 1)
        return _holding(self.largest)


def to_bytes(samples: NDArray[Any], full_scale: float) -> U8:
    """Samples as eight bits, `full_scale` as 255; what lies outside is clipped."""
    if samples.dtype == np.uint16:
        table = np.arange(1 << 16, dtype=np.float32) * np.float32(255 / full_scale) + np.float32(0.5)
        return np.asarray(np.minimum(table, 255).astype(np.uint8)[samples])
    scaled = samples.astype(np.float32) * np.float32(255 / full_scale) + np.float32(0.5)
    return np.asarray(np.clip(scaled, 0, 255), np.uint8)


def _holding(largest: float) -> float:
    """The full scale of the fewest bits of a camera that hold a sample; the sample itself beyond them."""
    return float(next(((1 << bits) - 1 for bits in DEPTHS if largest < 1 << bits), largest))
