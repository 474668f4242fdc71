"""The definition of the input: light and scale are undone, whatever camera took the picture."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.bundle.model_input import crops
from edge.optics import illumination, specimen
from edge.optics.litfield import LitField
from edge.optics.specimen import BACKGROUND, Specimen


def _smear(height: int = 600, width: int = 960, um_per_px: float = 0.1, seed: int = 0) -> np.ndarray:
    """Glass at full light with red-cell-like discs, (H, W, 3) float32 transmission."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32) * um_per_px
    field = np.ones((height, width, 3), np.float32)
    for _ in range(int(height * width * um_per_px**2 / 110)):
        cx, cy = rng.uniform(0, width * um_per_px), rng.uniform(0, height * um_per_px)
        inside = (x - cx) ** 2 + (y - cy) ** 2 < 3.7**2
        field[inside] *= np.array([0.85, 0.6, 0.65], np.float32)
    return field


def _taken(field: np.ndarray, lamp: tuple[float, float, float], vignetting: float = 0.0) -> np.ndarray:
    height, width = field.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    shade = 1 - vignetting * (x**2 + y**2) / 2
    light = np.clip(field * shade[..., None] * np.array(lamp), 0, 255)
    return np.asarray(light, np.uint8)


@pytest.mark.parametrize("lamp", [(250, 250, 250), (250, 225, 190), (150, 160, 200), (90, 80, 70)])
@pytest.mark.parametrize("vignetting", [0.0, 0.5])
def test_glass_comes_out_the_same_under_any_lamp(lamp: tuple[float, float, float], vignetting: float) -> None:
    field = _smear()
    view = specimen.specimen(_taken(field, lamp, vignetting), 0.1, 0.25)
    glass = illumination.resample((field.min(axis=2, keepdims=True) * 255).astype(np.uint8), 0.4) > 250
    values = view.pixels[glass]
    assert np.abs(np.median(values, axis=0) - BACKGROUND).max() <= 5
    assert np.percentile(np.abs(values.astype(int) - BACKGROUND), 95) <= 14


def test_two_cameras_see_the_same_specimen() -> None:
    field = _smear(um_per_px=0.1)
    a = specimen.specimen(_taken(field, (250, 240, 230), 0.2), 0.1, 0.25)
    small = illumination.resample(_taken(field, (200, 210, 220)), 0.5)
    b = specimen.specimen(small, 0.2, 0.25)
    assert a.pixels.shape == b.pixels.shape
    assert np.abs(a.pixels.astype(int) - b.pixels).mean() < 4


@pytest.mark.parametrize("box", [2, 3, 4, 8])
def test_shrinking_neither_brightens_nor_darkens(box: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (240, 240, 3), np.uint8)
    small = illumination.resample(picture, 1 / box)
    whole = picture.reshape(240 // box, box, 240 // box, box, 3).mean(axis=(1, 3))
    assert abs(float((small - whole).mean())) < 0.15
    assert np.abs(small - whole).max() <= 1


@pytest.mark.parametrize("vignetting", [0.0, 0.5])
def test_the_correction_is_what_floating_point_gives(vignetting: float) -> None:
    taken = _taken(_smear(), (200, 180, 150), vignetting)
    grid = illumination.resample(taken, 0.4)
    glass, _ = illumination.background(grid, 0.25)
    gain = cv2.resize(BACKGROUND / glass, grid.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    exact = np.clip(grid * gain, 0, 255)
    got = specimen.specimen(taken, 0.1, 0.25).pixels
    assert np.abs(got - exact).max() <= 1.6
    assert abs(float((got - exact).mean())) < 0.1


def test_a_cell_cut_out_on_black_is_laid_on_glass() -> None:
    picture = np.zeros((450, 450, 3), np.uint8)
    y, x = np.mgrid[:450, :450]
    picture[(x - 225) ** 2 + (y - 225) ** 2 < 100**2] = (90, 40, 120)
    view = specimen.specimen(picture, 0.1, 0.25)
    assert view.glass_fraction == 0
    assert np.abs(view.pixels[0, 0].astype(int) - BACKGROUND).max() <= 1
    middle = view.pixels[90, 90].astype(int)
    white = 120 * np.exp(0.35)
    assert np.abs(middle - np.array([90, 40, 120]) * BACKGROUND / white).max() <= 2


@pytest.mark.parametrize("exposure", [0.5, 1.0, 1.9])
def test_a_cell_cut_out_looks_alike_however_it_was_exposed(exposure: float) -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    y, x = np.mgrid[:200, :200]
    cell = np.array([60, 30, 80])
    picture[(x - 100) ** 2 + (y - 100) ** 2 < 60**2] = (cell * exposure).astype(np.uint8)
    middle = specimen.specimen(picture, 0.1, 0.25).pixels[40, 40].astype(int)
    assert np.abs(middle - cell * BACKGROUND / (80 * np.exp(0.35))).max() <= 4


@pytest.mark.parametrize(("height", "width"), [(6, 8), (7, 9), (1, 1), (2, 1), (1, 5)])
def test_the_half_is_the_mean_of_boxes_at_twice_the_pitch(height: int, width: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    half = Specimen(pixels, 0.25, 1.0, np.full(3, 240, np.float32), 0.5).half
    down, across = max(height // 2, 1), max(width // 2, 1)
    assert half.shape == (down, across, 3)
    for i in range(down):
        for j in range(across):
            box = pixels[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].reshape(-1, 3).mean(axis=0)
            assert np.abs(half[i, j] - box).max() <= 0.51


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (240, 320)])
def test_pictures_of_nothing_do_no_harm(value: int, shape: tuple[int, int]) -> None:
    view = specimen.specimen(np.full((*shape, 3), value, np.uint8), 0.1, 0.25)
    assert view.pixels.dtype == np.uint8
    assert view.pixels.ndim == 3


def test_no_picture_is_no_specimen() -> None:
    assert specimen.specimen(np.zeros((0, 0, 3), np.uint8), 0.1, 0.25).pixels.size == 0


def test_crops_are_windows_of_the_specimen_with_glass_beyond_its_edge() -> None:
    view = specimen.specimen(_taken(_smear(), (250, 250, 250)), 0.1, 0.25)
    centres = np.array([[480, 300], [0, 0], [959, 599]], np.float32)
    middle, corner, far = crops(view, centres * view.scale, 96)
    np.testing.assert_array_equal(middle, view.pixels[120 - 48 : 120 + 48, 192 - 48 : 192 + 48])
    np.testing.assert_array_equal(corner[48:, 48:], view.pixels[:48, :48])
    assert (corner[:48] == BACKGROUND).all()
    assert (far[50:] == BACKGROUND).all()
    assert crops(view, np.zeros((0, 2), np.float32), 96).shape == (0, 96, 96, 3)


@pytest.mark.parametrize("um_per_px", [0.1, 0.0873, 0.31])
def test_a_place_on_the_grid_and_the_one_in_the_frame_are_the_same_in_pitches(um_per_px: float) -> None:
    view = specimen.specimen(np.full((601, 963, 3), 200, np.uint8), um_per_px, 0.25)
    height, width = view.pixels.shape[:2]
    ends = view.in_pitches(np.array([[0, 0], [width, height]], np.float64))
    np.testing.assert_allclose(ends, np.array([[0, 0], [963, 601]]) * view.scale, rtol=1e-6)
    assert np.abs(ends[1] - (width, height)).max() <= 0.5


ROUND = LitField(
    np.array(
        [(0.5 + 0.3 * np.cos(a), 0.5 + 0.48 * np.sin(a)) for a in np.arange(48) * np.pi / 24], np.float32
    )
)


@pytest.mark.parametrize("vignetting", [0.0, 0.6])
def test_a_lit_field_comes_out_as_it_would_without_the_black(vignetting: float) -> None:
    taken = _taken(_smear(720, 1152), (250, 225, 190), vignetting)
    inside = ROUND.mask(*taken.shape[:2])
    assert inside is not None
    whole = specimen.specimen(taken, 0.1, 0.25)
    black = np.where(inside[..., None], taken, np.uint8(0))
    view = specimen.specimen(black, 0.1, 0.25, None, ROUND)
    small = ROUND.mask(*view.pixels.shape[:2])
    assert small is not None
    well_in = cv2.erode(small.view(np.uint8), np.ones((5, 5), np.uint8)) > 0
    off = np.abs(view.pixels.astype(int) - whole.pixels)
    assert off[well_in].mean() < 2
    assert (view.pixels[~small] == BACKGROUND).all()
    assert view.glass_fraction == pytest.approx(whole.glass_fraction, abs=0.05)
    assert view.taken is not None
    assert (np.abs(view.taken[~small] - view.glass) <= 0.5).all(), "models that see it uncorrected see glass"


def test_a_black_surround_that_nobody_told_of_would_spoil_it() -> None:
    taken = _taken(_smear(), (250, 225, 190), 0.6)
    inside = ROUND.mask(*taken.shape[:2])
    assert inside is not None
    black = np.where(inside[..., None], taken, np.uint8(0))
    told, untold = (specimen.specimen(black, 0.1, 0.25, None, lit) for lit in (ROUND, LitField()))
    assert told.glass_fraction > 1.4 * untold.glass_fraction


@pytest.mark.parametrize("size", [(600, 960), (601, 959)])
@pytest.mark.parametrize("um_per_px", [0.08, 0.1, 0.125])
def test_half_the_pixels_give_the_same_specimen(size: tuple[int, int], um_per_px: float) -> None:
    whole = _taken(_smear(*size), (250, 225, 190), 0.3)
    padded = np.pad(whole, ((0, size[0] % 2), (0, size[1] % 2), (0, 0)), mode="edge")
    half = cv2.resize(padded, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    of_whole = specimen.specimen(whole, um_per_px, 0.25)
    of_half = specimen.specimen(half, um_per_px, 0.25, size=(size[1], size[0]))
    assert of_half.pixels.shape == of_whole.pixels.shape
    assert (of_half.scale, of_half.stretch.tolist()) == (of_whole.scale, of_whole.stretch.tolist())
    assert of_half.glass_fraction == pytest.approx(of_whole.glass_fraction, abs=0.01)
    # of an odd size the last row and column are padded: half a pixel at the far edge
    most = 2.5 if size[0] % 2 else 1.5
    assert np.abs(of_half.pixels.astype(int) - of_whole.pixels).mean() < most
