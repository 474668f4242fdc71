"""Red cells drawn with a known diameter must be measured, what is no red cell must not be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.optics import redcells
from edge.optics.litfield import LitField
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
    pallor: float = 0.4,
    stain: float = 0.5,
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
            colour = RED_CELL * stain / RED_CELL[1]
            _disc(density, centre, d, colour)
            _disc(density, centre, (0.35 if pallor < 0.5 else 0.55) * d, -pallor * colour)
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
    assert diameter(smear(across, size)) == pytest.approx(across, rel=0.08)


def test_small_cells_in_a_large_picture() -> None:
    assert diameter(smear(17, (900, 1440))) == pytest.approx(17, rel=0.1)


def test_overlapping_cells() -> None:
    assert diameter(smear(60, overlap=True)) == pytest.approx(60, rel=0.1)


@pytest.mark.parametrize("seed", range(4))
def test_few_cells_in_a_small_window(seed: int) -> None:
    picture = smear(55, (256, 256), seed=seed, cells=7, overlap=True)
    assert diameter(picture) == pytest.approx(55, rel=0.12)


@pytest.mark.parametrize("pallor", [0.0, 0.75])
@pytest.mark.parametrize("stain", [0.15, 0.7])
def test_pale_and_dense_cells_with_and_without_pallor(pallor: float, stain: float) -> None:
    picture = smear(48, (384, 384), pallor=pallor, stain=stain)
    assert diameter(picture) == pytest.approx(48, rel=0.12)


def test_strong_vignetting() -> None:
    assert diameter(smear(60, vignetting=0.7)) == pytest.approx(60, rel=0.08)


def test_leukocytes_do_not_count() -> None:
    assert diameter(smear(50, leukocytes=12)) == pytest.approx(50, rel=0.08)


def test_only_the_lit_field_counts() -> None:
    """Larger cells outside of a round field are not looked at."""
    inside, outside = smear(40), smear(90, seed=1)
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    corners = 0.5 + 0.45 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    lit = LitField(corners.astype(np.float32))
    mask = lit.mask(480, 640)
    assert mask is not None
    picture = np.where(mask[..., None], inside, outside)
    measured = redcells.estimate([redcells.find(picture, lit)])
    assert measured is not None
    assert redcells.RED_CELL_UM / measured.um_per_px == pytest.approx(40, rel=0.1)


def test_more_cells_are_surer() -> None:
    few, many = (redcells.estimate([redcells.find(smear(40, cells=n))] * k) for n, k in ((6, 1), (60, 4)))
    assert few is not None
    assert many is not None
    assert few.uncertainty > many.uncertainty > 0.03
    assert few.cells < many.cells
    assert (few.fields, many.fields) == (1, 4)


def test_a_field_that_disagrees_does_not_move_the_others() -> None:
    fields = [redcells.find(smear(40, seed=seed)) for seed in range(5)]
    alone = redcells.estimate(fields)
    mixed = redcells.estimate([*fields, redcells.find(smear(90, seed=9))])
    assert alone is not None
    assert mixed is not None
    assert mixed.um_per_px == pytest.approx(alone.um_per_px, rel=0.03)


def test_no_guess_from_nothing() -> None:
    assert redcells.estimate([]) is None


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("size", [(480, 640), (30, 40), (1, 1)])
def test_blank_pictures_hold_no_red_cells(level: int, size: tuple[int, int]) -> None:
    found = redcells.find(np.full((*size, 3), level, np.uint8))
    assert len(found) == 0
    assert redcells.estimate([found] * 20) is None


def test_noise_holds_no_red_cells() -> None:
    noise = np.random.default_rng(0).normal(128, 30, (480, 640, 3))
    for sigma in (0.5, 3, 12):
        blurred = cv2.GaussianBlur(noise, (0, 0), sigma)
        picture = np.clip((blurred - 128) * 30 / blurred.std() + 128, 0, 255).astype(np.uint8)
        assert redcells.estimate([redcells.find(picture)] * 3) is None


def test_text_is_no_red_cell() -> None:
    page = np.full((480, 640, 3), 240, np.uint8)
    for row in range(20, 480, 24):
        cv2.putText(page, "Good cooks go looking for bread and dough", (5, row), 0, 0.8, (30, 30, 30), 2)
    assert redcells.estimate([redcells.find(page)] * 3) is None


def test_coins_on_a_dark_table_are_no_red_cells() -> None:
    assert redcells.estimate([redcells.find(np.asarray(255 - smear(50), np.uint8))] * 3) is None


def test_cell_cut_out_on_black_is_no_red_cell() -> None:
    picture = np.zeros((450, 450, 3), np.uint8)
    cv2.circle(picture, (225, 225), 150, (120, 60, 130), -1)
    cv2.circle(picture, (235, 225), 110, (70, 30, 110), -1)
    assert redcells.estimate([redcells.find(picture)] * 3) is None


@pytest.mark.parametrize(
    ("pattern", "um_per_px", "side"),
    [
        ("deepapl/Data/All/Patient_0*/*/*/*", 0.1, 363),
        ("PBC_dataset_normal_DIB/*/*", 0.1, 363),
        ("bccd/BCCD/JPEGImages/*", 0.083, 256),
        ("chula_wbc/images/*", 0.095, 384),
        ("txl_pbc/images/test/*", 0.063, 384),
    ],
)
def test_windows_of_real_smears(shared_data: Path, pattern: str, um_per_px: float, side: int) -> None:
    paths = sorted(shared_data.glob(pattern))
    fields = []
    for path in paths[:: max(len(paths) // 12, 1)][:12]:
        picture = cv2.imread(str(path))
        assert picture is not None
        fields.append(redcells.find(np.ascontiguousarray(picture[:side, :side, ::-1])))
    alone = [measured.um_per_px for field in fields if (measured := redcells.estimate([field]))]
    assert len(alone) >= 10
    assert np.median(alone) == pytest.approx(um_per_px, rel=0.12)
    fused = redcells.estimate(fields)
    assert fused is not None
    assert fused.um_per_px == pytest.approx(um_per_px, rel=0.1)


def test_cells_without_red_cells(shared_data: Path) -> None:
    paths = sorted(shared_data.glob("C-NMC_Leukemia/training_data/*/*/*"))[::100]
    fields = [redcells.find(np.ascontiguousarray(cv2.imread(str(path))[..., ::-1])) for path in paths]
    assert not any(redcells.estimate([field]) for field in fields)
