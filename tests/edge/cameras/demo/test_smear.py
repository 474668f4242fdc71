"""The simulated slide: its truth, its red cells, its cells, and that a place always looks the same."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest

from edge.cameras.demo.cytology import KINDS, LEUKOCYTES, draw
from edge.cameras.demo.drawing import Stain
from edge.cameras.demo.layout import lay_out
from edge.cameras.demo.scope import scope_of
from edge.cameras.demo.smear import CLEAR, Smear
from edge.types import U8

EVERY_CLASS = sorted(KINDS)
DENSE = replace(scope_of(1), leukocytes_per_field=15.0, leukocyte_spacing_um=24.0)
PLAIN = Stain.varied(np.random.default_rng(0), 0.0)


@pytest.fixture(scope="module")
def healthy() -> Smear:
    return Smear(scope_of(0))


@pytest.fixture(scope="module")
def leukemic() -> Smear:
    return Smear(scope_of(1))


def nuclear(light: U8) -> np.ndarray:
    """Where red light is lost, which only nuclei, deposits and dirt take much of."""
    red = cv2.GaussianBlur(light[..., 0], (0, 0), 3)
    return np.asarray(red < 0.45 * CLEAR)


def test_the_bundles_classes_are_all_drawn() -> None:
    assert set(LEUKOCYTES) | {"erythroblast", "platelet", "smudge-cell", "artefact"} == set(KINDS)


def test_the_healthy_slide_has_a_normal_differential_and_no_blasts(healthy: Smear) -> None:
    truth = healthy.truth()
    counts = Counter(cell["class"] for cell in truth["cells"])
    assert counts == truth["composition"]
    leukocytes = sum(counts[name] for name in LEUKOCYTES)
    assert truth["blast_fraction"] == 0
    assert not {"blast", "immature-granulocyte", "erythroblast"} & set(counts)
    assert counts["neutrophil"] / leukocytes == pytest.approx(0.60, abs=0.01)
    assert counts["lymphocyte"] / leukocytes == pytest.approx(0.28, abs=0.02)


def test_the_leukemic_slide_has_exactly_40_percent_blasts(leukemic: Smear) -> None:
    truth = leukemic.truth()
    assert truth["blast_fraction"] == 0.4
    assert set(truth["composition"]) == set(KINDS)


def test_every_region_holds_about_the_slides_share_of_blasts(leukemic: Smear) -> None:
    layout = leukemic.layout
    solid = np.isin(layout.names, LEUKOCYTES)
    width, height = leukemic.scope.slide_um
    quarter = (layout.centres_um // np.array([width / 2, height / 2])).astype(int) @ [1, 2]
    for q in range(4):
        names = layout.names[solid & (quarter == q)]
        assert len(names) > 200
        assert (names == "blast").mean() == pytest.approx(0.4, abs=0.03)


@pytest.mark.parametrize("seed", [0, 1, 2, 9])
def test_numbers_a_field(seed: int) -> None:
    scope = scope_of(seed)
    layout = lay_out(scope)
    leukocytes = np.isin(layout.names, LEUKOCYTES).sum() / scope.fields
    assert leukocytes == pytest.approx(scope.leukocytes_per_field, rel=0.02)
    assert (layout.names == "platelet").sum() / scope.fields == pytest.approx(
        scope.platelets_per_field, rel=0.2
    )


def test_leukocytes_keep_apart_but_for_the_pairs_the_truth_names(leukemic: Smear) -> None:
    cells = [cell for cell in leukemic.truth()["cells"] if cell["class"] in LEUKOCYTES]
    places = np.array([(cell["x_um"], cell["y_um"]) for cell in cells])
    radii = np.array([cell["diameter_um"] for cell in cells]) / 2
    gaps = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) - radii[:, None] - radii
    np.fill_diagonal(gaps, np.inf)
    named = np.array([cell["touching"] is not None for cell in cells])
    assert gaps[named].min(1).max() < 0.5
    assert gaps[~named].min() >= 0.5
    assert gaps.min() > -0.6
    assert 0.01 < named.mean() < 0.15


def test_clumps_are_made_of_cells_in_contact_and_change_nothing_else() -> None:
    plain, clumped = lay_out(DENSE), lay_out(replace(DENSE, clumped=0.6))
    solid = np.isin(plain.names, LEUKOCYTES)
    n = int((plain.names != "platelet").sum())  # platelets keep off the others, wherever these lie
    assert (clumped.names[:n] == plain.names[:n]).all()
    assert (clumped.diameters_um[:n] == plain.diameters_um[:n]).all()
    assert (clumped.centres_um[:n][~solid[:n]] == plain.centres_um[:n][~solid[:n]]).all()
    moved = (clumped.centres_um[:n] != plain.centres_um[:n]).any(1)
    assert 0.4 < moved[solid[:n]].mean() < 0.6  # of 0.6, where a place is free
    assert (clumped.touching[:n] >= 0)[solid[:n]].mean() > 0.7


def test_cells_in_clumps_lie_over_no_other_though_sites_are_near() -> None:
    def lying_over(clumped: float) -> float:
        layout = lay_out(replace(DENSE, clumped=clumped))
        solid = np.isin(layout.names, LEUKOCYTES)
        places, radii = layout.centres_um[solid], layout.diameters_um[solid] / 2
        gaps = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1)) - radii[:, None] - radii
        np.fill_diagonal(gaps, np.inf)
        return float((gaps.min(1) < -0.6).mean())

    assert lying_over(0.0) > 0.02
    assert lying_over(0.5) == 0


@pytest.mark.parametrize("name", EVERY_CLASS)
def test_diameters_are_of_the_class_and_drawn_as_told(leukemic: Smear, name: str) -> None:
    layout = leukemic.layout
    _, low, high = KINDS[name]
    diameters = layout.diameters_um[layout.names == name]
    assert low <= diameters.min()
    assert diameters.max() <= high
    if name in ("artefact", "smudge-cell", "platelet"):
        return
    middle = (low + high) / 2
    drawn = [
        2 * (draw(name, np.random.default_rng(k), 0.1, middle).cell.sum() * 0.01 / np.pi) ** 0.5
        for k in range(8)
    ]
    assert np.median(drawn) == pytest.approx(middle, rel=0.06)


def test_red_cells_are_as_large_and_as_many_as_told(healthy: Smear) -> None:
    diameters, coverage = [], []
    for x in (2000, 9000, 16000):
        green = healthy.window(x, 3000, 1440, 900)[..., 1]
        taken = (green < 0.86 * CLEAR).astype(np.uint8)
        coverage.append(taken.mean())
        contours, _ = cv2.findContours(taken, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        for contour in contours:
            area = cv2.contourArea(contour)
            round_ = area / max(cv2.contourArea(cv2.convexHull(contour)), 1) > 0.975
            left, top, width, height = cv2.boundingRect(contour)
            whole = left > 0 and top > 0 and left + width < 1440 and top + height < 900
            if whole and round_ and 5 < 0.2 * (area / np.pi) ** 0.5 < 9 and max(width, height) < 95:
                diameters.append(0.2 * (area / np.pi) ** 0.5)
    assert len(diameters) > 40
    assert np.median(diameters) == pytest.approx(7.5, rel=0.04)
    assert 0.3 < np.mean(coverage) < 0.7


def test_red_cells_have_central_pallor(healthy: Smear) -> None:
    looks = healthy._looks
    middles = [look[len(look) // 2, len(look) // 2] for look in looks]
    assert np.median(middles) < 0.5 * np.median([look.max() for look in looks])


def test_overlapping_red_cells_multiply(healthy: Smear) -> None:
    green = healthy.window(5000, 5000, 2000, 1200)[..., 1] / CLEAR
    density = -np.log10(green[green > 0.2])
    single = np.median(density[(density > 0.1) & (density < 0.22)])
    share_of_doubles = (np.abs(density - 2 * single) < 0.25 * single).mean()
    assert share_of_doubles > 0.01


@pytest.mark.parametrize("seed", [1, 6])
def test_nuclei_lie_where_the_truth_says_and_nowhere_else(seed: int) -> None:
    smear = Smear(scope_of(seed))
    um, side = smear.scope.um_per_px, 1800
    x0, y0 = 2500, 2100
    dark = nuclear(smear.window(x0, y0, side, side))
    cells = [cell for cell in smear.truth()["cells"] if cell["class"] != "platelet"]
    seen = np.zeros(dark.shape, np.uint8)
    checked = 0
    for cell in cells:
        x, y, radius = cell["x_um"] / um - x0, cell["y_um"] / um - y0, cell["diameter_um"] / 2 / um
        cv2.circle(seen, (round(x), round(y)), round(1.5 * radius + 1 / um), 1, -1)
        if not (radius < x < side - radius and radius < y < side - radius):
            continue
        if cell["class"] not in (*LEUKOCYTES, "erythroblast"):
            continue
        rows, columns = np.mgrid[0:side, 0:side]
        inside = dark & (np.hypot(columns - x, rows - y) < radius)
        assert inside.sum() > 0.1 * np.pi * radius**2
        assert np.hypot(columns[inside].mean() - x, rows[inside].mean() - y) < 0.5 * radius
        checked += 1
    assert checked >= 4
    small_debris = cv2.morphologyEx(
        (dark & (seen == 0)).astype(np.uint8), cv2.MORPH_OPEN, np.ones((25, 25), np.uint8)
    )
    assert not small_debris.any()


def test_the_same_place_looks_the_same_however_one_comes_there(leukemic: Smear) -> None:
    other = Smear(scope_of(1))
    other.window(3600, 2400, 700, 500)
    assert np.array_equal(
        leukemic.window(3000, 2000, 900, 700)[300:, 400:], other.window(3400, 2300, 500, 400)
    )


def test_another_seed_is_another_slide(healthy: Smear, leukemic: Smear) -> None:
    assert not np.array_equal(healthy.window(0, 0, 300, 300), leukemic.window(0, 0, 300, 300))


def test_memory_stays_bounded(leukemic: Smear) -> None:
    for x in range(0, 20000, 1400):
        leukemic.window(x, 8000, 600, 1200)
    tiles = leukemic._tiles._results
    assert sum(tile.nbytes for tile in tiles.values()) < 20e6


def test_seeds_differ_in_stain_scale_camera_and_mix() -> None:
    scopes = [scope_of(seed) for seed in range(2, 60)]
    blasts = np.array([scope.composition["blast"] for scope in scopes])
    scales = np.array([scope.um_per_px for scope in scopes])
    assert (blasts == 0).any()
    assert (blasts[blasts > 0] >= 0.05).all()
    assert blasts.max() > 0.7
    assert 0.08 <= scales.min() < 0.09
    assert 0.15 < scales.max() <= 0.16
    assert len({scope.field_px for scope in scopes}) > 3
    assert min(scope.red_cell_um for scope in scopes) < 7.0
    for scope in scopes:
        assert sum(scope.composition.values()) == pytest.approx(1)


def test_blasts_have_more_nucleus_and_finer_chromatin_than_mature_granulocytes() -> None:
    def share(name: str) -> float:
        canvases = [draw(name, np.random.default_rng(k), 0.1, 14.0) for k in range(10)]
        return float(np.median([c.nucleus.sum() / c.cell.sum() for c in canvases]))

    assert share("blast") > 0.6 > share("immature-granulocyte") > 0.25
    assert share("neutrophil") < 0.5


def test_eosinophil_granules_are_orange_and_basophils_dark() -> None:
    def cytoplasm(name: str) -> np.ndarray:
        canvases = [draw(name, np.random.default_rng(k), 0.1, 13.0) for k in range(8)]
        return np.median([np.median(c.density(PLAIN)[c.cell & ~c.nucleus], axis=0) for c in canvases], axis=0)

    eosinophil, basophil, neutrophil = map(cytoplasm, ("eosinophil", "basophil", "neutrophil"))
    assert eosinophil[2] > 1.4 * neutrophil[2]
    assert eosinophil[2] > eosinophil[0]
    assert basophil[0] > 1.5 * max(eosinophil[0], neutrophil[0])
