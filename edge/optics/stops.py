"""What an eyepiece or a stop leaves black of a picture, and the rim of the rest.

The rest is the largest lit part without what is thin about it (letters, scale bars), and of that the convex
hull: stops and eyepieces are convex, while cells and dirt at their rims dent them. A cell that its makers
cut out and laid on black lies in no stop: nothing about it is clear glass.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from edge.types import F32, F64, U8

BLACK = 12
"""Grey level that no lit specimen stays under in all three channels."""

_DARK = 0.06  # of the bright level: less than any cell has at a field's dim rim
_VEILED = 0.2  # where stray light veils the black; then its rim must be a step
_BRIGHT = 0.95  # quantile of the light that is the bright level
_LEAST_BRIGHT = 30  # grey levels; a darker picture shows nothing
_STEP = 2.0  # times as bright inside a rim as outside; two samples of vignetting make 1.3 at most
_STEP_PX = 3  # from the rim to where that is seen
_STEP_ROUND = 0.7  # of the rim that does not lie on the picture's edge
_THIN = ((0.05, 0.96), (0.15, 0.9))
"""Half the width of what is thin, by the shorter side, and the share of its hull that a field then fills:
letters and scale bars; and where that leaves no convex field, labels that overlap its rim."""

_LEAST_SHARE = 0.05  # of the picture
_LOST = 0.003  # of the picture; less is dirt at its edge, or nothing
_LOST_SURELY = 0.03  # where one corner only is missing, as dirt may do, or the black is veiled
_FADED = 0.85  # of the light further in: a rim's blur has ended
_FADE_PX = 8
_NO_GLASS, _NO_GLASS_BESIDE = 0.17, 0.3
"""Green that the brightest lack. Glass in the pinkest fields seen: 0.11 in the middle, 0.25 in a corner; the
palest of cells cut out: 0.23 (chula, C-NMC)."""
_FREE = 0.1  # of the picture's edge at most that a cell cut out touches
_BRIGHTEST = 0.15


@dataclass(frozen=True, eq=False)
class _Part:
    """A lit part of a picture.

    Attributes
    ----------
    mask : (h, w) uint8, 1 inside, holes filled. depth : (h, w) float32, pixels from what is not.
    core : (k, 1, 2) float32, hull of what lies `thin` deep or deeper.
    """

    mask: U8
    depth: F32
    core: F32
    thin: float


def rim(pixels: U8) -> F64 | None:
    """Corners of the lit field of a small (h, w, 3) uint8 RGB picture.

    (k, 2) float64, x and y in shares of its width and height, in order; None where all of it is lit, or
    nothing.
    """
    light = _brightest_channel(pixels)
    few = np.sort(light[::6, ::6].ravel())
    bright = float(few[int(len(few) * _BRIGHT)])
    if bright < _LEAST_BRIGHT:
        return None
    sides = np.concatenate([light[0], light[-1], light[:, 0], light[:, -1]])
    for share in (_DARK, _VEILED):
        level = max(share * bright, BLACK)
        if np.count_nonzero(sides <= level) < 3:
            continue
        part = _largest(light, level)
        if part is None or _cut_out(pixels, part):
            return None
        corners = _around(light, part)
        veiled = share > _DARK
        if _missing(corners, light, veiled) and not (veiled and not _steep(light, part)):
            return corners / light.shape[::-1]
    return None


def _brightest_channel(pixels: U8) -> U8:
    red, green, blue = cv2.split(pixels)
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def _largest(light: U8, level: float) -> _Part | None:
    """The largest part that is brighter than `level`; None where it is small or far from convex."""
    _, lit = cv2.threshold(cv2.medianBlur(light, 3), int(level), 1, cv2.THRESH_BINARY)
    outlines, _ = cv2.findContours(lit, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return None
    outline = max(outlines, key=cv2.contourArea)
    mask = np.zeros(light.shape, np.uint8)
    cv2.drawContours(mask, [outline], 0, 1, cv2.FILLED)
    depth = np.asarray(cv2.distanceTransform(mask, cv2.DIST_L2, 3), np.float32)
    for thin, full in _THIN:
        part = _without_thin(mask, depth, max(thin * min(light.shape), 1.0), full)
        if part is not None:
            return part
    return None


def _without_thin(mask: U8, depth: F32, thin: float, full: float) -> _Part | None:
    """The part, if so much of the hull of what lies `thin` deep is `full`, and it is large enough."""
    cores, _ = cv2.findContours((depth > thin).view(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not cores:
        return None
    core = np.asarray(cv2.convexHull(max(cores, key=cv2.contourArea)), np.int32)
    inside = np.zeros(mask.shape, np.uint8)
    cv2.fillConvexPoly(inside, core, 1)
    filled = cv2.countNonZero(inside & mask)
    if filled < max(full * cv2.countNonZero(inside), _LEAST_SHARE * mask.size):
        return None
    return _Part(mask, depth, core.astype(np.float32), thin)


def _cut_out(pixels: U8, part: _Part) -> bool:
    """Whether the part is a cell that was cut out: stain everywhere, in its brightest spots too.

    Such a cell stands free; at the picture's edge, where glass is pinkest, it takes more to be taken for one.
    """
    mask = part.mask
    beside = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    shown = pixels[::4, ::4][part.depth[::4, ::4] > 1]
    rank = int(len(shown) * (1 - _BRIGHTEST))
    brightest = shown[:, 1] >= np.partition(shown[:, 1], rank)[rank]
    red, green, blue = shown[brightest].mean(axis=0).tolist()
    lacking = _NO_GLASS if beside.mean() < _FREE else _NO_GLASS_BESIDE
    return bool((red + blue) / 2 - green > lacking * max(red, green, blue))


def _around(light: U8, part: _Part) -> F64:
    """Corners of the part within its rim's blur, (k, 2) float64, x and y in pixels."""
    grow = part.thin - _fade(light, part)
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    disc = grow * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    grown = cv2.convexHull((cv2.approxPolyDP(part.core, 0.3, True) + disc.astype(np.float32)).reshape(-1, 2))
    height, width = light.shape
    picture = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    _, corners = cv2.intersectConvexConvex(np.asarray(grown, np.float32), picture)
    return np.asarray(cv2.approxPolyDP(corners, 0.3, True), np.float64).reshape(-1, 2)


def _fade(light: U8, part: _Part) -> float:
    """How far into the part the blur of its rim reaches, in pixels, 1 at least."""
    depth, light = part.depth[::2, ::2], light[::2, ::2]
    near = (depth > 0) & (depth < _FADE_PX + 1)
    ring = depth[near].astype(np.int32)
    total = np.bincount(ring, light[near], minlength=_FADE_PX + 1)[1:]
    mean = total / np.maximum(np.bincount(ring, minlength=_FADE_PX + 1)[1:], 1)
    return 1.0 + int(np.argmax(mean >= _FADED * mean[-1]))


def _missing(corners: F64, light: U8, veiled: bool) -> bool:
    """Whether enough of the picture lies outside to be more than dirt in one of its corners."""
    height, width = light.shape
    around = corners.astype(np.float32)
    lost = 1 - cv2.contourArea(around) / light.size
    ends = [(x, y) for x in (1, width - 1) for y in (1, height - 1)]
    away = sum(cv2.pointPolygonTest(around, end, False) < 0 for end in ends)
    return lost > (_LOST if away > 1 and not veiled else _LOST_SURELY)


def _steep(light: U8, part: _Part) -> bool:
    """Whether the light falls at once along most of the rim, as it does at a stop but not by vignetting."""
    start = part.core[:, 0]
    along = np.roll(start, -1, axis=0) - start
    length = np.hypot(*along.T)
    ends = np.concatenate([[0.0], np.cumsum(length)])
    walked = np.arange(ends[-1])
    side = np.searchsorted(ends, walked, side="right") - 1
    direction = along[side] / length[side, None]
    place = start[side] + direction * (walked - ends[side])[:, None]
    normal = np.stack([direction[:, 1], -direction[:, 0]], axis=1)
    normal *= np.sign((normal * (place - start.mean(axis=0))).sum())
    outside, inside = (
        np.rint(place + normal * (part.thin + off)).astype(int) for off in (_STEP_PX, -_STEP_PX)
    )
    there = ((outside >= 0) & (outside < light.shape[::-1])).all(axis=1)
    if not there.any():
        return False
    ours, theirs = (light[at[there, 1], at[there, 0]].astype(float) for at in (inside, outside))
    return bool(np.mean(ours >= _STEP * np.maximum(theirs, 1)) >= _STEP_ROUND)
