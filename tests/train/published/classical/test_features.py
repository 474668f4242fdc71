"""Each feature does what its name says."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.types import U8
from tests.train.published.classical.conftest import CYTOPLASM, NUCLEUS, PITCH_UM, SIZE_PX, drawn
from train.published.classical.colour import colour
from train.published.classical.granules import granules
from train.published.classical.regions import Clustering, Regions, fuzzy, hard
from train.published.classical.shape import lobes, shape
from train.published.classical.texture import texture


def regions(crop: U8, clustering: Clustering = fuzzy) -> Regions:
    return Regions.of(crop, PITCH_UM, clustering)


def shapes(crop: U8) -> dict[str, float]:
    return shape(regions(crop), PITCH_UM)


@pytest.mark.parametrize("clustering", [fuzzy, hard])
def test_nucleus_and_cell_are_where_they_were_drawn(clustering: Clustering) -> None:
    found = regions(drawn(nucleus_um=3, cell_um=6), clustering)
    y, x = np.mgrid[:SIZE_PX, :SIZE_PX] - SIZE_PX / 2
    away_um = np.hypot(x, y) * PITCH_UM
    for mask, radius_um in ((found.nucleus, 3), (found.cell, 6)):
        truth = away_um < radius_um
        assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.93
    assert not (found.cytoplasm & found.nucleus).any()


@pytest.mark.parametrize("clustering", [fuzzy, hard])
def test_a_red_cell_that_touches_is_not_part_of_the_cell(clustering: Clustering) -> None:
    alone, crop = drawn(red_cells=False), drawn(red_cells=False)
    beside = np.array(crop)
    cv2.circle(beside, (SIZE_PX // 2 + 36, SIZE_PX // 2), 13, (215, 170, 165), -1)
    with_it = regions(beside, clustering).cell.sum() / regions(alone, clustering).cell.sum()
    assert with_it == pytest.approx(1, abs=0.08)


def test_of_two_cells_the_one_in_the_middle_is_taken() -> None:
    crop = drawn(nucleus_um=2.5, cell_um=4, red_cells=False)
    cv2.circle(crop, (12, 12), 14, CYTOPLASM, -1)
    cv2.circle(crop, (12, 12), 11, NUCLEUS, -1)
    found = regions(crop)
    assert found.nucleus[SIZE_PX // 2, SIZE_PX // 2]
    assert not found.cell[12, 12]


@pytest.mark.parametrize("grey", [0, 128, 240, 255])
def test_a_crop_with_nothing_in_it_still_has_features(grey: int) -> None:
    crop = np.full((SIZE_PX, SIZE_PX, 3), grey, np.uint8)
    found = regions(crop)
    every = shape(found, PITCH_UM) | texture(crop, found, PITCH_UM) | colour(crop, found)
    assert np.isfinite(list(every.values())).all()
    assert np.isfinite(list(granules(crop, found, PITCH_UM).values())).all()


def test_a_larger_nucleus_has_a_larger_area_and_perimeter() -> None:
    small, large = shapes(drawn(nucleus_um=2)), shapes(drawn(nucleus_um=4))
    assert small["nucleus_area_um2"] == pytest.approx(np.pi * 4, rel=0.12)
    assert large["nucleus_area_um2"] == pytest.approx(np.pi * 16, rel=0.12)
    assert large["nucleus_perimeter_um"] == pytest.approx(2 * np.pi * 4, rel=0.12)
    assert large["nucleus_share"] > 3 * small["nucleus_share"]
    assert small["cell_area_um2"] == pytest.approx(large["cell_area_um2"], rel=0.05)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_lobes_are_counted(number: int) -> None:
    assert shapes(drawn(lobes=number, nucleus_um=3.2))["lobes"] == number


def test_lobes_that_hang_together_are_counted() -> None:
    nucleus = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    for x in (30, 50, 70):
        cv2.circle(nucleus, (x, 48), 8, 1, -1)
    nucleus[46:50, 30:70] = 1
    assert lobes(nucleus > 0, PITCH_UM) == 3
    whole = cv2.ellipse(np.zeros_like(nucleus), (48, 48), (20, 12), 30, 0, 360, 1, -1)
    assert lobes(whole > 0, PITCH_UM) == 1


def test_form_tells_a_disc_from_an_ellipse_and_a_horseshoe() -> None:
    def of(mask: U8) -> dict[str, float]:
        return shape(Regions(mask > 0, mask > 0), PITCH_UM)

    blank = np.zeros((SIZE_PX, SIZE_PX), np.uint8)
    disc = of(cv2.circle(blank.copy(), (48, 48), 16, 1, -1))
    ellipse = of(cv2.ellipse(blank.copy(), (48, 48), (24, 12), 0, 0, 360, 1, -1))
    shoe = of(cv2.ellipse(blank.copy(), (48, 48), (16, 16), 0, 0, 270, 1, 6))
    assert disc["nucleus_circularity"] > 0.88 > ellipse["nucleus_circularity"] > shoe["nucleus_circularity"]
    assert disc["nucleus_elongation"] < 0.05
    assert ellipse["nucleus_elongation"] == pytest.approx(0.5, abs=0.03)
    assert ellipse["nucleus_eccentricity"] == pytest.approx(np.sqrt(0.75), abs=0.02)
    assert shoe["nucleus_solidity"] < 0.7 < 0.95 < disc["nucleus_solidity"]


def test_coarse_chromatin_has_more_contrast_across_a_clump() -> None:
    def of(grid: int) -> dict[str, float]:
        rng = np.random.default_rng(1)
        crop = drawn(nucleus_um=5, cell_um=7, noise=0)
        patches = rng.integers(0, 70, (SIZE_PX // grid + 1, SIZE_PX // grid + 1)).astype(np.uint8)
        pattern = cv2.resize(patches, None, fx=grid, fy=grid, interpolation=cv2.INTER_NEAREST)
        inside = regions(crop).nucleus
        crop[inside] += pattern[:SIZE_PX, :SIZE_PX][inside][:, None]
        return texture(crop, regions(crop), PITCH_UM)

    fine, coarse = of(1), of(6)
    assert fine["nucleus_contrast_0.3um"] > 2 * coarse["nucleus_contrast_0.3um"]
    assert coarse["nucleus_correlation_0.3um"] > 0.5 > fine["nucleus_correlation_0.3um"]
    assert coarse["nucleus_homogeneity_0.3um"] > fine["nucleus_homogeneity_0.3um"]
    assert sum(fine[f"nucleus_pattern_{i}"] for i in range(10)) == pytest.approx(1)


def test_a_flat_nucleus_has_no_entropy() -> None:
    crop = drawn(noise=0, nucleus_um=5, cell_um=7)
    core = regions(crop).nucleus & (cv2.erode(regions(crop).nucleus.astype(np.uint8), np.ones((9, 9))) > 0)
    flat = texture(crop, Regions(core, regions(crop).cell), PITCH_UM)
    assert flat["nucleus_entropy_0.3um"] == pytest.approx(0, abs=1e-6)
    assert flat["nucleus_energy_0.3um"] == pytest.approx(1)


def test_texture_does_not_change_with_the_strength_of_the_light() -> None:
    crop = drawn(grains=60)
    dim = np.asarray(crop // 2 + 100, np.uint8)
    found = regions(crop)
    a, b = (texture(c, found, PITCH_UM) for c in (crop, dim))
    assert a["cytoplasm_entropy_0.3um"] == pytest.approx(b["cytoplasm_entropy_0.3um"], rel=0.15)


def test_colour_is_that_of_the_region() -> None:
    found = colour(drawn(noise=0), regions(drawn(noise=0)))
    for channel, nucleus, cytoplasm in zip(("red", "green", "blue"), NUCLEUS, CYTOPLASM, strict=True):
        assert found[f"nucleus_{channel}_mean"] == pytest.approx(nucleus, abs=6)
        assert found[f"cytoplasm_{channel}_mean"] == pytest.approx(cytoplasm, abs=6)
    assert found["nucleus_green_density_mean"] == pytest.approx(np.log(240 / NUCLEUS[1]), abs=0.1)


def test_hues_on_both_sides_of_red_are_near() -> None:
    found = [
        colour(c, regions(c))["cytoplasm_hue_mean"]
        for c in (drawn(cytoplasm=(225, 150, 158), noise=0), drawn(cytoplasm=(225, 158, 150), noise=0))
    ]
    assert abs(found[0] - found[1]) < 15


def test_spread_and_skew_follow_the_pixels() -> None:
    crop, found = drawn(noise=1), regions(drawn(noise=1))
    spotted = np.array(crop)
    y, x = np.nonzero(found.nucleus)
    spotted[y[::12], x[::12]] = 255
    plain, odd = colour(crop, found), colour(spotted, found)
    assert odd["nucleus_red_spread"] > 3 * plain["nucleus_red_spread"]
    assert odd["nucleus_red_skew"] > 2


def granularity(crop: U8) -> dict[str, float]:
    return granules(crop, regions(crop, hard), PITCH_UM)


def test_granules_raise_granularity_and_their_share() -> None:
    plain, some, many = (granularity(drawn(grains=n, noise=1)) for n in (0, 25, 80))
    for name in ("cytoplasm_green_granularity", "granule_share"):
        assert plain[name] < some[name] < many[name]
    assert plain["granule_share"] < 0.05


def test_the_spectrum_says_how_large_granules_are() -> None:
    small, large = (granularity(drawn(grains=30, grain_um=um, noise=0, cell_um=8)) for um in (0.4, 1.0))
    assert small["cytoplasm_green_1.25um"] > large["cytoplasm_green_1.25um"]
    assert large["cytoplasm_green_2.25um"] > small["cytoplasm_green_2.25um"]
    sizes = [v for k, v in large.items() if k.startswith("cytoplasm_green_") and k.endswith("um")]
    assert sum(sizes) == pytest.approx(1)


def test_granules_colour_is_their_own() -> None:
    orange = granularity(drawn(grains=60, grain=(220, 90, 70), noise=0))
    violet = granularity(drawn(grains=60, grain=(80, 40, 120), noise=0))
    assert violet["granule_red_density"] > 2 * orange["granule_red_density"]
    assert orange["granule_blue_density"] > violet["granule_blue_density"]
    assert orange["granule_green_density"] > orange["ground_green_density"]
