"""The lines of a stage micrometer as a ruler: their distance in pixels, whatever way they run.

Equidistant lines are one sharp peak in the picture's spectrum. Its place is sought between the bins of the
Fourier transform, where the transform of the windowed picture is largest, so that the distance comes out to
a small fraction of a pixel; pieces of the picture, measured each by itself, tell how sure it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.types import U8, LeukoscopeError

Reals = NDArray[np.float64]

_WORK_PX = 640  # longest side looked at: a line is then still a pixel wide where hundreds show
_LEAST_LINES = 4
_FINEST_PX = 3.0  # less between two lines, and they blur into each other
_BACKGROUND = 0.15  # of the shorter side: what is smoother than this is lamp, not lines
_OUTLIERS = 1.0  # percent at either end: dirt, scratches and glare
_CLEAR = 8.0  # times the spectrum's median at this fineness; what has no direction, like cells, has up to 4
_BAND_CLEAR = 5.0  # the same in the profile of a band across the lines
_EQUIDISTANT = 7.0  # times what lies between the multiples; lines at random have up to 4, poor scales from 13
_HARMONIC = 0.6  # of the strongest peak: multiples of the lines' own frequency are not much stronger than it
_MOST_HARMONICS = 12
_TOGETHER = 4
_BANDS = 10  # some of which hold the short lines of a scale
_SAME = 0.06  # two distances are the same, or the one a multiple of the other, within this share of a line
_PIECES = 4  # along the lines, and half as many across
_PIECE_CLEAR = 0.3  # of the clearest one's strength
_ALONE = 0.02  # relative error of a distance that nothing confirms
_FINEST_STEP = 1e-3  # of a bin of the transform, which is one line more or less in the whole picture
_LEAST_ERROR = 0.001  # relative: what a good micrometer's own lines may be off over a field


class MicrometerError(LeukoscopeError):
    """The picture shows no lines at equal distances. Says what to do."""


@dataclass(frozen=True)
class Ruling:
    """Equidistant lines in a picture.

    Attributes
    ----------
    distance_px : from line to line, pixels of the picture. uncertainty : relative standard error.
    lines : how many fit into the picture across.
    """

    distance_px: float
    uncertainty: float
    lines: int


def measure(pixels: U8) -> Ruling:
    """The finest equidistant lines that a picture, (H, W, 3) uint8 RGB, is full of.

    Of a scale with lines of different lengths it is the distance of neighbours that counts, where at least
    two tenths of the picture show the short ones.

    Raises
    ------
    MicrometerError : no lines, too few of them, or not at equal distances.
    """
    shrink = min(_WORK_PX / max(pixels.shape[:2]), 1.0)
    flattened = _flattened(pixels, shrink)
    picture = _windowed(flattened)
    across = _finest(picture, _fundamental(picture, _refined(picture, _peak(picture))))
    across = _refined(picture, across, _TOGETHER)
    _check(picture, across)
    distance = 1 / float(np.hypot(*across))
    pieces = _distances(flattened, across)
    spread = float(np.std(np.log(pieces), ddof=1)) / np.sqrt(len(pieces)) if len(pieces) > 1 else _ALONE
    lines = int(_lines(picture, across))
    return Ruling(distance / shrink, float(np.hypot(spread, _LEAST_ERROR)), lines)


def scale(rulings: Sequence[Ruling], line_um: float) -> tuple[float, float]:
    """µm per pixel and its relative standard error, from one or more pictures of lines `line_um` apart."""
    distances = np.array([ruling.distance_px for ruling in rulings])
    middle = float(np.median(distances))
    error = float(np.median([ruling.uncertainty for ruling in rulings]))
    if len(rulings) > 1:
        error = float(np.hypot(error, np.std(distances / middle, ddof=1) / np.sqrt(len(rulings))))
    return line_um / middle, error


def _refusal() -> MicrometerError:
    return MicrometerError(
        "micrometer: no lines at equal distances are seen; focus on the scale, turn it so that at least"
        f" {_LEAST_LINES} of its lines cross the whole picture, and wipe it clean"
    )


def _flattened(pixels: U8, shrink: float) -> Reals:
    """Logarithm of the green light without its smooth part and without outliers."""
    green = cv2.resize(
        cv2.extractChannel(pixels, 1), None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA
    )
    if min(green.shape) < 4 * _FINEST_PX * _LEAST_LINES:
        raise _refusal()
    logs = np.log(np.maximum(green, 1)).astype(np.float32)
    logs -= cv2.GaussianBlur(logs, (0, 0), _BACKGROUND * min(logs.shape))
    logs = np.clip(logs, *np.percentile(logs, [_OUTLIERS, 100 - _OUTLIERS]))
    return np.asarray(logs, np.float64)


def _windowed(values: Reals) -> Reals:
    """Without its mean, fading towards the edges (Hann)."""
    height, width = values.shape
    return np.asarray((values - values.mean()) * np.hanning(height)[:, None] * np.hanning(width))


def _peak(picture: Reals) -> Reals:
    """(2,) x and y, cycles per pixel, of the strongest direction; MicrometerError where none stands out."""
    power = np.abs(np.fft.rfft2(picture))
    fy, fx = np.fft.fftfreq(picture.shape[0])[:, None], np.fft.rfftfreq(picture.shape[1])[None]
    fineness = np.hypot(fx, fy)
    lines = np.abs(fx) * picture.shape[1] + np.abs(fy) * picture.shape[0]
    allowed = (lines >= _LEAST_LINES) & (fineness <= 1 / _FINEST_PX)
    row, column = np.unravel_index(int(np.argmax(np.where(allowed, power, 0))), power.shape)
    if not power[row, column]:
        raise _refusal()
    alike = np.abs(fineness / fineness[row, column] - 1) < 0.1
    if power[row, column] < _CLEAR * np.median(power[alike]):
        raise _refusal()
    return np.array([fx[0, column], fy[row, 0]])


def _refined(picture: Reals, near: Reals, multiples: int = 1) -> Reals:
    """Where the transform of a windowed picture is largest near a frequency: a search in shrinking steps.

    Its multiples, summed with it, place thin lines the better, and most of all where there are few.
    """
    side = np.array(picture.shape[::-1])
    best, step = near, 0.5 / side
    while step[0] * side[0] > _FINEST_STEP and (np.abs(best - near) * side < 2).all():
        fx, fy = (best[i] + step[i] * np.array([-1, 0, 1]) for i in (0, 1))
        k = np.arange(1, multiples + 1)[:, None]
        strength = _transform(picture, (k * fx).ravel(), (k * fy).ravel()).reshape(multiples, 3, multiples, 3)
        at = int(np.argmax(np.einsum("kykx->yx", strength)))
        best = np.array([fx[at % 3], fy[at // 3]])
        if at == 4:  # the middle one
            step = step / 2
    return best


def _transform(picture: Reals, fx: Reals, fy: Reals) -> Reals:
    """Size of the Fourier transform at any frequencies, (len(fy), len(fx))."""
    height, width = picture.shape
    down = 2 * np.pi * np.atleast_1d(fy)[:, None] * np.arange(height)
    across = 2 * np.pi * np.atleast_1d(fx)[:, None] * np.arange(width)
    # a picture made complex would be copied every time
    real, imaginary = np.split(np.concatenate([np.cos(down), -np.sin(down)]) @ picture, 2)
    return np.asarray(np.abs((real + 1j * imaginary) @ np.exp(-1j * across).T))


def _fundamental(picture: Reals, across: Reals) -> Reals:
    """The frequency of the lines themselves: thin ones are as strong in its multiples."""
    least = _HARMONIC * _transform(picture, *across).item()
    for part in range(_MOST_HARMONICS, 1, -1):
        candidate = across / part
        if _lines(picture, candidate) >= 1 and _transform(picture, *candidate).item() >= least:
            return _refined(picture, candidate)
    return across


def _lines(picture: Reals, across: Reals) -> float:
    """How many lines fit into a picture, across."""
    return float(np.abs(across) @ picture.shape[::-1])


def _check(picture: Reals, across: Reals) -> None:
    """Raise MicrometerError for too few lines, and for lines that are parallel but not equidistant.

    Equidistant ones leave nothing between the multiples of their frequency.
    """
    at, between = (
        sum(_transform(picture, *(k * across)).item() for k in np.arange(1, _TOGETHER + 1) - off)
        for off in (0.0, 0.5)
    )
    if _lines(picture, across) < _LEAST_LINES or at < _EQUIDISTANT * between:
        raise _refusal()


def _finest(picture: Reals, across: Reals) -> Reals:
    """The frequency of neighbouring lines, where some are longer than others.

    Bands that the short lines cross, too, have their peak at the neighbours' distance, others at that of
    the long lines.
    """
    found = [f for f in map(_band_peak, _bands(picture, across)) if f]
    strongest = float(np.hypot(*across))
    finer = [f for f in found if f > 1.5 * strongest and _is_multiple(f / strongest)]
    for f in sorted(finer, reverse=True):
        if sum(abs(other / f - 1) < _SAME for other in finer) >= 2:
            return _refined(picture, across * (round(f / strongest)))
    return across


def _is_multiple(ratio: float) -> bool:
    return abs(ratio - round(ratio)) < _SAME * round(ratio)


def _bands(picture: Reals, across: Reals) -> Reals:
    """(n, length) profiles across the lines, each of a band of the picture along them."""
    x_share, y_share = across / np.hypot(*across)
    y, x = np.ogrid[: picture.shape[0], : picture.shape[1]]
    u, v = x * x_share + y * y_share, y * x_share - x * y_share
    u = np.rint(u - u.min()).astype(np.intp)
    length = int(u.max()) + 1
    band = ((v - v.min()) / (np.ptp(v) + 1e-9) * _BANDS).astype(np.intp)
    where = (band * length + u).ravel()
    count = np.bincount(where, minlength=_BANDS * length)
    total = np.bincount(where, picture.ravel(), minlength=_BANDS * length)
    return np.asarray((total / np.maximum(count, 1)).reshape(_BANDS, length))


def _band_peak(profile: Reals) -> float | None:
    """Cycles per pixel of the longest strong period of a profile, None where none stands out."""
    power = np.abs(np.fft.rfft(profile, 4 * len(profile)))
    frequencies = np.fft.rfftfreq(4 * len(profile))
    allowed = (frequencies * len(profile) >= _LEAST_LINES) & (frequencies <= 1 / _FINEST_PX)
    if not allowed.any():
        return None
    strongest = float(power[allowed].max())
    if strongest < _BAND_CLEAR * np.median(power[allowed]):
        return None
    first = int(np.argmax(allowed & (power >= _HARMONIC * strongest)))
    return float(frequencies[first + int(np.argmax(power[first : first + 4]))])


def _distances(flattened: Reals, across: Reals) -> Reals:
    """Distance of the lines in parts of the picture that show them well, each by itself, (n,) pixels."""
    many, few = _PIECES, _PIECES // 2
    rows, columns = (many, few) if abs(across[0]) > abs(across[1]) else (few, many)
    parts = [
        _windowed(part)
        for strip in np.array_split(flattened, rows, axis=0)
        for part in np.array_split(strip, columns, axis=1)
    ]
    found = [_refined(part, across) for part in parts]
    strength = np.array([_transform(part, *f).item() for part, f in zip(parts, found, strict=True)])
    clear = strength > _PIECE_CLEAR * strength.max()
    return np.asarray(1 / np.hypot(*np.array(found)[clear].T))
