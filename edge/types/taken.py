"""What a camera gives: a frame, in its light, or the word that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from edge.types.arrays import U8, check


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture as the camera gave it.

    Attributes
    ----------
    pixels : (H, W, 3) uint8, RGB. (0, 0, 3) when `fault` says why there is no picture.
    index : number of the frame, counted from 0 over everything the camera delivered to the line.
    source : file name inside the given folder, or the camera's name.
    captured_at : UTC wall clock.
    monotonic_s : the same moment on the monotonic clock, seconds.
    exposure_ms : exposure time in milliseconds, None where the camera does not tell.
    fault : why the picture could not be read (a truncated file), None for a good frame.
    note : what the user should know of this camera's pictures, such as a size that nobody asked for.
    """

    pixels: U8
    index: int
    source: str
    captured_at: datetime
    monotonic_s: float
    exposure_ms: float | None = None
    fault: str | None = None
    note: str | None = None

    def __post_init__(self) -> None:
        check("Frame.pixels", self.pixels, (None, None, 3), np.uint8)

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])


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
