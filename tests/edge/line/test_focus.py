"""The focus meter falls with every step of defocus, rises with every step back, and heeds nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.cameras.demo.camera import SimulatedCamera
from edge.line import quality
from edge.line.focus import FocusMeter
from edge.line.quality import Quality
from edge.optics import specimen
from edge.types import U8, Frame

STEPS_UM = (0.0, 0.5, 1.0, 2.0, 3.0, 4.5, 6.0)


def assess(pixels: U8, um_per_px: float = 0.1) -> Quality:
    frame = Frame(pixels, 0, "test", datetime.now(UTC), 0.0)
    return quality.assess(specimen.specimen(pixels, um_per_px, 0.25), frame)


def defocused(pixels: U8, kind: str, um: float, um_per_px: float = 0.1) -> U8:
    """Blurred by a Gaussian of this standard deviation, or by a disc of this radius."""
    px = um / um_per_px
    if px < 0.5:
        return pixels
    if kind == "gauss":
        # in floating point: OpenCV's exact whole numbers take ten times as long where the blur is wide
        blurred = cv2.GaussianBlur(pixels.astype(np.float32), (0, 0), px, borderType=cv2.BORDER_REFLECT)
        return np.asarray(np.rint(blurred), np.uint8)
    y, x = np.mgrid[-np.ceil(px) : np.ceil(px) + 1, -np.ceil(px) : np.ceil(px) + 1]
    disc = np.clip(px + 0.5 - np.hypot(x, y), 0, 1)
    return np.asarray(cv2.filter2D(pixels, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT), np.uint8)


def noisy(pixels: U8, deviation: float) -> U8:
    rng = np.random.default_rng(1)
    return np.asarray(np.clip(pixels + rng.normal(0, deviation, pixels.shape), 0, 255), np.uint8)


@pytest.fixture(scope="module")
def fields() -> list[U8]:
    """Drawn fields, in focus."""
    camera = SimulatedCamera(1)
    camera.open()
    defocus = [f["defocus_um"] for f in camera.truth()["fields"][:16]]
    frames = [camera.read().pixels[:480, :640] for _ in defocus]
    camera.close()
    return [np.ascontiguousarray(f, np.uint8) for f, d in zip(frames, defocus, strict=True) if d < 0.2][:6]


def shown(meter: FocusMeter, sweep: Sequence[Quality]) -> list[float]:
    values = [meter.see(q) for q in sweep]
    assert None not in values
    return [v for v in values if v is not None]


def focused(on: U8, um_per_px: float = 0.1) -> FocusMeter:
    meter = FocusMeter()
    for _ in range(3):
        meter.see(assess(on, um_per_px))
    return meter


@pytest.mark.parametrize("kind", ["gauss", "disc"])
@pytest.mark.parametrize("noise", [0.0, 6.0])
def test_it_falls_outwards_and_rises_inwards(fields: list[U8], kind: str, noise: float) -> None:
    sharp = noisy(fields[0], noise)
    sweep = [assess(noisy(defocused(fields[0], kind, um), noise)) for um in STEPS_UM]
    outwards = shown(focused(sharp), sweep)
    assert all(a > b for a, b in pairwise(outwards))
    assert outwards[0] > 0.9
    assert outwards[-1] < 0.35
    inwards = shown(FocusMeter(), sweep[::-1])
    assert all(b > a or b == 1 for a, b in pairwise(inwards))
    assert inwards[0] < 0.35
    assert inwards[-1] == 1


@pytest.mark.parametrize(
    ("pattern", "um_per_px"),
    [
        ("bccd/BCCD/JPEGImages/*", 0.083),
        ("chula_wbc/images/*", 0.097),
        ("txl_pbc/images/*/*", 0.064),
        ("PBC_dataset_normal_DIB/*/*", 0.103),
        ("aria_all/Original/*/*", 0.4),
        ("deepapl/Data/All/*/*/*/*", 0.102),
        ("segmentation_WBC/Dataset 1/*.bmp", 0.2),
        ("segmentation_WBC/Dataset 2/*.bmp", 0.1),
    ],
)
def test_real_fields_go_the_right_way(shared_data: Path, pattern: str, um_per_px: float) -> None:
    paths = sorted(path for path in shared_data.glob(pattern) if path.is_file())
    right = []
    for path in paths[:: max(len(paths) // 2, 1)][:2]:
        picture = cv2.imread(str(path))
        assert picture is not None
        pixels = np.ascontiguousarray(picture[:400, :400, ::-1], np.uint8)
        meter = focused(pixels, um_per_px)
        for kind in ("gauss", "disc"):
            sweep = [assess(defocused(pixels, kind, um, um_per_px), um_per_px) for um in STEPS_UM]
            right += [a > b for a, b in pairwise(shown(meter, sweep))]
    assert np.mean(right) >= 0.9


def test_another_field_in_focus_does_not_halve_it(fields: list[U8]) -> None:
    meter = FocusMeter()
    assert min(shown(meter, [assess(field) for field in fields])[3:]) > 0.6


@pytest.mark.parametrize("exposure", [0.5, 0.8])
def test_exposure_is_not_focus(fields: list[U8], exposure: float) -> None:
    meter = focused(fields[0])
    dim = meter.see(assess(np.asarray(fields[0] * exposure, np.uint8)))
    assert dim is not None
    assert dim > 0.85


def test_an_empty_field_holds_the_last_value(fields: list[U8]) -> None:
    rng = np.random.default_rng(0)
    empty = assess(np.asarray(rng.normal(210, 2, (480, 640, 3)), np.uint8))
    meter = FocusMeter()
    assert meter.see(empty) is None
    before = meter.see(assess(fields[0]))
    assert meter.see(empty) == before
    assert meter.see(Quality(0.0, 0.0, ("too dark",))) == before


def quality_of(blur_um: float, steepness: float = 30.0) -> Quality:
    return Quality(0.5, 0.8, (), blur_um, steepness)


def test_one_outlier_does_not_become_the_best() -> None:
    meter = FocusMeter()
    for blur in (0.5, 0.5, 0.5, 0.0, 0.5, 0.5):
        value = meter.see(quality_of(blur))
    assert value == 1
    first = FocusMeter()
    for blur in (0.0, 0.5, 0.5, 0.5):
        value = first.see(quality_of(blur))
    assert value == 1


def test_the_best_is_remembered_for_the_slide_only() -> None:
    meter = FocusMeter()
    for blur in (0.2, 0.2, 0.2, 0.8):
        value = meter.see(quality_of(blur))
    assert value is not None
    assert value < 0.7
    assert FocusMeter().see(quality_of(0.8)) == 1


def test_a_blurred_start_is_not_called_sharp() -> None:
    value = FocusMeter().see(quality_of(3.0, 12.0))
    assert value is not None
    assert value < 0.4


def test_what_says_nothing_of_focus_has_no_value() -> None:
    meter = FocusMeter()
    assert meter.see(Quality(0.0, 0.5, ())) is None
    assert meter.see(Quality(0.0, 0.5, (), None, 0.2)) is None
    assert meter.see(Quality(0.0, 0.5, (), 1.0, 0.0)) is None


@pytest.mark.parametrize("blur", [0.2, 0.6, 0.84, 0.86, 1.1, 2.5])
def test_the_focus_needed_is_that_of_a_field_at_the_limit(blur: float) -> None:
    meter = FocusMeter()
    for each in (0.4, 0.4, 0.4, blur):
        value = meter.see(quality_of(each))
    assert value is not None
    assert 0 < meter.needed < 1
    assert (value >= meter.needed) == (blur <= quality.BLUR_LIMIT_UM)
