"""How each kind of cell of a stained smear looks: outline, cytoplasm, nucleus, granules.

Sizes and looks follow haematology's textbook descriptions of Romanowsky-stained blood. Each drawing
function takes a Canvas and the cell's diameter in micrometres.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edge.cameras.demo.debris import draw_artefact, draw_platelet, draw_smudge
from edge.cameras.demo.drawing import Canvas, smoothstep
from edge.types import F32

LEUKOCYTES = (
    "blast", "immature-granulocyte", "lymphocyte", "monocyte", "neutrophil", "eosinophil", "basophil",
)  # fmt: skip


def _cytoplasm(c: Canvas, outline: F32, *, mottle: float = 0.12, **amounts: float) -> None:
    """Lay cytoplasm of these dyes, a little darker at its rim, cloudy by `mottle`."""
    inside = c.inside(outline, 0.3)
    cloud = 1 + np.float32(mottle) * (c.noise(0.5) + c.noise(1.2))
    rim = 1 + np.float32(0.35) * smoothstep(-0.7, -0.1, outline)
    c.lay(inside * np.clip(cloud, 0.3, 2) * rim, **amounts)
    c.cell |= outline < 0


def _nucleus(
    c: Canvas,
    shape: F32,
    cell: F32,
    *,
    amount: float,
    clump_um: float,
    contrast: float,
    membrane: float = 0.2,
) -> F32:
    """Lay chromatin in clumps of `clump_um` within the cell; return how much of each pixel is nucleus."""
    outline = np.maximum(shape, cell + np.float32(0.3))
    inside = c.inside(outline, 0.25)
    clumps = np.tanh(1.3 * c.noise(clump_um)) + np.float32(0.5) * c.noise(0.25)
    envelope = np.exp(-(((outline + 0.25) / 0.22) ** 2))
    chromatin = np.clip(1 + contrast * clumps + membrane * envelope, 0.25, 1.7)
    c.thin(inside, 0.75)
    c.lay(inside, chromatin=amount * chromatin, azure=0.3 * (1.1 - amount))
    c.nucleus |= outline < 0
    c.cell |= c.nucleus
    return inside


def _arc(c: Canvas, n: int, radius: float, span: float, jitter: float) -> F32:
    """`n` points (n, 2) along an arc of `span` radians about a centre set so that they balance."""
    angle = np.linspace(-span / 2, span / 2, n) + c.rng.normal(0, jitter / max(radius, 0.1) / 2, n)
    points = radius * np.stack([np.cos(angle), np.sin(angle)], 1) + c.rng.normal(0, jitter, (n, 2))
    centred: F32 = (points - points.mean(0) * 0.7).astype(np.float32)
    return centred


def _outline(c: Canvas, radius: float, rough: float = 0.25, aspect: float = 0.12) -> F32:
    return c.ellipse(radius, 1 + aspect * c.rng.random(), rough=rough)


def _lobes(c: Canvas, radius: float, n: int) -> F32:
    """Outline of a nucleus of `n` lobes joined by strands, in a cell of this radius."""
    span = c.rng.uniform(0.75, 1.25) * {2: 2.5, 3: 3.4, 4: 4.4, 5: 5.0}[n]
    points = _arc(c, n, radius * c.rng.uniform(0.44, 0.55), span, 0.05 * radius)
    size = radius * {2: 0.35, 3: 0.295, 4: 0.265, 5: 0.235}[n]
    wave = 0.18 * c.noise(2.5)
    outline = c.chain(points, np.full(n, 0.035 * radius * c.rng.uniform(1.1, 2.6), np.float32))
    for point, along in zip(points, np.gradient(points, axis=0), strict=True):
        half = along / (np.hypot(*along) + 1e-6) * size * c.rng.uniform(0.15, 0.55)
        ends = np.stack([point - half, point + half])
        lobe = c.chain(ends, (size * c.rng.uniform(0.8, 1.1, 2)).astype(np.float32))
        np.minimum(outline, lobe, out=outline)
    return outline + wave


def draw_neutrophil(c: Canvas, diameter: float) -> None:
    """Segmented (2 to 5 lobes) or, one in ten, a band; pale pink cytoplasm with fine granules."""
    radius = diameter / 2
    outline = _outline(c, radius)
    _cytoplasm(c, outline, eosin=c.rng.uniform(0.16, 0.3), blue=c.rng.uniform(0.05, 0.12), mottle=0.15)
    fine = c.granules(outline, 0.55, 0.17, c.rng.uniform(0.3, 0.8))
    c.lay(fine, azure=c.rng.uniform(0.12, 0.3), eosin=0.15)
    if c.rng.random() < 0.1:
        points = _arc(c, 6, radius * 0.5, c.rng.uniform(3.0, 4.2), 0.03 * radius)
        band = c.chain(points, (radius * c.rng.uniform(0.2, 0.28, 6)).astype(np.float32))
        shape = band + 0.12 * c.noise(2.5)
    else:
        shape = _lobes(c, radius, int(c.rng.choice([2, 3, 4, 5], p=[0.14, 0.46, 0.32, 0.08])))
    _nucleus(c, shape, outline, amount=c.rng.uniform(0.66, 0.94), clump_um=1.0, contrast=0.34)


def draw_eosinophil(c: Canvas, diameter: float) -> None:
    """Two lobes, now and then three; packed coarse orange granules."""
    radius = diameter / 2
    outline = _outline(c, radius, rough=0.2)
    _cytoplasm(c, outline, blue=0.14, eosin=0.25)
    spacing, size = c.rng.uniform(0.62, 0.8), c.rng.uniform(0.34, 0.42)
    grains = c.granules(outline, spacing, size, c.rng.uniform(0.85, 1.0))
    c.lay(grains, eosin=c.rng.uniform(0.7, 1.0), haemoglobin=0.4)
    shape = _lobes(c, radius, 2 if c.rng.random() < 0.8 else 3) + 0.05 * radius * c.rng.uniform(-1, 0.3)
    inside = _nucleus(c, shape, outline, amount=c.rng.uniform(0.6, 0.85), clump_um=1.0, contrast=0.34)
    c.lay(grains * inside, eosin=0.18)


def draw_basophil(c: Canvas, diameter: float) -> None:
    """Dark violet granules of uneven size over cytoplasm and nucleus, some washed out to holes."""
    radius = diameter / 2
    outline = _outline(c, radius, rough=0.3)
    _cytoplasm(c, outline, blue=c.rng.uniform(0.1, 0.25), azure=c.rng.uniform(0.12, 0.25))
    shape = _lobes(c, radius, int(c.rng.choice([2, 3]))) - 0.08 * radius
    _nucleus(c, shape, outline, amount=c.rng.uniform(0.5, 0.75), clump_um=1.2, contrast=0.12)
    c.thin(c.granules(outline, 1.6, 0.45, 0.2), 0.6)
    coarse = c.granules(outline, 0.85, c.rng.uniform(0.34, 0.44), c.rng.uniform(0.65, 1.0))
    small = c.granules(outline, 0.8, 0.24, 0.5)
    strength = c.rng.uniform(0.6, 0.9)
    c.lay(coarse + 0.6 * small, chromatin=strength, azure=0.25)


def draw_lymphocyte(c: Canvas, diameter: float) -> None:
    """Round clumped nucleus that nearly fills the cell; a rim of sky-blue cytoplasm, wider in large ones."""
    radius = diameter / 2
    large = diameter > 11 and c.rng.random() < 0.6
    outline = _outline(c, radius, rough=0.4 if large else 0.2)
    _cytoplasm(c, outline, blue=c.rng.uniform(0.22, 0.48), azure=c.rng.uniform(0.0, 0.06))
    share = c.rng.uniform(0.66, 0.76) if large else c.rng.uniform(0.78, 0.9)
    shift = 0.7 * radius * (1 - share)
    shape = c.ellipse(radius * share, 1 + 0.15 * c.rng.random(), (shift, 0), rough=0.16)
    if c.rng.random() < 0.25:
        shape = c.dent(shape, c.ellipse(0.3 * radius, 1, (shift - 1.1 * radius * share, 0.2 * radius)))
    c.thin(c.inside(shape - 0.3, 0.5), 0.3)
    _nucleus(c, shape, outline, amount=c.rng.uniform(0.62, 0.92), clump_um=1.3, contrast=0.34)
    if large and c.rng.random() < 0.5:
        c.lay(c.granules(np.maximum(outline, -shape), 1.4, 0.22, 0.35), azure=0.8)


def draw_monocyte(c: Canvas, diameter: float) -> None:
    """Folded or horseshoe nucleus with ropy chromatin; wide grey-blue cytoplasm, dust and vacuoles."""
    radius = diameter / 2
    outline = _outline(c, radius, rough=0.65, aspect=0.3)
    _cytoplasm(c, outline, blue=c.rng.uniform(0.25, 0.42), eosin=c.rng.uniform(0.12, 0.22), mottle=0.14)
    c.lay(c.granules(outline, 0.7, 0.15, 0.5), azure=0.16)
    if c.rng.random() < 0.7:
        holes = c.granules(outline + 0.6, 2.2, c.rng.uniform(0.35, 0.6), c.rng.uniform(0.08, 0.4))
        c.thin(np.minimum(holes, 1), 0.8)
    n = 4
    points = _arc(c, n, radius * c.rng.uniform(0.26, 0.42), c.rng.uniform(2.0, 4.0), 0.04 * radius)
    bulk = radius * c.rng.uniform(0.35, 0.47) * c.rng.uniform(0.8, 1.15, n)
    shape = c.chain(points, bulk.astype(np.float32)) + 0.3 * c.noise(2.5)
    inside = _nucleus(c, shape, outline, amount=c.rng.uniform(0.44, 0.68), clump_um=0.8, contrast=0.3)
    fold = c.chain(_arc(c, 3, 0.3 * radius, 2.0, 0.2), np.full(3, 0.12, np.float32))
    c.lay(c.inside(fold, 0.7) * inside, chromatin=0.16)


def _nucleoli(c: Canvas, inside: F32, reach: float, n: int) -> None:
    """Pale bluish round nucleoli, each with a faint dark ring, within `reach` µm of the nucleus' middle."""
    for _ in range(n):
        angle, far = c.rng.uniform(0, 2 * np.pi), reach * c.rng.random() ** 0.5
        spot = c.ellipse(c.rng.uniform(0.8, 1.35), 1.2, (far * np.cos(angle), far * np.sin(angle)))
        where = c.inside(spot, 0.4) * inside
        c.thin(where, c.rng.uniform(0.4, 0.6))
        c.lay(where, blue=0.22)
        c.lay(np.exp(-((spot / 0.25) ** 2)) * inside, chromatin=0.07)


def draw_blast(c: Canvas, diameter: float) -> None:
    """Large nucleus of fine, open chromatin with nucleoli; scant deep-blue cytoplasm, at times blebs."""
    radius = diameter / 2
    outline = _outline(c, radius, rough=c.rng.uniform(0.25, 0.55), aspect=0.25)
    for _ in range(int(c.rng.choice([0, 1, 2, 3], p=[0.6, 0.2, 0.12, 0.08]))):
        angle = c.rng.uniform(0, 2 * np.pi)
        at = (0.97 * radius * np.cos(angle), 0.97 * radius * np.sin(angle))
        np.minimum(outline, c.ellipse(radius * c.rng.uniform(0.1, 0.18), 1.3, at, rough=0.15), out=outline)
    _cytoplasm(c, outline, blue=c.rng.uniform(0.4, 0.8), azure=c.rng.uniform(0, 0.08), mottle=0.14)
    share = c.rng.uniform(0.82, 0.92)
    shift = radius * (1 - share) * c.rng.uniform(0.2, 0.9)
    shape = c.ellipse(radius * share, 1 + 0.2 * c.rng.random(), (shift, 0), rough=c.rng.uniform(0.15, 0.35))
    if c.rng.random() < 0.15:
        hollow = c.ellipse(radius * c.rng.uniform(0.2, 0.35), 1, (shift - radius * share * 1.15, 0))
        shape = c.dent(shape, hollow, 1.5)
    c.thin(c.inside(c.ellipse(1.4, 1, (shift - 0.9 * radius * share, 0)), 2.0), 0.3)
    amount, clump_um = c.rng.uniform(0.36, 0.56), float(c.rng.choice([0.4, 0.55]))
    inside = _nucleus(c, shape, outline, amount=amount, clump_um=clump_um, contrast=0.26, membrane=0.32)
    _nucleoli(c, inside, 0.5 * radius * share, int(c.rng.integers(2, 5)))
    if c.rng.random() < 0.06:
        auer_rod = np.array([[-0.9 * radius, -1.2], [-0.75 * radius, 1.4]], np.float32)
        c.lay(c.inside(c.chain(auer_rod, np.full(2, 0.14, np.float32)), 0.3), azure=0.9)


def draw_immature_granulocyte(c: Canvas, diameter: float) -> None:
    """Promyelocyte, myelocyte or metamyelocyte: eccentric nucleus, bluish-pink cytoplasm, purple granules."""
    radius = diameter / 2
    stage = c.rng.random()  # 0 promyelocyte, 1 metamyelocyte
    outline = _outline(c, radius, rough=0.4, aspect=0.25)
    _cytoplasm(
        c, outline, blue=float(np.interp(stage, [0, 0.4, 1], [0.6, 0.3, 0.12])), eosin=0.12 + 0.16 * stage
    )
    share = float(np.interp(stage, [0, 1], [0.74, 0.6])) + c.rng.uniform(-0.03, 0.03)
    shift = 0.8 * radius * (1 - share)
    hof = c.ellipse(0.3 * radius, 1, (shift - 0.9 * radius * share, 0.1 * radius))
    c.thin(c.inside(hof, 2.0), 0.3)
    if stage > 0.6:
        points = _arc(c, 4, 0.5 * radius, c.rng.uniform(1.8, 2.6), 0.03 * radius)
        bulk = radius * share * c.rng.uniform(0.56, 0.7, 4)
        shape = c.chain(points, bulk.astype(np.float32)) + 0.2 * c.noise(2.5)
    else:
        shape = c.ellipse(radius * share, 1.1 + 0.4 * stage, (shift, 0), rough=0.25)
    inside = _nucleus(c, shape, outline, amount=c.rng.uniform(0.5, 0.75), clump_um=0.8, contrast=0.28)
    if stage < 0.35:
        _nucleoli(c, inside, 0.4 * radius * share, int(c.rng.integers(1, 3)))
    density = float(np.interp(stage, [0, 0.4, 1], [0.75, 0.45, 0.35]))
    coarse = c.granules(outline, 0.75, float(np.interp(stage, [0, 1], [0.27, 0.17])), density)
    c.lay(coarse * (1 - 0.55 * inside), azure=float(np.interp(stage, [0, 1], [0.85, 0.4])))


def draw_erythroblast(c: Canvas, diameter: float) -> None:
    """Small round, very dark nucleus; cytoplasm from blue-grey to greyish pink as haemoglobin fills it."""
    radius = diameter / 2
    ripe = c.rng.random()
    outline = _outline(c, radius, rough=0.3, aspect=0.2)
    _cytoplasm(c, outline, blue=0.5 - 0.38 * ripe, haemoglobin=0.2 + 0.7 * ripe, mottle=0.06)
    share = 0.66 - 0.2 * ripe
    shape = c.ellipse(radius * share, 1 + 0.1 * c.rng.random(), (0.6 * radius * (1 - share), 0), rough=0.08)
    contrast = 0.28 * (1 - ripe) + 0.04
    _nucleus(c, shape, outline, amount=c.rng.uniform(0.9, 1.2), clump_um=0.9, contrast=contrast, membrane=0.1)


KINDS: Mapping[str, tuple[Callable[[Canvas, float], None], float, float]] = {
    "blast": (draw_blast, 13.5, 20.0),
    "immature-granulocyte": (draw_immature_granulocyte, 13.0, 20.0),
    "lymphocyte": (draw_lymphocyte, 9.0, 12.0),
    "monocyte": (draw_monocyte, 15.0, 20.0),
    "neutrophil": (draw_neutrophil, 12.0, 15.0),
    "eosinophil": (draw_eosinophil, 12.0, 16.0),
    "basophil": (draw_basophil, 11.0, 14.0),
    "erythroblast": (draw_erythroblast, 8.0, 11.0),
    "platelet": (draw_platelet, 1.5, 4.0),
    "smudge-cell": (draw_smudge, 10.0, 20.0),
    "artefact": (draw_artefact, 4.0, 20.0),
}
"""Class -> what draws it, and its smallest and largest diameter, µm."""


def draw(
    class_name: str,
    rng: np.random.Generator,
    um_per_px: float,
    diameter_um: float,
    offset_px: tuple[float, float] = (0.0, 0.0),
) -> Canvas:
    """A canvas with one cell of this class and diameter, in a random pose, at its origin."""
    ragged = class_name in ("smudge-cell", "artefact")
    canvas = Canvas(rng, um_per_px, (0.8 if ragged else 0.6) * diameter_um + 1.4, offset_px)
    KINDS[class_name][0](canvas, diameter_um)
    return canvas
