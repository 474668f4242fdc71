"""Focus falls with blur and with nothing else; bad exposure is named."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.line import quality
from edge.line.quality import Quality
from edge.optics import specimen
from edge.optics.litfield import LitField
from edge.types import U8, Frame

PITCH_UM = 0.25


def field(um_per_px: float = 0.1, blur_um: float = 0.3, contrast: float = 1.0, noise: float = 1.5) -> U8:
    """Red cells and one nucleus on 64 × 48 µm, blurred by `blur_um`."""
    rng = np.random.default_rng(3)
    height, width = round(48 / um_per_px), round(64 / um_per_px)
    density = np.zeros((height, width, 3), np.float32)
    for n in range(24):
        mask = np.zeros((height, width), np.uint8)
        centre = (round(rng.uniform(0, width)), round(rng.uniform(0, height)))
        cv2.circle(mask, centre, round((3.75 if n else 5.5) / um_per_px), 1, -1)
        stain = (0.25, 0.5, 0.4) if n else (1.0, 1.5, 0.6)
        density = np.maximum(density, mask[..., None] * np.array(stain, np.float32))
    picture = 220 * np.exp(-contrast * density)
    if blur_um:
        picture = cv2.GaussianBlur(picture, (0, 0), blur_um / um_per_px)
    return np.asarray(np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255), np.uint8)


def assess(pixels: U8, um_per_px: float = 0.1, fault: str | None = None) -> Quality:
    frame = Frame(pixels, 0, "test", datetime.now(UTC), 0.0, fault=fault)
    return quality.assess(specimen.specimen(pixels, um_per_px, PITCH_UM), frame)


def test_a_good_field_has_no_problems() -> None:
    seen = assess(field())
    assert seen.problems == ()
    assert 0.7 < seen.sharpness <= 1
    assert 0.7 < seen.brightness < 1


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (2, 900), (8, 8), (41, 41)])
def test_a_picture_too_small_to_judge_focus_by_is_not_blamed_for_it(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(60, 230, (*size, 3), np.uint8)
    assert "out of focus" not in assess(pixels).problems


def test_sharpness_falls_at_every_step_of_defocus() -> None:
    sharpness = [assess(field(blur_um=b)).sharpness for b in (0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.2, 3.0)]
    assert all(a > b for a, b in pairwise(sharpness))


@pytest.mark.parametrize("blur_um", [0.6, 1.0, 1.5])
@pytest.mark.parametrize("um_per_px", [0.07, 0.1, 0.2])
def test_blur_is_measured_in_micrometres(blur_um: float, um_per_px: float) -> None:
    seen = assess(field(um_per_px, blur_um), um_per_px)
    assert seen.blur_um == pytest.approx(blur_um, rel=0.25)


@pytest.mark.parametrize("pitch_um", [0.125, 0.2, 0.25, 0.4, 0.5])
def test_blur_does_not_depend_on_the_specimens_pitch(pitch_um: float) -> None:
    pixels = field(blur_um=1.0)
    seen = quality.assess(
        specimen.specimen(pixels, 0.1, pitch_um), Frame(pixels, 0, "test", datetime.now(UTC), 0.0)
    )
    assert seen.blur_um == pytest.approx(1.0, rel=0.25)


@pytest.mark.parametrize("contrast", [0.3, 0.6, 1.5])
def test_contrast_is_not_sharpness(contrast: float) -> None:
    usual = assess(field(blur_um=0.7)).blur_um
    assert usual is not None
    assert assess(field(blur_um=0.7, contrast=contrast)).blur_um == pytest.approx(usual, rel=0.2)


def test_noise_is_not_sharpness() -> None:
    assert assess(field(blur_um=1.5, noise=8)).problems == ("out of focus",)


@pytest.mark.parametrize(
    ("blur_um", "problems"), [(0.5, ()), (1.2, ("out of focus",)), (4.0, ("out of focus",))]
)
def test_only_blur_beyond_the_limit_is_a_problem(blur_um: float, problems: tuple[str, ...]) -> None:
    assert assess(field(blur_um=blur_um)).problems == problems


def test_an_empty_field_is_no_problem() -> None:
    rng = np.random.default_rng(0)
    seen = assess(np.asarray(rng.normal(210, 2, (480, 640, 3)), np.uint8))
    assert seen.problems == ()
    assert seen.blur_um is None


@pytest.mark.parametrize(
    ("pixels", "problem"),
    [
        (np.zeros((480, 640, 3), np.uint8), "too dark"),
        (np.asarray(field() // 8, np.uint8), "too dark"),
        (np.full((480, 640, 3), 255, np.uint8), "too bright"),
        (np.full((480, 640, 3), 128, np.uint8), "no contrast"),
    ],
)
def test_exposure_problems_are_named(pixels: U8, problem: str) -> None:
    seen = assess(pixels)
    assert seen.problems == (problem,)
    assert seen.sharpness == 0


def test_burnt_out_glass_alone_is_no_problem() -> None:
    bright = np.asarray(np.clip(field().astype(np.float32) * 1.25, 0, 255), np.uint8)
    assert assess(bright).problems == ()


def test_brightness_follows_the_light() -> None:
    picture = field()
    levels = [assess(np.asarray(picture * share, np.uint8)).brightness for share in (0.4, 0.7, 1.0)]
    assert levels == sorted(levels)
    assert levels[0] == pytest.approx(0.4 * levels[2], rel=0.1)


@pytest.mark.parametrize("exposure", [0.05, 0.15, 0.25, 0.5, 1.0])
def test_a_field_outside_the_lights_range_is_too_dark(exposure: float) -> None:
    seen = assess(np.asarray(field() * exposure, np.uint8))
    assert (seen.brightness >= quality.LIGHT_RANGE[0]) == ("too dark" not in seen.problems)


def test_unreadable_frames_say_why() -> None:
    seen = assess(np.zeros((0, 0, 3), np.uint8), fault="truncated image")
    assert seen == Quality(0.0, 0.0, ("unreadable: truncated image",))


def test_tiny_pictures_are_judged_without_focus() -> None:
    assert assess(np.ascontiguousarray(field()[:20, :20], np.uint8)).blur_um is None


@pytest.mark.parametrize(
    ("pattern", "um_per_px"),
    [
        ("bccd/BCCD/JPEGImages/*", 0.083),
        ("chula_wbc/images/*", 0.097),
        ("txl_pbc/images/*/*", 0.064),
        ("PBC_dataset_normal_DIB/*/*", 0.103),
    ],
)
def test_real_fields_pass_and_blurred_ones_do_not(shared_data: Path, pattern: str, um_per_px: float) -> None:
    paths = sorted(shared_data.glob(pattern))
    passed, stopped = [], []
    for path in paths[:: max(len(paths) // 10, 1)][:10]:
        picture = cv2.imread(str(path))
        assert picture is not None
        picture = np.ascontiguousarray(picture[..., ::-1], np.uint8)
        blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.2 / um_per_px), np.uint8)
        passed.append(not assess(np.asarray(picture, np.uint8), um_per_px).problems)
        stopped.append("out of focus" in assess(blurred, um_per_px).problems)
    assert np.mean(passed) >= 0.9
    assert np.mean(stopped) >= 0.9


def test_steepness_goes_on_falling_far_out_of_focus() -> None:
    steepness = [assess(field(blur_um=b)).steepness for b in (0.2, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)]
    known = [s for s in steepness if s is not None]
    assert len(known) == len(steepness)
    assert all(a > b for a, b in pairwise(known))


def test_an_empty_field_has_no_blur_but_a_steepness() -> None:
    seen = assess(np.asarray(np.random.default_rng(0).normal(210, 2, (480, 640, 3)), np.uint8))
    assert seen.steepness is not None
    assert seen.steepness < 1


def behind_a_stop(pixels: U8, radius: float = 0.45, x: float = 0.5) -> tuple[U8, LitField]:
    """What a round stop leaves of a picture, sharp as no cell is, and its lit field."""
    height, width = pixels.shape[:2]
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    corners = np.stack([x + radius * height / width * np.cos(turn), 0.5 + radius * np.sin(turn)], axis=1)
    lit = LitField(corners.astype(np.float32))
    inside = lit.mask(height, width)
    assert inside is not None
    return np.where(inside[..., None], pixels, np.uint8(0)), lit


def assess_inside(pixels: U8, **stop: float) -> Quality:
    shown, lit = behind_a_stop(pixels, **stop)
    frame = Frame(shown, 0, "test", datetime.now(UTC), 0.0)
    return quality.assess(specimen.specimen(shown, 0.1, PITCH_UM, None, lit), frame)


@pytest.mark.parametrize("blur_um", [0.3, 0.6, 1.2])
@pytest.mark.parametrize("x", [0.5, 0.35])
def test_the_rim_of_a_field_is_no_edge(blur_um: float, x: float) -> None:
    pixels = field(blur_um=blur_um)
    plain, inside = assess(pixels), assess_inside(pixels, x=x)
    assert inside.problems == plain.problems
    assert inside.sharpness == pytest.approx(plain.sharpness, abs=0.15)
    assert inside.brightness == pytest.approx(plain.brightness, abs=0.03)


def test_exposure_is_that_of_the_field() -> None:
    assert assess_inside(field(), radius=0.2).problems == ()
    assert assess_inside(np.asarray(field() * 0.1, np.uint8)).problems == ("too dark",)
    assert assess_inside(np.full((480, 640, 3), 255, np.uint8)).problems == ("too bright",)
    empty = np.asarray(np.random.default_rng(0).normal(210, 2, (480, 640, 3)), np.uint8)
    seen = assess_inside(empty)
    assert seen.blur_um is None
    assert seen.steepness is not None
    assert seen.steepness < 1
