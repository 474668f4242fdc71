"""Stained cells, drawn so that what differs between two of them is known."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from edge.optics.specimen import BACKGROUND
from edge.types import U8
from train.published.classical import Texts

PITCH_UM = 0.25
SIZE_PX = 96
NUCLEUS, CYTOPLASM, RED = (90, 50, 140), (200, 180, 215), (215, 170, 165)


def drawn(
    *,
    nucleus_um: float = 3.0,
    cell_um: float = 6.0,
    lobes: int = 1,
    nucleus: tuple[int, int, int] = NUCLEUS,
    cytoplasm: tuple[int, int, int] = CYTOPLASM,
    grains: int = 0,
    grain_um: float = 0.5,
    grain: tuple[int, int, int] = (160, 60, 60),
    red_cells: bool = True,
    noise: float = 3.0,
    seed: int = 0,
    size: int = SIZE_PX,
) -> U8:
    """A cell in the middle of glass and red cells, radii in µm; `lobes` discs in a ring are its nucleus."""
    rng = np.random.default_rng(seed)
    picture = np.full((size, size, 3), BACKGROUND, np.uint8)

    def disc(x_um: float, y_um: float, radius_um: float, colour: tuple[int, int, int]) -> None:
        at = (round(size / 2 + x_um / PITCH_UM), round(size / 2 + y_um / PITCH_UM))
        cv2.circle(picture, at, max(round(radius_um / PITCH_UM), 1), colour, -1, cv2.LINE_AA)

    for x_um, y_um in ((-9.5, -9.0), (9.8, 8.7)) if red_cells else ():
        disc(x_um, y_um, 3.4, RED)
    disc(0, 0, cell_um, cytoplasm)
    for way, far in zip(rng.uniform(0, 2 * np.pi, grains), rng.uniform(0, 0.85, grains), strict=True):
        radius = cell_um * float(far) ** 0.5
        disc(radius * float(np.cos(way)), radius * float(np.sin(way)), grain_um, grain)
    small = nucleus_um if lobes == 1 else nucleus_um / lobes**0.5
    for i in range(lobes):
        way = 2 * np.pi * i / lobes
        far = 0.0 if lobes == 1 else 0.5 * cell_um
        disc(far * float(np.cos(way)), far * float(np.sin(way)), small, nucleus)
    shaken = picture + rng.normal(0, noise, picture.shape)
    return np.asarray(shaken.round().clip(0, 255).astype(np.uint8))


_LOOKS: dict[str, dict[str, object]] = {
    "eosinophil": {"lobes": 2, "cytoplasm": (225, 150, 130), "grains": 120, "grain": (220, 90, 70)},
    "basophil": {"lobes": 2, "grains": 60, "grain_um": 0.8, "grain": (80, 40, 120)},
    "neutrophil": {"lobes": 3},
    "monocyte": {"nucleus_um": 4.5, "cell_um": 8.0, "cytoplasm": (160, 165, 205)},
    "lymphocyte": {"nucleus_um": 3.6, "cell_um": 4.3, "cytoplasm": (150, 170, 220)},
}


@pytest.fixture(scope="session")
def blood() -> Callable[..., tuple[U8, Texts, Texts]]:
    """Make crops, labels and groups of some types, `each` cells of each, two or more to a group."""

    def make(*names: str, each: int = 6, start: int = 0) -> tuple[U8, Texts, Texts]:
        crops, labels, groups = [], [], []
        for name in names:
            for i in range(start, start + each):
                crops.append(drawn(seed=i, **_LOOKS[name]))  # type: ignore[arg-type]
                labels.append(name)
                groups.append(f"slide {i % 3}")
        return np.stack(crops), np.array(labels), np.array(groups)

    return make
