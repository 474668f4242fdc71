"""Patches of fields, turned, mirrored and zoomed, and what the network should say of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.runtimes.dynamic import BEYOND
from edge.types import F32, I32, U8, Bools
from train.published.detection.boxes import Scene
from train.recipes.detection import STRIDE, Detection

I64 = NDArray[np.int64]

_VISIBLE = 0.3  # least share of a box that a patch must show of it to ask for it
_THINNEST_UM = 1.2  # that a box may be cut to
_SPREAD = 1 / 9  # standard deviation of a middle's peak, by the side of the box
_NARROWEST = 0.5  # the same in places
_CORE = 0.45  # of a box, by its sides: the places round its middle that tell class and box


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches of side S and their targets on a grid of s = S / `STRIDE` places.

    Attributes
    ----------
    pixels : (n, S, S, 3) uint8 RGB.
    heat, known : (n, 1, s, s) float32, 1 at the middles of cells and falling off round them; 0 where a cell
        is cut so that it is neither asked for nor forbidden.
    boxes : (n, 4, s, s) float32, xyxy in pixels of the patch, of the cell that a place tells of.
    labels : (n, s, s) int64, its class. weights : (n, 1, s, s) float32, how much a place counts for it; they
        sum to 1 over a cell that no other lies on.
    """

    pixels: U8
    heat: F32
    known: F32
    boxes: F32
    labels: I64
    weights: F32


def batch(chosen: Sequence[Scene], settings: Detection, rng: np.random.Generator) -> Batch:
    """One random patch of each scene."""
    parts = [_patch(scene, settings, rng) for scene in chosen]
    return Batch(*(np.stack(part) for part in zip(*parts, strict=True)))


def _patch(scene: Scene, settings: Detection, rng: np.random.Generator) -> tuple[U8, F32, F32, F32, I64, F32]:
    side = settings.patch_px
    low, high = np.log(settings.zoom)
    zoom = float(np.exp(rng.uniform(low, high)))
    room = np.array(scene.view.pixels.shape[1::-1]) * zoom - side
    shift = rng.uniform(np.minimum(room, 0), np.maximum(room, 0))
    # OpenCV counts from the middle of the first pixel, boxes from its corner
    to_patch = np.array([[zoom, 0, (zoom - 1) / 2 - shift[0]], [0, zoom, (zoom - 1) / 2 - shift[1]]])
    beyond = (BEYOND,) * 3
    pixels = cv2.warpAffine(scene.view.pixels, to_patch, (side, side), borderValue=beyond)
    boxes = scene.boxes * zoom - np.tile(shift, 2)
    pixels, boxes = _turned(np.asarray(pixels, np.uint8), boxes, int(rng.integers(8)))
    return pixels, *targets(boxes.astype(np.float32), scene.labels, side, scene.view.pitch_um)


def _turned(pixels: U8, boxes: F32, way: int) -> tuple[U8, F32]:
    """One of the eight ways to lay a square."""
    side = len(pixels)
    if way & 4:
        pixels, boxes = pixels.swapaxes(0, 1), boxes[:, [1, 0, 3, 2]]
    if way & 1:
        pixels, boxes = (
            pixels[:, ::-1],
            np.stack([side - boxes[:, 2], boxes[:, 1], side - boxes[:, 0], boxes[:, 3]], axis=1),
        )
    if way & 2:
        pixels, boxes = (
            pixels[::-1],
            np.stack([boxes[:, 0], side - boxes[:, 3], boxes[:, 2], side - boxes[:, 1]], axis=1),
        )
    return pixels, boxes


def targets(boxes: F32, labels: I32, side: int, pitch_um: float) -> tuple[F32, F32, F32, I64, F32]:
    """Heat, known, boxes, labels and weights of a patch; see `Batch`.

    Parameters
    ----------
    boxes : (m, 4) float32, xyxy in pixels of the patch, may reach beyond it. labels : (m,) int32.
    side : of the patch, pixels.
    """
    places = side // STRIDE
    heat, known = np.zeros((places, places), np.float32), np.ones((places, places), np.float32)
    weights = np.zeros_like(heat)
    near, what = np.zeros((4, places, places), np.float32), np.zeros((places, places), np.int64)
    within = np.clip(boxes, 0, side)
    visible = (within[:, 2:] - within[:, :2]).prod(axis=1)
    shown = _shown(boxes, within, visible, _THINNEST_UM / pitch_um)
    for box in within[~shown & (visible > 0)]:
        x0, y0, x1, y1 = (box / STRIDE).round().astype(int).tolist()
        known[y0:y1, x0:x1] = 0
    y, x = np.mgrid[:places, :places].astype(np.float32) + np.float32(0.5)
    # the largest first: where two tell of the same place, the smaller cell lies on top
    for i in sorted(np.flatnonzero(shown).tolist(), key=lambda i: -float(visible[i])):
        x0, y0, x1, y1 = (within[i] / STRIDE).tolist()
        column, row = (min(int((a + b) / 2), places - 1) for a, b in ((x0, x1), (y0, y1)))
        across, down = (max((b - a) * _SPREAD, _NARROWEST) for a, b in ((x0, x1), (y0, y1)))
        peak = np.exp(-(((x - x[row, column]) / across) ** 2 + ((y - y[row, column]) / down) ** 2) / 2)
        np.maximum(heat, np.minimum(peak, 0.94), out=heat)
        heat[row, column] = known[row, column] = 1
        own = ((x - x[row, column]) / max(x1 - x0, 1)) ** 2 + ((y - y[row, column]) / max(y1 - y0, 1)) ** 2
        core = own <= (_CORE / 2) ** 2
        weights[core] = (peak / peak[core].sum())[core]
        near[:, core], what[core] = within[i][:, None], labels[i]
    return heat[None], known[None], near, what, weights[None]


def _shown(boxes: F32, within: F32, visible: F32, thinnest: float) -> Bools:
    """(m,) which cells a patch shows enough of."""
    whole = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    wide = (within[:, 2:] - within[:, :2]).min(axis=1, initial=np.inf) >= thinnest
    entire = (boxes == within).all(axis=1)
    return np.asarray(entire | ((visible >= _VISIBLE * whole) & wide), np.bool_)
