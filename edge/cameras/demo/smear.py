"""The simulated slide: what light it lets through at any place, and the truth about what lies there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import partial
from itertools import product
from math import ceil, floor
from typing import Any, TypeVar

import cv2
import numpy as np

from edge.cameras.demo.cytology import LEUKOCYTES, draw
from edge.cameras.demo.debris import draw_red_cell
from edge.cameras.demo.drawing import Dye, stamp
from edge.cameras.demo.layout import BLOCK_UM, RedCellField, lay_out
from edge.cameras.demo.scope import Scope
from edge.types import F32, U8

TILE_PX = 256
TILES_KEPT, CELLS_KEPT, BLOCKS_KEPT = 48, 10, 24
CLEAR = 235  # tile value of clear glass; refraction can be brighter
RED_CELL_LOOKS = 56
NATURAL_LOSS = np.float32(-np.log(10))  # from decadic optical density to the logarithm of light

T = TypeVar("T")


class _Kept:
    """The last `limit` results of a function of hashable arguments."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._results: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        if key in self._results:
            self._results.move_to_end(key)
        else:
            self._results[key] = make()
            if len(self._results) > self._limit:
                self._results.popitem(last=False)
        result: T = self._results[key]
        return result


class Smear:
    """The slide of a scope, drawn tile by tile as it is looked at.

    Pixels are counted from the slide's upper left corner on the camera's grid, so slide pixel (x, y) covers
    micrometres x to x + 1 times `um_per_px`. Memory stays bounded: some 20 MB.
    """

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.layout = lay_out(scope)
        self._red_cells = RedCellField(scope, self.layout)
        self._radii_um = 0.8 * self.layout.diameters_um + 1.6
        self._looks = self._draw_red_cell_looks()
        self._tiles, self._cells, self._blocks = _Kept(TILES_KEPT), _Kept(CELLS_KEPT), _Kept(BLOCKS_KEPT)

    def _draw_red_cell_looks(self) -> list[F32]:
        scope = self.scope
        rng = np.random.default_rng([scope.seed, 4])
        size = 1 + scope.red_cell_spread * rng.standard_normal(RED_CELL_LOOKS).clip(-2.5, 2.5)
        return [draw_red_cell(rng, scope.um_per_px, scope.red_cell_um * s, scope.rim) for s in size]

    def window(self, x_px: int, y_px: int, width: int, height: int) -> U8:
        """Transmitted light (height, width, 3) uint8 RGB, `CLEAR` where there is only glass."""
        out = np.empty((height, width, 3), np.uint8)
        columns = range(x_px // TILE_PX, (x_px + width - 1) // TILE_PX + 1)
        rows = range(y_px // TILE_PX, (y_px + height - 1) // TILE_PX + 1)
        for row, column in product(rows, columns):
            tile = self._tiles.get((column, row), partial(self._draw_tile, column, row))
            left, top = column * TILE_PX - x_px, row * TILE_PX - y_px
            x0, x1 = max(left, 0), min(left + TILE_PX, width)
            y0, y1 = max(top, 0), min(top + TILE_PX, height)
            out[y0:y1, x0:x1] = tile[y0 - top : y1 - top, x0 - left : x1 - left]
        return out

    def _draw_tile(self, column: int, row: int) -> U8:
        psf_px = self.scope.psf_um / self.scope.um_per_px
        pad = ceil(3 * psf_px)
        left, top = column * TILE_PX - pad, row * TILE_PX - pad
        side = TILE_PX + 2 * pad
        haemoglobin = np.zeros((side, side), np.float32)
        self._add_red_cells(haemoglobin, left, top)
        colour = NATURAL_LOSS * self.scope.stain.density[Dye.HAEMOGLOBIN]
        log_light = np.asarray(cv2.merge([haemoglobin * loss for loss in colour]), np.float32)
        self._add_cells(log_light, left, top)
        exposed = cv2.convertScaleAbs(cv2.exp(log_light), alpha=CLEAR)
        blurred = cv2.GaussianBlur(exposed, (0, 0), psf_px)
        return np.ascontiguousarray(blurred[pad:-pad, pad:-pad], np.uint8)

    def _add_red_cells(self, haemoglobin: F32, left: int, top: int) -> None:
        um = self.scope.um_per_px
        side, far = len(haemoglobin), max(len(look) for look in self._looks) // 2 + 1
        # relaxation and warp carry a cell up to some 12 µm from its site
        reach_um = 0.75 * self.scope.red_cell_um + 12
        ends = (-reach_um, side * um + reach_um)
        first_x, last_x = (floor((left * um + end) / BLOCK_UM) for end in ends)
        first_y, last_y = (floor((top * um + end) / BLOCK_UM) for end in ends)
        for row, column in product(range(first_y, last_y + 1), range(first_x, last_x + 1)):
            cells = self._blocks.get((column, row), partial(self._red_cells.block, column, row))
            places = np.floor(cells.centres_um / um).astype(np.intp) - (left, top)
            x, y = places.T
            near = (x > -far) & (x < side + far) & (y > -far) & (y < side + far)
            for place, look in zip(places[near].tolist(), cells.draws[near].tolist(), strict=True):
                stamp(haemoglobin, self._red_cell(look), *place)

    def _red_cell(self, choice: float) -> F32:
        """One of the looks, turned or mirrored, by a number in [0, 1)."""
        look, pose = divmod(int(choice * RED_CELL_LOOKS * 8), 8)
        sprite = self._looks[look][:: 1 - 2 * (pose & 1), :: 1 - (pose & 2)]
        return sprite.T if pose & 4 else sprite

    def _add_cells(self, log_light: F32, left: int, top: int) -> None:
        um = self.scope.um_per_px
        x_um, y_um = self.layout.centres_um.T
        reach_um, side_um = self._radii_um, len(log_light) * um
        near = (x_um > left * um - reach_um) & (x_um < left * um + side_um + reach_um)
        near &= (y_um > top * um - reach_um) & (y_um < top * um + side_um + reach_um)
        for i in np.flatnonzero(near).tolist():
            x, y = np.floor(self.layout.centres_um[i] / um).astype(int).tolist()
            stamp(log_light, self._cells.get(i, partial(self._draw_cell, i)), x - left, y - top)

    def _draw_cell(self, i: int) -> F32:
        um = self.scope.um_per_px
        within = self.layout.centres_um[i] / um - np.floor(self.layout.centres_um[i] / um) - 0.5
        rng = np.random.default_rng([self.scope.seed, 5, i])
        diameter = float(self.layout.diameters_um[i])
        canvas = draw(str(self.layout.names[i]), rng, um, diameter, (float(within[0]), float(within[1])))
        return canvas.density(self.scope.stain) * NATURAL_LOSS

    def truth(self) -> dict[str, Any]:
        """What lies where: scale, composition, blast fraction of the leukocytes, and every cell."""
        layout, scope = self.layout, self.scope
        names = layout.names.tolist()
        counts = {name: names.count(name) for name in sorted(set(names))}
        leukocytes = sum(counts.get(name, 0) for name in LEUKOCYTES)
        columns = (names, layout.centres_um.tolist(), layout.diameters_um.tolist(), layout.touching.tolist())
        cells = [
            {
                "id": i,
                "class": name,
                "x_um": round(x, 3),
                "y_um": round(y, 3),
                "diameter_um": round(diameter, 3),
                "touching": None if other < 0 else other,
            }
            for i, (name, (x, y), diameter, other) in enumerate(zip(*columns, strict=True))
        ]
        return {
            "seed": scope.seed,
            "um_per_px": scope.um_per_px,
            "field_px": list(scope.field_px),
            "slide_um": list(scope.slide_um),
            "red_cell_um": scope.red_cell_um,
            "composition": counts,
            "blast_fraction": counts.get("blast", 0) / leukocytes,
            "cells": cells,
        }
