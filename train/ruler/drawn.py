"""Drawn tiles: red cells as the laboratories at hand do not show them, and round things that are none."""

from __future__ import annotations

import cv2
import numpy as np

from edge.types import F32, U8

_LOOKS = 12  # different cells in a tile
_FINE = 2  # pixels drawn per pixel of the tile


def smear(rng: np.random.Generator, size: int, diameter: float) -> U8:
    """(size, size, 3) red cells of a mean diameter in pixels: pale or dense, crowded or not, round or not."""
    side, across = size * _FINE, diameter * _FINE
    density = np.zeros((side, side), np.float32)
    spacing = across * rng.choice([rng.uniform(0.75, 1.0), rng.uniform(1.0, 1.6), rng.uniform(1.6, 3.0)])
    pallor = rng.choice([0.0, rng.uniform(0.1, 0.5), rng.uniform(0.5, 0.95)], p=[0.2, 0.45, 0.35])
    look = {
        "pallor": pallor,
        "width": rng.uniform(0.25, 0.45) if pallor < 0.5 else rng.uniform(0.4, 0.8),
        "target": rng.uniform(0.3, 0.9) if rng.random() < 0.12 else 0.0,
        "rim": rng.uniform(0.1, 1.0) if rng.random() < 0.3 else 0.0,
        "oval": rng.choice([0.05, rng.uniform(0.1, 0.35)]),
        "spread": rng.uniform(0.02, 0.12),
    }
    opaque = rng.random() < 0.3  # cells that lie on one another do not always add up
    cells = [_red_cell(rng, across, look) for _ in range(_LOOKS)]
    for place in _places(rng, side, spacing):
        _add(density, cells[int(rng.integers(_LOOKS))], place, opaque)
    green = rng.uniform(0.12, 0.7)
    stain = green * np.array([rng.uniform(0.3, 1.0), 1.0, rng.uniform(0.35, 1.1)], np.float32)
    colours = density[..., None] * stain
    if rng.random() < 0.4:
        _nuclei(rng, colours, across)
    light = rng.uniform(150, 250) * np.array([1.0, rng.uniform(0.85, 1), rng.uniform(0.75, 1)], np.float32)
    return _photographed(light * np.exp(-colours), size)


def round_things(rng: np.random.Generator, size: int) -> U8:
    """(size, size, 3) discs, rings, ovals, bars and patches of any size and colour on a ground of another."""
    side = size * _FINE
    picture = np.empty((side, side, 3), np.float32)
    picture[:] = rng.uniform(10, 250, 3)
    alike = rng.random() < 0.4
    colour, across = rng.uniform(0, 255, 3), side * rng.uniform(0.08, 0.4)
    blue = np.array([rng.uniform(0, 90), rng.uniform(90, 255), rng.uniform(150, 255)])
    for _ in range(int(rng.integers(5, 60))):
        if not alike:
            colour, across = rng.uniform(0, 255, 3), side * float(np.exp(rng.uniform(-4, -0.5)))
        elif rng.random() < 0.5:
            colour = blue
        box = (
            tuple(rng.uniform(0, side, 2).tolist()),
            (across, across * rng.uniform(0.3, 1)),
            rng.uniform(0, 180),
        )
        thick = -1 if rng.random() < 0.6 else max(int(across * rng.uniform(0.03, 0.2)), 1)
        if rng.random() >= (0.2 if alike else 0.5):
            cv2.ellipse(picture, box, tuple(colour), thick)
        elif thick > 0:
            cv2.polylines(picture, [cv2.boxPoints(box).astype(np.int32)], True, tuple(colour), thick)
        else:
            cv2.fillPoly(picture, [cv2.boxPoints(box).astype(np.int32)], tuple(colour))
    return _photographed(picture, size)


def texture(rng: np.random.Generator, size: int) -> U8:
    """(size, size, 3) noise of some spectrum, stripes, or lines of text."""
    kind = rng.integers(3)
    picture = np.full((size, size, 3), rng.uniform(20, 250), np.float32)
    if kind == 0:
        for channel in range(3):
            grain = rng.normal(0, 1, (size, size)).astype(np.float32)
            sigma = float(np.exp(rng.uniform(-1, 2.5)))
            smooth = cv2.GaussianBlur(grain, (0, 0), sigma)
            picture[..., channel] += smooth / (smooth.std() + 1e-6) * rng.uniform(2, 50)
    elif kind == 1:
        y, x = np.mgrid[:size, :size]
        a, b = rng.uniform(-1.5, 1.5, 2)
        wave = np.sin(a * x + b * y) * (np.sin(b * x - a * y) if rng.random() < 0.6 else 1)
        picture += rng.uniform(10, 100) * (wave if rng.random() < 0.5 else np.sign(wave))[..., None]
    else:
        tall = float(np.exp(rng.uniform(-1.2, 0.8)))
        ink = tuple(rng.uniform(0, 255, 3))
        page = picture.astype(np.uint8)
        for row in range(0, size + 20, max(int(tall * 34), 6)):
            letters = "".join(rng.choice(list("abcdeoO0QGefghmnopqrs8u 6 9"), 40))
            cv2.putText(page, letters, (-int(rng.integers(30)), row), int(rng.integers(8)), tall, ink, 1, 16)
        return page
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _places(rng: np.random.Generator, side: int, spacing: float) -> F32:
    """(n, 2) centres on a shaken hexagonal grid, some left out."""
    rows = np.arange(-1, side / spacing / 0.87 + 1)
    columns = np.arange(-1, side / spacing + 1)
    y, x = np.meshgrid(rows * 0.87, columns, indexing="ij")
    x = x + 0.5 * (np.arange(len(rows)) % 2)[:, None]
    grid = np.stack([x, y], axis=-1).reshape(-1, 2) * spacing
    grid += rng.normal(0, rng.uniform(0.05, 0.25) * spacing, grid.shape)
    return np.asarray(grid[rng.random(len(grid)) < rng.choice([1.0, 0.85, 0.5])], np.float32)


def _red_cell(rng: np.random.Generator, across: float, look: dict[str, float]) -> F32:
    """Density of one red cell, in the middle of an odd number of pixels."""
    d = across * rng.normal(1, look["spread"])
    oval = np.exp(rng.normal(0, look["oval"]))
    reach = int(0.75 * d * max(oval, 1 / oval)) + 3
    v, u = np.mgrid[-reach : reach + 1, -reach : reach + 1] + rng.uniform(-0.5, 0.5, (2, 1, 1))
    angle = rng.uniform(0, np.pi)
    a = (u * np.cos(angle) + v * np.sin(angle)) / np.sqrt(oval)
    b = (v * np.cos(angle) - u * np.sin(angle)) * np.sqrt(oval)
    radius = np.hypot(a, b) / (d / 2)
    if rng.random() < 0.15:
        radius *= 1 + rng.uniform(0.02, 0.06) * np.cos(int(rng.integers(2, 9)) * np.arctan2(b, a))
    soft = max(1.5 / d, rng.uniform(0.03, 0.12))
    inside = 1 / (1 + np.exp(np.clip((radius - 1) / soft * 2, -30, 30)))
    hollow = look["pallor"] * rng.uniform(0.7, 1.2) * np.exp(-((radius / look["width"]) ** 2))
    centre = look["target"] * np.exp(-((radius / 0.2) ** 2))
    edge = look["rim"] * np.exp(-(((radius - 0.93) / 0.08) ** 2))
    cell = inside * np.maximum(1 - hollow + centre + edge, 0) * rng.uniform(0.8, 1.2)
    return np.asarray(cell, np.float32)


def _add(density: F32, cell: F32, place: F32, opaque: bool) -> None:
    """Lay a cell's density on a smear's, centred at x, y."""
    height, width = density.shape
    left, top = (round(c) - len(cell) // 2 for c in place.tolist())
    y0, x0 = max(top, 0), max(left, 0)
    y1, x1 = min(top + cell.shape[0], height), min(left + cell.shape[1], width)
    if y1 > y0 and x1 > x0:
        part = density[y0:y1, x0:x1]
        new = cell[y0 - top : y1 - top, x0 - left : x1 - left]
        part[:] = np.maximum(part, new) if opaque else part + new


def _nuclei(rng: np.random.Generator, colours: F32, across: float) -> None:
    """Leukocytes and platelets: purple, and of other sizes."""
    stain = rng.uniform(0.5, 1.6) * np.array([rng.uniform(0.5, 0.9), 1.0, rng.uniform(0.2, 0.5)], np.float32)
    for _ in range(int(rng.integers(1, 4))):
        layer = np.zeros(colours.shape[:2], np.float32)
        x, y = rng.uniform(0, len(layer), 2).tolist()
        size = across * (rng.uniform(1.2, 2.5) if rng.random() < 0.6 else rng.uniform(0.2, 0.45))
        oval, angle = size * rng.uniform(0.6, 1), rng.uniform(0, 180)
        cv2.ellipse(layer, ((x, y), (size, oval), angle), (0.3,), -1)
        cv2.ellipse(layer, ((x, y), (0.8 * size, 0.7 * oval), angle), (1.0,), -1)
        colours += cv2.GaussianBlur(layer, (0, 0), max(0.04 * across, 0.5))[..., None] * stain


def _photographed(picture: F32, size: int) -> U8:
    small = cv2.resize(np.clip(picture, 0, 255), (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)
