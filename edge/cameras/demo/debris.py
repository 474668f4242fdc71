"""What is on a smear besides whole nucleated cells: red cells, platelets, smudge cells, artefacts."""

from __future__ import annotations

import numpy as np

from edge.cameras.demo.drawing import Canvas, Dye, smoothstep
from edge.types import F32


def draw_platelet(c: Canvas, diameter: float) -> None:
    """A pale lilac disc with a ragged edge and a heap of purple granules in its middle."""
    radius = diameter / 2
    outline = c.ellipse(radius, 1 + 0.5 * c.rng.random(), rough=0.12 * radius)
    outline += np.float32(0.1 * radius) * c.noise(0.7)
    c.lay(c.inside(outline, 0.35), blue=c.rng.uniform(0.15, 0.35), azure=c.rng.uniform(0.08, 0.18))
    grains = c.granules(outline + 0.15 * radius, 0.42, 0.19, 0.8)
    c.lay(grains, azure=c.rng.uniform(0.35, 0.75), chromatin=c.rng.uniform(0.05, 0.2))
    c.cell |= outline < 0


def draw_smudge(c: Canvas, diameter: float) -> None:
    """A burst nucleus without cytoplasm: reddish-purple smear with a ragged, streaming border."""
    radius = diameter / 2
    torn = c.rng.uniform(0.05, 0.14) * radius
    outline = c.ellipse(0.86 * radius, c.rng.uniform(1.0, 1.5), rough=torn) + 0.2 * torn * c.noise(0.7)
    strands = 0.6 * c.noise(0.7) + 0.6 * c.noise(1.2) + 0.4 * c.noise(0.5)
    inside = c.inside(outline + 0.12 * strands, c.rng.uniform(0.3, 1.2))
    tail = smoothstep(0.7, 1.6, strands) * smoothstep(-0.3 * radius, -0.05 * radius, -outline)
    amount = c.rng.uniform(0.35, 0.65) * np.clip(1 + 0.17 * strands + 0.13 * c.noise(0.35), 0.2, 2)
    tone = c.rng.uniform(0.3, 0.8)
    c.lay(np.maximum(inside, 0.35 * tail), chromatin=0.9 * amount, azure=tone * amount)
    c.nucleus |= outline < 0
    c.cell |= c.nucleus


def _deposit(c: Canvas, radius: float) -> None:
    """Precipitated stain: a loose heap of blue-black grains."""
    cloud = c.ellipse(0.75 * radius, 1.4, rough=0.3 * radius)
    for size in (0.2, 0.32, 0.5):
        grains = c.granules(cloud + 0.4 * radius * c.rng.random(), 2.2 * size, size, c.rng.uniform(0.2, 0.6))
        c.lay(grains, chromatin=c.rng.uniform(0.5, 1.0), soot=0.3)
    c.cell |= (c.dyes[Dye.CHROMATIN] > 0.12) | (cloud < -0.5)


def _dirt(c: Canvas, radius: float) -> None:
    """A speck of dust: an angular dark crumb, brown to black."""
    outline = c.ellipse(0.8 * radius, c.rng.uniform(1.0, 2.2), rough=0.16 * radius)
    outline += np.float32(0.1 * radius) * c.noise(0.7)
    tone = np.clip(1 + 0.35 * c.noise(1.2), 0.3, 2) * c.inside(outline, c.rng.uniform(0.3, 0.9))
    c.lay(tone, soot=c.rng.uniform(0.5, 1.2), eosin=c.rng.uniform(0, 0.4))
    c.cell |= outline < 0


def _fibre(c: Canvas, radius: float) -> None:
    """A thread of lint: long, bent, dark at both edges and light along its middle."""
    t = np.linspace(-1, 1, 7)
    bend = c.rng.normal(0, 0.25 * radius, 7).cumsum() * 0.4
    points = np.stack([t * 0.95 * radius, bend - bend.mean()], 1).astype(np.float32)
    width = c.rng.uniform(0.35, 0.7)
    outline = c.chain(points, np.full(7, width, np.float32))
    c.lay(np.exp(-((outline / 0.28) ** 2)), soot=c.rng.uniform(0.25, 0.6), blue=c.rng.uniform(0, 0.3))
    c.lay(c.inside(outline, 0.4), blue=c.rng.uniform(0.0, 0.2))
    c.cell |= outline < 0.3


def _bubble(c: Canvas, radius: float) -> None:
    """A bubble in the oil or a water spot: dark refracting ring, bright just within."""
    outline = c.ellipse(0.9 * radius, 1 + 0.15 * c.rng.random())
    c.lay(np.exp(-((outline / 0.3) ** 2)), soot=c.rng.uniform(0.3, 0.8))
    c.lay(np.exp(-(((outline + 0.9) / 0.5) ** 2)), soot=-c.rng.uniform(0.03, 0.09))
    c.cell |= outline < 0.3


def draw_artefact(c: Canvas, diameter: float) -> None:
    """Stain deposit, dirt, or, where there is room for one, a fibre or a bubble."""
    kinds = (_deposit, _dirt) if diameter < 9 else (_deposit, _dirt, _fibre, _bubble)
    kinds[int(c.rng.integers(len(kinds)))](c, diameter / 2)


def draw_red_cell(rng: np.random.Generator, um_per_px: float, diameter_um: float, rim: float = 0.0) -> F32:
    """Haemoglobin of one red cell, (n, n) float32, about 1 where it is thick.

    A disc of this diameter with central pallor; now and then oval, a target cell or without pallor. `rim` is
    how dark refraction draws its edge.
    """
    c = Canvas(rng, um_per_px, 0.62 * diameter_um + 0.6)
    radius = diameter_um / 2
    oval = 1 + 0.12 * rng.random() + (0.35 * rng.random() if rng.random() < 0.08 else 0.0)
    outline = c.ellipse(radius, oval, rough=rng.uniform(0.06, 0.26))
    depth = 0.1 if rng.random() < 0.1 else rng.uniform(0.55, 1.0)
    width = radius * rng.uniform(0.34, 0.58)
    off = rng.normal(0, 0.05 * radius, 2)
    hollow = c.ellipse(1.0, oval, (off[0], off[1])) + 1
    pallor = np.exp(-((hollow / width) ** 3.2)) * depth
    if rng.random() < 0.03:
        pallor -= 0.7 * depth * np.exp(-((hollow / (0.45 * width)) ** 2))
    body = c.inside(outline, 0.55) * (1 - pallor) * (1 + 0.03 * c.noise(2.5))
    body += np.float32(rim) * np.exp(-(((outline + 0.12) / 0.2) ** 2))
    body -= np.float32(0.12 + 0.5 * rim) * np.exp(-(((outline - 0.45) / 0.22) ** 2))
    return np.asarray(body * rng.uniform(0.85, 1.2), np.float32)
