"""A small network that reads how large red cells are, in tiles all over a picture.

It sees the picture at several sizes, half an octave apart, and at each tells red cells of 8 to 32 pixels
across: in every tile it gives each diameter a probability, and that there are none. The same network reads
every size, so it knows nothing of cameras; lamp and strength of stain are taken out first. It is trained by
`python -m train.ruler`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources

import cv2
import numpy as np

from edge.optics.litfield import WHOLE, LitField
from edge.optics.outlines import RIM
from edge.optics.stops import BLACK
from edge.runtimes import Runtime, open_runtime
from edge.types import F32, U8, Bools

SMALLEST_PX = 8.0
"""Diameter of the smallest red cells that the network tells."""

BINS_PER_OCTAVE = 12
OCTAVES = 2
BINS = OCTAVES * BINS_PER_OCTAVE + 1
"""Diameters that the network tells, evenly spaced in their logarithm: 8 to 32 px, 6% apart."""

_SHIFTS = (0, 12, 18, 24, 30, 36, 42, 48)
"""How many bins smaller the picture is looked at: at its own size, half of it, and on in steps of √2."""

DIAMETERS = BINS + _SHIFTS[-1]
"""Bins of all sizes together: red cells of 8 to 512 px."""


TILE_PX = 96
"""Side of what the network sees at once: three to twelve red cells."""

_MIN_PX = 20
_LIT_PX = 8
_COARSER, _AROUND = 4, 17  # means over twice the width of the largest red cells that are told
_FLATTEST = 0.03  # spread of log intensity below which a picture holds noise
_LOG = np.log(np.maximum(np.arange(256), BLACK)).astype(np.float32)
_NOTHING = 0.22  # share of training tiles without red cells: train/ruler/samples.py
_BEYOND = 0.2  # share of those with red cells whose red cells are smaller or larger than the range
_PRIOR = np.full(BINS, (1 - _NOTHING) * (1 - _BEYOND) / BINS)
_PRIOR[[0, -1]] += (1 - _NOTHING) * _BEYOND / 2
_EMPTY = 0.25  # share of tiles without a red cell to see, in a picture that has some
_SUREST = 0.1  # how sure a tile may be that it shows red cells: laboratories differ


def evidence(pixels: U8, lit: LitField = WHOLE) -> F32:
    """What a picture, (H, W, 3) uint8 RGB, says of its red cells' diameter.

    Diameters are those of the picture's own pixels, from 8 px, evenly spaced in their logarithm.

    Returns
    -------
    (DIAMETERS,) float32, logarithm of how much likelier the picture is with red cells of that diameter than
    without any, its tiles taken as independent. Zero for a picture too small to be looked at.
    """
    inside = _inside(pixels, lit)
    tiles = [(shift, *tile) for shift in _SHIFTS for tile in _tiles(pixels, inside, shift)]
    likelier = np.zeros(DIAMETERS)
    runtime = network()
    for start in range(0, len(tiles), runtime.bound):
        shifts, pictures, masks = zip(*tiles[start : start + runtime.bound], strict=True)
        inputs = np.stack([normalised(p, m) for p, m in zip(pictures, masks, strict=True)])
        shares = runtime.run({"tiles": inputs})["diameters"].astype(np.float64)
        nothing = np.maximum(shares[:, :1], _SUREST) / _NOTHING
        ratio = np.log((1 - _EMPTY) * shares[:, 1:] / _PRIOR / nothing + _EMPTY)
        for shift, one in zip(shifts, ratio, strict=True):
            likelier += np.pad(one, (shift, DIAMETERS - BINS - shift), mode="edge")
    return likelier.astype(np.float32)


def normalised(tile: U8, lit: Bools) -> F32:
    """(4, h, w) float32 that the network takes: a (h, w, 3) picture, and 1 where it is lit.

    The picture as log intensities less their means round about, which takes out lamp, vignetting and glass,
    over their spread, which takes out how strong the stain is; 0 where it is not lit.
    """
    out = np.empty((4, *lit.shape), np.float32)
    logs, seen = out[:3], out[3]
    seen[:] = lit
    np.multiply(cv2.LUT(tile, _LOG).transpose(2, 0, 1), seen, out=logs)
    weight = np.maximum(_around(seen), 1e-6)
    for plane in logs:
        plane -= cv2.resize(_around(plane) / weight, (plane.shape[1], plane.shape[0]))
        plane *= seen
    deviation = cv2.norm(logs.ravel(), cv2.NORM_L1) / max(3 * int(np.count_nonzero(lit)), 1)
    logs *= 1 / max(1.25 * deviation, _FLATTEST)  # the spread of a normal distribution
    return np.asarray(np.clip(out, -4, 4, out=out), np.float32)


def _around(plane: F32) -> F32:
    """Means over all that is near, (h / 4, w / 4) float32."""
    size = plane.shape[1] // _COARSER, plane.shape[0] // _COARSER
    coarse = cv2.resize(plane, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.blur(coarse, (_AROUND, _AROUND), borderType=cv2.BORDER_CONSTANT), np.float32)


def _inside(pixels: U8, lit: LitField) -> Bools | None:
    """Where a picture shows the specimen, a pixel for `_LIT_PX` of its own; None where everywhere.

    The rim is left out, for there an eyepiece fades.
    """
    inside = lit.mask(*(-(-length // _LIT_PX) for length in pixels.shape[:2]))
    if inside is None:
        return None
    width = 2 * max(round(RIM * min(inside.shape)), 1) + 1
    shrunk = cv2.erode(inside.view(np.uint8), np.ones((width, width), np.uint8))
    return np.asarray(shrunk, np.uint8).view(np.bool_)


def _tiles(pixels: U8, inside: Bools | None, shift: int) -> Iterator[tuple[U8, Bools]]:
    """One or two parts of a picture made smaller: (96, 96, 3), and where there is picture.

    Two lie in opposite quarters of the picture, at every other size in the other two.
    """
    factor = 2 ** (shift / BINS_PER_OCTAVE)
    height, width = (int(length / factor) for length in pixels.shape[:2])
    if min(height, width) < _MIN_PX:
        return
    tops, lefts = _spread(height), _spread(width)
    places = list(zip(tops, lefts[:: -1 if shift % BINS_PER_OCTAVE else 1], strict=True))
    for (top, h), (left, w) in dict.fromkeys(places):
        y0, x0, y1, x1 = (int(at * factor) for at in (top, left, top + h, left + w))
        tile, mask = np.zeros((TILE_PX, TILE_PX, 3), np.uint8), np.zeros((TILE_PX, TILE_PX), np.bool_)
        tile[:h, :w] = _shrunk(pixels[y0:y1, x0:x1], factor, (w, h))
        if inside is None:
            mask[:h, :w] = True
        else:
            rows, columns = (
                ((np.arange(n) + 0.5 + at) * factor / _LIT_PX).astype(int) for n, at in ((h, top), (w, left))
            )
            mask[:h, :w] = inside[np.ix_(rows, columns)]
        if mask.any():
            yield tile, mask


def _shrunk(pixels: U8, factor: float, size: tuple[int, int]) -> U8:
    """A picture some times smaller: means of two to three pixels each way, the rest of them skipped.

    So large cells lose nothing by that, and of a large picture little has to be read.
    """
    if factor == 1:
        return pixels
    skip = int(factor / 2)
    return np.asarray(cv2.resize(pixels[::skip, ::skip], size, interpolation=cv2.INTER_AREA), np.uint8)


def _spread(length: int) -> list[tuple[int, int]]:
    """Where two tiles begin along a length, and how long they are; twice the same where there is but one."""
    if length <= TILE_PX:
        return [(0, length)] * 2
    free = length - TILE_PX
    inset = max(length // 2 - TILE_PX, 0) // 2  # in the middle of their halves
    return [(inset, TILE_PX), (free - inset, TILE_PX)]


@cache
def network() -> Runtime:
    """The shipped graph: `tiles`, (n, 4, 96, 96) float32, to `diameters`, (n, 1 + BINS) float32."""
    graph = (resources.files("edge") / "bundles" / "ruler.onnx").read_bytes()
    return open_runtime("ort", graph, precision="fp32", threads=1)
