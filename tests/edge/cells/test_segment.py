"""Leukocytes are found, outlined and measured; red cells, platelets and empty fields give none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge.cells import segment
from edge.optics import specimen
from edge.optics.litfield import LitField
from edge.types import U8, Bools, CellsInFrame
from train.data.pictures import load_picture
from train.data.registry import dataset
from train.data.sets.fields import FIELDS, leukocytes
from train.judging.fields import score

PITCH_UM = 0.25
UM_PER_PX = 0.1

STAINS = {  # optical densities of nucleus, cytoplasm and red cell, as measured in laboratories' fields
    "pale": ((0.37, 0.75, 0.02), (0.05, 0.12, 0.02), (0.10, 0.22, 0.15)),
    "magenta": ((0.45, 1.70, 0.38), (0.15, 0.32, 0.11), (0.40, 0.56, 0.27)),
    "blue red cells": ((0.55, 1.20, 0.22), (0.30, 0.36, 0.08), (0.38, 0.34, 0.10)),
    "purple": ((1.00, 1.60, 0.38), (0.30, 0.40, 0.12), (0.20, 0.45, 0.26)),
    "low contrast": ((0.36, 0.38, 0.05), (0.05, 0.09, 0.03), (0.08, 0.12, 0.09)),
}
Point = tuple[float, float]


class Smear:
    """A field drawn in optical densities; positions and radii in µm."""

    def __init__(self, stain: str = "purple", width_um: float = 100.0, height_um: float = 70.0) -> None:
        self.shape = round(height_um / UM_PER_PX), round(width_um / UM_PER_PX)
        self.nucleus, self.cytoplasm, self.red = (np.array(d, np.float32) for d in STAINS[stain])
        self.density = np.zeros((*self.shape, 3), np.float32)

    def disc(self, at: Point, radius_um: float) -> Bools:
        out = np.zeros(self.shape, np.uint8)
        centre = tuple(round(v / UM_PER_PX * 16) for v in at)
        cv2.circle(out, centre, round(radius_um / UM_PER_PX * 16), 1, -1, cv2.LINE_8, 4)
        return out > 0

    def red_cells(self, keep_off: list[Point], reach_um: float = 11.0, seed: int = 0) -> Smear:
        rng = np.random.default_rng(seed)
        height_um, width_um = (n * UM_PER_PX for n in self.shape)
        for _ in range(int(height_um * width_um / 90)):
            at = float(rng.uniform(0, width_um)), float(rng.uniform(0, height_um))
            if all(np.hypot(at[0] - x, at[1] - y) > reach_um for x, y in keep_off):
                self.density[self.disc(at, 3.7)] = self.red
                self.density[self.disc(at, 1.2)] = 0.6 * self.red
        return self

    def leukocyte(self, at: Point, lobes: list[tuple[float, float, float]], radius_um: float) -> Smear:
        """Cytoplasm, and lobes given as x and y from the cell's middle and radius."""
        self.density[self.disc(at, radius_um)] = self.cytoplasm
        for x, y, r in lobes:
            self.density[self.disc((at[0] + x, at[1] + y), r)] = self.nucleus
        return self

    def pixels(self, lamp: Point | tuple[float, float, float] = (245, 235, 220), seed: int = 1) -> U8:
        light = cv2.GaussianBlur(np.exp(-self.density), (0, 0), 0.2 / UM_PER_PX) * np.array(lamp, np.float32)
        noise = np.random.default_rng(seed).normal(0, 2, light.shape)
        return np.clip(light + noise, 0, 255).astype(np.uint8)


def _found(pixels: U8, um_per_px: float = UM_PER_PX) -> CellsInFrame:
    view = specimen.specimen(pixels, um_per_px, PITCH_UM)
    return segment.segment(view).in_frame(*pixels.shape[:2])


def _at(cells: CellsInFrame) -> list[Point]:
    return sorted((float(x) * UM_PER_PX, float(y) * UM_PER_PX) for x, y in cells.centres_px)


LYMPHOCYTE = [(0.0, 0.0, 3.6)]
NEUTROPHIL = [(-3.0, -1.5, 1.9), (0.0, 2.6, 1.9), (3.0, -1.2, 1.9)]
EOSINOPHIL = [(-3.2, 0.0, 2.5), (3.2, 0.0, 2.5)]


@pytest.mark.parametrize("stain", STAINS)
def test_leukocytes_among_red_cells_are_found_in_any_stain(stain: str) -> None:
    places = [(25.0, 20.0), (70.0, 22.0), (50.0, 52.0)]
    smear = Smear(stain).red_cells(places)
    for at, lobes, radius in zip(places, (LYMPHOCYTE, NEUTROPHIL, EOSINOPHIL), (4.6, 6.5, 6.5), strict=True):
        smear.leukocyte(at, lobes, radius)
    cells = _found(smear.pixels())
    assert len(cells) == 3
    for found, drawn in zip(_at(cells), sorted(places), strict=True):
        assert np.hypot(found[0] - drawn[0], found[1] - drawn[1]) < 1.0
    assert not cells.cut.any()


@pytest.mark.parametrize("error", [0.8, 1.2])
def test_a_wrong_scale_does_not_matter_much(error: float) -> None:
    places = [(25.0, 20.0), (70.0, 22.0)]
    smear = Smear().red_cells(places)
    smear.leukocyte(places[0], LYMPHOCYTE, 4.6).leukocyte(places[1], NEUTROPHIL, 6.5)
    assert len(_found(smear.pixels(), UM_PER_PX * error)) == 2


@pytest.mark.parametrize("stain", STAINS)
def test_a_field_without_leukocytes_gives_none(stain: str) -> None:
    assert len(_found(Smear(stain).red_cells([]).pixels())) == 0


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_nothing_at_all_gives_none(grey: int) -> None:
    assert len(_found(np.full((200, 300, 3), grey, np.uint8))) == 0


def test_platelets_are_left_out() -> None:
    smear = Smear().red_cells([(50.0, 35.0)]).leukocyte((50.0, 35.0), LYMPHOCYTE, 4.6)
    for at in ((10.0, 10.0), (80.0, 12.0), (30.0, 60.0), (85.0, 55.0)):
        smear.density[smear.disc(at, 1.2)] = smear.nucleus
    assert len(_found(smear.pixels())) == 1


@pytest.mark.parametrize("lobes", [NEUTROPHIL, EOSINOPHIL, [(-1.8, 0.0, 3.0), (1.8, 1.5, 3.0)]])
def test_lobes_in_one_cytoplasm_are_one_cell(lobes: list[tuple[float, float, float]]) -> None:
    smear = Smear().red_cells([(50.0, 35.0)]).leukocyte((50.0, 35.0), lobes, 7.0)
    cells = _found(smear.pixels())
    assert len(cells) == 1
    drawn = np.any([smear.disc((50.0 + x, 35.0 + y), r) for x, y, r in lobes], axis=0)
    assert cells.nucleus_area_um2[0] == pytest.approx(drawn.sum() * UM_PER_PX**2, rel=0.2)


@pytest.mark.parametrize("gap_um", [-0.6, 0.0, 1.5])
def test_touching_blasts_are_two_cells(gap_um: float) -> None:
    apart = 2 * 4.2 + gap_um
    left, right = (50.0 - apart / 2, 35.0), (50.0 + apart / 2, 35.0)
    smear = Smear().red_cells([left, right])
    smear.leukocyte(left, [(0.0, 0.0, 4.2)], 4.9).leukocyte(right, [(0.0, 0.0, 4.2)], 4.9)
    for at in (left, right):
        smear.density[smear.disc(at, 4.2)] = smear.nucleus
    cells = _found(smear.pixels())
    assert len(cells) == 2
    assert cells.area_um2.min() > 0.8 * cells.area_um2.max()


def _crowd(across: int, down: int, apart_um: float, radius_um: float, cell_um: float) -> tuple[Smear, int]:
    """Blasts in rows, nuclei and cells of these radii."""
    smear = Smear(width_um=apart_um * across + 10.0, height_um=apart_um * down + 10.0)
    places = [
        (5 + apart_um * (i + 0.5), 5 + apart_um * (j + 0.5)) for j in range(down) for i in range(across)
    ]
    for at in places:
        smear.density[smear.disc(at, cell_um)] = smear.cytoplasm
    for at in places:
        smear.density[smear.disc(at, radius_um)] = smear.nucleus
    return smear, len(places)


@pytest.mark.parametrize("apart_um", [8.0, 9.0, 11.0])
def test_a_crowd_of_blasts_is_told_apart(apart_um: float) -> None:
    smear, drawn = _crowd(7, 5, apart_um, 4.2, 5.5)
    cells = _found(smear.pixels())
    assert len(cells) == drawn
    assert cells.found.nuclei.sum() * PITCH_UM**2 == pytest.approx(float(cells.nucleus_area_um2.sum()))
    own = np.bincount(cells.found.labels[cells.found.nuclei], minlength=drawn + 1)
    assert own[0] == 0
    assert own[1:] * PITCH_UM**2 == pytest.approx(cells.nucleus_area_um2)
    assert cells.area_um2.max() < 1.6 * cells.area_um2.min()


def test_a_small_lymphocyte_that_touches_a_large_blast_is_a_cell_of_its_own() -> None:
    large, small = (45.0, 35.0), (56.6, 35.0)
    smear = Smear().red_cells([large, small], reach_um=14.0)
    smear.leukocyte(large, [(0.0, 0.0, 8.2)], 8.6).leukocyte(small, [(0.0, 0.0, 3.6)], 3.9)
    smear.density[smear.disc(large, 8.2)] = smear.nucleus
    cells = _found(smear.pixels())
    assert len(cells) == 2
    assert sorted(cells.nucleus_area_um2) == pytest.approx([np.pi * 3.6**2, np.pi * 8.2**2], rel=0.15)


def test_where_cells_overlap_the_nearer_nucleus_has_it() -> None:
    smear, _ = _crowd(2, 1, 11.0, 3.6, 7.5)
    cells = _found(smear.pixels())
    assert len(cells) == 2
    left, right = np.argsort(cells.centres_px[:, 0]) + 1
    seam = smear.shape[1] * UM_PER_PX / PITCH_UM / 2
    assert np.nonzero(cells.found.labels == left)[1].max() < seam + 3
    assert np.nonzero(cells.found.labels == right)[1].min() > seam - 3


def test_a_field_of_a_hundred_cells_loses_none() -> None:
    smear, drawn = _crowd(8, 12, 10.0, 4.2, 4.9)
    assert drawn == 96
    assert len(_found(smear.pixels())) == drawn


def test_a_field_smeared_with_nuclear_material_gives_no_more_bodies_than_fit() -> None:
    noise = np.random.default_rng(1).normal(size=(800, 1200)).astype(np.float32)
    texture = np.asarray(cv2.GaussianBlur(noise, (0, 0), 14), np.float32)
    smear = Smear(width_um=120.0, height_um=80.0)
    covered = texture > -0.3 * texture.std()
    covered[:, :300] = False
    smear.density[covered] = smear.nucleus
    cells = _found(smear.pixels())
    assert len(cells) < 120 * 80 / 50  # a leukocyte covers 50 µm² at least
    assert cells.area_um2.sum() <= 120 * 80


@pytest.mark.parametrize("size", [(401, 403), (403, 400), (400, 401)])
def test_an_odd_picture_is_segmented_to_its_edge(size: tuple[int, int]) -> None:
    smear = Smear(width_um=size[1] * PITCH_UM, height_um=size[0] * PITCH_UM)
    corner = (size[1] * PITCH_UM - 2.5, size[0] * PITCH_UM - 2.5)
    beside = (corner[0] - 12.0, corner[1])
    for at in (corner, beside):
        smear.leukocyte(at, LYMPHOCYTE, 7.0)
    pixels = cv2.resize(smear.pixels(), size[::-1], interpolation=cv2.INTER_AREA)
    cells = _found(np.asarray(pixels, np.uint8), PITCH_UM)
    assert cells.found.labels.shape == size
    assert len(cells) == 2
    assert cells.cut.all()


def test_area_box_and_labels_are_those_of_the_cell_drawn() -> None:
    at, radius = (52.0, 33.0), 6.5
    cells = _found(Smear().red_cells([at]).leukocyte(at, LYMPHOCYTE, radius).pixels())
    assert cells.area_um2[0] == pytest.approx(np.pi * radius**2, rel=0.12)
    assert cells.nucleus_area_um2[0] == pytest.approx(np.pi * 3.6**2, rel=0.12)
    edges = np.array([at[0] - radius, at[1] - radius, at[0] + radius, at[1] + radius]) / UM_PER_PX
    assert np.abs(cells.boxes_px[0] - edges).max() <= 8
    assert (cells.found.labels[cells.found.nuclei] == 1).all()
    assert set(np.unique(cells.found.labels)) == {0, 1}


def test_a_red_cell_that_touches_is_not_part_of_the_cell() -> None:
    at, radius = (50.0, 35.0), 6.0
    smear = Smear().red_cells([at], reach_um=13.0)
    for turn in (0.3, 2.2, 4.4):
        smear.density[smear.disc((at[0] + 9.6 * np.cos(turn), at[1] + 9.6 * np.sin(turn)), 3.7)] = smear.red
    cells = _found(smear.leukocyte(at, LYMPHOCYTE, radius).pixels())
    assert len(cells) == 1
    assert cells.area_um2[0] == pytest.approx(np.pi * radius**2, rel=0.15)


@pytest.mark.parametrize("at", [(2.0, 35.0), (98.0, 35.0), (50.0, 1.0), (50.0, 68.5)])
def test_what_the_edge_cuts_is_marked(at: Point) -> None:
    inside = (30.0, 35.0)
    smear = Smear().red_cells([at, inside]).leukocyte(at, LYMPHOCYTE, 5.0).leukocyte(inside, LYMPHOCYTE, 5.0)
    cells = _found(smear.pixels())
    assert len(cells) == 2
    assert int(cells.cut.sum()) == 1
    kept = cells.centres_px[~cells.cut][0] * UM_PER_PX
    assert np.hypot(kept[0] - inside[0], kept[1] - inside[1]) < 1.0


def _pictures() -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng(2)
    middle = (18.0, 18.0)
    blank = Smear(width_um=36, height_um=36)
    cell = Smear(width_um=36, height_um=36).red_cells([middle]).leukocyte(middle, NEUTROPHIL, 6.5).pixels()
    masked = Smear(width_um=36, height_um=36).leukocyte(middle, LYMPHOCYTE, 4.6)
    red = Smear(width_um=36, height_um=36).red_cells([middle])
    red.density[red.disc(middle, 3.7)] = red.red
    return {
        "cell": cell,
        "blurred": np.asarray(cv2.GaussianBlur(cell, (0, 0), 20), np.uint8),
        "on white": masked.pixels((255, 255, 255)),
        "on black": masked.pixels() * (masked.density.max(axis=2, keepdims=True) > 0).astype(np.uint8),
        "red cell": red.pixels(),
        "empty": blank.pixels(),
        "black": np.zeros((100, 100, 3), np.uint8),
        "noise": rng.integers(0, 255, (120, 90, 3), dtype=np.uint8),
        "small": cell[170:190, 170:190],
        "one pixel": cell[:1, :1],
        "two cells": Smear(width_um=36, height_um=36)
        .leukocyte(middle, LYMPHOCYTE, 4.6)
        .leukocyte((28.0, 28.0), LYMPHOCYTE, 4.6)
        .pixels(),
    }


@pytest.mark.parametrize("name", _pictures())
@pytest.mark.parametrize("um_per_px", [0.05, 0.1, 0.3])
def test_a_single_cell_picture_gives_exactly_one_cell(name: str, um_per_px: float) -> None:
    pixels = _pictures()[name]
    height, width = pixels.shape[:2]
    view = specimen.specimen(pixels, um_per_px, PITCH_UM)
    cells = segment.single(view).in_frame(height, width)
    assert len(cells) == 1
    assert cells.area_um2[0] >= cells.nucleus_area_um2[0] > 0
    x0, y0, x1, y1 = cells.boxes_px[0]
    assert 0 <= x0 < x1 <= width
    assert 0 <= y0 < y1 <= height
    assert x0 <= width / 2 <= x1
    assert y0 <= height / 2 <= y1


def test_of_two_cells_the_middle_one_is_taken() -> None:
    pixels = _pictures()["two cells"]
    view = specimen.specimen(pixels, UM_PER_PX, PITCH_UM)
    cells = segment.single(view).in_frame(*pixels.shape[:2])
    assert np.abs(cells.centres_px[0] * UM_PER_PX - 18.0).max() < 0.7


@pytest.mark.parametrize(
    ("name", "recall", "beyond"), [("bccd", 0.97, 0.07), ("txl-pbc", 0.95, 0.08), ("chula", 0.95, 1.5)]
)
def test_real_fields(shared_data: Path, name: str, recall: float, beyond: float) -> None:
    source = dataset(name)
    if not source.there(shared_data):
        pytest.skip(f"no {name} in {shared_data}")
    listed = [f for f in FIELDS[name](source.root(shared_data), print) if f.official != "test"]
    scores = []
    for field in listed[::6]:
        pixels = load_picture(field.path)
        view = specimen.specimen(pixels, field.um_per_px, PITCH_UM)
        cells = segment.segment(view).in_frame(*pixels.shape[:2])
        scores.append(score(leukocytes(field), pixels.shape[:2], cells)[0])
    asked = sum(s.asked for s in scores)
    assert asked >= 10
    assert sum(s.found for s in scores) >= recall * asked - 1
    assert sum(s.beyond for s in scores) <= max(1, beyond * len(scores) + 1)


def test_a_cell_at_the_rim_of_a_stop_is_cut() -> None:
    places = [(50.0, 35.0), (22.0, 35.0), (78.5, 35.0)]
    smear = Smear()
    for at in places:
        smear.leukocyte(at, LYMPHOCYTE, 5.0)
    pixels = smear.red_cells(places).pixels()
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    lit = LitField(np.stack([0.5 + 0.3 * np.cos(turn), 0.5 + 0.3 / 0.7 * np.sin(turn)], 1).astype(np.float32))
    inside = lit.mask(*pixels.shape[:2])
    assert inside is not None
    black = np.where(inside[..., None], pixels, np.uint8(0))
    found = segment.segment(specimen.specimen(black, UM_PER_PX, PITCH_UM, None, lit)).in_frame(
        *pixels.shape[:2]
    )
    whole = {
        round(float(x) * UM_PER_PX / 5) * 5: bool(cut)
        for (x, _), cut in zip(found.centres_px, found.cut, strict=True)
    }
    assert whole[50] is False
    assert all(cut for x, cut in whole.items() if x != 50)
    assert len(found) in (2, 3), "nothing is found in the black"
