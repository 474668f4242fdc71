"""What a seed of the simulated microscope stands for: blood, stain, optics and camera."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edge.cameras.demo.cytology import LEUKOCYTES
from edge.cameras.demo.drawing import Stain

HEALTHY = {"neutrophil": 60.0, "lymphocyte": 29.0, "monocyte": 7.0, "eosinophil": 3.0, "basophil": 1.0}
FRAME_SIZES_PX = ((1440, 900), (1280, 960), (1024, 768), (1600, 1200), (1920, 1080))


@dataclass(frozen=True, eq=False)
class Scope:
    """A slide under a microscope with a camera.

    Attributes
    ----------
    seed : all that is random about the slide, the walk and the noise comes from it.
    um_per_px, field_px : camera pixel on the slide, and frame width and height.
    fields_across, fields_down : how many fields the smear is wide and high.
    composition : leukocyte class -> share of the leukocytes, summing to 1.
    leukocyte_spacing_um : between the sites of nucleated cells, which bounds how many there can be.
    clumped : share of the leukocytes that lie in a clump against the one before them where that is near, as
        on a leukemic smear; others do where they would lie over a cell. 0 leaves all but a few pairs apart.
    leukocytes_per_field, platelets_per_field, erythroblasts_per_field, smudges_per_field,
    artefacts_per_field : mean numbers.
    red_cell_um, red_cell_spread : mean diameter, and its coefficient of variation.
    red_cell_spacing_um : between red cells' sites; less is more crowded.
    rouleaux : share of 60 µm squares with a stack of red cells.
    stain : dyes of the laboratory. rim : how dark refraction draws the red cells' edges.
    psf_um : standard deviation of the optics' blur in focus.
    white : R, G, B of the empty background in the middle of the field, 0 to 255.
    vignetting : share of light lost in the field's corners, for R, G, B.
    shot_noise, read_noise : standard deviation in grey levels at full white, and at black.
    """

    seed: int
    um_per_px: float
    field_px: tuple[int, int]
    composition: Mapping[str, float]
    leukocytes_per_field: float
    platelets_per_field: float
    erythroblasts_per_field: float
    smudges_per_field: float
    artefacts_per_field: float
    red_cell_um: float
    red_cell_spread: float
    red_cell_spacing_um: float
    rouleaux: float
    stain: Stain
    rim: float
    psf_um: float
    white: tuple[float, float, float]
    vignetting: tuple[float, float, float]
    shot_noise: float
    read_noise: float
    fields_across: int = 20
    fields_down: int = 16
    leukocyte_spacing_um: float = 40.0  # no two of the largest touch by chance, whatever the jitter
    clumped: float = 0.0

    @property
    def field_um(self) -> tuple[float, float]:
        """Width and height of the field."""
        return self.field_px[0] * self.um_per_px, self.field_px[1] * self.um_per_px

    @property
    def fields(self) -> int:
        """How many fields the smear is large."""
        return self.fields_across * self.fields_down

    @property
    def slide_um(self) -> tuple[float, float]:
        """Width and height of the smear."""
        return self.fields_across * self.field_um[0], self.fields_down * self.field_um[1]


def _shares(blasts: float, immature: float, rest: Mapping[str, float]) -> dict[str, float]:
    left = (1 - blasts - immature) / sum(rest.values())
    shares = {name: left * rest.get(name, 0.0) for name in LEUKOCYTES}
    return {**shares, "blast": blasts, "immature-granulocyte": immature}


def _demonstration(seed: int) -> Scope:
    """Seed 0: a healthy slide. Seed 1: acute leukemia, 40% blasts."""
    ill = seed == 1
    leukemic = {"neutrophil": 25.0, "lymphocyte": 18.0, "monocyte": 6.0, "eosinophil": 2.0, "basophil": 1.0}
    return Scope(
        seed=seed,
        um_per_px=0.1,
        field_px=(1440, 900),
        composition=_shares(0.4, 0.08, leukemic) if ill else _shares(0.0, 0.0, HEALTHY),
        leukocytes_per_field=4.2 if ill else 4.0,
        platelets_per_field=6.0 if ill else 8.0,
        erythroblasts_per_field=0.15 if ill else 0.0,
        smudges_per_field=0.15 if ill else 0.03,
        artefacts_per_field=0.25,
        red_cell_um=7.5,
        red_cell_spread=0.06,
        red_cell_spacing_um=9.0,
        rouleaux=0.08,
        stain=Stain.varied(np.random.default_rng(seed), 0.04),
        rim=0.04,
        psf_um=0.12,
        white=(242.0, 234.0, 224.0) if ill else (240.0, 236.0, 230.0),
        vignetting=(0.10, 0.12, 0.14),
        shot_noise=2.2,
        read_noise=1.0,
    )


def scope_of(seed: int) -> Scope:
    """The slide, microscope and camera of a seed; the same seed always gives the same."""
    if seed in (0, 1):
        return _demonstration(seed)
    rng = np.random.default_rng([seed, 17])
    blasts = float(rng.uniform(0.05, 0.9)) if rng.random() < 0.75 else 0.0
    immature = float(rng.uniform(0.0, 0.1)) * (1 - blasts) if blasts else 0.0
    normal = {name: share * float(rng.lognormal(0, 0.3)) for name, share in HEALTHY.items()}
    um_per_px = round(float(rng.uniform(0.08, 0.16)), 4)
    field_px = FRAME_SIZES_PX[int(rng.integers(len(FRAME_SIZES_PX)))]
    white = rng.uniform(195, 242) * rng.uniform(0.86, 1.0, 3)
    lost = rng.uniform(0.03, 0.3)
    area = field_px[0] * field_px[1] * um_per_px**2 / (144 * 90)
    return Scope(
        seed=seed,
        um_per_px=um_per_px,
        field_px=field_px,
        composition=_shares(blasts, immature, normal),
        leukocytes_per_field=float(min(rng.uniform(3, 5), 5.2 * area)),
        platelets_per_field=float(rng.uniform(2, 9)) * area,
        erythroblasts_per_field=float(rng.uniform(0, 0.3)) if blasts else 0.0,
        smudges_per_field=float(rng.uniform(0, 0.3)),
        artefacts_per_field=float(rng.uniform(0.05, 0.4)),
        red_cell_um=float(rng.uniform(6.3, 6.9) if rng.random() < 0.2 else rng.uniform(7.2, 7.8)),
        red_cell_spread=float(rng.uniform(0.05, 0.09)),
        red_cell_spacing_um=float(rng.uniform(8.7, 10.5)),
        rouleaux=float(rng.uniform(0, 0.25)),
        stain=Stain.varied(rng, 0.13),
        rim=float(rng.uniform(0.0, 0.3)),
        psf_um=float(rng.uniform(0.1, 0.2)),
        white=(float(white[0]), float(white[1]), float(white[2])),
        vignetting=(lost * float(rng.uniform(0.6, 1)), lost, lost * float(rng.uniform(0.8, 1.2))),
        shot_noise=float(rng.uniform(1.5, 5.0)),
        read_noise=float(rng.uniform(0.5, 2.5)),
    )
