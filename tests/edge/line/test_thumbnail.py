"""Thumbnails tell places apart, wherever in the picture and however many cells there are."""

from __future__ import annotations

import numpy as np
import pytest

from edge.line import thumbnail
from edge.line.thumbnail import PRINT_PX, THUMB_UM
from edge.optics.litfield import LitField
from edge.optics.specimen import Specimen


def _thumb(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(150, 240, (72, 128), np.uint8)


def test_a_thumbnail_is_as_large_as_the_field_is_wide() -> None:
    pixels = np.full((432, 768, 3), 200, np.uint8)
    pixels[:, :384, 1] = 20
    small = thumbnail.thumbnail(Specimen(pixels, 0.25, 1.0, np.full(3, 240, np.float32), 0.5))
    assert small.shape == (72, 128)
    assert small.min() == 150, "nuclei must not outshout red cells"
    assert small[:, 70:].min() == 200


def test_a_fingerprint_is_the_standardised_window_about_a_cell() -> None:
    thumb = _thumb()
    (got,) = thumbnail.fingerprints(thumb, np.array([[40.0, 30.0]]) * THUMB_UM)
    window = thumb[30 - PRINT_PX // 2 : 30 + PRINT_PX // 2, 40 - PRINT_PX // 2 : 40 + PRINT_PX // 2]
    wanted = window - window.mean()
    np.testing.assert_allclose(got, (wanted / np.linalg.norm(wanted)).ravel(), atol=1e-5)


@pytest.mark.parametrize("n", [0, 1, 2500])
def test_any_number_of_cells_has_fingerprints(n: int) -> None:
    centres = np.random.default_rng(0).uniform(0, 100, (n, 2))
    prints = thumbnail.fingerprints(_thumb(), centres)
    assert prints.shape == (n, PRINT_PX * PRINT_PX)
    np.testing.assert_allclose(np.linalg.norm(prints, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(prints[-1:], thumbnail.fingerprints(_thumb(), centres[-1:]))


def test_one_place_is_alike_and_its_corner_is_refined() -> None:
    slide = np.random.default_rng(1).integers(150, 240, (120, 200), np.uint8)
    a, b = slide[20:92, 40:168], slide[10:82, 25:153]
    overlap, likeness, corner = thumbnail.compare(a, b, np.array([16.0, 11.0]) * THUMB_UM, 0.0)
    assert overlap == pytest.approx((128 - 15) * (72 - 10) / a.size)
    assert likeness > 0.99
    np.testing.assert_allclose(corner / THUMB_UM, [15, 10], atol=0.1)


def test_two_places_are_not() -> None:
    overlap, likeness, _ = thumbnail.compare(_thumb(0), _thumb(1), np.array([20.0, 10.0]), 0.0)
    assert likeness < thumbnail.wanted(overlap * _thumb().size)


def test_what_does_not_overlap_has_nothing_in_common() -> None:
    assert thumbnail.compare(_thumb(0), _thumb(0), np.array([500.0, 0.0]), 0.0)[:2] == (0.0, 0.0)


def test_an_overlap_that_cannot_suffice_is_not_looked_into() -> None:
    a, corner = _thumb(0), np.array([16.0, 11.0]) * THUMB_UM
    share = thumbnail.compare(a, a, corner, 0.0)[0]
    assert 0 < share < 0.8
    overlap, likeness, same = thumbnail.compare(a, a, corner, 1.0)
    assert (overlap, likeness) == (0.0, 0.0)
    assert same is corner


def _behind_a_stop(thumb: np.ndarray, x: float = 64, radius: float = 34) -> np.ndarray:
    down, across = np.mgrid[: thumb.shape[0], : thumb.shape[1]]
    return np.where(np.hypot(across - x, down - 36) < radius, thumb, 0).astype(np.uint8)


def test_a_thumbnail_is_nought_outside_the_lit_field() -> None:
    pixels = np.full((432, 768, 3), 200, np.uint8)
    left = LitField(np.array([[0, 0], [0.5, 0], [0.5, 1], [0, 1]], np.float32))
    glass = np.full(3, 240, np.float32)
    small = thumbnail.thumbnail(Specimen(pixels, 0.25, 1.0, glass, 0.5, lit=left))
    assert (small[:, :63] == 200).all()
    assert (small[:, 65:] == 0).all()
    assert thumbnail.lit_pixels(small) == pytest.approx(0.5 * small.size, rel=0.02)


def test_two_places_in_one_stop_are_not_alike() -> None:
    shade = 240 - 0.02 * np.hypot(*np.mgrid[-36:36, -64:64]) ** 2
    for seed in range(5):
        a, b = (
            _behind_a_stop(np.clip(_thumb(2 * seed + n) * 0.2 + 0.8 * shade, 150, 240).astype(np.uint8))
            for n in (0, 1)
        )
        overlap, likeness, _ = thumbnail.compare(a, b, np.zeros(2), 0.0)
        assert overlap == pytest.approx(1, abs=0.05)
        assert likeness < thumbnail.wanted(thumbnail.lit_pixels(a))


def test_one_place_in_two_stops_is() -> None:
    slide = np.random.default_rng(1).integers(150, 240, (120, 200), np.uint8)
    a, b = _behind_a_stop(slide[20:92, 40:168]), _behind_a_stop(slide[10:82, 25:153])
    overlap, likeness, corner = thumbnail.compare(a, b, np.array([16.0, 11.0]) * THUMB_UM, 0.0)
    assert 0.5 < overlap < 0.7, "of the lit field"
    assert likeness > 0.99
    np.testing.assert_allclose(corner / THUMB_UM, [15, 10], atol=0.1)
    np.testing.assert_allclose(thumbnail.shift(a, b), [15, 10], atol=1)
