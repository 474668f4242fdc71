"""The flat field of an empty place, and the refusal of any other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge.calibrate import flatfield
from edge.calibrate.flatfield import FlatFieldError
from edge.cameras.demo.camera import SimulatedCamera
from edge.optics import specimen as preprocess
from edge.types import F32, U8

SIZE = (450, 720)


def light(lost: float = 0.4, dust: float = 0.15) -> F32:
    """What reaches each part of the field, 0 to 1: vignetting off the middle and two soft shadows."""
    height, width = SIZE
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    out = 1 - lost * ((x - 0.1) ** 2 + (y + 0.1) ** 2) / 2.42
    for cx, cy, r in ((0.5, 0.3, 0.15), (-0.4, -0.5, 0.1)):
        out *= 1 - dust * np.exp(-(((x - cx) * 1.6) ** 2 + (y - cy) ** 2) / (2 * r**2))
    return np.asarray(out / out.max(), np.float32)


def seen(specimen: U8 | float, through: F32, noise: float = 2.0, seed: int = 0) -> U8:
    white = np.array([235.0, 228.0, 214.0]) / 255
    picture = specimen * through[..., None] * white
    rng = np.random.default_rng(seed)
    return np.asarray(np.clip(picture + rng.normal(0, noise, (*SIZE, 3)), 0, 255), np.uint8)


def empty(through: F32, n: int = 5) -> list[U8]:
    return [seen(250.0, through, seed=i) for i in range(n)]


@pytest.fixture(scope="module")
def fields() -> list[U8]:
    camera = SimulatedCamera(1)
    camera.open()
    out = [np.ascontiguousarray(camera.read().pixels[: SIZE[0], : SIZE[1]], np.uint8) for _ in range(3)]
    camera.close()
    return out


def test_it_is_the_light_that_was_drawn() -> None:
    found = flatfield.measure(empty(light()))
    expected = cv2.resize(light(), found.flat.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert found.flat.shape == (40, 64, 3)
    assert np.abs(found.flat - expected[..., None] / expected.max()).max() < 0.03
    assert found.flat.max() == pytest.approx(1)
    assert found.glass[0] > found.glass[1] > found.glass[2]
    assert found.fall == pytest.approx(1 - expected.min() / expected.max(), abs=0.02)


def test_debris_that_moves_with_the_stage_is_not_in_it() -> None:
    pictures = empty(light(dust=0.0))
    for n, picture in enumerate(pictures):
        cv2.circle(picture, (100 + 110 * n, 200), 20, (60, 50, 90), -1)
    found = flatfield.measure(pictures)
    clean = flatfield.measure(empty(light(dust=0.0)))
    assert np.abs(found.flat - clean.flat).max() < 0.03


@pytest.mark.parametrize("blur_px", [0, 10, 25])
def test_cells_are_not_glass(fields: list[U8], blur_px: int) -> None:
    shown = [cv2.GaussianBlur(f, (0, 0), blur_px) if blur_px else f for f in fields[:1]]
    with pytest.raises(FlatFieldError, match="not empty"):
        flatfield.measure([np.asarray(f, np.uint8) for f in shown * 3])


def test_one_cell_that_stays_is_too_many() -> None:
    pictures = empty(light(dust=0.0))
    for picture in pictures:
        cv2.circle(picture, (300, 200), 37, (150, 110, 120), -1)
    with pytest.raises(FlatFieldError, match="not empty"):
        flatfield.measure(pictures)


@pytest.mark.parametrize(("level", "said"), [(0.15, "too dark"), (1.2, "burnt out")])
def test_wrong_exposure_is_named(level: float, said: str) -> None:
    with pytest.raises(FlatFieldError, match=said) as told:
        flatfield.measure([np.asarray(np.clip(p * level, 0, 255), np.uint8) for p in empty(light())])
    assert "\n" not in str(told.value)


def test_a_field_corrected_with_it_is_as_good_as_one_in_even_light(fields: list[U8]) -> None:
    through = light(lost=0.6, dust=0.25)
    flat = flatfield.measure(empty(through)).flat
    for number, field in enumerate(fields):
        even = preprocess.specimen(seen(field, np.ones(SIZE, np.float32)), 0.1, 0.25).pixels.astype(float)
        dusty = seen(field, through, seed=number)
        off = {
            name: np.abs(preprocess.specimen(dusty, 0.1, 0.25, given).pixels - even).mean()
            for name, given in (("with", flat), ("without", None))
        }
        assert off["with"] < 0.8 * off["without"]
        assert off["with"] < 4


def test_through_an_eyepiece_it_goes_on_beyond_the_rim() -> None:
    height, width = SIZE
    down, across = np.mgrid[:height, :width]
    inside = np.hypot(across - width / 2, down - height / 2) < 0.47 * height
    whole = flatfield.measure(empty(light(dust=0.0)))
    found = flatfield.measure([np.where(inside[..., None], p, np.uint8(0)) for p in empty(light(dust=0.0))])
    assert whole.lit.whole
    assert not found.lit.whole
    there = found.lit.mask(*found.flat.shape[:2])
    assert there is not None
    shown, wanted = (f.flat[there] / f.flat[there].max() for f in (found, whole))
    assert np.abs(shown - wanted).max() < 0.03
    assert found.flat.min() > 0.5


def test_cells_seen_through_an_eyepiece_are_no_empty_field(fields: list[U8]) -> None:
    height, width = SIZE
    down, across = np.mgrid[:height, :width]
    inside = np.hypot(across - width / 2, down - height / 2) < 0.47 * height
    with pytest.raises(FlatFieldError, match="not empty"):
        flatfield.measure([np.where(inside[..., None], f, np.uint8(0)) for f in fields])
