"""THE definition of the model's input: a crop round a cell or the whole field, and the steps it goes through.

A crop is cut from the specimen (`edge.optics.specimen`), so its side is a length on the slide and not a
number of the camera's pixels. A bundle's manifest names the steps; training calls these same functions and
augments afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge.optics.specimen import BACKGROUND, Specimen, specimen
from edge.optics.stops import BLACK
from edge.types import F32, F64, U8

WHITE_BALANCE = "white-balance"
"""The step that `specimen` does: illumination and colour of the light corrected on the whole frame."""


@dataclass(frozen=True)
class ModelInput:
    """What a model is shown of a specimen.

    Attributes
    ----------
    pitch_um : size of a specimen pixel, µm. A whole field's pixels are taken to have it, whatever they
        measure: fields are told apart by what is in them, and the scale of one alone may not be known.
    cut_px : side of the square window that is cut round a cell, or that the whole field is scaled to.
    steps : what is done then, in this order; see `STEPS`.
    whole : the whole field rather than a cell.

    Raises
    ------
    ValueError : a step that does not exist, or one with a number that it cannot have. Names it.
    """

    pitch_um: float
    cut_px: int
    steps: tuple[str, ...] = (WHITE_BALANCE,)
    whole: bool = False

    def __post_init__(self) -> None:
        if WHITE_BALANCE in self.steps[1:]:
            raise ValueError(f"{WHITE_BALANCE}: is done on the whole frame, so it must be the first step")
        _ = self.size_px

    @property
    def size_px(self) -> int:
        """Side of what the model sees, after all steps."""
        size = self.cut_px
        for step in self.steps:
            size = _named(step)[0].size(size, _named(step)[1])
        return size

    @property
    def shown_pitch_um(self) -> float:
        """What a pixel of what the model sees measures, µm: the pitch, unless a step scales the crop."""
        size, pitch_um = self.cut_px, self.pitch_um
        for step in self.steps:
            kind, amount = _named(step)
            before, size = size, kind.size(size, amount)
            pitch_um *= before / size if kind.scales else 1.0
        return pitch_um

    @property
    def plain(self) -> bool:
        """Whether it is a crop and nothing more, so that a wider one holds it in its middle."""
        return not self.whole and set(self.steps) <= {WHITE_BALANCE}

    def of(self, view: Specimen, centres: F32 | F64, frame: U8) -> U8:
        """What the model is shown of each of n cells; of a whole field the same whatever the centre.

        Parameters
        ----------
        view : the frame as a specimen.
        centres : (n, 2), x and y in pitches from the frame's corner: pixels of the frame times `view.scale`.
        frame : (H, W, 3) uint8 RGB, the frame itself, which whole fields are taken from.

        Returns
        -------
        (n, size_px, size_px, 3) uint8 RGB.
        """
        corrected = WHITE_BALANCE in self.steps or view.taken is None
        if self.whole:
            field = frame
            if WHITE_BALANCE in self.steps and frame.size:
                smaller = max(min(frame.shape[:2]) / (2 * self.cut_px), 1.0)
                field = specimen(frame, self.pitch_um, self.pitch_um * smaller).pixels
            windows = np.repeat(_scaled(field, self.cut_px)[None], len(centres), axis=0)
        elif corrected:
            windows = crops(view, centres, self.cut_px)
        else:
            windows = _cut(np.asarray(view.taken), centres, self.cut_px, _beyond(view))
        if self.plain:
            return windows
        size = self.size_px
        out = np.empty((len(windows), size, size, 3), np.uint8)
        for window, prepared in zip(windows, out, strict=True):
            for step in self.steps:
                kind, amount = _named(step)
                window = kind.apply(window, amount)
            prepared[:] = window
        return out


def crops(view: Specimen, centres: F32 | F64, size: int) -> U8:
    """Windows of `size` specimen pixels round each cell, clear glass beyond the frame's edge.

    (n, size, size, 3) uint8 RGB round (n, 2) `centres`, x and y in pitches from the frame's corner.
    """
    return _cut(view.pixels, centres, size, (BACKGROUND,) * 3)


def _cut(pixels: U8, centres: F32 | F64, size: int, beyond: Sequence[float]) -> U8:
    out = np.empty((len(centres), size, size, 3), np.uint8)
    around = np.tile(np.asarray(beyond, np.float32).round().astype(np.uint8), size)  # a row of it
    height, width = pixels.shape[:2]
    for window, (cx, cy) in zip(out, centres, strict=True):
        x0, y0 = round(float(cx)) - size // 2, round(float(cy)) - size // 2
        left, top = max(x0, 0), max(y0, 0)
        right, bottom = min(x0 + size, width), min(y0 + size, height)
        if (right - left, bottom - top) != (size, size):
            window.reshape(size, 3 * size)[:] = around
        if left < right and top < bottom:
            window[top - y0 : bottom - y0, left - x0 : right - x0] = pixels[top:bottom, left:right]
    return out


def _beyond(view: Specimen) -> Sequence[float]:
    """What lies beyond the edge of an uncorrected frame: its own glass, or its makers' black."""
    return view.glass.tolist() if view.glass_fraction else (0.0,) * 3


def _scaled(field: U8, size: int) -> U8:
    """A field as a square of `size` pixels, whatever its shape."""
    how = cv2.INTER_AREA if min(field.shape[:2]) >= size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(field, (size, size), interpolation=how), np.uint8)


@dataclass(frozen=True)
class Step:
    """A step that a bundle's manifest may ask for.

    Attributes
    ----------
    what : in words. apply : ((S, S, 3) uint8 RGB, its number) -> (T, T, 3) uint8 RGB.
    low, high : of its number, written after a colon ('median:3'); a step without them takes none.
    size : (S, its number) -> T; raises ValueError where S is too small.
    whole_number, odd : what the number must be beside.
    scales : another size is the same picture in other pixels, rather than a part of it.
    """

    what: str
    apply: Callable[[U8, float], U8]
    low: float | None = None
    high: float = 0.0
    size: Callable[[int, float], int] = lambda side, _amount: side
    whole_number: bool = False
    odd: bool = False
    scales: bool = False


def _named(text: str) -> tuple[Step, float]:
    """A step and its number, from 'median:3'."""
    name, colon, number = text.partition(":")
    if name not in STEPS:
        raise ValueError(f"step {text!r}: unknown; this program does {', '.join(STEPS)}")
    step = STEPS[name]
    if step.low is None:
        if colon:
            raise ValueError(f"step {text!r}: {name} takes no number")
        return step, 0.0
    amount = float(number) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", number) else -1.0
    fits = step.low <= amount <= step.high and not (step.whole_number and amount % 1)
    if not fits or (step.odd and amount % 2 != 1):
        kind = "an odd whole number" if step.odd else "a whole number" if step.whole_number else "a number"
        raise ValueError(f"step {text!r}: {name} takes {kind} from {step.low:g} to {step.high:g}")
    return step, amount


def _median(picture: U8, side: float) -> U8:
    return np.asarray(cv2.medianBlur(picture, int(side)), np.uint8)


def _gaussian(picture: U8, spread_px: float) -> U8:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), spread_px), np.uint8)


def _wiener(picture: U8, side: float) -> U8:
    """The adaptive filter of Lee (IEEE PAMI 1980), Wiener's for a mean and variance that vary in place.

    The noise's variance is taken to be the mean of the local ones, as is usual where nobody knows it.
    """
    box, values = (int(side), int(side)), picture.astype(np.float32)
    mean = cv2.blur(values, box)
    variance = np.maximum(cv2.blur(values * values, box) - mean * mean, 0)
    noise = variance.mean(axis=(0, 1))
    kept = np.maximum(variance - noise, 0) / np.maximum(np.maximum(variance, noise), 1e-6)
    return np.asarray(np.clip(np.round(mean + kept * (values - mean)), 0, 255), np.uint8)


def _on_lightness(picture: U8, change: Callable[[U8], U8]) -> U8:
    """A change of L* of CIELAB that leaves the colour alone."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    lab[..., 0] = change(np.ascontiguousarray(lab[..., 0], np.uint8))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def _equalized(picture: U8, _amount: float) -> U8:
    return _on_lightness(picture, lambda lightness: np.asarray(cv2.equalizeHist(lightness), np.uint8))


def _clahe(picture: U8, limit: float) -> U8:
    """Zuiderveld, Graphics Gems IV, 1994; 8 × 8 tiles."""
    local = cv2.createCLAHE(clipLimit=limit, tileGridSize=(8, 8))
    return _on_lightness(picture, lambda lightness: np.asarray(local.apply(lightness), np.uint8))


def _foreground(picture: U8, _amount: float) -> U8:
    """What is lighter than Otsu's threshold of the green channel (IEEE SMC 1979) becomes clear glass."""
    green = np.ascontiguousarray(picture[..., 1])
    level, _ = cv2.threshold(green, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return np.asarray(np.where(green[..., None] > level, np.uint8(BACKGROUND), picture), np.uint8)


def _on_glass(picture: U8, level: float) -> U8:
    """Black becomes clear glass, and the cell on it as bright as it would be there."""
    lifted = np.minimum(picture.astype(np.float32) * (BACKGROUND / level), 255).round().astype(np.uint8)
    black = picture.max(axis=2, keepdims=True) <= BLACK
    return np.asarray(np.where(black, np.uint8(BACKGROUND), lifted), np.uint8)


def _centre(picture: U8, side: float) -> U8:
    start = picture.shape[0] // 2 - int(side) // 2
    return picture[start : start + int(side), start : start + int(side)]


def _cropped_size(side: int, amount: float) -> int:
    if amount > side:
        raise ValueError(f"step 'centre-crop:{amount:g}': what it is given has {side} px")
    return int(amount)


STEPS: Mapping[str, Step] = {
    WHITE_BALANCE: Step("illumination and white balance, on the whole frame", lambda picture, _: picture),
    "median": Step("median filter of so many pixels", _median, 3, 15, whole_number=True, odd=True),
    "gaussian": Step("Gaussian low-pass with this standard deviation, pixels", _gaussian, 0.1, 20),
    "wiener": Step("adaptive Wiener filter of so many pixels", _wiener, 3, 31, whole_number=True, odd=True),
    "equalize": Step("histogram equalization of the lightness", _equalized),
    "clahe": Step("contrast-limited adaptive histogram equalization of the lightness", _clahe, 0.1, 40),
    "foreground": Step("what is lighter than the histogram's threshold becomes background", _foreground),
    "on-glass": Step("a cell cut out on black laid on glass of this grey level", _on_glass, 20, 255),
    "centre-crop": Step(
        "the middle, of so many pixels", _centre, 8, 1024, size=_cropped_size, whole_number=True
    ),
    "resize": Step(
        "scaled to so many pixels", lambda picture, side: _scaled(picture, int(side)), 8, 1024,
        size=lambda _side, amount: int(amount), whole_number=True, scales=True,
    ),
}  # fmt: skip
"""Name -> the steps that a manifest may ask for."""
