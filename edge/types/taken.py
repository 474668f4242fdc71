"""What a camera gives: a frame, in its light, or the word that there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

import numpy as np

from edge.types.arrays import U8, check


@dataclass(frozen=True, eq=False)
class Reduced:
    """A picture that was decoded at half its size, from a code that allows it.

    Attributes
    ----------
    pixels : (h, w, 3) uint8 RGB, each the mean of two by two of the picture's; an odd last row or column is
        padded.
    size : width and height of the picture, pixels.
    decode : gives all of it, (H, W, 3) uint8 RGB, from its code, which this keeps.
    """

    pixels: U8
    size: tuple[int, int]
    decode: Callable[[], U8]

    def __post_init__(self) -> None:
        width, height = self.size
        check("Reduced.pixels", self.pixels, (-(-height // 2), -(-width // 2), 3), np.uint8)

    def turned(self, turn: Callable[[U8], U8]) -> Reduced:
        """The same turned by `turn`, which maps pixels to pixels."""
        pixels, size = turn(self.pixels), self.size
        if pixels.shape[:2] != self.pixels.shape[:2]:
            size = size[::-1]
        return Reduced(pixels, size, lambda: turn(self.decode()))


Content = U8 | Reduced | str
"""What a picture's code comes to: (H, W, 3) uint8 RGB, the half of it, or in one line why there is none."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture as the camera gave it.

    Attributes
    ----------
    pixels : (h, w, 3) uint8 RGB, what was decoded. (0, 0, 3) when `fault` says why there is no picture.
    index : number of the frame, counted from 0 over everything the camera delivered to the line.
    source : file name inside the given folder, or the camera's name.
    captured_at : UTC wall clock.
    monotonic_s : the same moment on the monotonic clock, seconds.
    exposure_ms : exposure time in milliseconds, None where the camera does not tell.
    fault : why the picture could not be read (a truncated file), None for a good frame.
    note : what the user should know of this camera's pictures, such as a size that nobody asked for.
    reduced : of what `pixels` are the half; None where they are the whole frame. Whatever is told of a frame
        is told in pixels as the camera took it, `width` × `height`.
    """

    pixels: U8
    index: int
    source: str
    captured_at: datetime
    monotonic_s: float
    exposure_ms: float | None = None
    fault: str | None = None
    note: str | None = None
    reduced: Reduced | None = None

    def __post_init__(self) -> None:
        check("Frame.pixels", self.pixels, (None, None, 3), np.uint8)

    @classmethod
    def of(
        cls,
        taken: U8 | Reduced,
        index: int,
        source: str,
        captured_at: datetime,
        monotonic_s: float,
        exposure_ms: float | None = None,
        fault: str | None = None,
        note: str | None = None,
    ) -> Frame:
        """Of a picture as it was decoded, whole or half; the rest as above."""
        reduced = taken if isinstance(taken, Reduced) else None
        pixels = taken.pixels if isinstance(taken, Reduced) else taken
        return cls(pixels, index, source, captured_at, monotonic_s, exposure_ms, fault, note, reduced)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as the camera took it."""
        return (self.pixels.shape[1], self.pixels.shape[0]) if self.reduced is None else self.reduced.size

    @property
    def width(self) -> int:
        """As the camera took it."""
        return self.size[0]

    @property
    def height(self) -> int:
        """As the camera took it."""
        return self.size[1]

    @property
    def reduction(self) -> int:
        """How many pixels across the frame one of `pixels` holds, 1 or 2."""
        return 1 if self.reduced is None else 2

    @cached_property
    def whole(self) -> U8:
        """(H, W, 3) uint8 RGB, every pixel that the camera took: decoded anew where `pixels` are the half."""
        return self.pixels if self.reduced is None else self.reduced.decode()

    def at_least(self, um_per_px: float, pitch_um: float) -> Frame:
        """The frame, whole where its half has pixels coarser than `pitch_um`; `um_per_px` is of the whole."""
        return self if self.reduction * um_per_px <= pitch_um else self.at_full_size()

    def at_full_size(self) -> Frame:
        """The frame with every pixel that the camera took."""
        return self if self.reduced is None else replace(self, pixels=self.whole, reduced=None)


@dataclass(frozen=True)
class Light:
    """How a camera takes pictures, so that one field looks the same twice.

    Attributes
    ----------
    exposure_ms : exposure time, None where the camera chooses.
    gain : in the units of the camera's kind, None where the camera chooses.
    white : white balance in the units of the camera's kind: of a UVC camera its colour temperature in
        kelvin; of a CSI camera the gains of red and blue. Empty where the camera chooses.
    """

    exposure_ms: float | None = None
    gain: float | None = None
    white: tuple[float, ...] = ()


@dataclass(frozen=True)
class Waiting:
    """A live camera gives no pictures.

    Attributes
    ----------
    reason : what is the matter, in words for a health worker.
    advice : what to do about it.
    since_s : monotonic seconds of the last picture, or of the first attempt where there was none.
    """

    reason: str
    advice: str
    since_s: float
