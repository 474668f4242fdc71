"""Red cells drawn with a known diameter must be measured, what is no red cell must not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.optics import redcells
from edge.types import F32, U8

GLASS = np.array([235, 225, 205], np.float32)
RED_CELL = np.array([0.25, 0.5, 0.4], np.float32)  # optical density, R G B
NUCLEUS = np.array([1.0, 1.5, 0.6], np.float32)


def smear(
    diameter_px: float,
    size: tuple[int, int] = (480, 640),
    seed: int = 0,
    cells: int | None = None,
    overlap: bool = False,
    vignetting: float = 0.0,
    leukocytes: int = 0,
) -> U8:
    """A field of round, pale-centred red cells of 6% spread in diameter, blurred a little, with noise."""
    rng = np.random.default_rng(seed)
    height, width = size
    density = np.zeros((height, width, 3), np.float32)
    apart = diameter_px * (0.8 if overlap else 1.2)
    placed: list[F32] = []
    wanted = 1000 if cells is None else cells + leukocytes
    for _ in range(3000):
        centre = rng.uniform((0, 0), (width, height)).astype(np.float32)
        if len(placed) < wanted and (not placed or np.hypot(*(centre - placed).T).min() > apart):
            placed.append(centre)
    for n, centre in enumerate(placed):
        d = diameter_px * rng.normal(1, 0.06)
        if n < leukocytes:
            _disc(density, centre, 1.7 * d, NUCLEUS)
        else:
            _disc(density, centre, d, RED_CELL)
            _disc(density, centre, 0.35 * d, -0.4 * RED_CELL)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = 1 - vignetting * (x**2 + y**2)[..., None] / 2
    picture = cv2.GaussianBlur(GLASS * np.exp(-density) * light, (0, 0), 0.03 * diameter_px)
    return np.asarray(np.clip(picture + rng.normal(0, 2, picture.shape), 0, 255), np.uint8)


def _disc(density: F32, centre: F32, diameter: float, stain: F32) -> None:
    """Add a disc, its edge falling off over one pixel."""
    reach = int(diameter / 2) + 2
    left, top = (max(int(c) - reach, 0) for c in centre)
    part = density[top : int(centre[1]) + reach, left : int(centre[0]) + reach]
    y, x = np.mgrid[: part.shape[0], : part.shape[1]]
    distance = np.hypot(x + left - centre[0], y + top - centre[1])
    part += (np.clip(diameter / 2 - distance + 0.5, 0, 1)[..., None] * stain).astype(np.float32)


def diameter(*pictures: U8) -> float:
    """Diameter in pixels that the pictures together give."""
    measured = redcells.estimate([redcells.find(p) for p in pictures])
    assert measured is not None
    return redcells.RED_CELL_UM / measured.um_per_px


@pytest.mark.parametrize(
    ("across", "size"), [(19, (224, 298)), (40, (480, 640)), (75, (900, 1440)), (140, (900, 1440))]
)
def test_measures_cells_of_any_size(across: float, size: tuple[int, int]) -> None:
    assert diameter(smear(across, size)) == pytest.approx(across, rel=0.04)


def test_small_cells_in_a_large_picture() -> None:
    assert diameter(smear(17, (900, 1440))) == pytest.approx(17, rel=0.08)


def test_overlapping_cells() -> None:
    assert diameter(smear(60, overlap=True)) == pytest.approx(60, rel=0.07)


def test_strong_vignetting() -> None:
    assert diameter(smear(60, vignetting=0.7)) == pytest.approx(60, rel=0.04)


def test_leukocytes_are_left_out() -> None:
    picture = smear(50, leukocytes=12)
    found = redcells.find(picture)
    assert found.diameters_px.max() < 1.35 * 50
    assert diameter(picture) == pytest.approx(50, rel=0.04)


def test_more_cells_are_surer() -> None:
    few, many = (redcells.estimate([redcells.find(smear(40, cells=n))]) for n in (5, 60))
    assert few is not None
    assert many is not None
    assert few.uncertainty > many.uncertainty > 0.04
    assert few.cells < many.cells


def test_weights_and_positions_fit_the_picture() -> None:
    found = redcells.find(smear(50))
    assert found.ellipses.dtype == found.weights.dtype == np.float32
    assert len(found) == len(found.weights) > 10
    assert ((found.weights > 0) & (found.weights <= 1)).all()
    assert (found.ellipses[:, :2] > -25).all()
    assert (found.ellipses[:, 0] < 640 + 25).all()


@pytest.mark.parametrize("cells", [0, 1, 2])
def test_no_guess_from_too_few(cells: int) -> None:
    assert redcells.estimate([redcells.find(smear(60, cells=cells))]) is None


def test_no_guess_without_agreement() -> None:
    sizes = np.array([20, 35, 60, 100, 170, 290], np.float32)
    ellipses = np.stack([sizes, sizes, sizes, sizes, 0 * sizes], axis=1)
    assert redcells.estimate([redcells.RedCells(ellipses, np.ones(6, np.float32))]) is None


def test_no_guess_from_nothing() -> None:
    assert redcells.estimate([]) is None


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("size", [(480, 640), (30, 40), (1, 1)])
def test_blank_pictures_hold_no_red_cells(level: int, size: tuple[int, int]) -> None:
    assert len(redcells.find(np.full((*size, 3), level, np.uint8))) == 0


def test_cell_cut_out_on_black_is_no_red_cell() -> None:
    picture = np.zeros((450, 450, 3), np.uint8)
    for x in (100, 225, 350):
        cv2.circle(picture, (x, 225), 50, (120, 60, 130), -1)
    assert len(redcells.find(picture)) == 0


@pytest.mark.parametrize(
    ("pattern", "um_per_px"),
    [("deepapl/Data/All/Patient_0*/*/*/*", 0.1), ("PBC_dataset_normal_DIB/*/*", 0.1)],
)
def test_real_smears(shared_data: Path, pattern: str, um_per_px: float) -> None:
    paths = sorted(shared_data.glob(pattern))
    scales = []
    for path in paths[:: max(len(paths) // 12, 1)][:12]:
        picture = cv2.imread(str(path))
        assert picture is not None
        measured = redcells.estimate([redcells.find(np.ascontiguousarray(picture[..., ::-1], np.uint8))])
        if measured is not None:
            scales.append(measured.um_per_px)
    assert len(scales) >= 6
    assert np.median(scales) == pytest.approx(um_per_px, rel=0.15)
