"""What a model is shown: every step does what its name says, and what a model input makes of a field."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest

from edge.bundle.model_input import STEPS, WHITE_BALANCE, ModelInput
from edge.optics.specimen import BACKGROUND, Specimen, specimen
from edge.types import U8

SIZE = 64
MIDDLE = np.full((1, 2), SIZE / 2, np.float32)


def _step(picture: U8, *steps: str) -> U8:
    """A picture after these steps, by the way that training and the device take."""
    view = Specimen(picture, 0.25, 1.0, np.full(3, BACKGROUND, np.float32), 0.5)
    middle = np.full((1, 2), len(picture) / 2, np.float32)
    (shown,) = ModelInput(0.25, len(picture), steps).of(view, middle, picture)
    return shown


def _grey(values: np.ndarray) -> U8:
    return np.repeat(np.clip(np.round(values), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _edge(noise: float = 0.0) -> U8:
    """Dark on the left, light on the right."""
    values = np.where(np.arange(SIZE) < SIZE // 2, 60.0, 200.0)[None, :].repeat(SIZE, axis=0)
    return _grey(values + np.random.default_rng(0).normal(0, noise, values.shape))


def _lightness(picture: U8) -> np.ndarray:
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), np.float64)[..., 0]


def test_median_takes_a_lone_pixel_away_and_keeps_an_edge() -> None:
    clean = _edge()
    salted = clean.copy()
    salted[20, 10] = 255
    np.testing.assert_array_equal(_step(salted, "median:3"), clean)


def test_gaussian_takes_the_fine_away_and_keeps_the_coarse() -> None:
    values = 128 + 60 * np.sin(np.arange(SIZE) * 2 * np.pi / 64)[None, :].repeat(SIZE, axis=0)
    picture = _grey(values + np.random.default_rng(0).normal(0, 20, values.shape))
    before, after = (
        np.abs(np.fft.rfft2(p[..., 0].astype(float))) for p in (picture, _step(picture, "gaussian:2"))
    )
    assert after[16:48, 16:].mean() < 0.05 * before[16:48, 16:].mean()
    assert after[0, 1] > 0.95 * before[0, 1]


def test_wiener_keeps_edges_and_takes_noise_away() -> None:
    noisy, flat = _edge(noise=8), np.s_[8:-8, 40:56]
    kept, blurred = _step(noisy, "wiener:5"), cv2.blur(noisy, (5, 5))
    assert kept[flat].std() < 0.6 * noisy[flat].std()
    steep = [np.diff(p[8:-8, 28:36, 0].astype(float).mean(axis=0)).max() for p in (noisy, kept, blurred)]
    assert steep[1] > 0.9 * steep[0] > 2 * steep[2]


def test_wiener_leaves_a_flat_picture_alone() -> None:
    flat = np.full((SIZE, SIZE, 3), 77, np.uint8)
    np.testing.assert_array_equal(_step(flat, "wiener:3"), flat)


def test_equalize_spreads_the_lightness_and_leaves_the_colour() -> None:
    slope = np.linspace(100, 140, SIZE)[None, :, None].repeat(SIZE, axis=0)
    picture = (slope * (1.0, 0.8, 1.1)).astype(np.uint8)
    shown = _step(picture, "equalize")
    assert np.ptp(_lightness(picture)) < 50
    assert np.ptp(_lightness(shown)) > 240
    colours = [cv2.cvtColor(p, cv2.COLOR_RGB2LAB)[:, 20:44, 1:].astype(float) for p in (picture, shown)]
    assert np.abs(colours[0] - colours[1]).mean() < 6


def test_clahe_raises_contrast_everywhere_and_no_more_than_it_may() -> None:
    """A faint pattern on a ground that gets lighter: what is done is done in every place by itself."""
    ground = np.linspace(60, 190, SIZE)[None, :].repeat(SIZE, axis=0)
    picture = _grey(ground + 4 * np.sign(np.sin(np.arange(SIZE) * 1.5))[:, None])
    shown = _step(picture, "clahe:2")
    stronger = _step(picture, "clahe:8")
    for column in (8, 32, 56):
        before, after, most = (_lightness(p)[:, column].std() for p in (picture, shown, stronger))
        assert 1.2 * before < after < most


def test_foreground_lays_all_that_is_light_on_clear_glass() -> None:
    picture = np.full((SIZE, SIZE, 3), (215, 190, 205), np.uint8)
    cv2.circle(picture, (32, 32), 14, (90, 50, 140), -1)
    shown = _step(picture, "foreground")
    cell = picture[..., 1] == 50
    np.testing.assert_array_equal(shown[cell], picture[cell])
    assert (shown[~cell] == BACKGROUND).all()


def test_on_glass_lays_a_cell_that_was_cut_out_on_clear_glass() -> None:
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    cv2.circle(picture, (32, 32), 14, (90, 50, 140), -1)
    shown = _step(picture, "on-glass:180")
    cell = picture[..., 1] == 50
    assert (shown[~cell] == BACKGROUND).all()
    assert np.abs(shown[cell] - np.array((90, 50, 140)) * BACKGROUND / 180).max() <= 0.5
    assert (_step(np.full((SIZE, SIZE, 3), 200, np.uint8), "on-glass:100") == 255).all()


@pytest.mark.parametrize(("size", "side"), [(64, 32), (65, 32), (64, 33), (64, 64)])
def test_centre_crop_is_the_middle(size: int, side: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    shown = _step(picture, f"centre-crop:{side}")
    start = size // 2 - side // 2
    np.testing.assert_array_equal(shown, picture[start : start + side, start : start + side])


@pytest.mark.parametrize("side", [16, 32, 64, 150])
def test_resize_keeps_the_light(side: int) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)
    shown = _step(picture, f"resize:{side}")
    assert shown.shape == (side, side, 3)
    assert np.abs(shown.mean(axis=(0, 1)) - picture.mean(axis=(0, 1))).max() < 2


@pytest.mark.parametrize("name", STEPS)
def test_every_step_can_be_asked_for_and_says_what_it_gives(name: str) -> None:
    step = STEPS[name]
    text = name if step.low is None else f"{name}:{max(step.low, 9 if step.whole_number else 1.5):g}"
    model_input = ModelInput(0.25, SIZE, (text,))
    shown = _step(_edge(noise=5), text)
    assert shown.dtype == np.uint8
    assert shown.shape == (model_input.size_px, model_input.size_px, 3)
    assert step.what


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("magic", "step 'magic': unknown; this program does white-balance, median, "),
        ("", "step '': unknown"),
        ("Median:3", "step 'Median:3': unknown"),
        ("median", "step 'median': median takes an odd whole number from 3 to 15"),
        ("median:", "step 'median:': median takes an odd whole number"),
        ("median:4", "step 'median:4': median takes an odd whole number"),
        ("median:17", "step 'median:17': median takes an odd whole number"),
        ("median:3.5", "step 'median:3.5': median takes an odd whole number"),
        ("median:-3", "step 'median:-3': median takes"),
        ("wiener:1e1", "step 'wiener:1e1': wiener takes an odd whole number from 3 to 31"),
        ("gaussian:0", "step 'gaussian:0': gaussian takes a number from 0.1 to 20"),
        ("gaussian:nan", "step 'gaussian:nan': gaussian takes a number"),
        ("clahe:2:3", "step 'clahe:2:3': clahe takes a number from 0.1 to 40"),
        ("equalize:2", "step 'equalize:2': equalize takes no number"),
        ("white-balance:1", "step 'white-balance:1': white-balance takes no number"),
        ("resize:7", "step 'resize:7': resize takes a whole number from 8 to 1024"),
        ("resize:20.5", "step 'resize:20.5': resize takes a whole number"),
        ("centre-crop:65", "step 'centre-crop:65': what it is given has 64 px"),
    ],
)  # fmt: skip
def test_what_no_step_can_be_is_named(step: str, words: str) -> None:
    with pytest.raises(ValueError, match=r"\S") as refused:
        ModelInput(0.25, SIZE, (step,))
    line = str(refused.value)
    assert words in line
    assert line.isprintable()


def test_white_balance_comes_first_or_not_at_all() -> None:
    for steps in (("median:3", WHITE_BALANCE), (WHITE_BALANCE, WHITE_BALANCE)):
        with pytest.raises(ValueError, match=r"white-balance: .* must be the first step"):
            ModelInput(0.25, SIZE, steps)


@pytest.mark.parametrize(
    ("steps", "size"),
    [
        ((), 96),
        ((WHITE_BALANCE, "median:3", "clahe:2"), 96),
        (("centre-crop:64",), 64),
        (("centre-crop:64", "resize:80"), 80),
        (("resize:160", "centre-crop:128"), 128),
    ],
)
def test_the_size_follows_the_steps(steps: tuple[str, ...], size: int) -> None:
    model_input = ModelInput(0.25, 96, steps)
    assert model_input.size_px == size
    assert model_input.of(_smear(), np.zeros((2, 2), np.float32), FIELD).shape == (2, size, size, 3)
    with pytest.raises(ValueError, match=r"centre-crop:400': what it is given has 96 px"):
        ModelInput(0.25, 96, ("centre-crop:400", "resize:512"))


def test_only_a_crop_and_nothing_more_lies_in_a_wider_one() -> None:
    assert ModelInput(0.25, 96).plain
    assert ModelInput(0.25, 96, ()).plain
    assert not ModelInput(0.25, 96, ("median:3",)).plain
    assert not ModelInput(0.25, 96, ("resize:96",)).plain


def test_what_a_pixel_measures_after_the_steps() -> None:
    assert ModelInput(0.25, 96).shown_pitch_um == 0.25
    assert ModelInput(0.25, 96, ("centre-crop:64",)).shown_pitch_um == 0.25
    assert ModelInput(0.25, 96, ("centre-crop:64", "resize:128")).shown_pitch_um == 0.125
    assert ModelInput(0.25, 160, ("resize:80", "centre-crop:64")).shown_pitch_um == 0.5
    assert not ModelInput(0.25, 96, whole=True).plain
    view, centre = _smear(), np.array([[60, 40]], np.float32)
    for steps in ((), (WHITE_BALANCE,)):
        narrow, wide = (ModelInput(0.25, size, steps).of(view, centre, FIELD)[0] for size in (32, 48))
        np.testing.assert_array_equal(narrow, wide[8:40, 8:40])


def test_steps_are_done_in_their_order() -> None:
    picture = _edge(noise=20)
    one, other = _step(picture, "median:5", "resize:32"), _step(picture, "resize:32", "median:5")
    assert (one != other).any()
    np.testing.assert_array_equal(one, _step(_step(picture, "median:5"), "resize:32"))


LAMP = (230, 210, 180)


def _field() -> U8:
    """A field of 300 × 200 px under a warm lamp."""
    pixels = np.full((200, 300, 3), LAMP, np.uint8)
    for x, y in ((60, 50), (150, 100), (240, 150)):
        cv2.circle(pixels, (x, y), 20, (100, 60, 140), -1)
    return pixels


FIELD = _field()


def _smear() -> Specimen:
    """It at 0.25 µm per pixel."""
    return specimen(FIELD, 0.1, 0.25)


def test_a_whole_field_is_the_same_wherever_its_cells_lie() -> None:
    centres = np.array([[0, 0], [299, 199], [7, 7]], np.float32)
    shown = ModelInput(0.25, 48, whole=True).of(_smear(), centres, FIELD)
    assert shown.shape == (3, 48, 48, 3)
    assert (shown == shown[0]).all()
    for corner in (shown[0, 0, 0], shown[0, -1, -1]):
        assert np.abs(corner.astype(int) - BACKGROUND).max() <= 3
    assert shown[0, 24, 24, 1] < 100  # the cell in the middle of the field


@pytest.mark.parametrize("steps", [(), (WHITE_BALANCE,), ("median:3",)])
def test_a_whole_field_is_the_same_whatever_its_scale_is_taken_to_be(steps: tuple[str, ...]) -> None:
    model_input = ModelInput(0.25, 48, steps, whole=True)
    shown = [
        model_input.of(specimen(FIELD, um, 0.25), np.zeros((1, 2), np.float32), FIELD)[0]
        for um in (0.05, 0.1, 0.4)
    ]
    assert all((other == shown[0]).all() for other in shown)


def test_a_whole_field_is_shown_to_its_edges_whatever_its_shape() -> None:
    for size in ((40, 30), (300, 200), (199, 611)):
        picture = np.zeros((size[1], size[0], 3), np.uint8)
        picture[:, size[0] // 2 :] = 200
        view = specimen(picture, 0.1, 0.25)
        (shown,) = ModelInput(0.25, 48, (), whole=True).of(view, np.zeros((1, 2), np.float32), picture)
        assert (shown[:, :23] == 0).all()
        assert (shown[:, 26:] == 200).all()


def test_without_cells_nothing_is_shown() -> None:
    for model_input in (
        ModelInput(0.25, 48),
        ModelInput(0.25, 48, ("median:3", "resize:32")),
        ModelInput(0.25, 48, whole=True),
    ):
        none = np.zeros((0, 2), np.float32)
        assert model_input.of(_smear(), none, FIELD).shape == (0, model_input.size_px, model_input.size_px, 3)


@pytest.mark.parametrize("whole", [False, True])
def test_what_does_not_name_white_balance_is_shown_the_picture_as_it_was_taken(whole: bool) -> None:
    view, centre = _smear(), np.array([[60, 8]], np.float32)
    taken, corrected = (
        ModelInput(0.25, 16, steps, whole).of(view, centre, FIELD)[0] for steps in ((), (WHITE_BALANCE,))
    )
    assert np.abs(taken[0, 0].astype(int) - LAMP).max() <= 2
    assert np.abs(corrected[0, 0].astype(int) - BACKGROUND).max() <= 3
    assert corrected[..., 2].mean() > taken[..., 2].mean() + 20


def test_beyond_the_edge_of_a_picture_as_it_was_taken_lies_its_own_glass() -> None:
    (corner,) = ModelInput(0.25, 32, ()).of(_smear(), np.zeros((1, 2), np.float32), FIELD)
    assert np.abs(corner[0, 0].astype(int) - LAMP).max() <= 2


def test_a_cell_cut_out_on_black_stays_on_black_unless_white_balance_is_asked_for() -> None:
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    cv2.circle(pixels, (32, 32), 16, (120, 60, 160), -1)
    view = specimen(pixels, 0.25, 0.25)
    (taken,) = ModelInput(0.25, 96, ("median:3", "centre-crop:80")).of(view, MIDDLE, pixels)
    assert (taken[:24] == 0).all()
    assert (taken[40, 40] == (120, 60, 160)).all()
    (corrected,) = ModelInput(0.25, 96, (WHITE_BALANCE, "centre-crop:80")).of(view, MIDDLE, pixels)
    assert np.abs(corrected[:24].astype(int) - BACKGROUND).max() <= 1


def test_a_specimen_that_nobody_saw_uncorrected_is_shown_as_it_is() -> None:
    picture = _edge()
    view = Specimen(picture, 0.25, 1.0, np.full(3, BACKGROUND, np.float32), 0.5)
    one, other = (ModelInput(0.25, SIZE, steps).of(view, MIDDLE, picture) for steps in ((), (WHITE_BALANCE,)))
    np.testing.assert_array_equal(one, other)


def test_looks_that_differ_are_told_apart() -> None:
    """The cache of cut windows and the crops that several models share go by it."""
    looks = [
        ModelInput(0.25, 96),
        ModelInput(0.2, 96),
        ModelInput(0.25, 90),
        ModelInput(0.25, 96, ()),
        ModelInput(0.25, 96, whole=True),
    ]
    assert len(set(looks)) == len({str(look) for look in looks}) == len(looks)
    assert all(one != other for one, other in pairwise(looks))
