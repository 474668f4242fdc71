"""Bars of one colour along the sides of a picture: letterboxes, captions, frames.

A bar is a run of lines of one colour, whatever the colour and what is written on it, that ends all at once;
glass that is burnt out has one colour too, but ends where the cells happen to lie.
"""

from __future__ import annotations

import cv2
import numpy as np

from edge.types import F32, U8

LINES = 128
"""Lines of a sample along the shorter side."""

_FEW = 64  # places along the outermost lines, enough to see that they have several colours

_ONE_COLOUR = 8  # grey levels that a bar differs from its colour by: what JPEG makes of it
_CLEARLY = 14  # by which the picture differs from it a step further on; light that falls off does not
_SPREAD = 6  # that most of its outermost line keeps within: glass has noise
_BAR_SHARE = 0.6  # of the outermost line is bar; the rest may be letters
_BESIDE, _BEYOND = 0.3, 0.6  # of the usual share of picture in a line, before and after the end of a bar
_FULL = 0.8  # quantile of the lines that shows the usual share, letters and corners aside
_LEAST_FULL = 0.1  # lines with less picture in them are all bar
_BAR = 0.5  # of the lines outside its end are free of writing
_DENSE = 0.65  # of what bars leave has another colour; between cells on burnt-out glass it is less
_STEP_SHARE = 1 / 135  # of the picture's shorter side, in which a bar ends
_STEP_PX = 4  # at least: half a block of JPEG
_LEAST_PX = 32  # that bars leave of either side

Colour = tuple[int, int, int]
"""Red, green and blue, grey levels."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels, half-open."""


def sample(pixels: U8) -> U8:
    """A picture of some `LINES` lines along its shorter side, of an (H, W, 3) one's own pixels."""
    height, width = pixels.shape[:2]
    step = max(min(height, width) / LINES, 1.0)
    return _nearest(pixels, max(int(height / step), 1), max(int(width / step), 1))


def within(pixels: U8, few: U8) -> Box:
    """What the bars along its sides leave of an (H, W, 3) uint8 picture, of which `few` is the `sample`."""
    height, width = pixels.shape[:2]
    everything = (0, 0, width, height)
    colours = _outermost(pixels)
    if not colours:
        return everything
    alike = {colour: _like(few, colour) for colour in set(colours.values())}
    thick = {side: _thickness(pixels, alike[colour], colour, *side) for side, colour in colours.items()}
    ends = [thick.get((axis, far), 0) for far in (False, True) for axis in (1, 0)]
    box = (ends[0], ends[1], width - ends[2], height - ends[3])
    if min(box[2] - box[0], box[3] - box[1]) < _LEAST_PX:
        return everything
    inside = sample(pixels[box[1] : box[3], box[0] : box[2]]) if any(ends) else few
    for side, colour in colours.items():
        if thick[side] and _like(inside, colour).mean() > 255 * (1 - _DENSE):
            return everything
    return box


def _nearest(pixels: U8, height: int, width: int) -> U8:
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _outermost(pixels: U8) -> dict[tuple[int, bool], Colour]:
    """Sides whose line next to the picture's edge is mostly of one colour, and that.

    A side is given by its axis, 0 for rows, and whether it is the far one.
    """
    lines = (pixels[1:2], pixels[-2:-1], pixels[:, 1:2], pixels[:, -2:-1])
    few = np.stack([_nearest(line, *_places(line)).reshape(-1, 3) for line in lines])
    few.sort(axis=1)
    low, high = (
        few[:, round(q * (_FEW - 1))].astype(np.int16) for q in (0.5 - _BAR_SHARE / 2, 0.5 + _BAR_SHARE / 2)
    )
    alike = ((high - low).max(axis=1) <= _SPREAD).tolist()
    sides = ((0, False), (0, True), (1, False), (1, True))
    found: dict[tuple[int, bool], Colour] = {}
    for side, line in zip(sides, few, strict=True):
        if alike[sides.index(side)]:
            red, green, blue = line[_FEW // 2].tolist()
            own = (red, green, blue)
            found[side] = next(
                (c for c in found.values() if max(map(abs, np.subtract(c, own))) <= _SPREAD), own
            )
    return found


def _places(line: U8) -> tuple[int, int]:
    return (1, _FEW) if line.shape[0] == 1 else (_FEW, 1)


def _like(pixels: U8, colour: Colour, within: int = _ONE_COLOUR) -> U8:
    """255 where a picture has this colour, within so many grey levels, else 0, (h, w) uint8."""
    low, high = (tuple(level + off for level in colour) for off in (-within, within))
    return np.asarray(cv2.inRange(pixels, low, high), np.uint8)


def _other(alike: U8, axis: int) -> F32:
    """Share of each row (axis 0) or column (1) that is not `_like`, (n,) float32."""
    mean = cv2.reduce(alike, 1 - axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F)
    return np.asarray(1 - np.asarray(mean).ravel() / 255, np.float32)


def _thickness(pixels: U8, alike: U8, colour: Colour, axis: int, far: bool) -> int:
    """How many lines of this colour lie along a side of a picture; 0 where they don't end at once.

    Sought in the sample, of which `alike` says what has this colour, then line by line where the sample says
    that it ends. What the step blurs counts as bar.
    """
    length = pixels.shape[axis]
    step = max(round(float(min(pixels.shape[:2])) * _STEP_SHARE), _STEP_PX)
    other = _other(alike, axis)
    depth = np.arange(len(other)) * length // len(other)
    if far:
        other, depth = other[::-1], length - 1 - depth[::-1]
    rank = int(len(other) * _FULL)
    usual = float(np.partition(other, rank)[rank])
    if usual < _LEAST_FULL:
        return 0
    first = _end(other / usual)
    if first is None:
        return 0
    near, beyond = max(int(depth[max(first - 2, 0)]) - step, 0), int(depth[first]) + 1 + step
    lines = slice(length - beyond, length - near) if far else slice(near, beyond)
    strip = pixels[lines] if axis == 0 else pixels[:, lines]
    size = (beyond - near, LINES) if axis == 0 else (LINES, beyond - near)
    strip = _nearest(strip, *size)
    fine, clear = (_other(_like(strip, colour, off), axis) for off in (_ONE_COLOUR, _CLEARLY))
    if far:
        fine, clear = fine[::-1], clear[::-1]
    end = len(fine) - int(np.argmin(fine[::-1] > (_BESIDE + _BEYOND) / 2 * usual))
    begins, ends = fine[max(end - step, 0)], clear[min(end + step, len(clear) - 1)]
    if end == len(fine) or begins > _BESIDE * usual or ends < _BEYOND * usual:
        return 0
    return near + end + step // 2


def _end(other: F32) -> int | None:
    """The sample's first line beyond a bar, by the lines' share of other colours; None where none ends.

    What is written on a bar has lines like a picture's, so the innermost end counts outside of which half of
    the lines, and the last but one, are bar.
    """
    bar = other <= _BESIDE
    beyond = other >= _BEYOND
    beyond[2:] &= bar[:-2]
    ends = np.flatnonzero(beyond)
    before = np.cumsum(bar)[ends - 1] if len(ends) else ends
    ends = ends[(before >= _BAR * (ends - 1)) | (ends == 0)]
    return int(ends[-1]) if len(ends) else None
