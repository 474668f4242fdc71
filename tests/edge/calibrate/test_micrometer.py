"""The distance of a stage micrometer's lines, however they lie; and no distance where there are none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.calibrate import micrometer
from edge.calibrate.micrometer import MicrometerError, Ruling
from edge.cameras.demo.camera import SimulatedCamera
from edge.types import U8


def lines(
    distance: float = 61.3,
    angle: float = 0.0,
    size: tuple[int, int] = (480, 640),
    *,
    width: float = 3.0,
    blur: float = 1.5,
    noise: float = 3.0,
    vignetting: float = 0.3,
    scratches: int = 0,
    longer: float | None = None,
) -> U8:
    """A drawn scale; with `longer`, every fifth and tenth line is longer and the short ones start there."""
    rng = np.random.default_rng(4)
    height, across = size
    y, x = np.mgrid[:height, :across].astype(np.float32)
    x, y = x - across / 2, y - height / 2
    turn = np.radians(angle)
    u, v = x * np.cos(turn) + y * np.sin(turn) + 13.7, y * np.cos(turn) - x * np.sin(turn)
    number = np.rint(u / distance)
    ink = np.clip(width / 2 + 0.5 - np.abs(u - number * distance), 0, 1)
    if longer is not None:
        length = np.where(number % 10 == 0, 420, np.where(number % 5 == 0, 300, 180))
        ink *= (v > longer) & (v < longer + length)
    picture = 220 * (1 - 0.75 * ink)
    for _ in range(scratches):
        ends = (rng.uniform(0, 1, (2, 2)) * (across, height)).astype(int).tolist()
        cv2.line(picture, ends[0], ends[1], float(rng.uniform(60, 180)), int(rng.integers(1, 4)))
    picture = cv2.GaussianBlur(picture, (0, 0), blur) * (
        1 - vignetting * ((x - 90) ** 2 + y**2) / (across / 2) ** 2
    )
    colour = picture[..., None] * np.array([0.9, 1.0, 0.8])
    return np.asarray(np.clip(colour + rng.normal(0, noise, colour.shape), 0, 255), np.uint8)


@pytest.mark.parametrize("angle", [0.0, 3.0, 45.0, 90.0, -68.0, 137.0])
def test_any_rotation(angle: float) -> None:
    found = micrometer.measure(lines(angle=angle))
    assert found.distance_px == pytest.approx(61.3, rel=2e-3)


@pytest.mark.parametrize(
    "drawn",
    [
        {"blur": 7.0},
        {"vignetting": 0.6, "noise": 10.0},
        {"scratches": 8, "angle": 20.0},
        {"distance": 7.91, "width": 2.0, "blur": 0.8, "angle": 30.0},
        {"distance": 120.4, "angle": 8.0},
        {"longer": -90.0, "angle": 12.0},
        {"longer": -200.0, "distance": 40.0},
    ],
)
def test_poor_pictures(drawn: dict[str, float]) -> None:
    picture = lines(**drawn)  # type: ignore[arg-type]
    distance = drawn.get("distance", 61.3)
    found = micrometer.measure(picture)
    assert found.distance_px == pytest.approx(distance, rel=5e-3)
    assert abs(found.distance_px / distance - 1) < 4 * found.uncertainty
    assert found.lines >= 4


def test_a_large_picture_is_measured_in_its_own_pixels() -> None:
    picture = lines(170.2, 25.0, (1200, 1600), width=8, blur=4)
    assert micrometer.measure(picture).distance_px == pytest.approx(170.2, rel=2e-3)


def test_few_lines_are_less_sure_than_many() -> None:
    few, many = micrometer.measure(lines(120.4)), micrometer.measure(lines(20.2))
    assert many.uncertainty <= few.uncertainty


def blood() -> U8:
    camera = SimulatedCamera(0)
    camera.open()
    pixels = camera.read().pixels
    camera.close()
    return np.ascontiguousarray(pixels[:480, :640], np.uint8)


def uneven_lines() -> U8:
    rng = np.random.default_rng(0)
    picture = np.full((480, 640, 3), 210, np.uint8)
    for x in rng.uniform(0, 640, 10).astype(int):
        picture[:, x : x + 3] = 60
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        blood(),
        uneven_lines(),
        lines(400.0),
        np.full((480, 640, 3), 200, np.uint8),
        np.asarray(np.random.default_rng(0).normal(200, 5, (480, 640, 3)), np.uint8),
        np.zeros((480, 640, 3), np.uint8),
        np.zeros((20, 20, 3), np.uint8),
    ],
    ids=["blood", "uneven", "two lines", "glass", "noise", "dark", "tiny"],
)
def test_without_a_clear_distance_it_refuses(picture: U8) -> None:
    with pytest.raises(MicrometerError, match="micrometer: no lines") as told:
        micrometer.measure(picture)
    assert "\n" not in str(told.value)


def test_real_blood_is_no_micrometer(shared_data: Path) -> None:
    for pattern in ("bccd/BCCD/JPEGImages/*", "PBC_dataset_normal_DIB/*/*"):
        paths = sorted(shared_data.glob(pattern))
        for path in paths[:: len(paths) // 4][:4]:
            picture = cv2.imread(str(path))
            assert picture is not None
            with pytest.raises(MicrometerError):
                micrometer.measure(np.asarray(picture, np.uint8))


def test_scale_takes_the_middle_and_the_spread() -> None:
    rulings = [Ruling(d, 0.001, 10) for d in (100.0, 100.2, 130.0)]
    um_per_px, error = micrometer.scale(rulings, 10.0)
    assert um_per_px == pytest.approx(10 / 100.2)
    assert error > 0.05
    alone, error = micrometer.scale(rulings[:1], 10.0)
    assert (alone, error) == (0.1, 0.001)
